"""The wires against servers that behave badly, and the values that they refuse."""

import asyncio
import contextlib
import datetime as dt
import decimal
import enum
import gzip
import json
import re
import socket
import ssl
import time
import xmlrpc.client
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
import trustme

from odooport import errors
from odooport.deadlines import until
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport_adapters.faults import Asker, from_jsonrpc, from_xmlrpc
from odooport_adapters.http import HttpLimits, OdooHttp, tls_context
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.routing import AutoGateway
from odooport_adapters.xmlrpc import XmlRpcGateway

SESSION = Session("company", 2, "s3cret")
READ = Call("res.partner", "read", ([1], ["name"]))
WRITE = Call("res.partner", "write", ([1], {"name": "Azure"}))
ROWS = [{"id": 1, "name": "Azure"}]
TYPES = {"xmlrpc": "text/xml", "jsonrpc": "application/json"}
GATEWAYS = {"xmlrpc": XmlRpcGateway, "jsonrpc": JsonRpcGateway}


@pytest.fixture(params=["xmlrpc", "jsonrpc"])
def wire(request) -> str:
    """Each wire's name."""
    return request.param


def answer_of(wire: str, value: Any, *, number: int = 1) -> bytes:
    """A good answer on one wire."""
    if wire == "xmlrpc":
        return xmlrpc.client.dumps(
            (value,), methodresponse=True, allow_none=True
        ).encode()
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": value}).encode()


def http_of(
    body: bytes, kind: str, *, status: str = "200 OK", headers: str = ""
) -> bytes:
    """A whole HTTP response."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


type Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A server that counts whole requests and then does as it is told.

    The behaviour is called after each request; the connection stays open for the next
    one unless the behaviour closes it.
    """

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.address = ""

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        # whoever asked may go away at any time
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"(?i)content-length: (\d+)", head)
                assert found is not None
                body = await reader.readexactly(int(found[1]))
                self.requests.append(head + body)
                self.asked.set()
                await self._behave(reader, writer)
        writer.close()


