"""A relay of TCP connections that can fail: it stands before an Odoo."""

import asyncio
import contextlib
from typing import Self

_CHUNK = 64 * 1024


class Relay:
    """Passes bytes on between its callers and a server, as long as it is told to.

    Args:
        host: Where the server is.
        port: Likewise.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def listen(self) -> None:
        """Listen; on the same port as before if there was one."""
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Listen no more, and reset every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.reset()
        self.speak()

    def reset(self) -> None:
        """Reset every connection, whatever is under way on it."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def hush(self) -> None:
        """Pass nothing on from now on, in either direction."""
        self._may_pass.clear()

    def speak(self) -> None:
        """Pass on again, what was held up too."""
        self._may_pass.set()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(
                    self._host, self._port
                )
                self._writers.add(far_writer)
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._pass_on(reader, far_writer))
                        both.create_task(self._pass_on(far_reader, writer))
                finally:
                    self._writers.discard(far_writer)
                    far_writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._may_pass.wait()
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):  # it may be closed already
            await writer.drain()
        writer.close()
