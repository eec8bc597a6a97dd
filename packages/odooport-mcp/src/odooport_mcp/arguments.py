"""What the tools accept: argument types, the schemas that clients see, the refusals.

The published schemas are kept plain (no ``anyOf``, no ``$ref``, every property typed):
several model providers refuse a whole server for one schema that is not. What is
accepted is a little wider than what is published: JSON text in place of a list or an
object, ``null`` in place of leaving an argument out, ``5.0`` in place of ``5``. Text in
place of a number is refused.
"""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, cast

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from odooport import InvalidRequest, Problem
from odooport.findings import finding


def _from_json_text(raw: Any) -> Any:
    """Read a list or an object that came as JSON text, as some clients send them."""
    if not isinstance(raw, str):
        return raw
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return cast("object", parsed) if isinstance(parsed, list | dict) else raw


def _whole(raw: Any) -> Any:
    """Read a whole number that came as ``5.0``: some clients have no other numbers."""
    return int(raw) if isinstance(raw, float) and raw.is_integer() else raw


JSON_TEXT = BeforeValidator(_from_json_text)
WHOLE = BeforeValidator(_whole)


def _as_text(description: str) -> WithJsonSchema:
    """Publish an argument as text, though a list is accepted as well.

    Its items have no single type, and a list without an item type is what several
    clients refuse.
    """
    return WithJsonSchema({"type": "string", "description": description})


DomainArgument = Annotated[
    Any,
    _as_text(
        "Odoo search domain as a JSON list of [field, operator, value] conditions, for "
        'example [["is_company","=",true],["country_id.code","in",["BE","FR"]]]. '
        'Conditions are joined by "and"; write "|" before two of them for "or", "!" '
        'before one for "not". Operators: = != < <= > >= in, not in, like, ilike, '
        "=like, =ilike, child_of, parent_of, any, not any. Leave it out to match every "
        "record."
    ),
]
SameDomain = Annotated[Any, _as_text("Search domain, as for search_records")]
JsonList = Annotated[
    list[Any] | None,
    JSON_TEXT,
    _as_text(
        'Positional arguments as a JSON list, such as [[1,2],"x"]; kwargs are clearer'
    ),
]
ModelName = Annotated[
    str,
    Field(description="Technical name of the model, such as res.partner", min_length=1),
]
Ids = Annotated[
    list[Annotated[int, WHOLE]],
    Field(description="Ids of the records, such as [7, 8]", min_length=1),
    JSON_TEXT,
]
Query = Annotated[
    str | None,
    Field(description="Only records whose name holds this text"),
]
Versions = Annotated[
    list[str] | None,
    JSON_TEXT,
    Field(
        description="Versions from read_records, in the order of ids: nothing is done "
        "if a record changed since"
    ),
]
Values = Annotated[
    dict[str, Any],
    Field(description="The fields to change, with their new values", min_length=1),
    JSON_TEXT,
]


class CallContext(BaseModel):
    """How Odoo shall look at one call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    instance: str | None = Field(
        default=None, description="Which Odoo, if there are several"
    )
    company: Annotated[int, WHOLE] | None = Field(
        default=None, description="Company id"
    )
    lang: str | None = Field(default=None, description="Such as fr_FR")
    tz: str | None = Field(default=None, description="Such as Europe/Brussels")
    archived: bool | None = Field(
        default=None, description="true also finds archived records"
    )
    extra: dict[str, Any] | None = Field(
        default=None,
        description="Further keys of Odoo's context, if your role has them",
    )


class ToolArguments(ArgModelBase):
    """What every tool's arguments have in common: nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    context: Annotated[CallContext | None, JSON_TEXT] = Field(
        default=None, description="How to look at Odoo; seldom needed"
    )


class WriteArguments(ToolArguments):
    """What the tools that change something take besides."""

    idempotency_key: str | None = Field(
        default=None,
        description="A text of your own for this one change; sent again with the same "
        "key it is not done twice",
    )


def refusal(
    tool: str, model: type[BaseModel], error: ValidationError
) -> InvalidRequest:
    """Say what is wrong with a tool's arguments, without repeating their values."""
    problems = [
        Problem(_pointer(entry["loc"]), _sentence(tool, model, entry))
        for entry in error.errors(include_url=False, include_input=False)
    ]
    if len(problems) == 1:
        return InvalidRequest(problems[0].message, problems)
    return InvalidRequest(f"{len(problems)} arguments of {tool!r} are wrong.", problems)


def _pointer(path: Sequence[int | str]) -> str:
    return "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1") for part in path
    )


def _sentence(tool: str, model: type[BaseModel], entry: Mapping[str, Any]) -> str:
    path = [str(part) for part in entry["loc"]]
    kind, name = str(entry["type"]), ".".join(path)
    if kind == "missing":
        return f"{tool!r} needs the argument {name!r}."
    if kind == "extra_forbidden":
        known = CallContext if len(path) > 1 else model
        names = list(known.model_fields)
        close = get_close_matches(path[-1], names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        owner = f"The argument {path[0]!r}" if len(path) > 1 else f"{tool!r}"
        return f"{owner} does not take {path[-1]!r}, only {', '.join(names)}.{hint}"
    return finding(name, entry)


def plain_schema(schema: Mapping[str, Any], *, nullable: bool) -> dict[str, Any]:
    """Answer a JSON schema without references and titles, as plain as can be.

    Args:
        schema: A schema that pydantic made.
        nullable: Whether "or null" stays, as in an answer. In arguments it is dropped,
            since leaving an argument out says the same; there the descriptions stay,
            which an answer does not need.
    """
    definitions = schema.get("$defs", {})

    def plain(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in cast("Sequence[Any]", node)]
        if not isinstance(node, dict):
            return node
        entries = cast("dict[str, Any]", node)
        if names:  # these keys are property names, whatever they look like
            return {key: plain(value) for key, value in entries.items()}
        if "$ref" in entries:
            target = definitions[str(entries["$ref"]).removeprefix("#/$defs/")]
            rest = {key: value for key, value in entries.items() if key != "$ref"}
            return plain({**target, **rest})
        if not nullable and "anyOf" in entries:
            real = [arm for arm in entries["anyOf"] if arm != {"type": "null"}]
            if len(real) == 1:
                rest = {key: value for key, value in entries.items() if key != "anyOf"}
                return plain({**real[0], **rest})
        return {
            key: plain(value, names=key == "properties")
            for key, value in entries.items()
            if key not in ("$defs", "title")
            and not (key == "default" and value is None)
            and not (key == "additionalProperties" and value is True)
            and not (key == "description" and nullable)
        }

    return cast("dict[str, Any]", plain(dict(schema)))
