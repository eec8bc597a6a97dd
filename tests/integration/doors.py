"""The three doors, each a service process of its own, behind one set of words.

A journey is written once and goes through each of them.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from odooport import Record
from odooport_mcp.failures import ERROR_KEY
from odooport_security import SqliteKeyStore

from .odoo_server import OdooServer

PATIENCE = 120
"""Seconds after which something hangs."""


class Refused(Exception):
    """What a door answered in place of a result."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class RestDoor:
    """The REST service."""

    http: httpx2.AsyncClient
    query: Mapping[str, str]

    def looking(self, **context: Any) -> Self:
        # JSON's words are the query's: true, 2, fr_FR
        new = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in context.items()
        }
        return replace(self, query={**self.query, **new})

    async def whoami(self) -> Record:
        me: Record = await self._ask("GET", "/v1/me")
        return me

    async def labels(self, model: str, *fields: str) -> dict[str, str]:
        answer = await self._ask("GET", f"/v1/models/{model}")
        return {name: answer["fields"][name]["label"] for name in fields}

    async def create(self, model: str, values: Mapping[str, Any]) -> int:
        answer = await self._ask("POST", f"{_records(model)}?fields=id", values)
        return int(answer["id"])

    async def read(self, model: str, record: int, *fields: str) -> Record:
        address = f"{_records(model)}/{record}?fields={','.join(fields)}"
        found: Record = await self._ask("GET", address)
        return found

    async def find(self, model: str, domain: list[Any], *fields: str) -> list[Record]:
        body = {"domain": domain, "fields": fields}
        answer = await self._ask("POST", f"/v1/models/{model}/search", body)
        return list(answer["records"])

    async def update(self, model: str, record: int, values: Mapping[str, Any]) -> None:
        await self._ask("PATCH", f"{_records(model)}/{record}?fields=id", values)

    async def delete(self, model: str, record: int) -> None:
        await self._ask("DELETE", f"{_records(model)}/{record}")

    async def groups(
        self, model: str, domain: list[Any], groupby: str, *aggregates: str
    ) -> list[Record]:
        body = {"domain": domain, "groupby": [groupby], "aggregates": aggregates}
        answer = await self._ask("POST", f"/v1/models/{model}/aggregate", body)
        return list(answer["groups"])

    async def call(self, model: str, method: str, record: int, **kwargs: Any) -> Any:
        body = {"ids": [record], "kwargs": kwargs}
        answer = await self._ask("POST", f"/v1/models/{model}/methods/{method}", body)
        return answer["result"]

    async def _ask(self, method: str, address: str, body: Any = None) -> Any:
        url = self.http.build_request(method, address).url.copy_merge_params(self.query)
        answer = await self.http.request(method, url, json=body)
        if answer.is_success:
            return answer.json() if answer.content else None
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        raise Refused(problem["code"], problem["detail"])


def _records(model: str) -> str:
    return f"/v1/models/{model}/records"


@dataclass(frozen=True)
class McpDoor:
    """An MCP service, over either transport."""

    client: Client
    context: Mapping[str, Any]

    def looking(self, **context: Any) -> Self:
        return replace(self, context={**self.context, **context})

    async def whoami(self) -> Record:
        return await self._ask("whoami")

    async def labels(self, model: str, *fields: str) -> dict[str, str]:
        answer = await self._ask("describe_model", model=model, fields=fields)
        return {field["name"]: field["label"] for field in answer["fields"]}

    async def create(self, model: str, values: Mapping[str, Any]) -> int:
        answer = await self._ask("create_records", model=model, records=[values])
        (record,) = answer["ids"]
        return int(record)

    async def read(self, model: str, record: int, *fields: str) -> Record:
        answer = await self._ask(
            "read_records", model=model, ids=[record], fields=fields
        )
        (found,) = answer["records"]
        return dict(found)

    async def find(self, model: str, domain: list[Any], *fields: str) -> list[Record]:
        answer = await self._ask(
            "search_records", model=model, domain=domain, fields=fields
        )
        return list(answer["records"])

    async def update(self, model: str, record: int, values: Mapping[str, Any]) -> None:
        await self._ask("update_records", model=model, ids=[record], values=values)

    async def delete(self, model: str, record: int) -> None:
        await self._ask("delete_records", model=model, ids=[record])

    async def groups(
        self, model: str, domain: list[Any], groupby: str, *aggregates: str
    ) -> list[Record]:
        answer = await self._ask(
            "aggregate_records",
            model=model,
            domain=domain,
            groupby=[groupby],
            aggregates=aggregates,
        )
        return list(answer["groups"])

    async def call(self, model: str, method: str, record: int, **kwargs: Any) -> Any:
        answer = await self._ask(
            "call_method", model=model, method=method, ids=[record], kwargs=kwargs
        )
        return answer["result"]

    async def _ask(self, tool: str, **arguments: Any) -> Record:
        # tuples become lists, as over any wire
        plain = json.loads(json.dumps({**arguments, "context": self.context}))
        result = await self.client.call_tool(tool, plain)
        if result.is_error:
            assert result.meta is not None
            error = result.meta[ERROR_KEY]
            raise Refused(error["code"], error["message"])
        assert result.structured_content is not None
        return result.structured_content


type Door = RestDoor | McpDoor


@asynccontextmanager
async def door_of(name: str, server: OdooServer, state: Path) -> AsyncGenerator[Door]:
    """Run a service that acts as the seller, and come in by its door.

    Args:
        name: ``rest``, ``mcp-http`` or ``mcp-stdio``.
        server: The Odoo behind it.
        state: A folder of its own.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "ODOO_URL": server.url,
        "ODOO_DB": server.database,
        "ODOO_USER": server.seller.login,
        "ODOO_API_KEY": server.seller.api_key,
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_PORT": "0",
        "ODOOPORT_ROLE": "full",
        "ODOOPORT_LOG_LEVEL": "warning" if name == "mcp-stdio" else "info",
    }
    if name == "mcp-stdio":
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "odooport_mcp_stdio.main"],
            env=environment,
            cwd=state,
        )
        async with Client(command) as client:
            yield McpDoor(client, {})
        return
    keys = SqliteKeyStore(state / "keys.db")
    _, key = keys.create("journey", "full")
    keys.close()
    module = {"rest": "odooport_rest.main", "mcp-http": "odooport_mcp_http.main"}[name]
    async with (
        _service(module, environment, state) as address,
        httpx2.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE,
        ) as http,
    ):
        if name == "rest":
            yield RestDoor(http, {})
            return
        transport = streamable_http_client(f"{address}/mcp", http_client=http)
        async with Client(transport) as client:
            yield McpDoor(client, {})


@asynccontextmanager
async def _service(
    module: str, environment: Mapping[str, str], state: Path
) -> AsyncGenerator[str]:
    """Run an HTTP service; answer its address once it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=state,
        env=environment,
    )
    assert process.stderr is not None
    told: Record = {}
    async with asyncio.timeout(PATIENCE):
        while told.get("event") != "listening":
            line = await process.stderr.readline()
            assert line, f"{module} ended"
            told = json.loads(line)
    draining = asyncio.create_task(process.stderr.read())
    try:
        yield f"http://127.0.0.1:{told['port']}"
    finally:
        process.terminate()
        await draining
        assert await process.wait() == 0