@contextlib.asynccontextmanager
async def serving(
    behave: Behaviour, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    raw = RawServer(behave)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    raw.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield raw
    finally:
        server.close()
        await server.wait_closed()


def saying(*answers: bytes) -> Behaviour:
    """Give these answers, one for each request, and then hang up on the next."""
    left = list(answers)

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if left:
            writer.write(left.pop(0))
            await writer.drain()
        else:
            writer.close()

    return behave


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing until the other side gives up."""
    await reader.read()


def in_memory(
    answer: Callable[[httpx2.Request], tuple[int, dict[str, str], bytes]],
) -> OdooHttp:
    """A client whose server is a function."""

    async def handle(request: httpx2.Request) -> httpx2.Response:
        status, headers, body = answer(request)
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))

    return OdooHttp("http://odoo.test", transport=httpx2.MockTransport(handle))


async def outcome(wire: str, call: Call, body: bytes, **more: Any) -> Any:
    """What a call makes of one answer."""
    headers = {"Content-Type": more.get("kind", TYPES[wire]), **more.get("headers", {})}
    http = in_memory(lambda _: (more.get("status", 200), headers, body))
    return await GATEWAYS[wire](http).execute(SESSION, call)


# Sent exactly once


@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayUnavailable)],
)
async def test_a_call_whose_answer_is_lost_is_not_sent_again(wire, call, kind):
    async with serving(saying()) as server, OdooHttp(server.address) as http:
        with pytest.raises(errors.GatewayError) as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert type(caught.value) is kind
        assert len(server.requests) == 1


async def test_a_call_that_a_kept_connection_swallows_is_not_sent_again(wire):
    first = http_of(answer_of(wire, ROWS), TYPES[wire])
    async with serving(saying(first)) as server, OdooHttp(server.address) as http:
        gateway = GATEWAYS[wire](http)
        assert await gateway.execute(SESSION, READ) == ROWS
        with pytest.raises(errors.OutcomeUnknown, match="may or may not"):
            await gateway.execute(SESSION, WRITE)
        assert server.connections == 1
        assert len(server.requests) == 2


async def test_a_connection_that_was_closed_meanwhile_fails_nothing(wire):
    closed = asyncio.Event()
    numbers = iter((1, 2))

    async def once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = answer_of(wire, True, number=next(numbers))
        writer.write(http_of(body, TYPES[wire]))
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with serving(once) as server, OdooHttp(server.address) as http:
        gateway = GATEWAYS[wire](http)
        await gateway.execute(SESSION, WRITE)
        await closed.wait()
        assert await gateway.execute(SESSION, WRITE) is True
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_connections_are_kept_between_calls(wire):
    answers = [http_of(answer_of(wire, ROWS, number=n), TYPES[wire]) for n in (1, 2, 3)]
    async with serving(saying(*answers)) as server, OdooHttp(server.address) as http:
        gateway = GATEWAYS[wire](http)
        for _ in answers:
            assert await gateway.execute(SESSION, READ) == ROWS
        assert server.connections == 1


# Deadlines


@pytest.mark.parametrize(
    "limits",
    [HttpLimits(read_seconds=0.05), HttpLimits(call_seconds=0.05)],
    ids=["read", "whole-call"],
)
@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayUnavailable)],
)
async def test_a_silent_server_is_given_up(wire, limits, call, kind):
    async with (
        serving(silence) as server,
        OdooHttp(server.address, limits=limits) as http,
    ):
        async with asyncio.timeout(5):
            with pytest.raises(errors.GatewayError, match="in time") as caught:
                await GATEWAYS[wire](http).execute(SESSION, call)
        assert type(caught.value) is kind
        assert len(server.requests) == 1


async def test_a_server_that_drips_is_given_up_after_the_whole_calls_time():
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http_of(b"x" * 9_000_000, "application/json")[:100])
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)  # within what one read may take

    limits = HttpLimits(read_seconds=5, call_seconds=0.1)
    async with serving(drip) as server, OdooHttp(server.address, limits=limits) as http:
        async with asyncio.timeout(5):
            with pytest.raises(errors.OutcomeUnknown):
                await JsonRpcGateway(http).execute(SESSION, WRITE)


async def test_a_write_that_waits_for_a_connection_in_vain_was_not_sent():
    limits = HttpLimits(connections=1, connect_seconds=0.05)
    async with serving(silence) as server:
        async with OdooHttp(server.address, limits=limits) as http:
            gateway = JsonRpcGateway(http)
            slow = asyncio.ensure_future(gateway.execute(SESSION, READ))
            await server.asked.wait()
            async with asyncio.timeout(5):
                with pytest.raises(errors.GatewayUnavailable, match="Nothing was sent"):
                    await gateway.execute(SESSION, WRITE)
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
        assert len(server.requests) == 1


async def test_a_write_whose_connection_was_never_made_was_not_sent():
    limits = HttpLimits(connect_seconds=0.05)
    async with serving(silence) as server:  # it waits for HTTP, we for its TLS
        address = server.address.replace("http:", "https:")
        async with OdooHttp(address, limits=limits) as http:
            with pytest.raises(errors.GatewayUnavailable, match="Nothing was sent"):
                await JsonRpcGateway(http).execute(SESSION, WRITE)


# Not reached


async def test_a_write_to_a_port_where_nothing_listens_was_not_sent(wire):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with OdooHttp(f"http://127.0.0.1:{port}") as http:
        with pytest.raises(errors.GatewayUnavailable, match="Nothing listens") as told:
            await GATEWAYS[wire](http).execute(SESSION, WRITE)
    assert str(port) not in told.value.message
    assert "127.0.0.1" not in told.value.message


async def test_a_certificate_that_is_not_trusted_is_named_as_the_cause():
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with serving(saying(), tls=tls) as server, OdooHttp(server.address) as http:
        with pytest.raises(errors.GatewayUnavailable, match="certificate") as caught:
            await JsonRpcGateway(http).execute(SESSION, WRITE)
        assert server.requests == []
    assert "not trusted here" in caught.value.message


async def test_a_certificate_for_another_host_is_named_as_the_cause(tmp_path):
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(tls)
    async with (
        serving(saying(), tls=tls) as server,
        OdooHttp(server.address, tls=tls_context(ca_bundle=bundle)) as http,
    ):
        with pytest.raises(errors.GatewayUnavailable, match="for another"):
            await JsonRpcGateway(http).execute(SESSION, WRITE)
        assert server.requests == []


async def test_a_ca_bundle_of_ones_own_is_trusted(tmp_path):
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    answer = http_of(answer_of("jsonrpc", ROWS), TYPES["jsonrpc"])
    async with (
        serving(saying(answer), tls=tls) as server,
        OdooHttp(server.address, tls=tls_context(ca_bundle=bundle)) as http,
    ):
        assert await JsonRpcGateway(http).execute(SESSION, READ) == ROWS


async def test_https_to_a_server_without_tls_is_named_as_the_cause():
    async def complain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(complain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, OdooHttp(f"https://127.0.0.1:{port}") as http:
        with pytest.raises(errors.GatewayUnavailable, match="TLS as expected"):
            await JsonRpcGateway(http).execute(SESSION, WRITE)


def test_a_ca_bundle_that_cannot_be_read_is_the_callers_mistake(tmp_path):
    with pytest.raises(errors.InvalidRequest, match="CA bundle"):
        tls_context(ca_bundle=tmp_path / "missing.pem")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "odoo.example.com",
        "ftp://odoo.example.com",
        "https://",
        "https://a..b",
        "https://admin:pw@odoo.example.com",
        "https://odoo.example.com/?db=x",
        "https://odoo.example.com/#menu",
        "https://odoo example.com",
        "https://odoo.example.com%2f.evil.test",
        "http://odoo.example.com:port",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(errors.InvalidRequest, match="address of Odoo"):
        OdooHttp(address)


async def test_a_path_in_the_address_is_kept():
    paths = []

    def handle(request):
        paths.append(request.url.path)
        return httpx2.Response(
            200,
            headers={"Content-Type": "application/json"},
            stream=httpx2.ByteStream(answer_of("jsonrpc", ROWS)),
        )

    http = OdooHttp("http://odoo.test/erp/", transport=httpx2.MockTransport(handle))
    await JsonRpcGateway(http).execute(SESSION, READ)
    assert paths == ["/erp/jsonrpc"]


async def test_a_closed_client_says_so(wire):
    http = OdooHttp("http://127.0.0.1:1")
    await http.aclose()
    with pytest.raises(errors.GatewayUnavailable, match="closed"):
        await GATEWAYS[wire](http).execute(SESSION, WRITE)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_odoo_is_reached_by_its_address_and_by_its_name(host):
    answers = saying(http_of(answer_of("jsonrpc", ROWS), TYPES["jsonrpc"]))
    async with serving(answers) as server:
        port = server.address.rpartition(":")[2]
        async with OdooHttp(f"http://{host}:{port}") as http:
            assert await JsonRpcGateway(http).execute(SESSION, READ) == ROWS


async def test_a_large_request_arrives_whole(wire):
    text = "é" * 3_000_000
    answers = saying(http_of(answer_of(wire, True), TYPES[wire]))
    async with serving(answers) as server, OdooHttp(server.address) as http:
        call = Call("res.partner", "write", ([1], {"comment": text}))
        assert await GATEWAYS[wire](http).execute(SESSION, call) is True
        assert text.encode() in server.requests[0]


@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayUnavailable)],
)
async def test_closing_the_client_ends_the_calls_that_are_under_way(call, kind):
    async with serving(silence) as server:
        http = OdooHttp(server.address)
        waiting = asyncio.ensure_future(JsonRpcGateway(http).execute(SESSION, call))
        await server.asked.wait()
        await http.aclose()
        async with asyncio.timeout(5):
            with pytest.raises(kind, match="broke"):
                await waiting


# Answers that are none


@pytest.mark.parametrize(
    ("status", "for_read", "for_write"),
    [
        (204, errors.GatewayProtocolError, errors.OutcomeUnknown),
        (301, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (303, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (400, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (403, errors.GatewayProtocolError, errors.OutcomeUnknown),
        (404, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (405, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (413, errors.GatewayProtocolError, errors.GatewayUnavailable),
        (429, errors.GatewayUnavailable, errors.GatewayUnavailable),
        (500, errors.GatewayProtocolError, errors.OutcomeUnknown),
        (502, errors.GatewayUnavailable, errors.OutcomeUnknown),
        (503, errors.GatewayUnavailable, errors.OutcomeUnknown),
        (504, errors.GatewayUnavailable, errors.OutcomeUnknown),
    ],
)
async def test_a_status_that_is_not_odoos(wire, status, for_read, for_write):
    for call, kind in (READ, for_read), (WRITE, for_write):
        with pytest.raises(errors.GatewayError) as caught:
            await outcome(wire, call, b"<h1>Oh</h1>", kind="text/html", status=status)
        assert type(caught.value) is kind
        assert str(status) in caught.value.message


async def test_a_redirect_is_not_followed(wire):
    moved = http_of(
        b"", "text/html", status="307 Moved", headers="Location: /jsonrpc\r\n"
    )
    async with serving(saying(moved)) as server, OdooHttp(server.address) as http:
        with pytest.raises(errors.GatewayUnavailable, match="redirects"):
            await GATEWAYS[wire](http).execute(SESSION, WRITE)
        assert len(server.requests) == 1


async def test_cookies_of_one_call_are_not_sent_with_the_next(wire):
    answers = [
        http_of(
            answer_of(wire, ROWS, number=n),
            TYPES[wire],
            headers="Set-Cookie: session_id=someone; Path=/\r\n",
        )
        for n in (1, 2)
    ]
    async with serving(saying(*answers)) as server, OdooHttp(server.address) as http:
        gateway = GATEWAYS[wire](http)
        await gateway.execute(SESSION, READ)
        await gateway.execute(SESSION, READ)
        assert len(server.requests) == 2
        assert b"someone" not in server.requests[1]


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "haha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><methodResponse><params><param>
<value><string>&b;</string></value></param></params></methodResponse>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hosts">]>
<methodResponse><params><param><value><string>&a;</string></value></param></params>
</methodResponse>"""
DOCTYPE = b"""<!DOCTYPE methodResponse SYSTEM "http://127.0.0.1:1/x.dtd"><methodResponse>
<params><param><value><int>1</int></value></param></params></methodResponse>"""
DEEP = b"<value><array><data>" * 5000 + b"</data></array></value>" * 5000


def xml_answer(value: bytes) -> bytes:
    """An answer with a value that no encoder writes."""
    params = b"<params><param>" + value + b"</param></params>"
    return b"<methodResponse>" + params + b"</methodResponse>"


UNREADABLE = {
    "xmlrpc": {
        "billion laughs": LAUGHS,
        "an external entity": OUTSIDE,
        "a document type": DOCTYPE,
        "deep nesting": xml_answer(DEEP),
        "a name without a value": xml_answer(
            b"<value><struct><member><name>a</name></member></struct></value>"
        ),
        "no decimal": xml_answer(b"<value><bigdecimal>x</bigdecimal></value>"),
        "nothing": b"",
        "half of it": answer_of("xmlrpc", ROWS)[:-60],
        "other XML": b"<html><body>Log in</body></html>",
        "no value": b"<methodResponse><params></params></methodResponse>",
        "two values": xmlrpc.client.dumps((1, 2), "x").encode(),
        "a request": xmlrpc.client.dumps((), "x").encode(),
        "no number": answer_of("xmlrpc", 1).replace(b">1<", b">one<"),
        "no boolean": answer_of("xmlrpc", True).replace(b">1<", b">7<"),
        "no date": answer_of("xmlrpc", xmlrpc.client.DateTime("soon")),
        "a strange fault": answer_of("xmlrpc", {"a": 1})
        .replace(b"params>", b"fault>")
        .replace(b"<param>", b"")
        .replace(b"</param>", b""),
        "bad bytes": answer_of("xmlrpc", "x").replace(b">x<", b">\xff<"),
        "an unknown type": xml_answer(b"<value><colour>red</colour></value>"),
        "too deep for us only": xml_answer(
            b"<value><array><data>" * 201 + b"</data></array></value>" * 201
        ),
        "entities in another encoding": LAUGHS.decode().encode("utf-16"),
    },
    "jsonrpc": {
        "deep nesting": b"[" * 200_000,
        "nothing": b"",
        "half of it": answer_of("jsonrpc", ROWS)[:-9],
        "no object": b"[]",
        "NaN": b'{"jsonrpc": "2.0", "id": 1, "result": NaN}',
        "another call's answer": answer_of("jsonrpc", ROWS, number=7),
        "nobody's answer": b'{"jsonrpc": "2.0", "id": null, "result": 1}',
        "other JSON": b'{"id": 1, "login": "page"}',
        "a strange error": b'{"jsonrpc": "2.0", "id": 1, "error": "Oh"}',
        "bad bytes": b'{"jsonrpc": "2.0", "id": 1, "result": "\xff"}',
        "no finite number": b'{"jsonrpc": "2.0", "id": 1, "result": 1e400}',
        "half a character": b'{"jsonrpc": "2.0", "id": 1, "result": "\\ud800"}',
        "two answers": answer_of("jsonrpc", 1) * 2,
    },
}


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        pytest.param(wire, body, id=f"{wire}-{name}")
        for wire, bodies in UNREADABLE.items()
        for name, body in bodies.items()
    ],
)
async def test_an_unreadable_answer_is_an_error_of_ours(wire, body):
    with pytest.raises(errors.GatewayProtocolError, match="no readable"):
        await outcome(wire, READ, body)
    with pytest.raises(errors.OutcomeUnknown, match="may or may not"):
        await outcome(wire, WRITE, body)


