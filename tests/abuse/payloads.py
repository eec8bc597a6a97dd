"""Too much at once, and text that would like to be something else."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from odooport import Call
from tests.abuse.abuses import (
    FRONT,
    MCP,
    REQUEST,
    REST,
    ROLE,
    STDIO,
    Abuse,
    Refusal,
    at_gate,
    at_http,
    everywhere,
    keys,
)
from tests.abuse.strangers import SEARCH
from tests.abuse.world import FORGED, MAX_BODY, Answer, World

PARTNER = "res.partner"
BODY: Refusal = ("front", "payload_too_large")
HEAD: Refusal = ("front", "headers_too_large")
LATE_BODY: Refusal = ("request", "payload_too_large")
"""The front counts on while the door reads the body, after the key is known."""

LINE = f'\r\n{FORGED} {{"event": "call", "outcome": "ok"}}\r\n'


def payloads() -> Iterator[Abuse]:
    """Answer every abuse of this kind."""
    yield from large()
    yield from deep()
    yield from log_injection()
    yield from header_injection()


def _post(
    kind: str,
    route: str,
    refusal: Refusal,
    content: Callable[[], Any],
    **more: Any,
) -> list[Abuse]:
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}

    async def rest(world: World) -> Answer:
        return await world.rest(
            "full", "POST", SEARCH, content=content(), headers=headers, **more
        )

    async def mcp(world: World) -> Answer:
        own = {key: value for key, value in headers.items() if key != "Content-Type"}
        return await world.mcp("full", content=content(), headers=own, **more)

    return at_http(kind, route, refusal, rest, mcp)


def large() -> Iterator[Abuse]:
    """Answer requests that are too long, in any part."""
    kind = "oversized body"

    async def chunks() -> Any:
        for _ in range(MAX_BODY // 1_024 + 1):
            yield b" " * 1_024

    yield from _post(kind, "with its length", BODY, lambda: b" " * (MAX_BODY + 1))
    yield from _post(kind, "in chunks, without a length", LATE_BODY, chunks)
    yield from _post(
        kind,
        "with a length that is none",
        BODY,
        lambda: b"{}",
        headers={"Content-Length": "1e9"},
    )
    yield from _post(
        kind,
        "headers in place of a body",
        HEAD,
        lambda: b"{}",
        headers={f"X-Filler-{number}": "x" * 1_000 for number in range(20)},
    )
    yield from _post(
        kind,
        "too many headers",
        HEAD,
        lambda: b"{}",
        headers={f"X-Filler-{number}": "x" for number in range(120)},
    )

    async def query(world: World) -> Answer:
        return await world.rest("full", "GET", "/v1/models", params={"q": "x" * 20_000})

    yield Abuse(kind, "an address in place of a body", REST, HEAD, query)
    yield from everywhere(
        kind,
        "more ids than an answer may hold",
        "full",
        "read_records",
        REQUEST,
        doors=(STDIO,),
        model=PARTNER,
        ids=list(range(1, 1_003)),
        fields=["name"],
    )
    yield from everywhere(
        kind,
        "a number that Odoo's database cannot hold",
        "full",
        "read_records",
        REQUEST,
        doors=(STDIO,),
        model=PARTNER,
        ids=[10**400],
        fields=["name"],
    )
    yield from everywhere(
        kind,
        "a term with a hundred thousand names",
        "full",
        "search_records",
        REQUEST,
        doors=(STDIO,),
        model=PARTNER,
        domain=[["x" * 100_000, "=", 1]],
    )
    yield from at_gate(
        kind,
        "past the doors, more ids than an answer may hold",
        "full",
        ROLE,
        lambda world: Call(PARTNER, "read", (list(range(1, 1_003)), ["name"])),
    )


def _in_lists(depth: int) -> bytes:
    return b'{"domain": ' + b"[" * depth + b"]" * depth + b"}"


def _any_of_any(depth: int) -> list[Any]:
    domain: list[Any] = [["id", "=", 1]]
    for _ in range(depth):
        domain = [["child_ids", "any", domain]]
    return domain


def _children(depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {"name": "x"}
    for _ in range(depth):
        values = {"name": "x", "child_ids": [[0, 0, values]]}
    return values


def deep() -> Iterator[Abuse]:
    """Answer bodies that are nested too deeply."""
    kind = "deeply nested body"
    refusal = ("request", "invalid_request")
    yield from _post(kind, "lists in lists", refusal, lambda: _in_lists(20_000))
    yield from _post(
        kind,
        "objects in objects",
        refusal,
        lambda: b'{"domain": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}",
    )
    yield from _post(
        kind,
        "behind texts that hold brackets",
        refusal,
        lambda: b'{"q": "\\"]]]]]\\\\", "domain": ' + b"[" * 70 + b"]" * 70 + b"}",
    )
    yield from everywhere(
        kind,
        "as text inside of the text",
        "full",
        "search_records",
        REQUEST,
        model=PARTNER,
        domain="[" * 20_000 + "]" * 20_000,
    )
    yield from everywhere(
        kind,
        "sub-domains of sub-domains",
        "full",
        "search_records",
        REQUEST,
        doors=(STDIO,),
        model=PARTNER,
        domain=_any_of_any(100),
    )
    yield from everywhere(
        kind,
        "records in records",
        "full",
        "create_records",
        REQUEST,
        doors=(STDIO,),
        model=PARTNER,
        records=[_children(26)],
    )
    yield from at_gate(
        kind,
        "past the doors, records in records",
        "full",
        ROLE,
        lambda world: Call(PARTNER, "create", (_children(26),)),
    )


def log_injection() -> Iterator[Abuse]:
    """Answer text that would like to be a line of the log or of the audit."""
    kind = "log injection"
    yield from everywhere(
        kind,
        "in a model's name",
        "full",
        "search_records",
        REQUEST,
        model=f"res.partner{LINE}",
    )
    yield from everywhere(
        kind,
        "in a method's name",
        "full",
        "call_method",
        REQUEST,
        model=PARTNER,
        method=f"action_archive{LINE}",
        ids=[1],
    )
    yield from everywhere(
        kind,
        "in a field's name, with colours",
        "full",
        "search_records",
        REQUEST,
        model=PARTNER,
        fields=[f"\x1b[2K\x1b[1A{LINE}"],
    )
    yield from everywhere(
        kind,
        "in a domain, with the line ends of Unicode",
        "full",
        "search_records",
        REQUEST,
        model=PARTNER,
        domain=[[f"name\u2028{FORGED}\u2029\x85{FORGED}", "=", 1]],
    )
    yield from at_gate(
        kind,
        "past the doors, in a model's name",
        "full",
        ROLE,
        lambda world: Call(f"res.partner{LINE}", "read", ([1],)),
    )
    yield from at_gate(
        kind,
        "past the doors, in an instance's name",
        "full",
        REQUEST,
        lambda world: Call(PARTNER, "read", ([1],), instance=f"default{LINE}"),
    )

    async def path(world: World) -> Answer:
        return await world.rest("full", "GET", f"/v1/x%0d%0a{FORGED}%0d%0a")

    yield Abuse(kind, "in the address", REST, ("request", "not_found"), path)

    async def rest(world: World) -> Answer:
        return await world.rest(f"odp_x{LINE}", "GET", "/v1/me")

    async def mcp(world: World) -> Answer:
        return await world.mcp(f"odp_x{LINE}")

    yield from at_http(kind, "in a key", keys("unknown-key"), rest, mcp)


def header_injection() -> Iterator[Abuse]:
    """Answer text that would like to be a header of the answer."""
    kind = "header injection"
    bad = f"x\r\nX-Forged: {FORGED}"

    def both(
        route: str, refusal: Refusal, *headers: tuple[bytes, bytes]
    ) -> list[Abuse]:
        async def rest(world: World) -> Answer:
            return await world.rest("reader", "DELETE", "/v1/me", headers=[*headers])

        async def mcp(world: World) -> Answer:
            given = {"model": PARTNER, "ids": [1]}
            return await world.mcp(
                "reader", "delete_records", given, headers=[*headers]
            )

        return [
            Abuse(kind, route, door, one, attempt)
            for door, one, attempt in (
                (REST, refusal if refusal != ROLE else METHOD, rest),
                (MCP, refusal, mcp),
            )
        ]

    yield from both("in the request id", ROLE, (b"X-Request-Id", bad.encode()))
    yield from both("in the origin", FRONT, (b"Origin", f"http://{bad}".encode()))
    yield from both("in the host", MISDIRECTED, (b"Host", bad.encode()))

    def through_the_wire(path: str, body: bytes, *lines: str) -> Any:
        async def attempt(world: World) -> Answer:
            head = [
                f"POST {path} HTTP/1.1",
                "Host: 127.0.0.1",
                f"Authorization: Bearer {world.keys['reader']}",
                "Accept: application/json, text/event-stream",
                "Content-Type: application/json",
                "Connection: close",
                f"Content-Length: {len(body)}",
                *lines,
            ]
            return await world.bytes("\r\n".join([*head, "", ""]).encode(), body)

        return attempt

    record = json.dumps({"name": "Mallory"}).encode()
    yield Abuse(
        kind,
        "as bytes, in a header that is echoed",
        REST,
        ROLE,
        through_the_wire(
            f"/v1/models/{PARTNER}/records", record, "X-Request-Id: a\tX-Forged: b"
        ),
    )
    yield Abuse(
        kind,
        "as bytes, in the address that is told",
        REST,
        ("request", "not_found"),
        through_the_wire(f"/v1/%0d%0aX-Forged:%20{FORGED}", b"{}"),
    )


METHOD: Refusal = ("request", "method_not_allowed")
MISDIRECTED: Refusal = ("front", "permission_denied")
