"""One Odooport with every guard on, over two Odoos that count what reaches them.

It is made by the services' own containers, out of an ``odooport.toml`` as an
administrator would write it. Only the gateway is another one.
"""

import asyncio
import io
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.types import CallToolResult

from odooport import Call, OdooportError, Session
from odooport.catalogue import MethodInfo
from odooport_adapters import MemoryGateway
from odooport_adapters.instances import InstanceGateway
from odooport_cli.container import Container
from odooport_mcp.failures import ERROR_KEY
from odooport_mcp_stdio.container import Container as StdioContainer
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging
from odooport_runtime.serving import listen, server_of
from odooport_runtime.settings import Settings, load_settings
from odooport_security import AuditReader, SqliteKeyStore
from odooport_security.secrets import new_key
from tests.usecases.conftest import CountingGateway

PASSWORD = "canary-of-the-odoo-password"
DANNYS = "canary-of-an-identity-secret"
SHOPS = "canary-of-the-other-odoos-password"
STALE = "canary-of-a-secret-that-odoo-refuses"
HIDDEN = "canary-of-a-hidden-field"
FORGED = "forged-line"
"""What every injection tries to put at the beginning of a line, or into a header."""

INSIDE = "10.1.0.1"
PROXY = "10.9.0.1"
OFFICE = "192.0.2.7"

MAX_BODY = 65_536

TOML = f"""
networks = ["127.0.0.0/8", "10.0.0.0/8", "192.0.2.0/24"]
trusted_proxies = ["10.9.0.0/16"]
max_body = {MAX_BODY}
rate_limit = "100000/minute"
address_rate_limit = "100000/minute"

[instances.default]
url = "https://odoo.example.com"
db = "acme"
user = "admin"
password_env = "ODOO_ACME_PASSWORD"

[instances.shop]
url = "https://shop.example.com"
db = "shop"
user = "admin"
password_env = "ODOO_SHOP_PASSWORD"

[roles.clerk]
description = "Keeps contacts, and never sees how to reach them"
context = ["default_*", "mail_create_nolog"]

[[roles.clerk.rules]]
name = "contacts"
models = ["res.partner"]
allow = ["read", "write", "create"]
methods = [
    "export_data", "formatted_read_group", "load", "read_progress_bar",
    "web_override_translations", "message_post",
]
hide = ["email"]
mask = ["phone"]

[[roles.clerk.rules]]
name = "the-rest"
models = ["*"]
allow = ["read", "write", "create"]
methods = ["*"]

[roles.seller]
description = "Sees own leads, and no others"

[[roles.seller.rules]]
name = "own-leads"
models = ["crm.lead"]
allow = ["read", "write", "create", "unlink"]
methods = ["action_set_won", "message_*", "load", "export_data"]
domain = [["user_id", "=", {{me = true}}]]

[[roles.seller.rules]]
name = "contacts"
models = ["res.partner", "crm.*"]
allow = ["read", "write", "create"]

[roles.writer]
description = "Writes contacts and orders, not what hangs on them"

[[roles.writer.rules]]
name = "contacts"
models = ["res.partner", "sale.order"]
allow = ["read", "write", "create"]
methods = ["load"]

[[roles.writer.rules]]
name = "the-rest"
models = ["*"]
allow = ["read"]

[roles.shopkeeper]
description = "Knows the shop's Odoo alone"
inherits = "full"
instances = ["shop"]
"""


class CountedOdoo(CountingGateway):
    """Counts as well what it is asked about methods."""

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        self.calls.append(Call(model, "(what methods has it?)"))
        return await super().methods(session, model)


ROLES = ("reader", "full", "clerk", "seller", "writer", "shopkeeper")

_MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Answer:
    """What came back of one attempt.

    Attributes:
        code: ``ok``, or the error's code.
        request_id: What the audit calls it.
        text: All of it: status, headers and body.
        status: The HTTP status, where there is one.
    """

    code: str
    request_id: str
    text: str
    status: int | None = None