async def test_a_page_in_place_of_data_is_an_error_of_ours(wire):
    page = answer_of(wire, ROWS)  # whatever it says, it is served as a page
    with pytest.raises(errors.GatewayProtocolError, match="a page"):
        await outcome(wire, READ, page, kind="text/html; charset=utf-8")
    with pytest.raises(errors.OutcomeUnknown, match="a page"):
        await outcome(wire, WRITE, page, kind="text/html")


@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayUnavailable)],
)
async def test_an_answer_that_breaks_off_is_no_answer(wire, call, kind):
    whole = http_of(answer_of(wire, ROWS), TYPES[wire])

    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:-10])
        writer.close()

    async with serving(half) as server, OdooHttp(server.address) as http:
        with pytest.raises(errors.GatewayError, match="broke") as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert type(caught.value) is kind
        assert len(server.requests) == 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayProtocolError)],
)
async def test_a_huge_answer_is_not_read_to_its_end(wire, packed, call, kind):
    body = answer_of(wire, "0" * 50_000_000 if packed else "0" * 5_000_000)
    headers = ""
    if packed:
        body, headers = gzip.compress(body, 1), "Content-Encoding: gzip\r\n"
    answer = http_of(body, TYPES[wire], headers=headers)
    limits = HttpLimits(answer_bytes=1_000_000)
    async with (
        serving(saying(answer)) as server,
        OdooHttp(server.address, limits=limits) as http,
    ):
        with pytest.raises(errors.GatewayError, match="larger than") as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert type(caught.value) is kind


