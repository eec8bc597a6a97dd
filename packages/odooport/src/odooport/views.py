"""What Odoo's form views tell: the buttons of a record, and what a form fills in.

``get_views`` answers the form as XML, without what the user's groups do not see. It is
parsed here into ``FormView``: its buttons with the conditions that hide them, and its
fields. ``record_actions`` judges the buttons for one record. ``OnchangeRequest`` puts
what was typed into a form the way that Odoo's ``onchange`` takes it, and its answer
into clean values.

Sources in Odoo 18: ``addons/web/static/src/views/view_compiler.js`` (what is a button),
``addons/web/static/src/model/relational_model/utils.js`` (what the web client asks for)
and ``addons/web/models/models.py`` (``onchange``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any, Self
from xml.etree import ElementTree as ET

from odooport import scalars
from odooport.errors import GatewayProtocolError, InvalidRequest, Problem
from odooport.expressions import Expression
from odooport.model import Command, Record
from odooport.scalars import is_empty, is_mapping, is_sequence
from odooport.schema import TEXTUAL, TO_MANY, Field, ModelSchema
from odooport.values import value_out
from odooport.writing import Lookup, values_in

MAX_ARCH = 4_000_000
"""The most characters of a form view; the longest of Odoo 18's apps has 106,000."""

MAX_DEPTH = 200
"""How deep the elements of a form view may nest."""

NEEDS_SESSION = (
    "It opens a window action, which takes a session of Odoo's web client or an "
    "administrator."
)

_KINDS = frozenset({"object", "action"})
_PLACES = ("header", "footer")
_SHOWN = frozenset({"", "False", "0"})
"""What ``invisible`` says where nothing is hidden, without looking at a record."""

_LEFT_OUT = frozenset(
    {"binary", "image", "json", "properties", "properties_definition"}
)
"""The types of fields that a form is not asked for: heavy, or no single value."""

_NOT_A_PARENT = frozenset({"id", "name", "display_name", "external_id"})
"""The keys that name a record; with any other key, a mapping is a record's values."""

_NOTHING: Mapping[str, Any] = {}
_NEW_LINE = "virtual_"
"""How the web client names lines that are not saved yet; a number follows."""


@dataclass(frozen=True, slots=True)
class Button:
    """One button of a form view.

    Attributes:
        name: The method that it calls, or the id of the action that it opens.
        kind: ``object`` for a method, ``action`` for a window action.
        label: What people read on it, in the language of the view.
        place: ``header``, ``button_box``, ``footer`` or ``body``.
        confirm: What the form asks before it goes on; None if nothing.
        context: What it adds to the context, as the view spells it.
        help: What it says of itself, if anything.
        hidden_if: The conditions that hide it, its ancestors' included; any suffices.
    """

    name: str
    kind: str
    label: str
    place: str = "body"
    confirm: str | None = None
    context: str | None = None
    help: str | None = None
    hidden_if: tuple[Expression, ...] = ()

    def hidden_by(self, values: Mapping[str, Any]) -> tuple[bool | None, str]:
        """Answer whether the form hides it, and by which condition.

        Args:
            values: What the record holds, as the web client sees it.

        Returns:
            Whether it is hidden; None if that cannot be told. The condition that hides
            it, or the first that cannot be told, or no text.
        """
        unknown = ""
        for condition in self.hidden_if:
            hidden = condition.evaluate(values)
            if hidden:
                return True, condition.text
            if hidden is None and not unknown:
                unknown = condition.text
        return (None, unknown) if unknown else (False, "")


