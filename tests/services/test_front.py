"""What stands before both HTTP doors: the same at each, alone and together."""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from odooport import (
    AuditEvent,
    Call,
    Credentials,
    Decision,
    Gate,
    OdooDecides,
    OdooKnowledge,
    Principal,
    Refusal,
    Unlimited,
)
from odooport.errors import InvalidRequest
from odooport.model import Caller, Quota
from odooport_adapters import MemoryGateway
from odooport_cli.card import base_address
from odooport_cli.serving import join
from odooport_mcp_http.app import build_app as build_mcp
from odooport_mcp_http.app import build_door
from odooport_rest.app import build_app as build_rest
from odooport_runtime.front import (
    CUT_OFF,
    MAX_DEPTH,
    Front,
    FrontRules,
    budget,
    check_depth,
)
from odooport_runtime.serving import listen, server_of, tls_files
from odooport_runtime.settings import Connection, Settings, SettingsError
from odooport_runtime.transport import check_transport

PATIENCE = 30
"""Seconds after which something hangs."""

KEY = {"Authorization": "Bearer good"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
MODERN = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "count_records",
}
COUNT = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "count_records",
        "arguments": {"model": "res.partner"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}


class OneKey:
    """An ``AuthPolicy`` with one key; ``slow down`` was tried too often."""

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        if token == "slow down":
            return Refusal("Too many.", rule="lockout", retry_after=41.2)
        if token != "good":
            return Refusal("That key is not valid.", rule="unknown-key")
        credentials = {"default": Credentials("demo", "admin", "admin")}
        return Principal("good", "good", "full", credentials)

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return await OdooDecides().authorize(principal, call, odoo)


class Budget(Unlimited):
    """A ``RateLimiter`` that has the same left at every call."""

    quota = Quota(True, 600, 599, 41.5, window=60.0)

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        return self.quota