async def test_an_answer_of_exactly_the_limit_is_read(wire):
    body = answer_of(wire, "0" * 1000)
    for headers, sent in (
        ("", body),
        ("Content-Encoding: gzip\r\n", gzip.compress(body)),
    ):
        answer = http_of(sent, TYPES[wire], headers=headers)
        limits = HttpLimits(answer_bytes=len(body))
        async with (
            serving(saying(answer)) as server,
            OdooHttp(server.address, limits=limits) as http,
        ):
            assert await GATEWAYS[wire](http).execute(SESSION, READ) == "0" * 1000


@pytest.mark.parametrize(
    ("encoding", "cut", "said"),
    [
        ("gzip", 0, "is not the gzip data"),
        ("gzip", -4, "breaks off"),
        ("br", 0, "compression that nobody asked for"),
        ("gzip, gzip", 0, "compression that nobody asked for"),
    ],
)
async def test_a_strange_compression_is_an_error_of_ours(wire, encoding, cut, said):
    body = answer_of(wire, ROWS)
    if cut:
        body = gzip.compress(body)[:cut]
    headers = {"Content-Encoding": encoding}
    with pytest.raises(errors.GatewayProtocolError, match=said):
        await outcome(wire, READ, body, headers=headers)
    with pytest.raises(errors.OutcomeUnknown, match=said):
        await outcome(wire, WRITE, body, headers=headers)


async def test_a_large_answer_is_decoded_whole(wire):
    rows = [{"id": n, "name": f"Partner {n}"} for n in range(3000)]
    body = answer_of(wire, rows)
    assert len(body) > 128 * 1024 or wire == "jsonrpc"
    assert await outcome(wire, READ, body) == rows


async def test_text_of_blanks_is_kept(wire):
    texts = ["", " ", "\n", " \n\t ", "a  b", " <b> & ]]> ", "\u2028é\U0001f600"]
    rows = [{"id": 1, " ": text, "all": [*texts, [text]]} for text in texts]
    assert await outcome(wire, READ, answer_of(wire, rows)) == rows


async def test_text_of_xmlrpc_may_have_comments_and_sections_and_no_type():
    value = b"<value><string>a<!-- no -->b<![CDATA[<c>]]><?no?>d</string></value>"
    assert await outcome("xmlrpc", READ, xml_answer(value)) == "ab<c>d"
    assert await outcome("xmlrpc", READ, xml_answer(b"<value> a </value>")) == " a "


async def test_a_text_of_many_megabytes_is_read(wire):
    text = "x" * 11_000_000  # more than an XML parser takes unless told
    assert await outcome(wire, READ, answer_of(wire, text)) == text


async def test_whole_numbers_of_any_size_stay_whole():
    large = 2**70
    assert await outcome("jsonrpc", READ, answer_of("jsonrpc", [large, -large])) == [
        large,
        -large,
    ]


# Many at once


async def test_a_slow_call_delays_none_of_fifty_others(wire):
    release = asyncio.Event()

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = server.requests[-1]
        if b"slow.model" in request:
            await release.wait()
        found = re.search(rb'"id":(\d+),"params', request)
        number = int(found[1]) if found else 0
        writer.write(http_of(answer_of(wire, ROWS, number=number), TYPES[wire]))
        await writer.drain()

    async with serving(behave) as server, OdooHttp(server.address) as http:
        gateway = GATEWAYS[wire](http)
        slow = asyncio.ensure_future(
            gateway.execute(SESSION, Call("slow.model", "read", ([1],)))
        )
        await server.asked.wait()
        async with asyncio.timeout(10):
            others = await asyncio.gather(
                *(gateway.execute(SESSION, READ) for _ in range(50))
            )
        assert others == [ROWS] * 50
        assert not slow.done()
        release.set()
        assert await slow == ROWS


