"""The protocol's Inspector, as a command, against the services as processes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from odooport_security import SqliteKeyStore

from .node_tools import NodeTool

AUTH_REQUIRED, TOOL_FAILED = 3, 5
"""What the Inspector ends with."""

SEARCH = {"model": "res.partner", "fields": ["name"], "limit": 2, "count": True}


@dataclass(frozen=True)
class Answer:
    """What the Inspector said.

    Attributes:
        code: What it ended with.
        result: The server's answer, if there is one.
        told: What else it said.
    """

    code: int
    result: dict[str, Any]
    told: str


type Inspect = Callable[..., Answer]


@dataclass(frozen=True)
class Service:
    """A running HTTP service, and a key of it."""

    url: str
    key: str


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The HTTP service over the Odoo in memory."""
    state = tmp_path_factory.mktemp("service")
    store = SqliteKeyStore(state / "keys.db")
    _, key = store.create("inspector", "reader")
    store.close()
    with subprocess.Popen(
        [sys.executable, "-m", "odooport_mcp_http.main"],
        cwd=state,
        env={
            "PATH": os.environ["PATH"],
            "ODOOPORT_TRANSPORT": "memory",
            "ODOOPORT_STATE": str(state),
            "ODOOPORT_PORT": "0",
        },
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told: dict[str, Any] = {}
        while told.get("event") != "listening":
            line = process.stderr.readline()
            assert line, "the service ended"
            told = json.loads(line)
        draining = threading.Thread(target=process.stderr.read)
        draining.start()
        yield Service(f"http://127.0.0.1:{told['port']}/mcp", key)
        process.terminate()
        draining.join()


@pytest.fixture
def inspect(inspector: NodeTool, tmp_path: Path) -> Inspect:
    """Answer how to run the Inspector; options first, then the server."""

    def run(options: list[str], *server: str) -> Answer:
        ended = inspector.run(
            *("--cli", "--quiet", "--format", "json", *options, "--", *server),
            cwd=tmp_path,
            seconds=60,
        )
        told: dict[str, Any] = json.loads(ended.stdout or "{}")
        return Answer(ended.returncode, told.get("result", {}), ended.stderr)

    return run


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> list[str]:
    """Answer each of the two ways to speak the protocol, as an option."""
    return ["--protocol-era", request.param]


@pytest.fixture(params=["stdio", "http"])
def ask(request: pytest.FixtureRequest, inspect: Inspect, tmp_path: Path) -> Inspect:
    """Answer how to ask each of the two services."""
    if request.param == "stdio":
        return lambda *options: inspect(
            [
                *("-e", "ODOOPORT_TRANSPORT=memory"),
                *("-e", f"ODOOPORT_STATE={tmp_path}"),
                *options,
            ],
            *(sys.executable, "-m", "odooport_mcp_stdio.main"),
        )
    service = request.getfixturevalue("service")
    assert isinstance(service, Service)
    return lambda *options: inspect(
        [
            *("--transport", "http", "--stored-auth-only"),
            *("--header", f"Authorization: Bearer {service.key}"),
            *options,
        ],
        service.url,
    )


def test_the_inspector_lists_the_tools_and_finds_their_schemas_portable(
    ask: Inspect, era: list[str]
):
    answer = ask(*era, "--method", "tools/list", "--strict")
    assert answer.code == 0, answer.told
    names = [tool["name"] for tool in answer.result["tools"]]
    assert names == [
        "whoami",
        "find_models",
        "describe_model",
        "model_relations",
        "find_methods",
        "search_records",
        "read_records",
        "count_records",
        "aggregate_records",
        "record_actions",
        "preview_values",
    ]


def test_the_inspector_calls_a_tool(ask: Inspect, era: list[str]):
    answer = ask(
        *(*era, "--method", "tools/call", "--tool-name", "search_records"),
        *("--tool-args-json", json.dumps(SEARCH)),
    )
    assert answer.code == 0, answer.told
    page = answer.result["structuredContent"]
    assert [record.keys() for record in page["records"]] == [{"id", "name"}] * 2
    assert page["total"] > 2


def test_the_inspector_is_told_why_a_tool_failed(ask: Inspect):
    answer = ask(
        *("--method", "tools/call", "--tool-name", "count_records"),
        *("--tool-arg", "model=nope"),
    )
    assert answer.code == TOOL_FAILED
    (block,) = answer.result["content"]
    assert block["text"] == (
        "invalid_request: Odoo has no model 'nope'. Search the models to find its name."
    )


def test_the_inspector_is_not_let_in_without_a_key(inspect: Inspect, service: Service):
    answer = inspect(
        ["--transport", "http", "--stored-auth-only", "--method", "tools/list"],
        service.url,
    )
    assert answer.code == AUTH_REQUIRED, answer.told
    assert not answer.result