@dataclass
class Kept:
    """An ``AuditLog`` in a list."""

    events: list[AuditEvent] = field(default_factory=list)

    async def record(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True

    def last(self) -> tuple[str, str, str | None, str]:
        event = self.events[-1]
        caller = event.caller
        return caller.door, event.outcome, caller.address, caller.principal.subject


@dataclass
class Door:
    """One way to serve, with a request that it answers."""

    name: str
    build: Callable[[Gate, FrontRules], ASGIApp]
    path: str
    body: Any
    kept: Kept = field(default_factory=Kept)

    def app(self, **rules: Any) -> ASGIApp:
        gate = Gate(MemoryGateway.demo(), OneKey(), Budget(), self.kept)
        return self.build(gate, FrontRules(**rules))

    @asynccontextmanager
    async def client(
        self, peer: str | None = "127.0.0.1", **rules: Any
    ) -> AsyncIterator[httpx2.AsyncClient]:
        app = self.app(**rules)
        transport = httpx2.ASGITransport(
            app, client=None if peer is None else (peer, 1234)
        )
        async with (
            running(app),
            httpx2.AsyncClient(
                transport=transport,
                base_url="http://localhost",
                headers={**KEY, "Accept": "application/json, text/event-stream"},
            ) as http,
        ):
            yield http

    async def ask(self, http: httpx2.AsyncClient, **more: Any) -> httpx2.Response:
        if not more.keys() & {"content", "json"}:
            more["json"] = self.body
        return await http.post(self.path, **more)

    async def outcome(
        self, peer: str | None = "127.0.0.1", headers: Any = None, **rules: Any
    ) -> tuple[int, str | None]:
        """Answer the status of one request, and the address it was taken to be from."""
        async with self.client(peer, **rules) as http:
            answer = await self.ask(http, headers=headers)
        if answer.status_code >= 400:
            told(answer)
        events = self.kept.events
        return answer.status_code, events[-1].caller.address if events else None


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run an app's lifespan."""
    if not isinstance(app, Starlette):
        yield
        return
    async with app.router.lifespan_context(app):
        yield


def rest_alone(gate: Gate, rules: FrontRules) -> ASGIApp:
    return build_rest(gate, ready=lambda: asyncio.sleep(0), rules=rules)


def mcp_alone(gate: Gate, rules: FrontRules) -> ASGIApp:
    return build_mcp(gate, rules=rules)


def both(gate: Gate, rules: FrontRules) -> ASGIApp:
    rest = build_rest(gate, ready=lambda: asyncio.sleep(0), rules=None)
    door = build_door(gate, rules=None)
    return join(rest, door, gate, rules=rules, clock=lambda: 0.0)


def bare(gate: Gate, rules: FrontRules) -> ASGIApp:
    return Front(
        PlainTextResponse("fine"),
        gate,
        rules=rules,
        door="bare",
        new_id=lambda: "new",
        clock=lambda: 0.0,
    )


SEARCH = ("/v1/models/res.partner/search", {"limit": 1})
DOORS: dict[str, tuple[str, Callable[[Gate, FrontRules], ASGIApp], str, Any]] = {
    "rest": ("rest", rest_alone, *SEARCH),
    "mcp": ("mcp-http", mcp_alone, "/mcp", INITIALIZE),
    "rest of both": ("rest", both, *SEARCH),
    "mcp of both": ("mcp-http", both, "/mcp", INITIALIZE),
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    """Each door, alone and behind the one front of both."""
    return Door(*DOORS[request.param])


@pytest.fixture
def front() -> Door:
    """The front alone, for what would be the same again at each door."""
    return Door("bare", bare, "/", {})


@pytest.fixture
def rest() -> Door:
    return Door(*DOORS["rest"])


@pytest.fixture
def mcp() -> Door:
    return Door(*DOORS["mcp"])


def told(answer: httpx2.Response) -> Any:
    """Check that an answer is a problem, and answer it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


def networks(*given: str) -> Any:
    return tuple(ip_network(text) for text in given)


# Names of requests, and the marks of answers


async def test_a_request_keeps_a_harmless_name_and_loses_any_other(door: Door):
    async with door.client() as http:
        kept = await door.ask(http, headers={"X-Request-Id": "order-17.a_B"})
        lost = await door.ask(http, headers={"X-Request-Id": "a b"})
    assert kept.status_code == 200, kept.text
    assert kept.headers["x-request-id"] == "order-17.a_B"
    assert lost.headers["x-request-id"] not in ("", "a b")


async def test_every_answer_has_the_security_headers(door: Door):
    async with door.client() as http:
        answers = [
            await door.ask(http),
            await door.ask(http, headers={"Authorization": "Bearer wrong"}),
            await door.ask(http, headers={"Host": "evil.example"}),
            await http.get("/health"),
        ]
    assert [answer.status_code for answer in answers] == [200, 401, 421, 200]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "no-" in answer.headers["cache-control"]
        assert "strict-transport-security" not in answer.headers


async def test_where_tls_is_served_browsers_are_told_to_stay_with_it(door: Door):
    async with door.client(tls=True) as http:
        answer = await door.ask(http)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_the_docs_page_keeps_its_own_policy(rest: Door):
    async with rest.client() as http:
        page = await http.get("/docs")
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_nobody_writes_lines_of_the_log(
    front: Door, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    async with front.client() as http:
        await http.get("/a%0Arefused%1B[2J%E2%80%AE", headers={"X-Request-Id": "a\tb"})
    (line,) = [record for record in caplog.records if record.msg == "request"]
    assert vars(line)["path"] == "/a\\nrefused\\u001b[2J\\u202e"
    assert vars(line)["request_id"] == "new"


# Where a request comes from


async def test_a_stranger_is_not_believed_where_he_comes_from(door: Door):
    forged = {"X-Forwarded-For": "10.0.0.1"}
    refused = await door.outcome("192.0.2.9", forged, networks=networks("10.0.0.0/8"))
    assert refused == (403, "192.0.2.9")
    assert door.kept.last() == (
        door.name,
        "permission_denied",
        "192.0.2.9",
        "anonymous",
    )
    refused = await door.outcome(
        "192.0.2.9",
        forged,
        networks=networks("10.0.0.0/8"),
        trusted_proxies=networks("192.0.2.1"),
    )
    assert refused == (403, "192.0.2.9")


PROXIES = ("198.51.100.0/24", "2001:db8:f::/48")


@pytest.mark.parametrize(
    ("peer", "lines", "address"),
    [
        ("192.0.2.1", ["10.0.0.1"], "192.0.2.1"),
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["192.0.2.7"], "192.0.2.7"),
        ("198.51.100.1", ["10.0.0.1, 192.0.2.7"], "192.0.2.7"),
        ("198.51.100.1", ["10.0.0.1", "192.0.2.7"], "192.0.2.7"),
        ("198.51.100.1", ["10.0.0.1, 192.0.2.7, 198.51.100.2"], "192.0.2.7"),
        ("198.51.100.1", ["10.0.0.1", "192.0.2.7,198.51.100.2"], "192.0.2.7"),
        ("198.51.100.1", ["nonsense, 192.0.2.7"], "192.0.2.7"),
        ("198.51.100.1", ["198.51.100.3, 198.51.100.2"], "198.51.100.3"),
        ("198.51.100.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("198.51.100.1", ["2001:DB8::0:7"], "2001:db8::7"),
        ("198.51.100.1", ["fe80::7%eth0"], "fe80::7"),
        ("198.51.100.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("198.51.100.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:198.51.100.1", ["192.0.2.7"], "192.0.2.7"),
        ("2001:db8:f::1", ["2001:db8::7"], "2001:db8::7"),
    ],
)
async def test_only_what_trusted_proxies_vouch_for_counts(
    front: Door, peer: str, lines: list[str], address: str
):
    headers = [("X-Forwarded-For", line) for line in lines]
    nowhere = {"trusted_proxies": networks(*PROXIES), "networks": networks("0.0.0.0")}
    assert await front.outcome(peer, headers, **nowhere) == (403, address)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "unknown",
        "192.0.2.7,",
        "192.0.2.7, nonsense",
        "192.0.2.7, nonsense, 198.51.100.2",
        "192.0.2",
        "192.0.2.7/32",
        "0x7f.1",
        "192.0.2.7\tx",
    ],
)
async def test_nonsense_from_a_trusted_proxy_lets_nobody_in(front: Door, line: str):
    status, _ = await front.outcome(
        "198.51.100.1",
        {"X-Forwarded-For": line},
        trusted_proxies=networks(*PROXIES),
        networks=networks("0.0.0.0/0"),
    )
    assert status == 400
    assert not [it for it in front.kept.events if it.outcome != "invalid_request"]


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("192.0.2.7", 200),
        ("::ffff:192.0.2.7", 200),
        ("192.0.3.7", 403),
        ("2001:db8::7", 200),
        ("2001:db9::7", 403),
        ("127.0.0.1", 403),
        ("testclient", 403),
        (None, 403),
    ],
)
async def test_only_the_networks_that_are_listed_come_in(
    front: Door, peer: str | None, status: int
):
    listed = networks("192.0.2.0/24", "2001:db8::/32")
    assert (await front.outcome(peer, networks=listed))[0] == status


async def test_each_door_refuses_whom_the_front_refuses(door: Door):
    for headers, status in [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"X-Forwarded-For": "nonsense"}, 400),
        ({"X-Forwarded-For": "10.0.0.1"}, 403),
        ({"X-Forwarded-For": "10.0.0.1, 192.0.2.7"}, 200),
    ]:
        found = await door.outcome(
            "198.51.100.1",
            headers,
            trusted_proxies=networks(*PROXIES),
            networks=networks("192.0.2.0/24", "198.51.100.0/24"),
        )
        assert found[0] == status, headers
        if status != 200:
            assert door.kept.events[-1].caller.door == door.name
            assert door.kept.events[-1].rule == "front"


# What it is called


@pytest.mark.parametrize(
    ("rules", "host", "status"),
    [
        ({}, "localhost", 200),
        ({}, "LOCALHOST:8770", 200),
        ({}, "127.0.0.1:1", 200),
        ({}, "127.0.0.2", 200),
        ({}, "[::1]:8770", 200),
        ({}, "evil.example", 421),
        ({}, "localhost.evil.example", 421),
        ({}, "evil@localhost", 421),
        ({}, "localhost:8770:1", 421),
        ({}, "192.0.2.7", 421),
        ({}, "[", 421),
        ({}, "", 421),
        ({"hosts": ("api.example.com",)}, "api.example.com", 200),
        ({"hosts": ("API.example.com",)}, "api.Example.com:443", 200),
        ({"hosts": ("api.example.com",)}, "localhost", 200),
        ({"hosts": ("api.example.com",)}, "evil.example", 421),
        ({"host": "0.0.0.0"}, "192.0.2.7:8770", 200),
        ({"host": "::"}, "[2001:db8::7]", 200),
        ({"host": "0.0.0.0"}, "evil.example", 421),
        ({"host": "0.0.0.0", "hosts": ("api.example.com",)}, "192.0.2.7", 421),
        ({"host": "box.example", "hosts": ()}, "box.example", 200),
        ({"host": "192.0.2.7", "hosts": ("a.example",)}, "192.0.2.7", 200),
    ],
)
async def test_only_names_of_our_own_are_served(
    front: Door, rules: Any, host: str, status: int
):
    async with front.client(**rules) as http:
        answer = await front.ask(http, headers={"Host": host})
    assert answer.status_code == status
    if status == 421:
        problem = told(answer)
        assert problem["code"] == "permission_denied"
        assert "ODOOPORT_HOSTS" in problem["detail"]
        assert front.kept.last()[:2] == (front.name, "permission_denied")


async def test_a_proxy_cannot_name_another_host(door: Door):
    status, _ = await door.outcome(
        "198.51.100.1",
        {"Host": "evil.example", "X-Forwarded-Host": "localhost"},
        trusted_proxies=networks(*PROXIES),
    )
    assert status == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("http://localhost:80", 200),
        ("http://localhost:1", 403),
        ("https://localhost:80", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost@evil.example", 403),
        ("file://localhost", 403),
        ("null", 403),
        ("http://[evil", 403),
        ("", 403),
    ],
)
async def test_only_our_own_pages_may_call(front: Door, origin: str, status: int):
    async with front.client() as http:
        answer = await front.ask(
            http, headers={"Origin": origin, "Host": "localhost:80"}
        )
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


SHOP = "https://shop.example"


async def test_pages_that_are_listed_may_call_and_read_the_answers(door: Door):
    async with door.client(cors_origins=(SHOP,)) as http:
        asked = await http.options(
            door.path,
            headers={
                "Origin": SHOP,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type",
            },
        )
        answer = await door.ask(http, headers={"Origin": SHOP})
        wrong = await door.ask(
            http, headers={"Origin": SHOP, "Authorization": "Bearer wrong"}
        )
        other = await door.ask(http, headers={"Origin": "https://evil.example"})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    assert (answer.status_code, wrong.status_code) == (200, 401)
    for it in (answer, wrong):
        assert it.headers["access-control-allow-origin"] == SHOP
        shown = it.headers["access-control-expose-headers"]
        assert {"X-Request-Id", "RateLimit", "Retry-After", "ETag", "Location"} <= {
            *shown.split(", ")
        }
        assert "access-control-allow-credentials" not in it.headers
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("origin", ["*", "shop.example", "https://shop.example/path"])
def test_an_origin_that_is_none_is_a_wrong_setting(origin: str):
    with pytest.raises(SettingsError, match="ODOOPORT_CORS_ORIGINS"):
        FrontRules.of(Settings(cors_origins=(origin,)))


async def test_a_preflight_without_cors_is_refused(door: Door):
    async with door.client() as http:
        asked = await http.options(
            door.path, headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"}
        )
    assert asked.status_code == 403


# How much


async def test_too_large_a_body_is_refused_with_and_without_a_length(door: Door):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    async with door.client(max_body=100_000) as http:
        known = await door.ask(http, content=b" " * 100_001, headers=headers)
        unknown = await door.ask(http, content=endless(), headers=headers)
        lying = await door.ask(
            http, content=endless(), headers={**headers, "Content-Length": "10"}
        )
    for answer in (known, unknown, lying):
        assert told(answer)["code"] == "payload_too_large"
    assert [event.outcome for event in door.kept.events] == ["payload_too_large"] * 3
    whose = [event.caller.principal.subject for event in door.kept.events]
    assert whose == ["anonymous", "good", "good"]  # a length is looked at before a key


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def in_objects(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("build", [nested, in_objects])
async def test_too_deep_a_body_is_refused_before_it_is_parsed(
    door: Door, build: Callable[[int], bytes]
):
    headers = {"Content-Type": "application/json"}
    async with door.client() as http:
        answer = await door.ask(http, content=build(MAX_DEPTH + 1), headers=headers)
        deep = await door.ask(http, content=build(100_000), headers=headers)
    for it in (answer, deep):
        assert it.status_code == 422
        assert "deeper than 64" in told(it)["detail"]
    assert [event.outcome for event in door.kept.events] == ["invalid_request"] * 2
    assert door.kept.last() == (door.name, "invalid_request", "127.0.0.1", "good")


@pytest.mark.parametrize(
    "body",
    [
        nested(MAX_DEPTH),
        in_objects(MAX_DEPTH),
        json.dumps(["[" * 1000, '"[' * 1000, "\\[" * 1000]).encode(),
        json.dumps([[]] * 10_000).encode(),
        json.dumps({"[" * 100: "\\"}).encode(),
    ],
    ids=["lists", "objects", "in strings", "beside each other", "in keys"],
)
def test_brackets_count_only_where_they_are_open(body: bytes):
    json.loads(body)
    check_depth(body)


@pytest.mark.parametrize(
    "body",
    [
        b'"\\"' + nested(65) + b'"' + nested(65),
        b'["a\\\\",' + nested(64) + b"]",
        b'"' + nested(65),
        b'"a\\\n"' + nested(65),
        nested(65).decode().encode("utf-16"),
        nested(65).decode().encode("utf-32"),
        json.dumps(['"', json.loads(nested(65)), '"']).encode("utf-16-le"),
    ],
)
def test_no_quotation_mark_hides_a_bracket(body: bytes):
    with pytest.raises(InvalidRequest):
        check_depth(body)


@pytest.mark.parametrize(
    "headers",
    [{"X-Big": "x" * 20_000}, {f"X-{number}": "1" for number in range(100)}],
    ids=["long", "many"],
)
async def test_too_large_a_head_is_refused(door: Door, headers: dict[str, str]):
    async with door.client() as http:
        answer = await door.ask(http, headers=headers)
    assert answer.status_code == 431
    assert told(answer)["code"] == "headers_too_large"
    assert door.kept.last()[:2] == (door.name, "headers_too_large")


async def test_too_long_an_address_is_refused(rest: Door):
    async with rest.client() as http:
        answer = await http.get(f"/v1/models?q={'x' * 20_000}")
    assert answer.status_code == 431


# Who


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ([], 401, "authentication_failed"),
        (["Basic YTpi"], 401, "authentication_failed"),
        (["Bearer wrong"], 401, "authentication_failed"),
        (["Bearer good", "Bearer wrong"], 401, "authentication_failed"),
        (["Bearer slow down"], 429, "rate_limited"),
    ],
    ids=str,
)
async def test_who_is_not_let_in_is_told_so_and_kept(
    door: Door, authorization: list[str], status: int, code: str
):
    async with door.client("192.0.2.7") as http:
        del http.headers["Authorization"]
        answer = await door.ask(
            http,
            headers=[("Authorization", value) for value in authorization],
            content=b"{",
        )
    assert answer.status_code == status
    assert told(answer)["code"] == code
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert answer.headers.get("retry-after") == ("42" if status == 429 else None)
    assert [door.kept.last()] == [(door.name, code, "192.0.2.7", "anonymous")]
    assert len(door.kept.events) == 1


@pytest.mark.parametrize(
    ("method", "path", "content", "about"),
    [
        ("GET", "/v1/models/res.partner/records?nonsense=1", b"", "records"),
        ("POST", "/v1/models/res.partner/search", b"{", "search"),
        ("POST", "/v1/models/res.partner/records", b"[1, 2]", "create"),
        ("POST", "/v1/models/res.partner/methods/__init__", b"{}", "__init__"),
        ("GET", "/v1/models/res.partner/records?limit=1&limit=2", b"", "records"),
    ],
)
async def test_what_is_no_call_is_in_the_audit_with_what_it_was_about(
    rest: Door, method: str, path: str, content: bytes, about: str
):
    async with rest.client() as http:
        kind = {"Content-Type": "application/json"} if content else {}
        answer = await http.request(method, path, content=content, headers=kind)
    assert told(answer)["code"] == "invalid_request"
    (event,) = rest.kept.events
    assert event.call is not None
    assert (event.call.model, event.call.method) == ("res.partner", about)
    assert rest.kept.last() == ("rest", "invalid_request", "127.0.0.1", "good")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_a_method_that_mcp_does_not_take_is_kept(mcp: Door, method: str):
    async with mcp.client() as http:
        answer = await http.request(method, "/mcp")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert mcp.kept.last() == ("mcp-http", "invalid_request", "127.0.0.1", "anonymous")


async def test_what_is_no_message_of_mcp_is_kept(mcp: Door):
    async with mcp.client() as http:
        answer = await mcp.ask(
            http, content=b"{", headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 400
    assert mcp.kept.last() == ("mcp-http", "invalid_request", "127.0.0.1", "good")


async def test_a_sign_of_life_is_not_in_the_audit(door: Door):
    async with door.client() as http:
        assert (await http.get("/health")).status_code == 200
    assert door.kept.events == []


# Budgets


async def test_answers_tell_of_the_budget(rest: Door):
    async with rest.client() as http:
        answer = await rest.ask(http)
        health = await http.get("/health")
    assert answer.headers["ratelimit-policy"] == '"key";q=600;w=60'
    assert answer.headers["ratelimit"] == '"key";r=599;t=42'
    assert "ratelimit" not in health.headers


async def test_mcp_answers_tell_of_the_budget_if_they_wait_for_the_call(mcp: Door):
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "whoami",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "whoami",
    }
    async with mcp.client() as http:
        answer = await mcp.ask(http, json=message, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ratelimit"] == '"key";r=599;t=42'


def test_a_budget_that_is_used_up_says_when_there_is_more():
    refused = Quota(False, 60, 0, 59.0, retry_after=12.3, bucket="role", window=60.0)
    assert budget(refused) == {
        "RateLimit-Policy": '"role";q=60;w=60',
        "RateLimit": '"role";r=0;t=13',
    }
    place = Quota(False, 4, 0, 0.0, retry_after=0.0, bucket="concurrency")
    assert budget(place) == {
        "RateLimit-Policy": '"concurrency";q=4;qu="concurrent-requests"',
        "RateLimit": '"concurrency";r=0;t=1',
    }
    assert budget(Quota(True, 0, 0, 0.0)) == {}


# Over the network


@asynccontextmanager
async def served(
    app: ASGIApp, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[int]:
    """Serve an app as the services do, and answer the port."""
    with listen("127.0.0.1", 0) as listener:
        server = server_of(app, tls=tls)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, PATIENCE)


async def say(port: int, *parts: bytes) -> bytes:
    """Send bytes as they are, and answer everything that comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(door: Door, *lines: bytes) -> bytes:
    first = f"POST {door.path} HTTP/1.1".encode()
    always = (b"Host: localhost", b"Authorization: Bearer good", b"Connection: close")
    kind = b"Content-Type: application/json"
    return b"\r\n".join([first, *always, kind, *lines, b"", b""])


async def test_a_head_without_end_ends_the_connection(door: Door):
    async with served(door.app()) as port:
        answer = await say(port, head(door)[:-2], *[b"X-Big: " + b"x" * 8000] * 10)
    assert answer.startswith(b"HTTP/1.1 400 ") or answer == b""
    assert door.kept.events == []


async def test_a_large_head_at_once_is_refused_too(door: Door):
    async with served(door.app()) as port:
        answer = await say(
            port, head(door, b"X-Big: " + b"x" * 20_000, b"Content-Length: 0")
        )
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"headers_too_large" in answer


async def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(door: Door):
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    async with served(door.app(max_body=10_000)) as port:
        answer = await say(
            port, head(door, b"Transfer-Encoding: chunked"), chunk, chunk, chunk
        )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"payload_too_large" in answer


async def test_a_body_is_not_waited_for_without_a_key(door: Door):
    async with served(door.app()) as port:
        lines = head(door, b"Content-Length: 1000").replace(b"good", b"wrong")
        answer = await say(port, lines)
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "lines",
    [
        [b"Host: localhost", b"Host: evil.example"],
        [],
        [b"Host: localhost", b"Content-Length: 1", b"Content-Length: 2"],
        [b"Host: localhost", b"X-A: b\x00c"],
    ],
)
async def test_an_ambiguous_head_is_refused(door: Door, lines: list[bytes]):
    first = f"POST {door.path} HTTP/1.1".encode()
    message = b"\r\n".join([first, b"Connection: close", *lines, b"", b""])
    async with served(door.app()) as port:
        assert (await say(port, message)).startswith(b"HTTP/1.1 400 ")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def pair(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    cert, key = folder / "cert.pem", folder / "key.pem"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(cert, append=True)
    issued.private_key_pem.write_to_path(key)
    return cert, key


async def test_tls_is_served_with_a_certificate(
    door: Door, authority: trustme.CA, pair: tuple[Path, Path]
):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls = tls_files(Settings(tls_cert=pair[0], tls_key=pair[1]))
    async with (
        served(door.app(tls=True), tls) as port,
        httpx2.AsyncClient(
            verify=context,
            trust_env=False,
            headers={**KEY, "Accept": "application/json, text/event-stream"},
        ) as http,
    ):
        answer = await http.post(f"https://127.0.0.1:{port}{door.path}", json=door.body)
        plain = await say(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.status_code == 200
    assert "strict-transport-security" in answer.headers
    assert b"200" not in plain


def test_without_a_certificate_there_is_no_tls():
    assert tls_files(Settings()) is None
    assert FrontRules.of(Settings()).tls is False


@pytest.mark.parametrize(
    ("cert", "key", "named"),
    [
        ("cert.pem", None, "ODOOPORT_TLS_KEY is not"),
        (None, "key.pem", "ODOOPORT_TLS_CERT is not"),
        ("nowhere.pem", "key.pem", "ODOOPORT_TLS_CERT names"),
        ("cert.pem", "nowhere.pem", "ODOOPORT_TLS_KEY names"),
        ("cert.pem", "folder", "ODOOPORT_TLS_KEY names"),
        ("cert.pem", "other.pem", "must be that of"),
        ("cert.pem", "locked.pem", "must not be encrypted"),
        ("text.pem", "key.pem", "must be PEM"),
    ],
)
def test_a_certificate_that_cannot_be_served_is_a_wrong_setting(
    pair: tuple[Path, Path], cert: str | None, key: str | None, named: str
):
    folder = pair[0].parent
    (folder / "folder").mkdir(exist_ok=True)
    (folder / "text.pem").write_text("no certificate")
    other = trustme.CA().issue_cert("localhost").private_key_pem
    other.write_to_path(folder / "other.pem")
    (folder / "locked.pem").write_bytes(locked(pair[1].read_bytes()))
    with pytest.raises(SettingsError, match=named) as caught:
        tls_files(
            Settings(
                tls_cert=None if cert is None else folder / cert,
                tls_key=None if key is None else folder / key,
            )
        )
    assert str(folder) not in caught.value.message


def locked(pem: bytes) -> bytes:
    """Answer a key in a form that asks for a password."""
    from cryptography.hazmat.primitives import serialization as it

    return it.load_pem_private_key(pem, None).private_bytes(
        it.Encoding.PEM, it.PrivateFormat.PKCS8, it.BestAvailableEncryption(b"secret")
    )


def test_the_cards_say_https_where_tls_is_served():
    assert base_address("0.0.0.0", 8770) == "http://127.0.0.1:8770"
    assert base_address("::1", 8770, tls=True) == "https://[::1]:8770"


# How long, how many, and who goes away


@dataclass
class Peer:
    """A caller, as the server shows him to an app."""

    app: ASGIApp
    method: str = "POST"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    sends: bool = True
    """Whether his whole body is there."""

    takes: bool = True
    """Whether he takes what is sent to him, from the head of the answer on."""

    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    got: list[Any] = field(default_factory=list)

    async def receive(self) -> Any:
        self.asked += 1
        if self.asked == 1:
            return {"type": "http.request", "body": b"{}", "more_body": not self.sends}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if not self.takes and self.got:
            await asyncio.Event().wait()
        self.got.append(message)

    def start(self) -> asyncio.Task[None]:
        headers = {"host": "localhost", "content-length": "2", **self.headers}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "path": self.path,
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1234),
            "state": self.state,
        }

        async def serve() -> None:
            await self.app(scope, self.receive, self.send)

        return asyncio.create_task(serve())

    def answer(self) -> tuple[int, dict[str, str], Any]:
        start, *parts = self.got
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, b"".join(part["body"] for part in parts)


@dataclass
class Working:
    """An app that reads the body, and works until it may end."""

    answer: Any = b"done"
    caller: Caller | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"{}"
        if self.caller is not None:
            scope["state"]["caller"] = self.caller
        self.began.set()
        try:
            if scope["path"] != "/health":
                await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await Response(self.answer)(scope, receive, send)


def in_front_of(app: ASGIApp, **rules: Any) -> Front:
    gate = Gate(MemoryGateway(), OneKey(), Budget(), Kept())
    return Front(
        app,
        gate,
        rules=FrontRules(**rules),
        door="bare",
        new_id=lambda: "new",
        clock=lambda: 0.0,
    )


def errors_in(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_who_goes_away_is_not_worked_for_any_longer(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    app = Working()
    peer = Peer(in_front_of(app))
    async with asyncio.timeout(PATIENCE):
        serving = peer.start()
        await app.began.wait()
        peer.leaves.set()
        await app.cancelled.wait()
        await serving
    assert not serving.cancelled()
    assert (peer.got, peer.asked) == ([], 2)
    (line,) = [record for record in caplog.records if record.msg == "request"]
    assert (vars(line)["left"], vars(line)["status"]) == (True, None)
    assert not errors_in(caplog)


async def test_who_goes_away_amid_his_body_is_no_crash(
    rest: Door, mcp: Door, caplog: pytest.LogCaptureFixture
):
    for door in (rest, mcp):
        peer = Peer(door.app(), path=door.path, sends=False)
        peer.headers = {"authorization": "Bearer good"}
        peer.headers |= {"content-type": "application/json"}
        async with asyncio.timeout(PATIENCE):
            peer.leaves.set()
            await peer.start()
    assert not errors_in(caplog)


async def test_who_has_his_answer_may_go_while_the_rest_is_done():
    finished = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await Response(b"all")(scope, receive, send)
        peer.leaves.set()
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0)
        finished.set()

    peer = Peer(in_front_of(app))
    async with asyncio.timeout(PATIENCE):
        await peer.start()
    assert finished.is_set()


@pytest.mark.parametrize(
    ("sent", "method", "expected"),
    [
        (None, "POST", (503, "gateway_unavailable")),
        (0, "POST", (503, "gateway_unavailable")),
        (1, "POST", (504, "outcome_unknown")),
        (1, "GET", (504, "outcome_unknown")),
    ],
)
async def test_who_is_given_up_hears_whether_anything_was_sent(
    sent: int | None, method: str, expected: tuple[int, str]
):
    app = Working()
    if sent is not None:
        app.caller = Caller(Principal("good", "good", "full", {}), "bare", "new")
        app.caller.meter.sent = sent
    peer = Peer(in_front_of(app), method=method)
    async with asyncio.timeout(PATIENCE):
        serving = peer.start()
        await app.began.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    status, _, body = peer.answer()
    assert (status, json.loads(body)["code"]) == expected


async def test_an_answer_leaves_in_parts_that_are_small():
    whole = bytes(range(256)) * 1024  # four parts
    app = Working(whole)
    app.may_end.set()
    peer = Peer(in_front_of(app))
    async with asyncio.timeout(PATIENCE):
        await peer.start()
    assert peer.answer()[2] == whole
    parts = peer.got[1:]
    assert max(len(part["body"]) for part in parts) == 64 * 1024
    assert [part["more_body"] for part in parts] == [True, True, True, False]


async def test_who_takes_nothing_is_cut_off(caplog: pytest.LogCaptureFixture):
    cut_off = asyncio.Event()
    app = Working(b"x" * 200_000)
    app.may_end.set()
    peer = Peer(
        in_front_of(app, stalled=0.01), state={CUT_OFF: cut_off.set}, takes=False
    )
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([serving := peer.start()])
    assert cut_off.is_set()
    assert not errors_in(caplog)
    assert [message["type"] for message in peer.got] == ["http.response.start"]
    assert serving.done()


async def test_no_more_requests_are_under_way_than_may_be():
    app = Working()
    front = in_front_of(app, most_requests=2)
    first, second, third = (Peer(front) for _ in range(3))
    alive = Peer(front, path="/health")
    async with asyncio.timeout(PATIENCE):
        serving = [first.start()]
        await app.began.wait()
        app.began.clear()
        serving.append(second.start())
        await app.began.wait()
        await third.start()
        status, headers, body = third.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body)["code"] == "gateway_unavailable"
        assert "nothing was done" in json.loads(body)["detail"]
        await alive.start()
        assert alive.answer()[0] == 200
        app.may_end.set()
        await asyncio.gather(*serving)
        assert (first.answer()[0], second.answer()[0]) == (200, 200)
        again = Peer(front)
        await again.start()
        assert again.answer()[0] == 200


@pytest.mark.parametrize(
    ("prefer", "most", "seconds", "applied"),
    [
        (None, None, None, None),
        (None, 120.0, 120, None),
        ("wait=10", 120.0, 10, "wait=10"),
        ("wait=10", None, 10, "wait=10"),
        ('return=minimal, Wait = "10"; a=b, wait=5', 120.0, 10, "wait=10"),
        ("wait=120", 120.0, 120, "wait=120"),
        ("wait=121", 120.0, 120, None),
        ("wait=0", 120.0, 120, None),
        ("wait=-1", 120.0, 120, None),
        ("wait=soon", 120.0, 120, None),
        ("wait=soon, wait=5", 120.0, 120, None),
        ("wait", 120.0, 120, None),
        ("waiting=5", 120.0, 120, None),
        ("wait=9999999999999999999999", 120.0, 120, None),
        ("wait=\u0665".encode().decode("latin-1"), 120.0, 120, None),
    ],
)
async def test_a_request_has_as_long_as_its_caller_prefers_and_no_longer_than_it_may(
    prefer: str | None, most: float | None, seconds: int | None, applied: str | None
):
    told = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append(scope["state"]["deadline"])
        await Response(b"")(scope, receive, send)

    peer = Peer(in_front_of(app, deadline=most))
    if prefer is not None:
        peer.headers["prefer"] = prefer
    began = time.monotonic()
    await peer.start()
    (deadline,) = told
    assert peer.answer()[1].get("preference-applied") == applied
    if seconds is None:
        assert deadline is None
    else:
        assert began + seconds <= deadline <= time.monotonic() + seconds


async def test_the_caller_knows_his_deadline(door: Door):
    began = time.monotonic()
    async with door.client(deadline=60.0) as http:
        if door.name == "rest":
            await door.ask(http)
        else:
            await door.ask(http, json=COUNT, headers=MODERN)
    deadline = door.kept.events[-1].caller.deadline
    assert deadline is not None
    assert began + 60 <= deadline <= time.monotonic() + 60


# The way to Odoo


def connection(url: str) -> Connection:
    return Connection(
        Credentials("d", "u", "hunter2", "shop"), url, "auto", None, 1.0, 1
    )


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://odoo.example.com", ()),
        ("http://localhost:8069", ()),
        ("http://127.1.2.3", ()),
        ("http://[::1]:8069", ()),
        ("http://odoo:8069", ("odoo",)),
        ("http://10.0.0.7", ("erp", "10.0.0.7")),
        ("http://Odoo.Example.com", ("ODOO.example.com",)),
        ("http://[2001:db8::7]", ("[2001:db8::7]",)),
        ("", ()),
    ],
)
def test_a_safe_or_allowed_way_to_odoo_is_taken(url: str, allowed: tuple[str, ...]):
    check_transport(connection(url), allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://odoo.example.com", ()),
        ("http://odoo.example.com", ("example.com",)),
        ("http://10.0.0.7:8069", ("10.0.0.8",)),
        ("http://localhost.example.com", ()),
        ("http://0.0.0.0:8069", ()),
    ],
)
def test_plain_http_to_another_machine_is_refused(url: str, allowed: tuple[str, ...]):
    with pytest.raises(SettingsError, match="ODOOPORT_ALLOW_HTTP") as caught:
        check_transport(connection(url), allowed)
    assert "'shop'" in caught.value.message
    assert "hunter2" not in caught.value.message


async def test_a_body_that_does_not_come_in_time_is_refused(door: Door):
    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    kind = {"Content-Type": "application/json"}
    async with asyncio.timeout(PATIENCE), door.client(deadline=0.2) as http:
        answer = await http.post(door.path, content=slowly(), headers=kind)
    assert told(answer)["code"] == "invalid_request"
    assert "nothing was done" in told(answer)["detail"]
    assert door.kept.last()[:2] == (door.name, "invalid_request")