@dataclass
class World:
    """Everything that the attempts need.

    Attributes:
        directory: Where the files are.
        container: The composition root of REST and MCP over HTTP.
        odoo: Counts what reaches either Odoo.
        keys: A token for each name.
        servers: The server of the door without keys, for each role.
        port: Where REST and MCP are served for those who send bytes.
        leads: The ids of three leads: of the one user, of the other, of nobody.
        secrets: What must never be seen anywhere.
        log: What was logged for people, and for programs.
    """

    directory: Path
    container: Container
    odoo: CountedOdoo
    keys: dict[str, str]
    servers: Mapping[str, MCPServer[Any]]
    port: int
    leads: tuple[int, int, int]
    secrets: Sequence[str]
    log: tuple[io.StringIO, io.StringIO]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def address(self) -> str:
        """Answer an address of its own for each attempt: nobody locks out others."""
        number = next(self.numbers)
        return f"10.1.{number // 250}.{number % 250 + 1}"

    def outside(self) -> str:
        """Answer an address that nobody may come from, another one each time."""
        return f"203.0.113.{next(self.numbers) % 250 + 1}"

    def reached(self) -> list[Call]:
        """Answer what has reached an Odoo since the last question.

        Questions for fields do not count, nor does the policy's own search for records
        that a call names, nor the read, which the caller may do, of the lines that a
        record holds: it tells what commands are about, before these are judged.
        """
        calls, self.odoo.calls = self.odoo.calls, []
        return [
            call
            for call in calls
            if call.method != "fields_get"
            and not _of_the_policy(call)
            and not _of_the_lines(call)
        ]

    @asynccontextmanager
    async def http(self, peer: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(
            self.container.both(), client=(peer or self.address(), 50_000)
        )
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1"
        ) as client:
            yield client

    def bearer(self, key: str) -> dict[str, str]:
        """Answer the header for one of the keys, or for any other token."""
        return {"Authorization": f"Bearer {self.keys.get(key, key)}"}

    # The doors

    async def rest(
        self,
        key: str,
        method: str,
        path: str,
        *,
        peer: str | None = None,
        headers: Any = None,
        **more: Any,
    ) -> Answer:
        """Ask REST; without a key if its name is empty."""
        given = [*self.bearer(key).items()] if key else []
        given += [*headers.items()] if isinstance(headers, dict) else headers or []
        async with self.http(peer) as http:
            return of_http(await http.request(method, path, headers=given, **more))

    async def mcp(
        self,
        key: str,
        tool: str = "whoami",
        arguments: Mapping[str, Any] | None = None,
        *,
        peer: str | None = None,
        headers: Any = None,
        **more: Any,
    ) -> Answer:
        """Ask MCP over HTTP; without a key if its name is empty."""
        usual = tool_call(tool, arguments)
        given = [*usual.pop("headers").items()]
        given += [*self.bearer(key).items()] if key else []
        given += [*headers.items()] if isinstance(headers, dict) else headers or []
        async with self.http(peer) as http:
            return of_http(await http.post("/mcp", headers=given, **(more or usual)))

    async def stdio(
        self, role: str, tool: str, arguments: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask MCP as the program that started it does."""
        async with Client(self.servers[role]) as client:
            try:
                result = await client.call_tool(tool, dict(arguments or {}))
            except MCPError as error:
                return Answer(f"rpc {error.code}", "", str(error))
        return of_result(result)

    async def gate(self, key: str, call: Call) -> Answer:
        """Ask the gate itself, past all that the doors and use cases see to."""
        number = f"gate-{next(self.numbers)}"
        gate = self.container.gate()
        caller = await gate.authenticate(
            self.keys[key], door="python", request_id=number, address=self.address()
        )
        try:
            answer = await gate.run(caller, call)
        except OdooportError as error:
            await gate.note(caller, error, call)
            return Answer(error.code, number, error.message)
        return Answer("ok", number, str(answer))

    async def bytes(self, *sent: bytes) -> Answer:
        """Send bytes to the server, and answer what comes until it hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(sent))
            await writer.drain()
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                rest = await reader.read()
        finally:
            writer.close()
        lines = head.decode("latin-1").split("\r\n")
        headers = httpx2.Headers(
            [
                (name, value.strip())
                for name, _, value in (line.partition(":") for line in lines[1:])
                if name
            ]
        )
        status = int(lines[0].split()[1])
        return of_http(httpx2.Response(status, headers=headers, content=rest))


