"""REST services as processes that may be killed, or share a directory."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from odooport_security import SqliteKeyStore

from .world import DATABASE, PASSWORD, PATIENCE, environment

PARTNERS = "/v1/models/res.partner"


@dataclass
class Service:
    """A running REST service.

    Attributes:
        process: Its process.
        http: A client of it.
        lines: What it has logged.
    """

    process: asyncio.subprocess.Process
    http: httpx2.AsyncClient
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def create(self, name: str, key: str | None = None) -> httpx2.Response:
        """Create a contact."""
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"{PARTNERS}/records?fields=name"
        return await self.http.post(path, json={"name": name}, headers=headers)

    async def drain(self) -> None:
        """Read what it says until it ends."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            if line.startswith(b"{"):
                self.lines.append(json.loads(line))


def furnish(directory: Path, address: str) -> str:
    """Write the file of a service, and answer an API key of it."""
    lines = [
        'rate_limit = "1000000/minute"',
        'address_rate_limit = "1000000/minute"',
        "[instances.default]",
        f'url = "{address}"',
        f'db = "{DATABASE}"',
        'user = "admin"',
        f'password = "{PASSWORD}"',
        'transport = "jsonrpc"',
        "timeout = 5",
    ]
    toml = "\n".join([*lines, ""])
    (directory / "odooport.toml").write_text(toml, encoding="utf-8")
    keys = SqliteKeyStore(directory / "keys.db")
    _, key = keys.create("caller", "full")
    keys.close()
    return key


@asynccontextmanager
async def started(directory: Path, key: str, **more: str) -> AsyncGenerator[Service]:
    """Run a service, and end it in the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "odooport_rest.main"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env={**environment(directory), **more},
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            told: dict[str, Any] = {}
            while told.get("event") != "listening":
                line = await process.stderr.readline()
                assert line, "the service ended"
                told = json.loads(line)
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{told['port']}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE,
            limits=httpx2.Limits(max_connections=300),
        ) as http:
            service = Service(process, http)
            draining = asyncio.create_task(service.drain())
            try:
                yield service
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                async with asyncio.timeout(PATIENCE):
                    await draining
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def odooport(directory: Path, *arguments: str) -> tuple[int, str]:
    """Run the command line; answer its exit status and all that it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "odooport_cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
        env=environment(directory),
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
