"""The commands ``odooport policy``: read the roles of the file, and explain a decision.

Each is a coroutine that answers the exit status; ``main`` runs it. Nothing is sent to
Odoo but questions for fields.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odooport.changes import visible
from odooport.errors import InvalidRequest, OdooportError, OdooRefused
from odooport.model import (
    DEFAULT_INSTANCE,
    Call,
    Caller,
    Credentials,
    Decision,
    Masking,
    Principal,
)
from odooport.scalars import is_mapping, is_sequence
from odooport.signatures import signature_of

if TYPE_CHECKING:
    from odooport_runtime.container import Container

FITS, WRONG, UNKNOWN = 0, 1, 2
"""The exit statuses: the roles can be used, they cannot, it could not be found out."""

_DOOR = "cli"
_REQUEST = "policy"
_NOTHING = "nothing"

DemoOption = Annotated[
    bool, typer.Option("--demo", help="Take the demo company in memory, not your Odoo.")
]


async def check(demo: DemoOption = False) -> int:
    """Read the roles of the file, and say what each may do and what it hides."""
    async with _container(demo=demo) as container:
        try:
            roles = container.roles()
        except OdooportError as error:
            if error.code != "roles":
                raise
            typer.echo(visible(error.message), err=True)
            return WRONG
        reachable, status = True, FITS
        for name in roles.names:
            if (role := roles.get(name)) is None:
                continue
            typer.echo(_headline(role))
            for rule in role.rules:
                for line in _told(rule):
                    typer.echo(f"    {line}")
                for model in rule.models:
                    if "*" in model or not reachable:
                        continue
                    try:
                        wrong = await _unknown(container, role, rule, model)
                        derived = await _derived(container, role, rule, model)
                    except OdooRefused:
                        wrong, derived = f"there is no model {model!r}", ""
                    except OdooportError as error:
                        reachable = False
                        text = f"Not compared with Odoo: {error.message}"
                        typer.echo(visible(text), err=True)
                        continue
                    if derived:
                        typer.echo(f"    {model} hides with them: {derived}")
                    if wrong:
                        status = WRONG
                        text = f"{rule.name}: {wrong} that your Odoo user sees."
                        typer.echo(visible(text), err=True)
        return status


async def explain(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The id of a key, or a role.")
    ],
    call: Annotated[
        str,
        typer.Argument(
            metavar="CALL", help="A model and a method, such as res.partner.write."
        ),
    ],
    arguments: Annotated[
        str | None,
        typer.Argument(
            metavar="[ARGUMENTS]",
            help=(
                "Its arguments as JSON: a list by position, or an object by name, in "
                "which 'ids' are the records."
            ),
        ),
    ] = None,
    instance: Annotated[
        str, typer.Option(help="Which Odoo database.")
    ] = DEFAULT_INSTANCE,
    demo: DemoOption = False,
) -> int:
    """Say which rule decides about a call, why, and what would be sent. Nothing is."""
    asked = parse_call(call, arguments, instance=instance)
    async with _container(demo=demo) as container:
        principal = _principal(container, key)
        decision = await container.gate().judge(
            Caller(principal, _DOOR, _REQUEST), asked
        )
    for line in explained(principal, asked, decision):
        typer.echo(visible(line))
    return FITS


def parse_call(
    text: str, arguments: str | None, *, instance: str = DEFAULT_INSTANCE
) -> Call:
    """Read a call as people type it.

    Args:
        text: A model and a method; arguments may follow after a space.
        arguments: The arguments as JSON; a method on records that has none is taken to
            be called on no records.
        instance: Which Odoo database.

    Raises:
        InvalidRequest: It is none.
    """
    name, _, rest = text.strip().partition(" ")
    model, dot, method = name.rpartition(".")
    if not dot or not model or not method:
        raise InvalidRequest(
            f"{name!r} is no call; write a model and a method, such as "
            "'res.partner.write'."
        )
    raw = arguments if arguments is not None else rest.strip() or None
    given: Any
    try:
        given = [] if raw is None else json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            f"{raw!r} is no JSON; write arguments such as "
            '\'{"ids": [1], "fields": ["name"]}\'.'
        ) from None
    if is_mapping(given):
        named: dict[str, Any] = {str(key): value for key, value in given.items()}
        args = [named.pop("ids")] if "ids" in named else []
    elif is_sequence(given):
        named, args = {}, list(given)
    else:
        raise InvalidRequest("Arguments are a JSON list or a JSON object.")
    call = Call(model, method, tuple(args), named, instance=instance)
    signature = signature_of(call)
    if signature is not None and signature.on_records and not args:
        call = Call(model, method, ([],), named, instance=instance)
    return call


def explained(principal: Principal, call: Call, decision: Decision) -> list[str]:
    """Answer in words what was decided about a call, and why.

    Args:
        principal: Who would ask.
        call: What for.
        decision: What the policy says of it.
    """
    told = [
        f"role:      {principal.role}",
        f"asked:     {_written(call)}",
        f"decision:  {'allowed' if decision.allowed else 'refused'}",
        f"rule:      {decision.rule}",
    ]
    if not decision.allowed:
        return [*told, f"why:       {decision.reason}"]
    if decision.call == call:
        told.append("sent:      as asked")
    else:
        told.append(f"sent:      {_written(decision.call)}")
    told += [
        f"required:  {wanted.model} {_json(wanted.ids)} must fit "
        f"{_json(wanted.domain)}"
        for wanted in decision.require
    ]
    told += [f"answer:    {line}" for line in _masked(decision.mask)]
    if decision.changes:
        told.append("audit:     keeps the records before and after")
    return told


def _masked(mask: Mapping[str, Any], above: str = "") -> list[str]:
    words = {
        Masking.DROP: "is left out",
        Masking.STARS: "is shown as ***",
        Masking.UNNAME: "is shown without a name",
    }
    told: list[str] = []
    for name, how in mask.items():
        if isinstance(how, Masking):
            told.append(f"{above}{name} {words[how]}")
        else:
            told += _masked(how, f"{above}{name}/")
    return told


def _written(call: Call) -> str:
    arguments = [_json(item) for item in call.args]
    arguments += [f"{name}={_json(value)}" for name, value in call.kwargs.items()]
    context = call.context.to_wire()
    if context:
        arguments.append(f"context={_json(context)}")
    return f"{call.model}.{call.method}({', '.join(arguments)})"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _headline(role: Any) -> str:
    limits = [f"at most {role.max_rows} rows"]
    if role.rate_limit:
        limits.append(role.rate_limit)
    if role.concurrency:
        limits.append(f"{role.concurrency} at once")
    if role.companies:
        limits.append(f"companies {_names(role.companies)}")
    if role.instances:
        limits.append(f"instances {_names(role.instances)}")
    if role.context:
        limits.append(f"context {_names(role.context)}")
    about = f" {role.description}" if role.description else ""
    return f"{role.name}:{about} ({'; '.join(limits)})"


def _told(rule: Any) -> list[str]:
    """Answer what a rule says, the domain with ``me`` for the asking user."""
    allowed = _names(sorted(rule.allow)) or _NOTHING
    told = [f"{rule.name}: {_names(rule.models)}: {allowed}"]
    if rule.methods:
        told[0] += f"; methods {_names(rule.methods)}"
    for word, names in (
        ("hides", rule.hide),
        ("masks", rule.mask),
        ("shows", rule.show),
    ):
        if names:
            told.append(f"  {word} {_names(sorted(names))}")
    wire = rule.domain.to_wire()
    if wire:
        told.append(f"  only records with {_json(wire)}".replace('"\\u0000me"', "me"))
    if rule.changes:
        told.append("  the audit keeps the records before and after")
    return told


def _names(names: Sequence[object]) -> str:
    return ", ".join(map(str, names))


async def _unknown(
    container: "Container", role: Any, rule: Any, model: str
) -> str | None:
    """Say which names of a rule Odoo does not know; None if it knows all.

    Raises:
        OdooRefused: There is no such model.
        OdooportError: Odoo cannot be asked.
    """
    logins = _logins(container)
    instance = next(
        (name for name in role.instances or (DEFAULT_INSTANCE,) if name in logins),
        next(iter(logins)),
    )
    schema = await container.gate().full_schema(logins[instance], model)
    paths = [term.path for term in rule.domain.terms()]
    named = {*rule.hide, *rule.mask, *rule.show, *(it.split(".")[0] for it in paths)}
    missing = sorted(named - schema.fields.keys())
    if not missing:
        return None
    return f"{model!r} has no field {' and no '.join(map(repr, missing))}"


async def _derived(container: "Container", role: Any, rule: Any, model: str) -> str:
    """Answer the fields that are hidden because they show what others hide."""
    if not (rule.hide or rule.mask):
        return ""
    decision = await container.gate().judge(
        Caller(_as_role(container, role), _DOOR, _REQUEST), Call(model, "fields_get")
    )
    return _names(sorted(set(decision.mask) - rule.hide - rule.mask))


def _principal(container: "Container", key: str) -> Principal:
    """Answer who would ask: the holder of a key, or of any key with a role."""
    roles = container.roles()
    if (role := roles.get(key)) is not None:
        return _as_role(container, role)
    record = container.key_store().find(key)
    if record is None:
        raise InvalidRequest(
            f"There is no key and no role {key!r}; 'odooport keys list' and 'odooport "
            "policy check' show them all."
        )
    role = roles.get(record.role)
    most = 0 if role is None else role.max_rows
    return Principal(
        record.id, record.name, record.role, _logins(container), max_rows=most
    )


def _as_role(container: "Container", role: Any) -> Principal:
    return Principal(
        _REQUEST, role.name, role.name, _logins(container), max_rows=role.max_rows
    )


def _logins(container: "Container") -> Mapping[str, Credentials]:
    return container.credentials()


@asynccontextmanager
async def _container(*, demo: bool) -> AsyncGenerator["Container"]:
    from odooport_runtime.container import Container, shutdown
    from odooport_runtime.settings import demo_settings

    container = Container(settings=demo_settings()) if demo else Container()
    try:
        yield container
    finally:
        await shutdown(container)