@dataclass(frozen=True, slots=True)
class FormView:
    """The form of a model, as one user sees it.

    Attributes:
        model: The model's technical name.
        fields: The names of its fields; for those with lines shown inside, the names of
            the lines' fields.
        buttons: Its buttons in order, without those that belong to lines.
    """

    model: str
    fields: Mapping[str, tuple[str, ...]]
    buttons: tuple[Button, ...]

    @classmethod
    def from_wire(cls, schema: ModelSchema, answer: Any) -> Self:
        """Read the answer of ``get_views`` for ``[[False, "form"]]``.

        Args:
            schema: The model; its labels name buttons that show nothing but a field.
            answer: What Odoo answered.

        Raises:
            GatewayProtocolError: It has no form that can be read.
        """
        try:
            arch = answer["views"]["form"]["arch"]
        except (TypeError, LookupError) as exc:
            raise _unreadable(schema.model) from exc
        if not isinstance(arch, str) or len(arch) > MAX_ARCH or "<!DOCTYPE" in arch:
            # Only a DOCTYPE can declare entities, and Odoo's views have none.
            raise _unreadable(schema.model)
        try:
            root = ET.fromstring(arch)  # noqa: S314 - it declares no entities
        except ET.ParseError as exc:
            raise _unreadable(schema.model) from exc
        fields: dict[str, tuple[str, ...]] = {}
        buttons: list[Button] = []
        for node, place, hidden_if in _visited(root, schema.model):
            name = node.get("name")
            if node.tag == "field" and name:
                fields[name] = tuple(
                    dict.fromkeys((*fields.get(name, ()), *_line_fields(node)))
                )
            elif name and _is_button(node):
                buttons.append(
                    Button(
                        name,
                        node.get("type", ""),
                        _label(node, schema),
                        place,
                        node.get("confirm") or None,
                        node.get("context") or None,
                        node.get("help") or node.get("title") or None,
                        hidden_if,
                    )
                )
        return cls(schema.model, fields, tuple(buttons))

    @property
    def names(self) -> frozenset[str]:
        """The names that the conditions of its buttons need values for."""
        return frozenset(
            name
            for button in self.buttons
            for condition in button.hidden_if
            for name in condition.names
        )


@dataclass(frozen=True, slots=True)
class RecordAction:
    """What a button of a record's form would do now.

    Attributes:
        name: The method to call with the record's id, or an action's id or external id.
        kind: ``object`` for a method, ``action`` for a window action.
        label: What people read on the button.
        available: Whether the form shows it for this record; None if that cannot be
            told from here.
        callable: Whether ``Odoo.call`` can do it.
        reason: Why it is not available, not callable, or why that cannot be told.
        place: ``header``, ``button_box``, ``footer`` or ``body``.
        confirm: What the form asks before it goes on.
        context: What the button adds to the context, as the view spells it.
        help: What it says of itself.
    """

    name: str
    kind: str
    label: str
    available: bool | None
    callable: bool
    reason: str | None = None
    place: str = "body"
    confirm: str | None = None
    context: str | None = None
    help: str | None = None


@dataclass(frozen=True, slots=True)
class OnchangeWarning:
    """What a form would say after a change.

    Attributes:
        title: Its heading.
        message: What it says.
        type: ``dialog`` or ``notification``.
    """

    title: str
    message: str
    type: str


@dataclass(frozen=True, slots=True)
class OnchangeResult:
    """What a form would fill in. Nothing is saved.

    Attributes:
        values: The fields that would change, with their clean values. A one2many or
            many2many says in words what would change: ``{"add": [3], "create": [{…}],
            "update": [{"id": 5, …}], "remove": [4], "delete": [6]}``. Lines that were
            sent to be created are there whole, so this can be sent to a create,
            without the fields that only Odoo computes, such as totals.
        warnings: What the form would say.
        derived: What the form would show and only Odoo sets, such as totals.
    """

    values: Record
    warnings: tuple[OnchangeWarning, ...] = ()
    derived: Record = default(default_factory=dict[str, Any])


def record_actions(form: FormView, values: Mapping[str, Any]) -> list[RecordAction]:
    """Judge the buttons of a form for one record.

    A form often has the same button twice, under different conditions; that makes one
    action, with the label of the button that shows. It makes several only where several
    may show at a time.

    Args:
        form: The form.
        values: What the record holds, as the web client sees it (``expressions.seen``).
    """
    same: dict[tuple[str, str], list[Button]] = {}
    for button in form.buttons:
        same.setdefault((button.kind, button.name), []).append(button)
    return [action for buttons in same.values() for action in _judged(buttons, values)]


