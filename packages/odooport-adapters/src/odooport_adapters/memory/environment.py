"""Who looks at the records, how, and what they may see."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from odooport.model import Context
from odooport_adapters.memory import faults
from odooport_adapters.memory.registry import Field, Model, Registry
from odooport_adapters.memory.store import Row, Store, Table

type Getter = Callable[[int, Row], Any]
"""Answers the raw value of one field: None for empty, an id, or a tuple of ids."""

SOURCE_LANGUAGE = "en_US"
"""The language that texts fall back to, and that a call without language speaks."""

_SECONDS = 19
MOMENT = "%Y-%m-%d %H:%M:%S.%f"
"""How datetimes are kept: with microseconds, like PostgreSQL's."""


class Environment:
    """One call's view of the store.

    Args:
        registry: The models.
        store: The records.
        uid: The user who asks.
        context: How to look at the records.
        now: The moment of the call: Odoo stamps everything of one transaction with
            its start.
        superuser: Whether rights and rules are set aside.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        uid: int,
        context: Context,
        now: datetime,
        *,
        superuser: bool = False,
    ) -> None:
        self.registry = registry
        self.store = store
        self.uid = uid
        self.context = context
        self.now = now
        self.superuser = superuser
        self.lang = context.lang or SOURCE_LANGUAGE
        self._getters: dict[tuple[str, str], Getter] = {}
        self.groups = frozenset[str]()
        self.company = 0
        self.companies: tuple[int, ...] = ()
        if user := store.tables["res.users"].rows.get(uid):
            own: tuple[int, ...] = user.get("company_ids") or ()
            if not set(context.companies) <= set(own):
                raise faults.denied("Access to unauthorized or invalid companies.")
            self.companies = context.companies or own
            default: int = user.get("company_id") or 0
            self.company = context.companies[0] if context.companies else default
            groups = store.tables["res.groups"].rows
            self.groups = frozenset(
                groups[group]["key"] for group in user.get("groups_id") or ()
            )

    def check_language(self) -> None:
        """Refuse a language that is not active.

        Raises:
            OdooRefused: It is not.
        """
        lang = self.context.lang
        if lang is not None and not any(
            row["code"] == lang and row["active"]
            for row in self.store.tables["res.lang"].rows.values()
        ):
            raise faults.refused(f"Invalid language code: {lang}")

    @property
    def active_test(self) -> bool:
        """Whether archived records are left out."""
        return self.context.active_test is not False

    @property
    def moment(self) -> str:
        """The moment of the call, as datetimes are kept."""
        return self.now.strftime(MOMENT)

    @property
    def today(self) -> str:
        """The day of the call."""
        return self.now.strftime("%Y-%m-%d")

    def sudo(self) -> "Environment":
        """Answer the same view without rights and rules."""
        if self.superuser:
            return self
        return Environment(
            self.registry,
            self.store,
            self.uid,
            self.context,
            self.now,
            superuser=True,
        )

    def in_language(self, lang: str) -> "Environment":
        """Answer the same view in another language."""
        if lang == self.lang:
            return self
        return Environment(
            self.registry,
            self.store,
            self.uid,
            replace(self.context, lang=lang),
            self.now,
            superuser=self.superuser,
        )

    def model(self, name: str) -> Model:
        """Answer a model.

        Raises:
            OdooRefused: There is none of that name.
        """
        try:
            return self.registry.models[name]
        except KeyError:
            raise faults.refused(f"Object {name} doesn't exist") from None

    def table(self, model: str) -> Table:
        """Answer the rows of a model."""
        return self.store.tables[model]

    def row(self, model: str, record_id: int) -> Row:
        """Answer one row.

        Raises:
            RecordMissing: There is none.
        """
        try:
            return self.store.tables[model].rows[record_id]
        except KeyError:
            raise faults.missing(model, record_id, self.uid) from None

    def existing(self, model: str, ids: Iterable[int]) -> None:
        """Check that records are there.

        Raises:
            RecordMissing: One is not.
        """
        rows = self.store.tables[model].rows
        for record_id in ids:
            if record_id not in rows:
                raise faults.missing(model, record_id, self.uid)

    # Values

    def get(self, model: str, record_id: int, field: str) -> Any:
        """Answer the raw value of one field of one record, or None without record."""
        row = self.store.tables[model].rows.get(record_id)
        return None if row is None else self.getter(model, field)(record_id, row)

    def getter(self, model: str, field: str) -> Getter:
        """Answer what reads a field's raw value from a row."""
        key = (model, field)
        getter = self._getters.get(key)
        if getter is None:
            getter = self._getters[key] = self._build_getter(model, field)
        return getter

    def _build_getter(self, model_name: str, name: str) -> Getter:
        model = self.registry.models[model_name]
        field = model.fields[name]
        compute = model.behaviour.computed.get(name)
        if compute is not None:
            return lambda record_id, row: compute(self, record_id, row)
        if name == "id":
            return lambda record_id, _row: record_id
        if name == "display_name":
            return lambda record_id, _row: self.display_name(model_name, record_id)
        if field.path:
            return self._follow(model, field.path)
        if field.type == "one2many":
            return self._lines(field)
        if field.per_company:
            return lambda _id, row: _of_company(row.get(name), self.company)
        if field.translated and self.lang != SOURCE_LANGUAGE:
            own = text_column(name, self.lang)
            return lambda _id, row: (
                row.get(name) if (text := row.get(own)) is None else text
            )
        return lambda _id, row: row.get(name)

    def _follow(self, model: Model, path: Sequence[str]) -> Getter:
        first = self.getter(model.name, path[0])
        target = model.fields[path[0]].relation or ""
        rest = ".".join(path[1:])
        return lambda record_id, row: (
            self.get(target, found, rest) if (found := first(record_id, row)) else None
        )

    def _lines(self, field: Field) -> Getter:
        relation, inverse = field.relation or "", field.inverse or ""
        lines = self.registry.models.get(relation)
        if lines is None or inverse not in lines.fields:
            return lambda _id, _row: ()
        table = self.store.tables[relation]
        active = "active" in lines.fields

        def read(record_id: int, _row: Row) -> tuple[int, ...]:
            ids = table.pointing_at(inverse, record_id)
            if active and self.active_test:
                ids = [line for line in ids if table.rows[line].get("active")]
            return tuple(self.sort_lines(relation, ids))

        return read

    def sort_lines(self, model: str, ids: list[int]) -> list[int]:
        """Answer the ids in the order of lines: by sequence where there is one."""
        rows = self.store.tables[model].rows
        if "sequence" in self.registry.models[model].fields:
            return sorted(ids, key=lambda line: (rows[line].get("sequence") or 0, line))
        return sorted(ids)

    def display_name(self, model: str, record_id: int) -> str:
        """Answer what people call a record."""
        behaviour = self.registry.models[model].behaviour
        row = self.row(model, record_id)
        if behaviour.display_name is not None:
            return str(behaviour.display_name(self, record_id, row))
        name: object = None
        if "name" in self.registry.models[model].fields:
            name = self.getter(model, "name")(record_id, row)
        return str(name) if name else f"{model},{record_id}"

    # Rights

    def may(self, model: Model, operation: str) -> bool:
        """Whether the user's groups allow an operation on the model at all."""
        return self.superuser or any(
            operation in allowed and group in self.groups
            for group, allowed in model.access.items()
        )

    def check_model(self, model: Model, operation: str) -> None:
        """Refuse an operation that no group of the user allows.

        Raises:
            OdooAccessError: None does.
        """
        if not self.may(model, operation):
            raise faults.model_denied(
                operation,
                model.label,
                model.name,
                (
                    self.registry.groups.get(group, group).replace(" / ", "/")
                    for group, allowed in model.access.items()
                    if operation in allowed
                ),
            )

    def rule_domain(self, model: Model) -> list[Any] | None:
        """Answer the domain that the user's record rules demand; None for no rule.

        As in Odoo, the rules of several groups widen each other.
        """
        if self.superuser:
            return None
        domains = [
            rule.domain(self)
            for rule in model.behaviour.rules
            if rule.group in self.groups
        ]
        if not domains:
            return None
        combined: list[Any] = ["|"] * (len(domains) - 1)
        for domain in domains:
            combined += domain
        return combined

    def sees(self, field: Field) -> bool:
        """Whether the user's groups may see the field."""
        return (
            self.superuser
            or not field.groups
            or not self.groups.isdisjoint(field.groups)
        )

    def check_fields(self, model: Model, names: Iterable[str], operation: str) -> None:
        """Refuse fields that are for other groups.

        Raises:
            OdooAccessError: One of them is.
        """
        hidden = [
            model.fields[name]
            for name in names
            if name in model.fields and not self.sees(model.fields[name])
        ]
        if hidden:
            raise faults.field_denied(
                operation,
                model.label,
                model.name,
                self.uid,
                [(field.name, self._names_of(field.groups)) for field in hidden],
            )

    def _names_of(self, groups: Sequence[str]) -> str:
        return ", ".join(
            repr(self.registry.groups.get(group, group)) for group in groups
        )

    def user_name(self) -> str:
        """Answer what the user is called."""
        return str(self.get("res.users", self.uid, "name") or "")


def text_column(field: str, lang: str) -> str:
    """Answer the column with a field's texts in a language; no caller can name it."""
    return f"{field}@{lang}"


def shown_moment(kept: str) -> str:
    """Answer a datetime as Odoo shows it: in whole seconds."""
    return kept[:_SECONDS]


def _of_company(values: Mapping[int, Any] | None, company: int) -> Any:
    return None if values is None else values.get(company)


def find_one(rows: Mapping[int, Row], **values: Any) -> int | None:
    """Answer the first id whose row holds the values, or None."""
    return next(
        (
            record_id
            for record_id, row in rows.items()
            if all(row.get(name) == value for name, value in values.items())
        ),
        None,
    )