async def test_cancelling_a_call_frees_its_connection(wire):
    async def behave(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(server.requests) == 1:
            await reader.read()
        writer.write(http_of(answer_of(wire, ROWS, number=2), TYPES[wire]))

    limits = HttpLimits(connections=1)
    async with (
        serving(behave) as server,
        OdooHttp(server.address, limits=limits) as http,
    ):
        gateway = GATEWAYS[wire](http)
        call = asyncio.ensure_future(gateway.execute(SESSION, READ))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            assert await gateway.execute(SESSION, READ) == ROWS


# Values


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


async def echo(wire: str, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
    """The arguments of a call as a server reads them."""
    sent: list[Any] = []

    def answer(request):
        if wire == "xmlrpc":
            sent.extend(xmlrpc.client.loads(request.content)[0])
        else:
            sent.extend(json.loads(request.content)["params"]["args"])
        return 200, {"Content-Type": TYPES[wire]}, answer_of(wire, True)

    gateway = GATEWAYS[wire](in_memory(answer))
    await gateway.execute(SESSION, Call("res.partner", "do", args, kwargs))
    database, uid, secret, model, method, positional, keywords = sent
    assert [database, uid, secret] == ["company", 2, "s3cret"]
    assert [model, method] == ["res.partner", "do"]
    return positional, keywords


async def test_values_arrive_as_they_were_given(wire):
    given = {
        "text": "Ünïcode 🚀 <&> ]]> \"q\" 'p'",
        "lines": "one\r\ntwo\rthree\nfour\t",
        "nothing": None,
        "yes": True,
        "float": 0.1,
        "whole": -(2**31),
        "pair": (1, "a"),
        "commands": [[0, 0, {"name": ""}], [6, 0, []]],
        "colour": Colour.RED,
        "level": Level.HIGH,
    }
    positional, keywords = await echo(wire, [1], values=given)
    assert positional == [[1]]
    assert keywords == {
        "values": {**given, "pair": [1, "a"], "colour": "red", "level": 3}
    }


BOTH = ["xmlrpc", "jsonrpc"]


@pytest.mark.parametrize(
    ("wires", "args", "pointer"),
    [
        (BOTH, ([1], {"name": "a\x00b"}), "/args/1/name"),
        (BOTH, ([1], {"name": "half \ud83d"}), "/args/1/name"),
        (BOTH, ([1], {"a\x00": 1}), "/args/1/a\x00"),
        (BOTH, ([1], {"amount": float("nan")}), "/args/1/amount"),
        (BOTH, ([1], {"amount": float("inf")}), "/args/1/amount"),
        (BOTH, ([1], {"amount": decimal.Decimal("1.5")}), "/args/1/amount"),
        (BOTH, ([1], {"date": dt.date(2026, 1, 2)}), "/args/1/date"),
        (BOTH, ([1], {"datas": b"bytes"}), "/args/1/datas"),
        (BOTH, ([1], {"tags": {1, 2}}), "/args/1/tags"),
        (BOTH, ([1], {1: "number"}), "/args/1/1"),
        (BOTH, ([2**31],), "/args/0/0"),
        (BOTH, ([1], {"partner_id": 2**31}), "/args/1/partner_id"),
        (BOTH, ([1], {"tag_ids": [[4, 2**31, 0]]}), "/args/1/tag_ids/0/1"),
        (BOTH, ([1], [["parent_id.id", "=", 2**31]]), "/args/1/0/2"),
        (BOTH, ([1], {"amount": 2**60}), "/args/1/amount"),
        (BOTH, ([1], {"a/b": {"c~d": float("nan")}}), "/args/1/a~1b/c~0d"),
        (["xmlrpc"], ([1], {"amount": 2**31}), "/args/1/amount"),
        (["xmlrpc"], ([1], {"amount": -(2**31) - 1}), "/args/1/amount"),
        (["xmlrpc"], ([1], {"name": "bell \x07"}), "/args/1/name"),
        (["xmlrpc"], ([1], {"name": "\ufffe"}), "/args/1/name"),
    ],
)
async def test_what_a_wire_cannot_carry_is_refused_unsent(wires, args, pointer):
    for wire in wires:
        sent = []
        gateway = GATEWAYS[wire](in_memory(sent.append))
        with pytest.raises(errors.InvalidRequest, match="It is at /") as caught:
            await gateway.execute(SESSION, Call("res.partner", "do", args))
        assert [problem.pointer for problem in caught.value.problems] == [pointer]
        assert sent == []


async def test_arguments_that_never_end_are_refused(wire):
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(errors.InvalidRequest, match="nested"):
        await echo(wire, [1], deep)
    while deep:  # take it apart, or freeing it takes the whole stack
        deep = deep.pop()


async def test_json_carries_what_xml_cannot():
    values = {"name": "bell \x07", "amount": 2**40}
    positional, _ = await echo("jsonrpc", [1], values)
    assert positional == [[1], values]


@pytest.mark.parametrize(
    "model", ["ir.attachment", "product.document", "quotation.document"]
)
@pytest.mark.parametrize("fields", [None, [], ["name", "raw"]])
async def test_reading_raw_bytes_is_refused_unsent(wire, model, fields):
    sent = []
    gateway = GATEWAYS[wire](in_memory(sent.append))
    for method, first in ("read", [1]), ("search_read", []):
        with pytest.raises(errors.InvalidRequest, match="datas"):
            await gateway.execute(
                SESSION, Call(model, method, (first,), {"fields": fields})
            )
    assert sent == []


async def test_attachments_are_read_by_naming_fields(wire):
    call = Call("ir.attachment", "read", ([1], ["name", "datas"]))
    rows = [{"id": 1, "name": "x", "datas": "aGVsbG8="}]
    assert await outcome(wire, call, answer_of(wire, rows)) == rows


async def test_dates_and_binaries_of_xmlrpc_become_text():
    moment = xmlrpc.client.DateTime(dt.datetime(2026, 1, 2, 3, 4, 5))
    body = answer_of("xmlrpc", [moment, xmlrpc.client.Binary(b"hello" * 40)])
    date, binary = await outcome("xmlrpc", READ, body)
    assert date == "2026-01-02 03:04:05"
    assert binary.startswith("aGVsbG9")
    assert "\n" not in binary


async def test_a_login_with_a_character_that_cannot_be_sent_keeps_its_secret():
    gateway = XmlRpcGateway(in_memory(lambda _: (500, {}, b"")))
    with pytest.raises(errors.InvalidRequest, match="secret has a character") as caught:
        await gateway.authenticate(Credentials("company", "admin", "hush\x07"))
    assert "hush" not in str(caught.value)


# Logging in


@pytest.mark.parametrize("answer", [True, None, "2", 0, -1, [2]])
async def test_a_login_that_answers_no_user_is_an_error(wire, answer):
    headers = {"Content-Type": TYPES[wire]}
    gateway = GATEWAYS[wire](
        in_memory(lambda _: (200, headers, answer_of(wire, answer)))
    )
    with pytest.raises(errors.GatewayProtocolError):
        await gateway.authenticate(Credentials("company", "admin", "admin"))


@pytest.mark.parametrize(
    ("info", "series"),
    [
        ([18, 0, 0, "final", 0, ""], (18, 0)),
        (["saas~18", 1, 0, "final", 0, ""], (18, 1)),
        ([19, 0, 0, "alpha", 1, "e"], (19, 0)),
    ],
)
async def test_the_series_of_a_version_is_read(wire, info, series):
    said = {"server_version": "text", "server_version_info": info}
    headers = {"Content-Type": TYPES[wire]}
    gateway = GATEWAYS[wire](in_memory(lambda _: (200, headers, answer_of(wire, said))))
    assert await gateway.version("default") == ServerVersion("text", series)


@pytest.mark.parametrize(
    "said",
    [
        "18.0",
        {},
        {"server_version": "x", "server_version_info": []},
        {"server_version": "x", "server_version_info": ["next", 1]},
    ],
)
async def test_a_server_that_tells_no_version_is_no_odoo(wire, said):
    headers = {"Content-Type": TYPES[wire]}
    gateway = GATEWAYS[wire](in_memory(lambda _: (200, headers, answer_of(wire, said))))
    with pytest.raises(errors.GatewayProtocolError, match="version"):
        await gateway.version("default")


# Faults that were not recorded

BASE = "/usr/lib/python3/dist-packages/odoo"
ENCODING = f"""Traceback (most recent call last):
  File "{BASE}/addons/base/controllers/rpc.py", line 165, in xmlrpc_2
    response = self._xmlrpc(service)
  File "{BASE}/addons/base/controllers/rpc.py", line 140, in _xmlrpc
    return dumps((result,))
  File "{BASE}/addons/base/controllers/rpc.py", line 113, in dumps
    response = OdooMarshaller(allow_none=False).dumps(params)
  File "/usr/lib/python3.12/xmlrpc/client.py", line 514, in dumps
    dump(v, write)
"""
IN_STRUCT = """  File "/usr/lib/python3.12/xmlrpc/client.py", line 604, in dump_struct
    dump(v, write)
"""
NONE = "TypeError: cannot marshal None unless allow_none is enabled\n"
RUNNING = f"""Traceback (most recent call last):
  File "{BASE}/addons/base/controllers/rpc.py", line 165, in xmlrpc_2
    response = self._xmlrpc(service)
  File "{BASE}/addons/base/controllers/rpc.py", line 139, in _xmlrpc
    result = dispatch_rpc(service, method, params)
  File "{BASE}/http.py", line 412, in dispatch_rpc
    return dispatch(method, params)
"""
ASKER = Asker("company", 2)


@pytest.mark.parametrize(
    "ending",
    [
        IN_STRUCT + NONE,
        IN_STRUCT + "TypeError: dictionary key must be string\n",
        "OverflowError: int exceeds XML-RPC limits\n",
        "TypeError: cannot marshal <class 'odoo.api.res.partner'> objects\n",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x89 in position 0\n",
    ],
)
def test_a_crash_over_the_answer_means_that_the_call_is_done(ending):
    error = from_xmlrpc(1, ENCODING + ending, ASKER)
    assert type(error) is errors.AnswerLost


def test_a_method_that_returned_none_is_no_error():
    assert from_xmlrpc(1, ENCODING + NONE, ASKER) is None


@pytest.mark.parametrize(
    "ending",
    [
        NONE,
        "ValueError: " + NONE,
        "ValueError: the note says:\n" + ENCODING + NONE,
        "ValueError: x\n\nDuring handling of the above exception, another exception "
        "occurred:\n\n" + ENCODING + NONE,
    ],
)
def test_a_crash_of_the_call_that_only_talks_of_answers_stays_a_crash(ending):
    error = from_xmlrpc(1, RUNNING + ending, ASKER)
    assert type(error) is errors.OdooFailed


@pytest.mark.parametrize(
    "name", ["SerializationFailure", "DeadlockDetected", "LockNotAvailable"]
)
def test_records_that_others_are_changing_are_a_conflict_on_each_wire(name):
    text = f"psycopg2.errors.{name}: could not serialize access\n\n"
    over_xml = from_xmlrpc(1, RUNNING + text, ASKER)
    data = {"name": f"psycopg2.errors.{name}", "message": "x", "debug": RUNNING + text}
    over_json = from_jsonrpc({"code": 200, "data": data}, ASKER)
    assert [type(over_xml), type(over_json)] == [errors.Conflict] * 2


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('FATAL:  database "company" does not exist', errors.AuthenticationFailed),
        ("FATAL:  Datenbank »company« existiert nicht", errors.AuthenticationFailed),
        (
            "FATAL:  la base de données « company » n'existe pas",
            errors.AuthenticationFailed,
        ),
        ('server at "company", port 5432 failed: refused', errors.OdooFailed),
        ("FATAL:  sorry, too many clients already", errors.OdooFailed),
    ],
)
def test_a_database_that_postgresql_does_not_open_is_told_on_each_wire(message, kind):
    name = "psycopg2.OperationalError"
    over_xml = from_xmlrpc(1, f"{RUNNING}{name}: {message}\n\n", ASKER)
    data = {"name": name, "message": message, "debug": ""}
    over_json = from_jsonrpc({"code": 200, "data": data}, ASKER)
    assert [type(over_xml), type(over_json)] == [kind] * 2