def _judged(
    buttons: Sequence[Button], values: Mapping[str, Any]
) -> Iterator[RecordAction]:
    """Answer the actions of buttons that do the same."""
    judged = [(button, *button.hidden_by(values)) for button in buttons]
    shown = [item for item in judged if item[1] is not True]
    if not shown:
        hiding = "; ".join(dict.fromkeys(condition for _, _, condition in judged))
        yield _action(buttons[0], False, f"The form hides it now: {hiding}.")
        return
    alike: dict[tuple[str, str | None, str | None], list[tuple[Button, str]]] = {}
    for button, _, unknown in shown:
        key = button.label, button.context, button.confirm
        alike.setdefault(key, []).append((button, unknown))
    for several in alike.values():
        sure = next((item for item, unknown in several if not unknown), None)
        if sure is not None:
            yield _action(sure, True, None)
        else:
            unknown = "; ".join(dict.fromkeys(condition for _, condition in several))
            reason = f"Whether the form hides it cannot be told from here: {unknown}."
            yield _action(several[0][0], None, reason)


def _action(button: Button, available: bool | None, reason: str | None) -> RecordAction:
    opens = button.kind == "action"
    reasons = [*filter(None, [reason]), *([NEEDS_SESSION] if opens else [])]
    return RecordAction(
        button.name,
        button.kind,
        button.label,
        available,
        not opens,
        " ".join(reasons) or None,
        button.place,
        button.confirm,
        button.context,
        button.help,
    )


# Reading the form


def _unreadable(model: str) -> GatewayProtocolError:
    return GatewayProtocolError(f"Odoo's form view of {model!r} cannot be read.")


def _visited(
    root: ET.Element, model: str
) -> Iterator[tuple[ET.Element, str, tuple[Expression, ...]]]:
    """Answer the form's own elements in order, each with its place and conditions.

    What is inside of a field belongs to another model and is left out.
    """
    known: dict[str, Expression] = {}
    todo: list[tuple[ET.Element, int, str, tuple[Expression, ...]]] = [
        (root, 1, "body", ())
    ]
    while todo:
        node, depth, place, hidden_if = todo.pop()
        if depth > MAX_DEPTH:
            raise _unreadable(model)
        text = node.get("invisible", "").strip()
        if text not in _SHOWN:
            if text not in known:
                known[text] = Expression.parse(text)
            hidden_if = (*hidden_if, known[text])
        if node.tag in _PLACES:
            place = node.tag
        elif node.get("name") == "button_box":
            place = "button_box"
        yield node, place, hidden_if
        if node.tag != "field":
            todo += [(part, depth + 1, place, hidden_if) for part in reversed(node)]


def _is_button(node: ET.Element) -> bool:
    return (
        node.tag in ("button", "a")
        and node.get("type") in _KINDS
        and not node.get("special")
        and node.get("data-bs-toggle") is None
        and node.get("disabled", "").lower() in ("", "0", "false")
    )


def _label(node: ET.Element, schema: ModelSchema) -> str:
    """Answer what people read on a button, or failing that what it says of itself."""
    inside = list(node.iter("field"))
    texts = (
        node.get("string"),
        *("".join(part.itertext()) for part in node.iter() if _is_caption(part)),
        "".join(node.itertext()),
        *(part.get("string") for part in inside),
        *(_field_label(schema, part.get("name")) for part in inside),
        node.get("help"),
        *(part.get("title") or part.get("aria-label") for part in node.iter()),
    )
    for text in texts:
        label = " ".join((text or "").split())
        if any(map(str.isalpha, label)):
            return label
    return node.get("name", "")


def _is_caption(node: ET.Element) -> bool:
    return "o_stat_text" in node.get("class", "").split()


def _field_label(schema: ModelSchema, name: str | None) -> str | None:
    field = schema.fields.get(name or "")
    return None if field is None else field.label


def _line_fields(node: ET.Element) -> Iterator[str]:
    """Answer the fields that a field's own views show of its lines."""
    todo = [*reversed(node)]
    while todo:
        part = todo.pop()
        if part.tag != "field":
            todo += reversed(part)
        elif name := part.get("name"):
            yield name


# What a form fills in


