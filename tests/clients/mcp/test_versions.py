"""Every version of the protocol that the SDK knows, on the bare wire."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from .conftest import Target

NAMED = ("tools/call", "prompts/get")


class Wire:
    """One request after another, with nothing between the test and the endpoint."""

    def __init__(self, http: httpx2.AsyncClient, url: str, version: str) -> None:
        self.version = version
        self._http = http
        self._url = url

    async def ask(self, method: str, **params: Any) -> httpx2.Response:
        """Send one request, as the version wants it."""
        headers = {"accept": "application/json, text/event-stream"}
        if method != "initialize":
            headers["mcp-protocol-version"] = self.version
        if self.version in MODERN_PROTOCOL_VERSIONS:
            headers["mcp-method"] = method
            if method in NAMED:
                headers["mcp-name"] = params["name"]
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self._http.post(self._url, headers=headers, json=body)

    async def capabilities(self) -> dict[str, Any]:
        """Answer what the server promises."""
        if self.version in MODERN_PROTOCOL_VERSIONS:
            told = message_of(await self.ask("server/discover"))["result"]
            assert told["supportedVersions"] == list(MODERN_PROTOCOL_VERSIONS)
            assert told["ttlMs"] > 0
        else:
            answer = await self.ask(
                "initialize",
                protocolVersion=self.version,
                capabilities={},
                clientInfo={"name": "test", "version": "1"},
            )
            assert "mcp-session-id" not in answer.headers
            told = message_of(answer)["result"]
            assert told["protocolVersion"] == self.version
        capabilities: dict[str, Any] = told["capabilities"]
        return capabilities


def message_of(answer: httpx2.Response) -> dict[str, Any]:
    """Answer the message in a response, which may be a stream of events."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        (data,) = [
            line.removeprefix("data: ")
            for line in answer.text.splitlines()
            if line.startswith("data: {")
        ]
        message: dict[str, Any] = httpx2.Response(200, text=data).json()
    else:
        message = answer.json()
    return message


@pytest.fixture(params=[*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS])
async def wire(request: pytest.FixtureRequest, product: Target) -> AsyncIterator[Wire]:
    """A connection in each version."""
    async with httpx2.AsyncClient() as http:
        yield Wire(http, product.url, request.param)


def test_the_versions_are_the_five_that_were_published():
    assert [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS] == [
        "2024-11-05",
        "2025-03-26",
        "2025-06-18",
        "2025-11-25",
        "2026-07-28",
    ]


async def test_every_version_lists_and_calls_tools(wire: Wire):
    listed = message_of(await wire.ask("tools/list"))["result"]["tools"]
    assert len(listed) == 16
    called = message_of(await wire.ask("tools/call", name="whoami", arguments={}))
    assert called["result"]["structuredContent"]["door"] == "mcp-http"


async def test_only_what_there_is_is_promised(wire: Wire):
    assert await wire.capabilities() == {"tools": {"listChanged": False}}


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("resources/list", {}, "resources"),
        ("resources/templates/list", {}, "resourceTemplates"),
        ("prompts/list", {}, "prompts"),
    ],
)
async def test_asking_in_vain_is_an_empty_list_to_old_clients_and_an_error_to_new(
    wire: Wire, method: str, params: dict[str, Any], kind: str
):
    answer = await wire.ask(method, **params)
    if wire.version in MODERN_PROTOCOL_VERSIONS:
        assert answer.status_code == 404
        assert message_of(answer)["error"]["code"] == METHOD_NOT_FOUND
    else:
        assert message_of(answer)["result"][kind] == []


async def test_an_unknown_tool_is_a_wrong_parameter(wire: Wire):
    answer = message_of(await wire.ask("tools/call", name="nope", arguments={}))
    assert answer["error"] == {
        "code": INVALID_PARAMS,
        "message": "Unknown tool: 'nope'",
    }


async def test_an_unknown_prompt_is_no_crash(
    wire: Wire, caplog: pytest.LogCaptureFixture
):
    answer = message_of(await wire.ask("prompts/get", name="nope"))
    assert answer["error"]["code"] == (
        METHOD_NOT_FOUND if wire.version in MODERN_PROTOCOL_VERSIONS else INVALID_PARAMS
    )
    assert not caplog.records


async def test_there_is_no_stream_to_open_and_no_session_to_end(product: Target):
    async with httpx2.AsyncClient() as http:
        for method in ("GET", "DELETE"):
            answer = await http.request(method, product.url)
            assert answer.status_code == 405
            assert answer.headers["allow"] == "POST"