CONNECTS = """\
  File "/odoo/sql_db.py", line 723, in borrow
  File "/psycopg2/__init__.py", line 122, in connect
"""
COMMITS = """\
  File "/odoo/service/model.py", line 199, in retrying
  File "/odoo/sql_db.py", line 480, in commit
"""
SIGNALS = """\
  File "/odoo/service/model.py", line 200, in retrying
  File "/odoo/modules/registry.py", line 900, in signal_changes
"""
OWN_COMMIT = """\
  File "/addons/bank/models/bank.py", line 7, in commit
"""
FULL = "FATAL:  sorry, too many clients already"


@pytest.mark.parametrize(
    ("frames", "raised", "writes", "kind"),
    [
        (CONNECTS, f"psycopg2.OperationalError: {FULL}", True, "gateway_unavailable"),
        (CONNECTS, f"psycopg2.OperationalError: {FULL}", False, "gateway_unavailable"),
        ("", "psycopg2.pool.PoolError: Full", True, "gateway_unavailable"),
        ("", "psycopg2.OperationalError: closed", True, "odoo_failed"),
        (CONNECTS, "ValueError: other", True, "odoo_failed"),
        (COMMITS, "psycopg2.OperationalError: closed", True, "outcome_unknown"),
        (COMMITS, "psycopg2.OperationalError: closed", False, "odoo_failed"),
        (COMMITS, "KeyError: 'x'", True, "outcome_unknown"),
        (SIGNALS, "KeyError: 'x'", True, "outcome_unknown"),
        (SIGNALS + CONNECTS, "psycopg2.OperationalError: x", True, "outcome_unknown"),
        (OWN_COMMIT, "KeyError: 'x'", True, "odoo_failed"),
    ],
)
def test_a_crash_is_told_by_where_it_happened(frames, raised, writes, kind):
    asker = Asker("company", 2, writes)
    text = f"{RUNNING}{frames}{raised}\n"
    over_xml = from_xmlrpc(1, text, asker)
    name, _, message = raised.partition(": ")
    data = {"name": name, "message": message, "debug": text}
    over_json = from_jsonrpc({"code": 200, "data": data}, asker)
    assert [over_xml.code, over_json.code] == [kind] * 2
    down = kind == "gateway_unavailable"
    assert [over_xml.down, over_json.down] == [down] * 2


