"""A proxy between a gateway and its Odoo that does to each request what it is told.

It reads whole requests, so that a fault can hit the one that writes and no other, and
it says of each what it asked for. ``stop`` and ``start`` play an Odoo that goes down
and comes back at the same address.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import xmlrpc.client
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

import httpx2

_HOST = "127.0.0.1"
_HEAD_BYTES = 64 * 1024
_PATIENCE = 60.0
"""Seconds after which Odoo behind it hangs."""

_GIB = 1024**3
_HTML = b"<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
_NOT_PASSED_ON = frozenset({"connection", "content-length", "transfer-encoding"})
_JSON, _XML = "application/json; charset=utf-8", "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of Odoo.

    Attributes:
        path: Where it went.
        service: Odoo's service: ``common``, ``object`` or ``db``; empty if unknown.
        method: The service's method, such as ``execute_kw``.
        model: Which model, if it runs one of its methods.
        name: Which method of that model.
        number: What JSON-RPC calls the request.
    """

    path: str
    service: str = ""
    method: str = ""
    model: str = ""
    name: str = ""
    number: Any = None

    def is_xml(self) -> bool:
        """Answer whether it came over XML-RPC."""
        return self.path.startswith("/xmlrpc/")


def asked_of(path: str, body: bytes) -> Asked:
    """Answer what a request asks for, as far as it can be told."""
    try:
        if path.startswith("/xmlrpc/"):
            arguments, method = xmlrpc.client.loads(body)
            service, number = path.rpartition("/")[2], None
        else:
            told = json.loads(body)
            params = told["params"]
            service, method = params["service"], params["method"]
            arguments, number = params["args"], told["id"]
    except (
        ValueError,
        LookupError,
        TypeError,
        expat.ExpatError,
        xmlrpc.client.Error,
    ):
        return Asked(path)
    model, name = "", ""
    if service == "object" and len(arguments) > 4:
        model, name = str(arguments[3]), str(arguments[4])
    return Asked(path, service, str(method), model, name, number)


@dataclass(frozen=True, slots=True)
class Reply:
    """What Odoo has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Exchange:
    """One request, and the connection that it came over.

    Attributes:
        asked: What it asks for.
        forward: Lets Odoo do it, and answers what Odoo said.
        reader: What the caller sends.
        writer: What goes to the caller.
        streamed: How many bytes of an endless answer went out.
    """

    asked: Asked
    forward: Callable[[], Awaitable[Reply]]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    streamed: int = 0

    async def send(
        self, body: bytes, *, status: int = 200, **headers: str | int
    ) -> None:
        """Answer; a name's underscores are hyphens, and an empty value leaves it out.

        Args:
            body: The body, or the part of it that is to be sent.
            status: The HTTP status.
            headers: Headers besides, or in place of, length and type.
        """
        all_headers: dict[str, str | int] = {
            "Content_Type": _XML if self.asked.is_xml() else _JSON,
            "Content_Length": len(body),
            **headers,
        }
        lines = [f"HTTP/1.1 {status} It"]
        lines += [
            f"{name.replace('_', '-')}: {value}"
            for name, value in all_headers.items()
            if value != ""
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the caller hangs up."""
        while await self.reader.read(_HEAD_BYTES):
            pass

    def close(self) -> None:
        """Hang up, in order."""
        self.writer.close()

    def reset(self) -> None:
        """Hang up with a reset, as a crashed or restarted machine does."""
        _reset(self.writer)


type Fault = Callable[[Exchange], Awaitable[None]]
"""What happens to a request. The connection is kept unless it is closed."""


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        linger = struct.pack("ii", 1, 0)  # on, for no time: close sends a RST
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@dataclass(slots=True)
class _Rule:
    fault: Fault
    hits: Callable[[Asked], bool]
    left: int | None


