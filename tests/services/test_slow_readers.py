"""Callers who take or send next to nothing: what they can make a service hold."""

import asyncio
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from odooport_runtime.serving import HEAD_SECONDS

from .slow_odoo import PATIENCE, Process, serving, soon

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="it reads the memory of a process"
)

MEGABYTE = 1024 * 1024
READERS = 20
ANSWER = 8 * MEGABYTE
STALLED = 2.0
MARGIN = 20.0

SERVICE = f"""
import asyncio, os, sys, time

stalled, grace = map(float, sys.argv[1:])
from starlette.responses import Response
from odooport import Gate, OdooDecides, Unaudited, Unlimited
from odooport_adapters import MemoryGateway
from odooport_runtime.front import Front, FrontRules
from odooport_runtime.logging import configure_logging
from odooport_runtime.serving import end_on_signals, listen, serve

async def app(scope, receive, send):
    size = {ANSWER} if scope["path"] == "/large" else 1
    await Response(os.urandom(size))(scope, receive, send)

configure_logging("info")
end_on_signals()
front = Front(
    app,
    Gate(MemoryGateway(), OdooDecides(), Unlimited(), Unaudited()),
    rules=FrontRules(stalled=stalled),
    door="rest",
    new_id=lambda: "id",
    clock=time.monotonic,
)
asyncio.run(serve(front, listen("127.0.0.1", 0), grace=grace))
"""
"""A service whose answers are large; it is told how patient it is."""

IMPATIENT = ["-c", SERVICE, str(STALLED), "60"]


async def ask(service: Process) -> socket.socket:
    """Ask for a large answer over a connection that takes next to nothing of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", service.port))
    await loop.sock_sendall(
        connection, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    return connection


async def rest_of(connection: socket.socket, *, most: int = 2 * ANSWER) -> int:
    """Answer how many bytes still come, up to about as many as that, or to the end."""
    loop, size = asyncio.get_running_loop(), 0
    async with asyncio.timeout(PATIENCE):
        try:
            while size <= most and (part := await loop.sock_recv(connection, MEGABYTE)):
                size += len(part)
        except ConnectionResetError:
            pass
    return size


async def test_readers_who_do_not_read_are_cut_off_and_hold_nothing(tmp_path: Path):
    async with serving(IMPATIENT, {}, tmp_path) as service:
        line = await service.line()
        assert (await line.ask("GET", "/")).status == 200
        before = service.resident()
        readers = [await ask(service) for _ in range(READERS)]
        try:
            for _ in range(READERS):
                await service.told("a reader takes nothing and is cut off")
            # One copy each, while they were waited for.
            assert service.peak() - before < READERS * ANSWER * 1.25
            # Almost nothing of it is left.
            await soon(lambda: service.resident() - before < 5 * ANSWER, 5.0)
            assert [await rest_of(it) < ANSWER for it in readers] == [True] * READERS
        finally:
            for reader in readers:
                reader.close()
        requests = [line for line in service.lines if line["event"] == "request"]
        assert not [line for line in service.lines if line["level"] == "error"]
        assert sum("left" in line for line in requests) >= READERS - 1
        assert (await (await service.line()).ask("GET", "/")).status == 200


async def test_a_reader_who_takes_a_little_now_and_then_gets_all(tmp_path: Path):
    async with serving(IMPATIENT, {}, tmp_path) as service:
        line = await service.line()
        await line.send("GET", "/large")
        head = await line.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        size = 0
        while size < ANSWER:
            size += len(await line.reader.readexactly(ANSWER // 64))
            await asyncio.sleep(STALLED / 40)  # what is tested is that it takes time
        assert size == ANSWER
        assert (await line.ask("GET", "/")).status == 200


async def test_a_reader_who_does_not_read_does_not_keep_a_service_from_ending(
    tmp_path: Path,
):
    async with serving(["-c", SERVICE, "60", "1"], {}, tmp_path) as service:
        with await ask(service):
            line = await service.line()
            assert (await line.ask("GET", "/")).status == 200
            service.send_signal(signal.SIGTERM)
            assert (await service.told("stopping"))["under_way"] == 1
            began = time.monotonic()
            assert await service.ended() == 0
            assert time.monotonic() - began < 1 + 2


HALF = b"GET / HTTP/1.1\r\nHost: local"


async def test_a_head_that_does_not_come_in_time_is_not_waited_for(tmp_path: Path):
    async with serving(IMPATIENT, {}, tmp_path) as service:
        silent, half, late = [await service.line() for _ in range(3)]
        half.writer.write(HALF)
        assert (await late.ask("GET", "/")).status == 200
        late.writer.write(HALF)
        began = time.monotonic()
        async with asyncio.timeout(HEAD_SECONDS + PATIENCE):
            for line in (silent, half, late):
                with suppress(ConnectionResetError):
                    assert await line.reader.read() == b""
        assert HEAD_SECONDS - 2 < time.monotonic() - began < HEAD_SECONDS + MARGIN
        assert (await (await service.line()).ask("GET", "/")).status == 200


async def test_a_head_that_comes_in_pieces_is_waited_for(tmp_path: Path):
    async with serving(IMPATIENT, {}, tmp_path) as service:
        line = await service.line()
        for _ in range(2):
            line.writer.write(HALF)
            await line.writer.drain()
            line.writer.write(b"host\r\n\r\n")
            head = await line.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await line.reader.readexactly(1)


async def test_an_answer_that_takes_longer_than_a_head_may_is_not_cut_off(
    tmp_path: Path,
):
    async with serving(["-c", SERVICE, "60", "1"], {}, tmp_path) as service:
        reader = await ask(service)
        try:
            # What is tested is that it takes time.
            await asyncio.sleep(HEAD_SECONDS + 1)
            # From here on he reads as fast as he can, and gets it all.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEGABYTE)
            assert await rest_of(reader, most=ANSWER) > ANSWER
        finally:
            reader.close()