@dataclass(frozen=True, slots=True)
class OnchangeRequest:
    """What was typed into a form, as Odoo's ``onchange`` takes it.

    Attributes:
        schema: The model of the form.
        lines: The models of the lines that the form shows inside, by field.
        values: What the form holds.
        changed: The fields that were typed into, in order; empty opens the form.
        spec: The fields that Odoo shall answer.
    """

    schema: ModelSchema
    lines: Mapping[str, ModelSchema]
    values: Mapping[str, Any]
    changed: Sequence[str]
    spec: Mapping[str, Any] = default(default_factory=dict[str, Any])

    @classmethod
    async def build(
        cls,
        form: FormView,
        schema: ModelSchema,
        lookup: Lookup,
        values: Mapping[str, Any],
        changed: Sequence[str] | None,
        *,
        lines: Mapping[str, ModelSchema],
        creating: bool,
    ) -> Self:
        """Check what was typed, and put it in Odoo's form.

        Unlike in a write, a required field may be empty, and a many2one may hold the
        values of its record: that is how a line's form knows the order that it is in.

        Args:
            form: The model's form; what Odoo answers are its fields.
            schema: The model.
            lookup: Answers schemas, and the records that values name.
            values: What the form holds.
            changed: Which of them were typed, in order; None for all but the values of
                other records.
            lines: The models of the lines that the form shows inside, by field.
            creating: Whether the form is for a new record.

        Raises:
            InvalidRequest: With a problem for everything that is wrong.
        """
        problems: list[Problem] = []
        sent: dict[str, Any] = {}
        plain: dict[str, Any] = {}
        parents: dict[str, Mapping[str, Any]] = {}
        for name, value in values.items():
            field = schema.fields.get(name)
            if field is not None and _is_parent(field, value):
                parents[name] = value
            elif field is not None and _is_blank(field, value):
                sent[name] = False
            else:
                plain[name] = value
        try:
            sent |= await values_in(
                schema, plain, lookup, creating=creating, pointer="/values", form=True
            )
        except InvalidRequest as wrong:
            problems += _problems(wrong)
        for name, nested in parents.items():
            try:
                sent[name] = await _parent(schema.field(name), nested, lookup)
            except InvalidRequest as wrong:
                problems += _problems(wrong)
        names = [name for name in values if name not in parents]
        if changed is not None:
            problems += _unknown_changes(schema, changed, values)
            names = list(dict.fromkeys(changed))
        if problems:
            raise scalars.refusal(f"The form of {schema.model!r}", problems)
        numbered = {
            name: _numbered(value) if schema.field(name).type in TO_MANY else value
            for name, value in sent.items()
        }
        asked = dict.fromkeys((*form.fields, *values))
        spec = {
            name: _spec_of(field, form.fields.get(name, ()), lines.get(name))
            for name in asked
            if (field := schema.fields.get(name)) is not None
            and field.type not in _LEFT_OUT
        }
        return cls(schema, lines, numbered, names, spec)

    def result(self, answer: Any) -> OnchangeResult:
        """Put Odoo's answer into clean values.

        Raises:
            GatewayProtocolError: It is no answer of ``onchange``.
        """
        if not is_mapping(answer):
            raise self._unexpected()
        changed, warning = answer.get("value", _NOTHING), answer.get("warning")
        if not is_mapping(changed) or not (is_empty(warning) or is_mapping(warning)):
            raise self._unexpected()
        values = self._clean(self.schema, changed, self.lines)
        derived = {
            name: values.pop(name)
            for name in list(values)
            if name in self.schema.fields and self.schema.fields[name].derived
        }
        if not is_mapping(warning):
            return OnchangeResult(values, derived=derived)
        text = {
            key: str(warning.get(key) or "") for key in ("title", "message", "type")
        }
        return OnchangeResult(values, (OnchangeWarning(**text),), derived)

    def _clean(
        self,
        schema: ModelSchema,
        values: Mapping[str, Any],
        lines: Mapping[str, ModelSchema],
    ) -> Record:
        clean: Record = {}
        for name, value in values.items():
            field = schema.fields.get(name)
            if field is None:
                if name != "id":
                    clean[name] = value
            elif field.type in TO_MANY and is_sequence(value):
                mine = schema is self.schema
                sent = self.values.get(name) if mine else None
                clean[name] = self._words(value, lines.get(name), sent)
            elif field.type == "many2one" and is_mapping(value):
                name_shown = value.get("display_name") or None
                clean[name] = {"id": value.get("id") or None, "name": name_shown}
            else:
                clean[name] = value_out(field, value)
        return clean

    def _words(
        self, commands: Sequence[Any], schema: ModelSchema | None, sent: Any
    ) -> dict[str, list[Any]]:
        """Answer what shall happen to lines, in words that a write takes as well.

        The lines that were sent to be created come back whole, with what the form adds
        to them.
        """
        words: dict[str, list[Any]] = {}
        made: dict[Any, Record] = {
            number: self._clean(schema, values, {}) if schema else dict(values)
            for code, number, values in (sent if is_sequence(sent) else ())
            if code == Command.CREATE
        }

        def line(values: Any) -> Record:
            if schema is None or not is_mapping(values):
                return {}
            clean = self._clean(schema, values, {})
            return {
                name: value
                for name, value in clean.items()
                if name not in schema.fields or not schema.fields[name].derived
            }

        for command in commands:
            match command:
                case [Command.CREATE, _, values]:
                    made["added", len(made)] = line(values)
                case [Command.UPDATE, number, values] if number in made:
                    made[number] |= line(values)
                case [Command.UPDATE, number, values]:
                    change = {"id": number} | line(values)
                    words.setdefault("update", []).append(change)
                case [Command.DELETE | Command.UNLINK, number, *_] if number in made:
                    del made[number]
                case [Command.DELETE, number, *_]:
                    words.setdefault("delete", []).append(number)
                case [Command.UNLINK, number, *_]:
                    words.setdefault("remove", []).append(number)
                case [Command.LINK, number, *_]:
                    words.setdefault("add", []).append(number)
                case [Command.CLEAR, *_]:
                    words["set"] = []
                case [Command.SET, _, [*several]]:
                    words["set"] = several
                case _:
                    raise self._unexpected()
        return words | ({"create": list(made.values())} if made else {})

    def _unexpected(self) -> GatewayProtocolError:
        return GatewayProtocolError(
            f"Odoo answered 'onchange' on {self.schema.model!r} in a shape that it "
            "should not have."
        )


