"""A real Redis for the tests: a process of our own on the loopback."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

MISSING = "there is no redis-server here; run .ci/redis, which installs it"


class RedisServer:
    """A ``redis-server`` on a free port, which can be taken away and brought back."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is, or was."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and come back when it answers."""
        command = shutil.which("redis-server")
        assert command is not None, MISSING
        self._process = subprocess.Popen(
            [
                *(command, "--port", str(self._port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--daemonize", "no"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        self.stop()
        raise RuntimeError("redis-server ended before it was ready")

    def stop(self) -> None:
        """Kill it; whatever it knew is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def client(self) -> "Redis":
        """Answer a client, for looking at what is in it."""
        return Redis.from_url(self.url, decode_responses=True)

    def clear(self) -> None:
        """Forget everything."""
        with self.client() as client:
            client.flushall()


@contextmanager
def _server() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip(MISSING)
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


# A file of tests imports these functions; the tests ask for the names given here.


@pytest.fixture(scope="module", name="running_redis")
def running() -> Iterator[RedisServer]:
    """One server for the tests of a file."""
    with _server() as server:
        yield server


@pytest.fixture(name="redis")
def empty(running_redis: RedisServer) -> RedisServer:
    """The server of the file, running and empty."""
    running_redis.clear()
    return running_redis


@pytest.fixture(name="mortal_redis")
def mortal() -> Iterator[RedisServer]:
    """A server for one test, which may kill it."""
    with _server() as server:
        yield server
