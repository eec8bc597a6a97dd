"""Three doors, each a service process, and between each of them and Odoo a proxy.

Odoo is one in memory, behind its own wire, so what was written can be counted at its
side. Each door has an ``odooport.toml`` of its own, with an instance for each thing
that can be wrong with a whole Odoo; all the instances are that one Odoo.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx2
import trustme
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from starlette.types import ASGIApp, Receive, Scope, Send

from odooport import Call, Session
from odooport_adapters import MemoryGateway, wire_app
from odooport_mcp.failures import ERROR_KEY
from odooport_runtime.serving import listen
from odooport_security import SqliteKeyStore

from .proxy import FaultyProxy, Stranger

REST, MCP, STDIO = "REST", "MCP over HTTP", "MCP over stdio"
DOORS = (REST, MCP, STDIO)

PATIENCE = 60
"""Seconds after which something hangs."""

TIMEOUT = 1.0
"""How many seconds one call to Odoo may take, at each of the doors."""

DATABASE = "acme"
PASSWORD = "canary-of-the-odoo-password"
BRIDGE, BRIDGES = "bridge", "canary-of-the-bridges-password"

PATIENT = ("json-patient", "xml-patient")
"""Instances where a call may take long: what limits it has to be something else."""

PLAIN = ("default", "json", "xml", "silent", "cold", "unread", *PATIENT)
"""Instances that are as they should be until a fault is told otherwise; the Odoo of
``default`` is not there when the services start."""

PEOPLE = ("restored", "changed")
"""Instances where Odooport logs in as another user, whose Odoo can be swapped."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door has answered.

    Attributes:
        code: ``ok``, or the error's code.
        status: The HTTP status; at MCP always None.
        seconds: How long it took.
        text: All of it, headers too.
        data: The record or result, or what is said of the error.
        replayed: Whether it is the first answer, given again.
        tag: The version of the record that was read; at MCP always empty.
    """

    code: str
    status: int | None
    seconds: float
    text: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    replayed: bool = False
    tag: str = ""


class Door(Protocol):
    """One of the doors, in the same words as the others."""

    async def read(self, record: int, instance: str) -> Answer:
        """Read a contact."""
        ...

    async def tag(self, record: int, instance: str) -> str:
        """Answer the version of a contact."""
        ...

    async def create(
        self, name: str, instance: str, *, key: str | None = None
    ) -> Answer:
        """Create a contact."""
        ...

    async def update(
        self,
        record: int,
        values: Mapping[str, Any],
        instance: str,
        *,
        tag: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """Change a contact, if it still is what a tag says."""
        ...

    async def find(self, name: str, instance: str) -> int:
        """Answer how many contacts have a name, as the door tells it."""
        ...

    async def delete(self, record: int, instance: str, *, tag: str | None) -> Answer:
        """Delete a contact, if it still is what a tag says."""
        ...


_RECORDS = "/v1/models/res.partner/records"


@dataclass(frozen=True)
class RestDoor:
    """The REST service."""

    http: httpx2.AsyncClient

    async def read(self, record: int, instance: str) -> Answer:
        """Read a contact."""
        return await self.ask("GET", f"{_RECORDS}/{record}?fields=name,city", instance)

    async def tag(self, record: int, instance: str) -> str:
        """Answer the version of a contact."""
        return (await self.read(record, instance)).tag

    async def create(
        self, name: str, instance: str, *, key: str | None = None
    ) -> Answer:
        """Create a contact."""
        body = {"name": name}
        return await self.ask("POST", f"{_RECORDS}?fields=id", instance, body, key=key)

    async def update(
        self,
        record: int,
        values: Mapping[str, Any],
        instance: str,
        *,
        tag: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """Change a contact, if it still is what a tag says."""
        path = f"{_RECORDS}/{record}?fields=id"
        return await self.ask("PATCH", path, instance, values, tag=tag, key=key)

    async def find(self, name: str, instance: str) -> int:
        """Answer how many contacts have a name, as the door tells it."""
        domain = json.dumps([["name", "=", name]])
        query = str(httpx2.QueryParams({"domain": domain, "fields": "id"}))
        answer = await self.ask("GET", f"{_RECORDS}?{query}", instance)
        return len(answer.data["records"])

    async def delete(self, record: int, instance: str, *, tag: str | None) -> Answer:
        """Delete a contact, if it still is what a tag says."""
        return await self.ask("DELETE", f"{_RECORDS}/{record}", instance, tag=tag)

    async def ask(
        self,
        verb: str,
        path: str,
        instance: str,
        body: Any = None,
        *,
        tag: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """Send any request."""
        url = self.http.base_url.join(path).copy_merge_params({"instance": instance})
        given = {"If-Match": tag, "Idempotency-Key": key}
        headers = {name: value for name, value in given.items() if value is not None}
        began = time.monotonic()
        answer = await self.http.request(verb, url, json=body, headers=headers)
        seconds = time.monotonic() - began
        data: dict[str, Any] = answer.json() if answer.content else {}
        shown = [f"{name}: {value}" for name, value in answer.headers.multi_items()]
        return Answer(
            "ok" if answer.is_success else data.get("code", ""),
            answer.status_code,
            seconds,
            "\n".join([*shown, "", answer.text]),
            data,
            answer.headers.get("Idempotency-Replayed") == "true",
            answer.headers.get("ETag", ""),
        )


@dataclass(frozen=True)
class McpDoor:
    """An MCP service, over either transport."""

    client: Client

    async def read(self, record: int, instance: str) -> Answer:
        """Read a contact."""
        fields = ["name", "city"]
        return await self.ask("read_records", instance, ids=[record], fields=fields)

    async def tag(self, record: int, instance: str) -> str:
        """Answer the version of a contact."""
        fields = ["name", "city"]
        answer = await self.ask(
            "read_records", instance, ids=[record], fields=fields, versions=True
        )
        return str(answer.data["versions"][0])

    async def create(
        self, name: str, instance: str, *, key: str | None = None
    ) -> Answer:
        """Create a contact."""
        return await self.ask(
            "create_records", instance, records=[{"name": name}], idempotency_key=key
        )

    async def update(
        self,
        record: int,
        values: Mapping[str, Any],
        instance: str,
        *,
        tag: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """Change a contact, if it still is what a tag says."""
        return await self.ask(
            "update_records",
            instance,
            ids=[record],
            values=dict(values),
            if_match=None if tag is None else [tag],
            idempotency_key=key,
        )

    async def find(self, name: str, instance: str) -> int:
        """Answer how many contacts have a name, as the door tells it."""
        domain = [["name", "=", name]]
        answer = await self.ask("search_records", instance, domain=domain)
        return len(answer.data["records"])

    async def delete(self, record: int, instance: str, *, tag: str | None) -> Answer:
        """Delete a contact, if it still is what a tag says."""
        tags = None if tag is None else [tag]
        return await self.ask("delete_records", instance, ids=[record], if_match=tags)

    async def ask(
        self, tool: str, instance: str, *, model: str = "res.partner", **given: Any
    ) -> Answer:
        """Call any tool; what is None is left out."""
        arguments = {name: value for name, value in given.items() if value is not None}
        began = time.monotonic()
        result = await self.client.call_tool(
            tool, {**arguments, "model": model, "context": {"instance": instance}}
        )
        seconds = time.monotonic() - began
        meta = result.meta or {}
        text = result.model_dump_json()
        if result.is_error:
            error = meta.get(ERROR_KEY, {"code": ""})
            return Answer(error["code"], None, seconds, text, error)
        data: dict[str, Any] = result.structured_content or {}
        return Answer(
            "ok",
            None,
            seconds,
            text,
            data,
            meta.get("odooport/replayed") is True,
        )


class SwappableOdoo:
    """An HTTP server that serves whichever Odoo is in it.

    Attributes:
        gateway: That Odoo.
        address: Where it is.
    """

    def __init__(self, gateway: MemoryGateway) -> None:
        self.address = ""
        self.gateway = gateway
        self._app: ASGIApp = wire_app(gateway, database=DATABASE)

    def swap(self, gateway: MemoryGateway) -> None:
        """Serve another Odoo from now on, at the same address."""
        self.gateway = gateway
        self._app = wire_app(gateway, database=DATABASE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await self._app(scope, receive, send)

    async def run(self, model: str, method: str, *args: Any) -> Any:
        """Run a method as the administrator, beside all proxies."""
        session = Session(DATABASE, 2, PASSWORD)
        return await self.gateway.execute(session, Call(model, method, args))

    async def written(self, name: str) -> int:
        """Answer how many contacts have a name."""
        domain = [["name", "=", name]]
        return int(await self.run("res.partner", "search_count", domain))

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Serve as long as it is open."""
        with listen("127.0.0.1", 0) as listener:
            self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            config = uvicorn.Config(self, log_config=None, lifespan="off")
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve(sockets=[listener]))
            yield
            server.should_exit = True
            await running


