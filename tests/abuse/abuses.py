"""What an abuse is, and how one is tried at every door."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from odooport import Call
from tests.abuse.world import Answer, World

REST, MCP, STDIO, GATE = "REST", "MCP over HTTP", "MCP over stdio", "gate"
HTTP = (REST, MCP)

type Attempt = Callable[[World], Awaitable[Answer]]
type Refusal = tuple[str, str]
"""Which layer refuses, and with which code."""


NO_KEY: Refusal = ("door", "authentication_failed")
ROLE: Refusal = ("role", "permission_denied")
SIGHT: Refusal = ("masked schema", "permission_denied")
RECORDS: Refusal = ("records", "permission_denied")
REQUEST: Refusal = ("request", "invalid_request")
FRONT: Refusal = ("front", "permission_denied")

_OF_KEYS = frozenset(
    {
        "unknown-key",
        "revoked-key",
        "expired-key",
        "rotated-key",
        "network",
        "lockout",
        "unknown-role",
    }
)


@dataclass(frozen=True)
class Abuse:
    """One thing that somebody tries at one door.

    Attributes:
        kind: Which class of abuse it is.
        route: How it is tried.
        door: Where.
        refusal: What must refuse it.
        attempt: Tries it.
    """

    kind: str
    route: str
    door: str
    refusal: Refusal
    attempt: Attempt

    def __str__(self) -> str:
        return f"{self.kind}: {self.route} ({self.door})"


def keys(rule: str) -> Refusal:
    """Answer that the key lets nobody in, for a reason."""
    return f"keys ({rule})", "authentication_failed"


def layer_of(facts: Mapping[str, Any]) -> str:
    """Answer what has refused a request, by what the audit says of it."""
    rule, outcome = facts["rule"], facts["outcome"]
    if rule == "front":
        return "front"
    if rule in _OF_KEYS:
        return f"keys ({rule})"
    if outcome == "authentication_failed":
        return "door"
    if outcome == "permission_denied":
        if str(facts["reason"]).startswith("Your role may not reach"):
            return "records"
        return "masked schema" if rule is None else "role"
    return "request"


def at_http(
    kind: str, route: str, refusal: Refusal, rest: Attempt, mcp: Attempt
) -> list[Abuse]:
    """Answer an abuse of what only the doors over HTTP have."""
    return [
        Abuse(kind, route, REST, refusal, rest),
        Abuse(kind, route, MCP, refusal, mcp),
    ]


def everywhere(
    kind: str,
    route: str,
    role: str,
    tool: str,
    refusal: Refusal,
    *,
    context: Mapping[str, Any] | None = None,
    at: Mapping[str, Refusal] | None = None,
    doors: Collection[str] = (REST, MCP, STDIO),
    **arguments: Any,
) -> list[Abuse]:
    """Answer the same abuse at every door, in the words of each.

    Args:
        kind: Which class of abuse it is.
        route: How it is tried.
        role: Whose key tries it.
        tool: The MCP tool.
        refusal: What must refuse it.
        context: The context that is asked for.
        at: What refuses it in place of that, at some doors.
        doors: Where it can be tried.
        arguments: The tool's arguments; a function answers one when the world is there.
    """
    own = at or {}

    def given(world: World) -> dict[str, Any]:
        return {name: _filled(value, world) for name, value in arguments.items()}

    async def rest(world: World) -> Answer:
        return await _rest(world, role, tool, given(world), context)

    async def mcp(world: World) -> Answer:
        return await world.mcp(role, tool, _with(given(world), context))

    async def stdio(world: World) -> Answer:
        return await world.stdio(role, tool, _with(given(world), context))

    return [
        Abuse(kind, route, door, own.get(door, refusal), attempt)
        for door, attempt in ((REST, rest), (MCP, mcp), (STDIO, stdio))
        if door in doors
    ]


def at_gate(
    kind: str,
    route: str,
    role: str,
    refusal: Refusal,
    call: Callable[[World], Call],
) -> list[Abuse]:
    """Answer an abuse that is past everything that a door sees to."""

    async def attempt(world: World) -> Answer:
        return await world.gate(role, call(world))

    return [Abuse(kind, route, GATE, refusal, attempt)]


def _filled(value: Any, world: World) -> Any:
    return value(world) if callable(value) else value


def _with(
    arguments: dict[str, Any], context: Mapping[str, Any] | None
) -> dict[str, Any]:
    return arguments if context is None else {**arguments, "context": dict(context)}


async def _rest(
    world: World,
    key: str,
    tool: str,
    given: dict[str, Any],
    context: Mapping[str, Any] | None,
) -> Answer:
    """Ask REST for what an MCP tool does."""
    base = f"/v1/models/{quote(given.pop('model'), safe='')}"
    params = {
        name: json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in (context or {}).items()
    }
    match tool:
        case "search_records":
            way = ("POST", "/search", given)
        case "aggregate_records":
            way = ("POST", "/aggregate", given)
        case "preview_values":
            way = ("POST", "/onchange", given)
        case "create_records":
            way = ("POST", "/records", given["records"])
        case "update_records":
            way = ("PATCH", f"/records/{_only(given)}", given["values"])
        case "delete_records":
            way = ("DELETE", f"/records/{_only(given)}", None)
        case "copy_record":
            values = given.get("values", {})
            way = ("POST", f"/records/{given['id']}/copy", values)
        case "read_records":
            params["fields"] = ",".join(given.get("fields", ["id"]))
            way = ("GET", f"/records/{_only(given)}", None)
        case "call_method":
            method = quote(given.pop("method"), safe="")
            way = ("POST", f"/methods/{method}", given)
        case "describe_model":
            params["fields"] = ",".join(given.get("fields", ["id"]))
            way = ("GET", "", None)
        case _:
            raise AssertionError(f"REST has no word for {tool!r}")
    verb, path, body = way
    sent = {} if body is None else {"json": body}
    return await world.rest(key, verb, base + path, params=params, **sent)


def _only(given: Mapping[str, Any]) -> int:
    (record_id,) = given["ids"]
    return int(record_id)