def _problems(wrong: InvalidRequest) -> Sequence[Problem]:
    return wrong.problems or [Problem("/values", wrong.message)]


def _is_parent(field: Field, value: Any) -> bool:
    return (
        field.type == "many2one"
        and is_mapping(value)
        and bool(value.keys() - _NOT_A_PARENT)
    )


def _is_blank(field: Field, value: Any) -> bool:
    """Whether a required field was left empty, as a form may while it is typed into."""
    if field.type in TEXTUAL and value == "":
        return True
    return field.required and is_empty(value) and field.type not in _NEVER_BLANK


_NEVER_BLANK = TO_MANY | {"boolean", "integer", "float", "monetary"}


async def _parent(field: Field, values: Mapping[str, Any], lookup: Lookup) -> Any:
    """Answer the values of a record that the form's own record is in."""
    comodel = await lookup.schema(field.relation or "")
    typed = {name: value for name, value in values.items() if name != "id"}
    sent = await values_in(
        comodel,
        typed,
        lookup,
        creating="id" not in values,
        pointer=f"/values/{field.name}",
        form=True,
    )
    if "id" in values:
        sent["id"] = scalars.record_id(field, values["id"])
    return sent


def _unknown_changes(
    schema: ModelSchema, changed: Sequence[str], values: Mapping[str, Any]
) -> Iterator[Problem]:
    """Say which names are no change: Odoo answers nothing at all to those."""
    for index, name in enumerate(changed):
        if name not in schema.fields:
            yield Problem(f"/changed/{index}", schema.unknown(name))
        elif name not in values:
            yield Problem(
                f"/changed/{index}", f"{name!r} is said to change: give its value."
            )


def _numbered(commands: Any) -> Any:
    """Give each line that is to be created a number, so that Odoo can name it."""
    count = 0
    numbered: list[Any] = []
    for command in commands if is_sequence(commands) else ():
        match command:
            case [Command.CREATE, _, values]:
                numbered.append([Command.CREATE.value, f"{_NEW_LINE}{count}", values])
                count += 1
            case _:
                numbered.append(command)
    return numbered


def _spec_of(
    field: Field, shown: Iterable[str], lines: ModelSchema | None
) -> dict[str, Any]:
    """Answer what to ask of a field, in the words of ``web_read``."""
    if field.type == "many2one":
        return {"fields": {"display_name": {}}}
    if field.type not in TO_MANY or lines is None:
        return {}
    return {
        "fields": {
            name: {} if known.type in TO_MANY else _spec_of(known, (), None)
            for name in shown
            if (known := lines.fields.get(name)) is not None
            and known.type not in _LEFT_OUT
        }
    }