@dataclass
class MovableClock:
    """A clock of Odoo's own, which can be set wrong.

    Attributes:
        ahead: By how much.
    """

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Answer the time."""
        return datetime.now(UTC) + self.ahead


async def odoo_in_memory(
    clock: MovableClock, *, people_before: int = 0
) -> MemoryGateway:
    """Answer an Odoo with our own passwords and a user for Odooport.

    Args:
        clock: Its clock.
        people_before: How many other users were made before that one, so that it has
            another id.
    """
    gateway = MemoryGateway.demo(database=DATABASE, clock=clock)
    for number in range(people_before):
        gateway.add("res.users", {"name": f"P{number}", "login": f"p{number}"})
    root = Session(DATABASE, 2, "admin")
    demo = Call("res.users", "search_read", ([["login", "=", "demo"]], ["groups_id"]))
    (salesman,) = await gateway.execute(root, demo)
    groups = [[6, 0, salesman["groups_id"]]]
    user = {"name": "Bridge", "login": BRIDGE, "groups_id": groups}
    (bridge,) = gateway.add("res.users", user)
    await set_password(gateway, bridge, BRIDGES, secret="admin")
    await set_password(gateway, 2, PASSWORD, secret="admin")
    return gateway


async def set_password(
    gateway: MemoryGateway, user: int, password: str, *, secret: str = PASSWORD
) -> None:
    """Give a user another password, as the administrator does it."""
    session = Session(DATABASE, 2, secret)
    change = ([user], {"password": password})
    await gateway.execute(session, Call("res.users", "write", change))


@dataclass
class Place:
    """One door with all that stands behind it.

    Attributes:
        name: What the door is called.
        door: The door.
        proxies: What stands between it and Odoo, for each instance.
        address: Where the service is; empty where it is at no address.
        first: What ``/ready`` said while no Odoo was there; None where it is not asked.
    """

    name: str
    door: Door
    address: str
    proxies: Mapping[str, FaultyProxy]
    first: int | None

    async def readiness(self) -> int | None:
        """Answer the status of ``/ready``; None at a door that has none."""
        if self.name != REST:
            return None
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            return (await http.get(f"{self.address}/ready")).status_code


@dataclass(frozen=True)
class World:
    """Everything that the tests need.

    Attributes:
        odoo: What is behind most of the proxies.
        other: What is behind those of the instance ``restored``.
        clock: The clock of ``odoo``.
        places: The doors, by their names.
        stranger: Where redirects lead to.
    """

    odoo: SwappableOdoo
    other: SwappableOdoo
    clock: MovableClock
    places: Mapping[str, Place]
    stranger: Stranger

    def hidden_from(self, place: Place) -> list[str]:
        """Answer what no answer may hold: secrets, ways, traces of code."""
        ports = [str(proxy.port) for proxy in place.proxies.values()]
        return [
            *(PASSWORD, BRIDGES, "Traceback", "127.0.0.1", "/usr/", "/tmp/", ".py"),
            *(f":{port}" for port in ports),
        ]


# Making it


@dataclass(frozen=True)
class Certificates:
    """Servers' certificates, good and bad, of one authority.

    Attributes:
        bundle: The authority, as a PEM file.
        servers: For each instance, what its server shows.
    """

    bundle: Path
    servers: Mapping[str, ssl.SSLContext]


def make_certificates(directory: Path) -> Certificates:
    """Make an authority of our own, and what it has signed."""
    ours, strangers = trustme.CA(), trustme.CA()
    past = datetime.now(UTC) - timedelta(days=1)
    issued = {
        "tls-good": ours.issue_cert("localhost"),
        "tls-untrusted": strangers.issue_cert("localhost"),
        "tls-expired": ours.issue_cert("localhost", not_after=past),
        "tls-other-host": ours.issue_cert("elsewhere.example.com"),
    }
    bundle = directory / "authority.pem"
    ours.cert_pem.write_to_path(str(bundle))
    servers: dict[str, ssl.SSLContext] = {}
    for name, certificate in issued.items():
        servers[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(servers[name])
    return Certificates(bundle, servers)


def toml_of(proxies: Mapping[str, FaultyProxy], bundle: Path) -> str:
    """Write the file of one door."""
    lines = ['rate_limit = "1000000/minute"', 'address_rate_limit = "1000000/minute"']
    for name, proxy in proxies.items():
        user, variable = ("admin", "ODOO_ADMINS_PASSWORD")
        if name in PEOPLE:
            user, variable = (BRIDGE, "ODOO_BRIDGES_PASSWORD")
        lines += [
            "",
            f"[instances.{name}]",
            f'url = "{proxy.address}"',
            f'db = "{DATABASE}"',
            f'user = "{user}"',
            f'password_env = "{variable}"',
            f'transport = "{"xmlrpc" if name.startswith("xml") else "jsonrpc"}"',
            f"timeout = {PATIENCE if name in PATIENT else TIMEOUT}",
            f'ca_bundle = "{bundle}"',
        ]
    return "\n".join([*lines, ""])


def environment(directory: Path) -> dict[str, str]:
    """Answer the variables of a service whose file is in a directory."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ODOO_", "ODOOPORT_"))
    }
    return {
        **mine,
        "ODOOPORT_CONFIG": str(directory / "odooport.toml"),
        "ODOOPORT_STATE": str(directory),
        "ODOOPORT_PORT": "0",
        "ODOOPORT_ROLE": "full",
        "ODOO_ADMINS_PASSWORD": PASSWORD,
        "ODOO_BRIDGES_PASSWORD": BRIDGES,
    }