def _of_the_policy(call: Call) -> bool:
    """Whether it is how the gate looks up the records of a ``Requirement``."""
    domain = call.args[0] if call.args else None
    first = domain[0] if isinstance(domain, list) and domain else None
    return (
        call.method == "search"
        and isinstance(first, list)
        and first[:2] == ["id", "in"]
        and call.context.active_test is False
    )


def _of_the_lines(call: Call) -> bool:
    """Whether it is how the use case looks up which lines a record holds."""
    return (
        call.method == "read"
        and call.kwargs.get("fields") in (["order_line"], ["opportunity_ids"])
        and call.context.active_test is False
    )


def tool_call(tool: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Answer the headers and the body of a request that calls a tool."""
    params = {"name": tool, "arguments": dict(arguments or {}), "_meta": _MODERN}
    method = "tools/call"
    return {
        "headers": {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Mcp-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            "Mcp-Name": tool.encode("ascii", "replace").decode(),
        },
        "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
    }


def of_http(response: httpx2.Response) -> Answer:
    """Answer what a door over HTTP has said."""
    body = response.text
    for line in body.splitlines():
        if line.startswith("data: "):
            body = line.removeprefix("data: ")
    try:
        told = json.loads(body)
    except ValueError:
        told = {}
    if "error" in told:
        code = f"rpc {told['error']['code']}"
    elif not response.is_success:
        code = told.get("code", str(response.status_code))
    elif "jsonrpc" in told and told["result"].get("isError"):
        code = told["result"]["_meta"][ERROR_KEY]["code"]
    else:
        code = "ok"
    shown = [f"{name}: {value}" for name, value in response.headers.multi_items()]
    return Answer(
        code,
        response.headers.get("x-request-id", ""),
        "\n".join([str(response.status_code), *shown, "", response.text]),
        response.status_code,
    )


def of_result(result: CallToolResult) -> Answer:
    """Answer what a tool has said."""
    text = result.model_dump_json()
    if not result.is_error:
        return Answer("ok", "", text)
    error = (result.meta or {})[ERROR_KEY]
    return Answer(error["code"], error["request_id"], text)


# Making it


@contextmanager
def logged() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Keep all logs, in both forms that there are, as long as it is open."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    streams = io.StringIO(), io.StringIO()
    handlers: list[logging.Handler] = []
    for stream, is_tty in zip(streams, (True, False), strict=True):
        configure_logging("debug", stream=stream, is_tty=is_tty)
        handlers += root.handlers
    root.handlers[:] = handlers
    try:
        yield streams
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def environment(directory: Path, secret_key: str) -> dict[str, str]:
    """Answer the variables of an Odooport that has its file in a directory."""
    return {
        "ODOOPORT_CONFIG": str(directory / "odooport.toml"),
        "ODOOPORT_STATE": str(directory / "state"),
        "ODOOPORT_SECRET_KEY": secret_key,
        "ODOO_ACME_PASSWORD": PASSWORD,
        "ODOO_SHOP_PASSWORD": SHOPS,
    }


async def _two_odoos() -> tuple[CountedOdoo, tuple[int, int, int]]:
    acme = MemoryGateway.demo(database="acme")
    shop = MemoryGateway.demo(database="shop")
    for odoo, database, password in (
        (acme, "acme", PASSWORD),
        (shop, "shop", SHOPS),
    ):
        session = Session(database, 2, "admin")
        change = ([2], {"password": password})
        await odoo.execute(session, Call("res.users", "write", change))
    session = Session("acme", 2, PASSWORD)
    users = ("res.users", "search", ([["login", "=", "demo"]],))
    (danny,) = await odoo_ids(acme, session, *users)
    change = ([danny], {"password": DANNYS})
    await acme.execute(session, Call("res.users", "write", change))
    hidden = {"email": f"{HIDDEN}@example.com", "phone": HIDDEN}
    await acme.execute(session, Call("res.partner", "write", ([1], hidden)))
    admins, dannys, nobodys = acme.add(
        "crm.lead",
        {"name": "Of Alice", "user_id": 2},
        {"name": "Of Danny", "user_id": danny},
        {"name": "Of nobody", "user_id": False, "partner_id": 1},
    )
    gateway = CountedOdoo(InstanceGateway({"default": acme, "shop": shop}))
    return gateway, (admins, dannys, nobodys)


async def odoo_ids(
    odoo: MemoryGateway, session: Session, model: str, method: str, args: Any
) -> list[int]:
    """Answer the ids that a search finds."""
    found: list[int] = await odoo.execute(session, Call(model, method, args))
    return found


def _make_keys(store: SqliteKeyStore, path: Path) -> dict[str, str]:
    """Make the keys: good ones, and all kinds of bad ones."""
    keys = {role: store.create(role, role)[1] for role in ROLES}
    keys["seller"] = store.create(
        "danny", "seller", identities={"default": "danny-at-acme"}
    )[1]
    keys["tenant"] = store.create("tenant", "full", instances=["shop"])[1]
    keys["identity"] = store.create("ida", "full", identities={"shop": "ida-at-shop"})[
        1
    ]
    keys["stale"] = store.create("stan", "full", identities={"default": "stale"})[1]
    keys["office"] = store.create("office", "full", networks=["192.0.2.0/24"])[1]

    record, keys["revoked"] = store.create("revoked", "full")
    store.revoke(record.id)
    record, keys["revoked later"] = store.create("revoked later", "full")
    keys["id of revoked later"] = record.id
    record, first = store.create("revoked and rotated", "full")
    keys["revoked and rotated"] = store.rotate(record.id, timedelta(days=1))[1]
    keys["revoked before rotation"] = first
    store.revoke(record.id)

    record, keys["rotated"] = store.create("rotated", "full")
    store.rotate(record.id, timedelta())
    record, keys["rotated twice"] = store.create("rotated twice", "full")
    store.rotate(record.id, timedelta(days=1))
    store.rotate(record.id, timedelta(days=1))

    past = datetime.now(UTC) - timedelta(days=100)
    old = SqliteKeyStore(path, clock=lambda: past)
    record, keys["grace over"] = old.create("grace over", "full")
    old.rotate(record.id, timedelta(days=2))
    record, keys["expired"] = old.create("expired", "full", past + timedelta(days=90))
    record, first = old.create("rotated and expired", "full", past + timedelta(days=9))
    keys["rotated and expired"] = old.rotate(record.id, timedelta(days=1))[1]
    keys["expired, rotated away"] = first
    old.close()
    return keys


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """Open everything; all of it is closed in the end, the audit with it."""
    (directory / "odooport.toml").write_text(TOML, encoding="utf-8")
    secret_key = new_key()
    settings = load_settings(environment(directory, secret_key), directory)
    odoo, leads = await _two_odoos()
    container = Container(settings=settings, gateway=odoo)
    container.identities().add("danny-at-acme", "demo", secret=DANNYS)
    container.identities().add("ida-at-shop", "admin", "shop", secret=SHOPS)
    container.identities().add("stale", "demo", secret=STALE)
    store = container.key_store()
    keys = _make_keys(store, settings.state / "keys.db")
    local = {role: _local(settings, odoo, role) for role in ROLES}
    tokens = [token for token in keys.values() if token.startswith("odp_")]
    secrets = [
        *(PASSWORD, DANNYS, SHOPS, STALE, secret_key),
        *(token.split("_", 2)[2] for token in tokens),
    ]
    with logged() as log:
        listener = listen("127.0.0.1", 0)
        server = server_of(container.both())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            port = listener.getsockname()[1]
            async with httpx2.AsyncClient() as http:  # it answers once it has begun
                await http.get(f"http://127.0.0.1:{port}/health")
            yield World(
                directory,
                container,
                odoo,
                keys,
                {role: each.server() for role, each in local.items()},
                port,
                leads,
                secrets,
                log,
            )
        finally:
            server.should_exit = True
            await serving
            for each in (container, *local.values()):
                await shutdown(each)


def _local(settings: Settings, odoo: CountedOdoo, role: str) -> StdioContainer:
    given = settings.model_copy(update={"role": role})
    return StdioContainer(settings=given, gateway=odoo)


def audit_of(directory: Path) -> AuditReader:
    """Answer the reader of the audit in a state directory."""
    return AuditReader(directory / "audit")
