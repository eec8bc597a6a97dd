"""Idempotency keys at the doors: a request is done once, and answered as the first."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from odooport import Caller, Gate, OdooRefused
from odooport_adapters import MemoryGateway
from odooport_cli.container import Container
from odooport_mcp.client import OdooportClient
from odooport_mcp.failures import ERROR_KEY
from odooport_mcp.server import REPLAYED_KEY, build_server
from odooport_runtime.container import shutdown
from odooport_runtime.settings import Settings
from odooport_security import Roles, principal_of

PARTNERS = "/v1/models/res.partner"


@dataclass
class Doors:
    """Both doors over one gate and one Odoo in memory."""

    rest: httpx2.AsyncClient
    memory: MemoryGateway
    gate: Gate
    container: Container

    async def send(
        self, method: str, path: str, values: Any = None, **headers: str
    ) -> httpx2.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if values is None else json.dumps(values)
        if content is not None:
            given["Content-Type"] = "application/json"
        return await self.rest.request(method, path, content=content, headers=given)

    async def count(self, name: str) -> int:
        answer = await self.send(
            "POST",
            f"{PARTNERS}/search?archived=true",
            {"domain": [["name", "=", name]]},
        )
        return len(answer.json()["records"])

    @asynccontextmanager
    async def mcp(self, role: str = "full") -> AsyncIterator[Client]:
        credentials = self.container.credentials()
        principal = principal_of("agent", "agent", role, credentials, Roles())
        numbers = itertools.count(1)
        server = build_server(
            self.gate, lambda _: Caller(principal, "mcp-stdio", f"req-{next(numbers)}")
        )
        async with Client(server) as client:
            yield client


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    settings = Settings(transport="memory", state=tmp_path)
    container = Container(settings=settings)
    store = container.key_store()
    _, token = store.create("shop", "full")
    memory = container.gateway().gateway("default")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=container.both()),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {token}"},
    ) as rest:
        yield Doors(rest, memory, container.gate(), container)
    await shutdown(container)


async def test_a_create_that_is_sent_again_is_answered_as_the_first_time(doors: Doors):
    first = await doors.send(
        "POST", f"{PARTNERS}/records", {"name": "Ada"}, Idempotency_Key="a"
    )
    again = await doors.send(
        "POST", f"{PARTNERS}/records", {"name": "Ada"}, Idempotency_Key="a"
    )
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    for name in ("location", "content-type", "schema-fingerprint", "etag"):
        assert first.headers.get(name) == again.headers.get(name)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert await doors.count("Ada") == 1


async def test_every_change_takes_a_key(doors: Doors):
    made = await doors.send("POST", f"{PARTNERS}/records", {"name": "Ada"})
    record = f"{PARTNERS}/records/{made.json()['id']}"
    changes = [
        ("PATCH", record, {"name": "Eve"}),
        ("POST", f"{record}/copy", {}),
        ("POST", f"{PARTNERS}/methods/action_archive", {"ids": [made.json()["id"]]}),
        ("DELETE", record, None),
    ]
    for number, (method, path, values) in enumerate(changes):
        key = f"key-{number}"
        first = await doors.send(method, path, values, Idempotency_Key=key)
        assert first.is_success, first.text
        again = await doors.send(method, path, values, Idempotency_Key=key)
        assert again.status_code == first.status_code
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("path", ["search", "aggregate", "onchange"])
async def test_what_changes_nothing_takes_no_key(doors: Doors, path: str):
    answer = await doors.send("POST", f"{PARTNERS}/{path}", {}, Idempotency_Key="a")
    assert answer.status_code == 422
    assert "does not take the header 'idempotency-key'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "values", "headers"),
    [
        (f"{PARTNERS}/records", {"name": "Eve"}, {}),
        (f"{PARTNERS}/records?fields=name", {"name": "Ada"}, {}),
        ("/v1/models/res.partner.category/records", {"name": "Ada"}, {}),
    ],
)
async def test_another_request_under_the_key_is_refused(
    doors: Doors, path: str, values: Any, headers: dict[str, str]
):
    await doors.send(
        "POST", f"{PARTNERS}/records", {"name": "Ada"}, Idempotency_Key="a"
    )
    other = await doors.send("POST", path, values, Idempotency_Key="a", **headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_mismatch"
    assert await doors.count("Eve") == 0


async def test_a_key_may_stand_in_quotation_marks(doors: Doors):
    await doors.send(
        "POST", f"{PARTNERS}/records", {"name": "Ada"}, Idempotency_Key='"a"'
    )
    again = await doors.send(
        "POST", f"{PARTNERS}/records", {"name": "Ada"}, Idempotency_Key="a"
    )
    assert again.headers["idempotency-replayed"] == "true"


async def test_two_keys_are_none(doors: Doors):
    answer = await doors.rest.post(
        f"{PARTNERS}/records",
        json={"name": "Ada"},
        headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
    )
    assert answer.status_code == 422
    assert "once" in answer.json()["detail"]
    assert await doors.count("Ada") == 0


async def test_what_odoo_refused_may_be_sent_again_under_its_key(doors: Doors):
    async def refuse(*_: Any) -> None:
        raise OdooRefused("Not today.")

    doors.memory.on("res.partner", "wave", refuse)
    path = f"{PARTNERS}/methods/wave"
    refused = await doors.send("POST", path, {"ids": [1]}, Idempotency_Key="a")
    assert refused.json()["code"] == "odoo_refused"

    async def wave(*_: Any) -> str:
        return "hello"

    doors.memory.on("res.partner", "wave", wave)
    answer = await doors.send("POST", path, {"ids": [1]}, Idempotency_Key="a")
    assert answer.json() == {"result": "hello"}
    assert "idempotency-replayed" not in answer.headers


async def test_what_still_runs_is_a_conflict_that_says_when_to_ask(doors: Doors):
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def wave(*_: Any) -> str:
        begun.set()
        await may_end.wait()
        return "hello"

    doors.memory.on("res.partner", "wave", wave)
    path = f"{PARTNERS}/methods/wave"
    first = asyncio.create_task(
        doors.send("POST", path, {"ids": [1]}, Idempotency_Key="a")
    )
    await begun.wait()
    second = await doors.send("POST", path, {"ids": [1]}, Idempotency_Key="a")
    assert second.status_code == 409
    assert second.json()["code"] == "idempotency_in_flight"
    assert int(second.headers["retry-after"]) >= 1
    may_end.set()
    assert (await first).json() == {"result": "hello"}


async def test_a_tool_that_is_called_again_answers_as_the_first_time(doors: Doors):
    arguments = {
        "model": "res.partner",
        "records": [{"name": "Ada"}],
        "idempotency_key": "a",
    }
    async with doors.mcp() as client:
        first = await client.call_tool("create_records", arguments)
        again = await client.call_tool("create_records", arguments)
    assert not first.is_error
    assert first.structured_content == again.structured_content
    assert first.content == again.content
    assert REPLAYED_KEY not in (first.meta or {})
    assert again.meta is not None
    assert again.meta[REPLAYED_KEY] is True
    assert await doors.count("Ada") == 1


async def test_other_arguments_under_the_key_are_refused(doors: Doors):
    async with doors.mcp() as client:
        for name in ("Ada", "Eve"):
            result = await client.call_tool(
                "create_records",
                {
                    "model": "res.partner",
                    "records": [{"name": name}],
                    "idempotency_key": "a",
                },
            )
    assert result.is_error
    assert result.meta is not None
    assert result.meta[ERROR_KEY]["code"] == "idempotency_mismatch"
    assert await doors.count("Eve") == 0


async def test_a_refused_tool_call_leaves_its_key_free(doors: Doors):
    arguments = {
        "model": "res.partner",
        "records": [{"name": "Ada"}],
        "idempotency_key": "a",
    }
    async with doors.mcp("reader") as reader:
        assert (await reader.call_tool("create_records", arguments)).is_error
    async with doors.mcp() as client:
        assert not (await client.call_tool("create_records", arguments)).is_error


async def test_every_tool_that_changes_something_takes_a_key_and_no_other(
    doors: Doors,
):
    async with doors.mcp() as client:
        tools = (await client.list_tools()).tools
    for tool in tools:
        assert tool.annotations is not None
        takes = "idempotency_key" in tool.input_schema["properties"]
        assert takes is not tool.annotations.read_only_hint


async def test_the_client_sends_keys(doors: Doors):
    async with doors.mcp() as connected:
        client = OdooportClient(connected)
        made = await client.create_records(
            "res.partner", [{"name": "Ada"}], idempotency_key="a"
        )
        assert made == await client.create_records(
            "res.partner", [{"name": "Ada"}], idempotency_key="a"
        )
        for number in range(2):
            del number
            await client.update_records(
                "res.partner", made, {"name": "Eve"}, idempotency_key="b"
            )
        copies = {
            await client.copy_record("res.partner", made[0], idempotency_key="c")
            for _ in range(2)
        }
        assert len(copies) == 1
        for _ in range(2):  # the second would find nothing to delete
            await client.delete_records("res.partner", made, idempotency_key="d")