class FaultyProxy:
    """A proxy on an address of its own in front of one Odoo.

    Args:
        upstream: Odoo's own address.
        tls: Speak TLS to those who come.

    Attributes:
        connections: How many came.
        requests: What each request has asked for.
        forwarded: What each request asked for that Odoo got.
        faulted: How many requests a fault has hit.
        streamed: How many bytes of endless answers went out.
    """

    def __init__(self, upstream: str, *, tls: ssl.SSLContext | None = None) -> None:
        self._upstream = upstream
        self._tls = tls
        self._rules: list[_Rule] = []
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._port = 0
        self._idle: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = httpx2.AsyncClient(
            timeout=_PATIENCE,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            limits=httpx2.Limits(max_connections=400, max_keepalive_connections=0),
        )
        self.connections = 0
        self.requests: list[Asked] = []
        self.forwarded: list[Asked] = []
        self.faulted = 0
        self.streamed = 0

    @property
    def port(self) -> int:
        """The port; it stays the same over ``stop`` and ``start``."""
        return self._port

    @property
    def address(self) -> str:
        """The URL to give to a gateway."""
        if self._tls is not None:
            return f"https://localhost:{self._port}"
        return f"http://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen; after ``stop``, at the same port as before."""
        self._hold_port()
        held, self._held = self._held, None
        self._server = await asyncio.start_server(
            self._accept, sock=held, limit=_HEAD_BYTES, ssl=self._tls
        )

    def reserve(self) -> None:
        """Take a port without listening: nothing is there until ``start``."""
        self._hold_port()

    async def stop(self) -> None:
        """Go down: listen no more, and break every connection."""
        self._hold_port()
        if self._server is not None:
            self._server.close()
            self._server = None
        running = [*self._tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _hold_port(self) -> None:
        """Keep the port for ourselves: somebody else's server might take it."""
        if self._held is None:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._held.bind((_HOST, self._port))
            self._port = self._held.getsockname()[1]

    async def aclose(self) -> None:
        """Go down for good."""
        await self.stop()
        if self._held is not None:
            self._held.close()
        await self._http.aclose()

    def inject(
        self,
        fault: Fault,
        *,
        hits: Callable[[Asked], bool] | str = "",
        times: int | None = 1,
    ) -> None:
        """Let a fault happen to the next requests that it hits.

        Args:
            fault: What happens to them.
            hits: Which ones: the name of a model's method, or a function; any of
                them unless told.
            times: To how many; None to all.
        """
        self._rules.append(_Rule(fault, _named(hits), times))

    def heal(self) -> None:
        """Let everything pass again."""
        self._rules.clear()

    def reset_idle(self) -> int:
        """Reset the connections that wait for a next request; answer how many."""
        idle, self._idle = self._idle, set()
        for writer in idle:
            _reset(writer)
        return len(idle)

    def asked_for(self, name: str) -> int:
        """Answer how many requests came for a method of a model."""
        return sum(asked.name == name for asked in self.requests)

    # Each connection

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # a caller that hangs up is what half of the faults are for
        try:
            while not writer.is_closing() and await self._serve(reader, writer):
                pass
            writer.close()
        except (OSError, EOFError, ValueError):
            writer.transport.abort()
        except asyncio.CancelledError:
            # not passed on: a stream server logs it as a failure of its own
            _reset(writer)
        finally:
            self._idle.discard(writer)
            self._tasks.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; answer whether there was one."""
        self._idle.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        self._idle.discard(writer)
        verb, path, headers = _read_head(head)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = asked_of(path, body)
        self.requests.append(asked)

        async def forward() -> Reply:
            self.forwarded.append(asked)
            answer = await self._http.request(
                verb,
                self._upstream + path,
                content=body,
                headers={
                    "Content-Type": headers.get("content-type", ""),
                    "Accept-Encoding": "identity",
                },
            )
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name not in _NOT_PASSED_ON
            }
            return Reply(answer.status_code, kept, answer.content)

        exchange = Exchange(asked, forward, reader, writer)
        fault = self._fault_for(asked)
        if fault is None:
            await pass_on(exchange)
        else:
            self.faulted += 1
            try:
                await fault(exchange)
            finally:
                self.streamed += exchange.streamed
        return True

    def _fault_for(self, asked: Asked) -> Fault | None:
        for rule in self._rules:
            if rule.left != 0 and rule.hits(asked):
                if rule.left is not None:
                    rule.left -= 1
                return rule.fault
        return None


def _named(hits: Callable[[Asked], bool] | str) -> Callable[[Asked], bool]:
    if isinstance(hits, str):
        return lambda asked: hits in ("", asked.name)
    return hits


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    verb, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    return verb, path, {name.lower(): value.strip() for name, _, value in pairs}


@asynccontextmanager
async def proxy_to(
    upstream: str, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[FaultyProxy]:
    """Open a proxy in front of an Odoo, and close it in the end."""
    it = FaultyProxy(upstream, tls=tls)
    await it.start()
    try:
        yield it
    finally:
        await it.aclose()


# What can happen to a request


async def pass_on(it: Exchange) -> None:
    """Nothing: Odoo does it, and its answer arrives."""
    reply = await it.forward()
    kept = {name.replace("-", "_"): value for name, value in reply.headers.items()}
    kept.pop("content_type", None)
    kind = reply.headers.get("content-type", "")
    await it.send(reply.body, status=reply.status, Content_Type=kind, **kept)


async def no_answer(it: Exchange) -> None:
    """It is taken, never done and never answered."""
    await it.gone()
    it.close()


async def no_answer_though_done(it: Exchange) -> None:
    """It is done, and never answered."""
    await it.forward()
    await it.gone()
    it.close()


async def drop_before(it: Exchange) -> None:
    """The connection breaks before Odoo has it."""
    it.close()


async def drop_after(it: Exchange) -> None:
    """Odoo has done it, and the connection breaks before the answer."""
    await it.forward()
    it.close()


async def drop_midway(it: Exchange) -> None:
    """Odoo has done it, and the connection breaks in the middle of the answer."""
    reply = await it.forward()
    half = reply.body[: len(reply.body) // 2]
    await it.send(half, Content_Length=len(reply.body))
    it.reset()


async def cut_short(it: Exchange) -> None:
    """The answer ends, in order, before as many bytes as it promised."""
    reply = await it.forward()
    await it.send(reply.body, Content_Length=len(reply.body) + 100)
    it.close()


async def unfinished_chunks(it: Exchange) -> None:
    """The answer comes in chunks, and ends without the last one."""
    reply = await it.forward()
    chunk = b"%x\r\n%b\r\n" % (len(reply.body), reply.body)
    await it.send(chunk, Content_Length="", Transfer_Encoding="chunked")
    it.close()


def byte_by_byte(seconds: float) -> Fault:
    """Answer a fault: the answer comes whole, but a byte at a time.

    Args:
        seconds: How long it takes, about.
    """

    async def fault(it: Exchange) -> None:
        reply = await it.forward()
        await it.send(b"", Content_Length=len(reply.body))
        # no more waits than these: each is longer than asked for where much goes on
        waits, every = 20, max(1, len(reply.body) // 20)
        for number, byte in enumerate(reply.body):
            it.writer.write(bytes([byte]))
            await it.writer.drain()
            await asyncio.sleep(seconds / waits if number % every == 0 else 0)

    return fault


async def trickle(it: Exchange) -> None:
    """Odoo has done it; of its answer a byte comes now and then, without an end."""
    await it.forward()
    await it.send(b"", Content_Length=_GIB)
    while not it.writer.is_closing():
        it.writer.write(b" ")
        await it.writer.drain()
        await asyncio.sleep(0.05)


async def bad_gateway_before(it: Exchange) -> None:
    """What stands in front of Odoo answers that it is down, and it is."""
    await it.send(_HTML, status=502, Content_Type="text/html")


async def bad_gateway_after(it: Exchange) -> None:
    """Odoo has done it, and what stands in front of it answers with an error page."""
    await it.forward()
    await bad_gateway_before(it)


async def reset(it: Exchange) -> None:
    """The connection is reset when the request is there."""
    it.reset()


async def endless(it: Exchange) -> None:
    """Odoo has done it, and the answer has 3 GB."""
    await it.forward()
    await it.send(b"", Content_Length=3 * _GIB)
    block = b" " * _HEAD_BYTES
    with contextlib.suppress(OSError):  # it is to be hung up upon
        for _ in range(3 * _GIB // _HEAD_BYTES):
            it.writer.write(block)
            await it.writer.drain()
            it.streamed += len(block)
    it.close()


async def bomb(it: Exchange) -> None:
    """Odoo has done it, and the answer is XML that would grow to gigabytes."""
    await it.forward()
    entities = "".join(
        f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10)
    )
    text = (
        f'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY l0 "lol">{entities}]>'
        "<methodResponse><params><param><value><string>&l9;</string></value></param>"
        "</params></methodResponse>"
    )
    await it.send(text.encode(), Content_Type=_XML)


async def deep(it: Exchange) -> None:
    """Odoo has done it, and the answer is nested far too deeply."""
    await it.forward()
    levels = 100_000
    if it.asked.is_xml():
        inner = "<value><array><data>" * levels + "</data></array></value>" * levels
        text = (
            f"<methodResponse><params><param>{inner}</param></params></methodResponse>"
        )
    else:
        result = "[" * levels + "]" * levels
        text = (
            f'{{"jsonrpc":"2.0","id":{json.dumps(it.asked.number)},"result":{result}}}'
        )
    await it.send(text.encode())


async def wrong_type(it: Exchange) -> None:
    """Odoo has done it, and its answer comes as plain text."""
    reply = await it.forward()
    await it.send(reply.body, Content_Type="text/plain")


async def garbled(it: Exchange) -> None:
    """Odoo has done it, and its answer is cut, though its length is right."""
    reply = await it.forward()
    await it.send(reply.body[: len(reply.body) // 2])


def redirect(to: str) -> Fault:
    """Answer a fault: Odoo does not get it, and the caller is sent elsewhere.

    Args:
        to: Where to.
    """

    async def fault(it: Exchange) -> None:
        await it.send(b"", status=307, Location=to)

    return fault


@dataclass(slots=True)
class Stranger:
    """A server that nobody has any business with; it counts who comes."""

    visits: int = 0
    address: str = ""
    _server: asyncio.Server | None = field(default=None, repr=False)

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncGenerator["Stranger"]:
        """Open one, and close it in the end."""
        it = cls()
        it._server = await asyncio.start_server(it._visited, _HOST, 0)
        it.address = f"http://{_HOST}:{it._server.sockets[0].getsockname()[1]}"
        try:
            yield it
        finally:
            it._server.close()

    async def _visited(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        del reader
        self.visits += 1
        writer.close()