@pytest.mark.parametrize(
    ("record", "user", "kind"),
    [
        ("res.users(2,)", 2, errors.AuthenticationFailed),
        ("res.users(5,)", 2, errors.RecordMissing),
        ("res.users(22,)", 2, errors.RecordMissing),
        ("res.partner(2,)", 2, errors.RecordMissing),
    ],
)
def test_only_the_session_s_own_user_is_a_failed_login(record, user, kind):
    text = f"Datensatz fehlt.\n(Datensatz: {record}, Benutzer: {user})"
    data = {"name": "odoo.exceptions.MissingError", "message": text, "debug": ""}
    assert type(from_jsonrpc({"code": 200, "data": data}, ASKER)) is kind
    in_xml = errors.OdooRefused if kind is errors.RecordMissing else kind
    assert type(from_xmlrpc(2, text, ASKER)) is in_xml


def test_a_redirect_warning_says_its_words_only():
    data = {
        "name": "odoo.exceptions.RedirectWarning",
        "message": "Set up a journal.\n12\nGo there",
        "arguments": ["Set up a journal.", 12, "Go there", None],
        "debug": "",
    }
    error = from_jsonrpc({"code": 200, "data": data}, ASKER)
    assert (type(error), error.message) == (errors.OdooRefused, "Set up a journal.")


def test_odoos_words_come_without_a_traceback():
    error = from_xmlrpc(2, "It failed.\n\n" + RUNNING, ASKER)
    assert error is not None
    assert error.message == "It failed."


async def test_an_error_without_a_number_is_still_odoos():
    error = {"code": 200, "data": {"name": "odoo.exceptions.AccessDenied"}}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    with pytest.raises(errors.AuthenticationFailed):
        await outcome("jsonrpc", READ, body)