@asynccontextmanager
async def service(module: str, directory: Path) -> AsyncGenerator[str]:
    """Run an HTTP service; answer its address once it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env=environment(directory),
    )
    assert process.stderr is not None
    told: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while told.get("event") != "listening":
                line = await process.stderr.readline()
                assert line.startswith(b"{"), f"{module} said {line!r}"
                told = json.loads(line)
        draining = asyncio.create_task(process.stderr.read())
        yield f"http://127.0.0.1:{told['port']}"
        process.terminate()
        await draining
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def place(
    name: str, directory: Path, odoo: SwappableOdoo, other: SwappableOdoo
) -> AsyncGenerator[Place]:
    """Open one door while no Odoo is there; then all are there but ``default``."""
    directory.mkdir()
    certificates = make_certificates(directory)
    async with AsyncExitStack() as stack:
        proxies = {
            instance: FaultyProxy(
                (other if instance == "restored" else odoo).address,
                tls=certificates.servers.get(instance),
            )
            for instance in (*PLAIN, *PEOPLE, *certificates.servers)
        }
        for proxy in proxies.values():
            stack.push_async_callback(proxy.aclose)
            proxy.reserve()
        toml = toml_of(proxies, certificates.bundle)
        (directory / "odooport.toml").write_text(toml, encoding="utf-8")
        opened = await open_door(name, directory, stack)
        it = Place(name, *opened, proxies, None)
        first = await it.readiness()
        for instance in proxies.keys() - {"default"}:
            await proxies[instance].start()
        yield replace(it, first=first)


async def open_door(
    name: str, directory: Path, stack: AsyncExitStack
) -> tuple[Door, str]:
    """Start a service in a directory that has its file; answer it and its address."""
    if name == STDIO:
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "odooport_mcp_stdio.main"],
            env=environment(directory),
            cwd=directory,
        )
        return McpDoor(await stack.enter_async_context(Client(command))), ""
    keys = SqliteKeyStore(directory / "keys.db")
    _, key = keys.create("caller", "full")
    keys.close()
    module = {REST: "odooport_rest.main", MCP: "odooport_mcp_http.main"}[name]
    address = await stack.enter_async_context(service(module, directory))
    http = await stack.enter_async_context(
        httpx2.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE,
        )
    )
    if name == REST:
        return RestDoor(http), address
    transport = streamable_http_client(f"{address}/mcp", http_client=http)
    client = await stack.enter_async_context(Client(transport))
    return McpDoor(client), address


@asynccontextmanager
async def world(directory: Path) -> AsyncGenerator[World]:
    """Open everything, and close it in the end."""
    clock = MovableClock()
    odoo = SwappableOdoo(await odoo_in_memory(clock))
    other = SwappableOdoo(await odoo_in_memory(MovableClock()))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(odoo.serving())
        await stack.enter_async_context(other.serving())
        places: dict[str, Place] = {}
        for number, name in enumerate(DOORS):
            opened = place(name, directory / f"door{number}", odoo, other)
            places[name] = await stack.enter_async_context(opened)
        stranger = await stack.enter_async_context(Stranger.listening())
        yield World(odoo, other, clock, places, stranger)


async def keep(
    directory: Path, opened: asyncio.Future[World], over: asyncio.Event
) -> None:
    """Keep everything open until it is over, in one task.

    The clients of MCP have to be closed by the task that opened them, and the fixtures
    of a module begin and end in two.
    """
    try:
        async with world(directory) as it:
            opened.set_result(it)
            await over.wait()
    except Exception as error:
        if opened.done():
            raise
        opened.set_exception(error)