async def test_a_server_without_the_json_service_did_nothing():
    error = {"code": 404, "message": "404: Not Found", "data": {"name": "x"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    with pytest.raises(errors.GatewayUnavailable, match="XML-RPC"):
        await outcome("jsonrpc", WRITE, body)
    with pytest.raises(errors.GatewayProtocolError):
        await outcome("jsonrpc", READ, body)


# Choosing a wire


class Place:
    """A server that offers some wires, and counts what it is asked."""

    def __init__(self, *wires: str) -> None:
        self.wires = wires
        self.asked: list[str] = []
        self.up = True
        http = in_memory(self._answer)
        self.json, self.xml = JsonRpcGateway(http), XmlRpcGateway(http)
        self.auto = AutoGateway((self.json, self.xml))

    def _answer(self, request: httpx2.Request) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(request.url.path)
        if not self.up:
            raise httpx2.ConnectError("down")
        wire = "jsonrpc" if request.url.path == "/jsonrpc" else "xmlrpc"
        if wire not in self.wires:
            return 404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>"
        number = 0
        if wire == "jsonrpc":
            number = json.loads(request.content)["id"]
        said = {"server_version": "18.0", "server_version_info": [18, 0]}
        return (
            200,
            {"Content-Type": TYPES[wire]},
            answer_of(wire, said, number=number),
        )


@pytest.mark.parametrize(
    ("wires", "chosen"),
    [(("jsonrpc", "xmlrpc"), "json"), (("xmlrpc",), "xml"), (("jsonrpc",), "json")],
)
async def test_the_first_wire_that_is_offered_is_taken(wires, chosen):
    place = Place(*wires)
    assert await place.auto.choose("default") is getattr(place, chosen)
    assert await place.auto.version("default") == ServerVersion("18.0", (18, 0))


async def test_a_choice_is_made_once_for_all_who_ask():
    place = Place("xmlrpc")
    await asyncio.gather(*(place.auto.choose("default") for _ in range(20)))
    await place.auto.choose("default")
    assert place.asked == ["/jsonrpc", "/xmlrpc/2/common"]


async def test_a_server_that_is_down_decides_nothing():
    place = Place("jsonrpc")
    place.up = False
    with pytest.raises(errors.GatewayUnavailable):
        await place.auto.execute(SESSION, READ)
    place.up = True
    assert await place.auto.choose("default") is place.json


async def test_a_server_with_no_wire_at_all_is_no_odoo():
    place = Place()
    with pytest.raises(errors.GatewayProtocolError, match="No Odoo answers"):
        await place.auto.authenticate(Credentials("company", "admin", "admin"))


# What says that Odoo is away


async def is_down(wire: str, call: Call, body: bytes = b"", **more: Any) -> bool:
    with pytest.raises(errors.GatewayError) as caught:
        await outcome(wire, call, body, **more)
    return caught.value.down


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_proxy_without_an_odoo_says_that_odoo_is_away(wire, call, status):
    assert await is_down(wire, call, kind="text/html", status=status)


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize("status", [302, 404, 413, 429, 500])
async def test_another_status_does_not_say_that_odoo_is_away(wire, call, status):
    assert not await is_down(wire, call, kind="text/html", status=status)


@pytest.mark.parametrize("call", [READ, WRITE])
async def test_a_page_does_not_say_that_odoo_is_away(wire, call):
    assert not await is_down(wire, call, b"<html>", kind="text/html")


@pytest.mark.parametrize("call", [READ, WRITE])
async def test_a_connection_that_breaks_says_that_odoo_is_away(wire, call):
    async with serving(saying()) as server, OdooHttp(server.address) as http:
        with pytest.raises(errors.GatewayError) as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert caught.value.down


async def test_a_port_where_nothing_listens_says_that_odoo_is_away(wire):
    async with serving(silence) as server:
        address = server.address
    async with OdooHttp(address) as http:
        with pytest.raises(errors.GatewayUnavailable) as caught:
            await GATEWAYS[wire](http).execute(SESSION, READ)
        assert caught.value.down
        assert caught.value.retry_after is None


@pytest.mark.parametrize("call", [READ, WRITE])
async def test_silence_for_as_long_as_a_call_may_take_says_that_odoo_is_away(
    wire, call
):
    limits = HttpLimits(call_seconds=0.05)
    async with (
        serving(silence) as server,
        OdooHttp(server.address, limits=limits) as http,
    ):
        with pytest.raises(errors.GatewayError) as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert caught.value.down


@pytest.mark.parametrize(
    ("call", "kind"),
    [(WRITE, errors.OutcomeUnknown), (READ, errors.GatewayUnavailable)],
)
async def test_an_impatient_caller_says_nothing_about_odoo(wire, call, kind):
    async with serving(silence) as server, OdooHttp(server.address) as http:
        with until(time.monotonic() + 0.05), pytest.raises(kind) as caught:
            await GATEWAYS[wire](http).execute(SESSION, call)
        assert not caught.value.down
        assert len(server.requests) == 1


async def test_a_request_whose_time_is_used_up_sends_nothing(wire):
    async with serving(silence) as server, OdooHttp(server.address) as http:
        with (
            until(time.monotonic() - 0.05),
            pytest.raises(
                errors.GatewayUnavailable, match=r"used up\. Nothing was sent"
            ),
        ):
            await GATEWAYS[wire](http).execute(SESSION, WRITE)
        assert not server.connections


async def test_a_wrong_certificate_does_not_say_that_odoo_is_away(wire):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with (
        serving(silence, tls=context) as server,
        OdooHttp(server.address) as http,
    ):
        with pytest.raises(errors.GatewayUnavailable, match="certificate") as caught:
            await GATEWAYS[wire](http).execute(SESSION, READ)
        assert not caught.value.down


async def test_busy_connections_do_not_say_that_odoo_is_away(wire):
    limits = HttpLimits(connections=1, connect_seconds=0.05)
    async with (
        serving(silence) as server,
        OdooHttp(server.address, limits=limits) as http,
    ):
        gateway = GATEWAYS[wire](http)
        first = asyncio.create_task(gateway.execute(SESSION, READ))
        await server.asked.wait()
        with pytest.raises(errors.GatewayUnavailable, match="busy") as caught:
            await gateway.execute(SESSION, READ)
        assert not caught.value.down
        assert caught.value.retry_after
        first.cancel()
        await asyncio.wait([first])
