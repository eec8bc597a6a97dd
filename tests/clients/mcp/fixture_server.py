"""The door over HTTP with what the conformance suite asks for by fixed names.

Factory, middleware, guard and door are the product's. Only the tools, resources and
prompts here are not; the suite dictates their names, arguments and texts.
"""

import json
from typing import Annotated, Any, cast

import mcp.types as t
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from pydantic import Field

from odooport import Gate
from odooport_mcp.server import Powers, build_server
from odooport_mcp_http.app import McpDoor
from odooport_mcp_http.guard import caller_of

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)
"""A PNG of one pixel."""

SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA="
"""A WAV of no samples."""

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {
        "properties": {"contactMethod": {"const": "phone"}},
        "required": ["contactMethod"],
    },
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""Input of a tool, in words that only JSON Schema 2020-12 has."""


def fixture_door(gate: Gate, powers: Powers) -> McpDoor:
    """Answer the product's door, before a server that has the suite's fixtures too."""
    server = build_server(gate, caller_of, version="0", powers=powers)
    _add_tools(server)
    _add_asking_tools(server)
    _add_resources(server)
    _add_prompts(server)
    server.middleware.append(_extras)
    return McpDoor.of(server, gate)


async def _extras(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext
) -> HandlerResult:
    """Do what the SDK has no switch for.

    What the handshake era lets a client ask for is accepted, and nothing comes of it:
    where no sessions are kept, there is nobody to tell.
    """
    if (
        ctx.protocol_version in t.version.HANDSHAKE_PROTOCOL_VERSIONS
        and ctx.method
        in (
            "logging/setLevel",
            "resources/subscribe",
            "resources/unsubscribe",
        )
    ):
        return {}
    result = await call_next(ctx)
    if ctx.method == "tools/list":
        for tool in cast("dict[str, Any]", result)["tools"]:  # on the wire already
            if tool["name"] == "json_schema_2020_12_tool":
                tool["inputSchema"] = SCHEMA
    return result


def _image() -> t.ImageContent:
    return t.ImageContent(data=PIXEL, mime_type="image/png")


def _embedded(uri: str, text: str, mime_type: str = "text/plain") -> t.EmbeddedResource:
    return t.EmbeddedResource(
        resource=t.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )


def _add_tools(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_simple_text() -> str:
        """Answer a text."""
        return "This is a simple text response for testing."

    @server.tool()
    async def test_image_content() -> t.ImageContent:
        """Answer an image."""
        return _image()

    @server.tool()
    async def test_audio_content() -> t.AudioContent:
        """Answer a sound."""
        return t.AudioContent(data=SILENCE, mime_type="audio/wav")

    @server.tool()
    async def test_embedded_resource() -> t.EmbeddedResource:
        """Answer a resource."""
        return _embedded(
            "test://embedded-resource", "This is an embedded resource content."
        )

    @server.tool()
    async def test_multiple_content_types() -> t.CallToolResult:
        """Answer three kinds of content."""
        return t.CallToolResult(
            content=[
                t.TextContent(text="Multiple content types test:"),
                _image(),
                _embedded(
                    "test://mixed-content-resource",
                    '{"test":"data","value":123}',
                    "application/json",
                ),
            ]
        )

    @server.tool()
    async def test_error_handling() -> str:
        """Fail."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Tell how far it is."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
        return "done"

    @server.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Log three lines."""
        for event in ("execution started", "processing data", "execution completed"):
            await ctx.info(f"Tool {event}")
        return "done"

    @server.tool()
    async def test_logging_tool(ctx: Context) -> str:
        """Log a line, which goes only to those who asked for it."""
        await ctx.info("a line")
        return "done"

    @server.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Need a client that samples."""
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            raise MCPError(
                t.MISSING_REQUIRED_CLIENT_CAPABILITY,
                "This tool needs sampling",
                {"requiredCapabilities": {"sampling": {}}},
            )
        return "done"

    @server.tool()
    async def test_custom_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> str:
        """Take an argument that comes in a header too."""
        return region

    @server.tool()
    async def json_schema_2020_12_tool(name: str = "") -> str:
        """Have a schema that no SDK would make."""
        return name


def _ask(message: str, name: str, kind: str = "string") -> t.ElicitRequest:
    return t.ElicitRequest(
        params=t.ElicitRequestFormParams(
            message=message,
            requested_schema={
                "type": "object",
                "properties": {name: {"type": kind}},
                "required": [name],
            },
        )
    )


def _sample(text: str) -> t.CreateMessageRequest:
    return t.CreateMessageRequest(
        params=t.CreateMessageRequestParams(
            messages=[t.SamplingMessage(role="user", content=t.TextContent(text=text))],
            max_tokens=100,
        )
    )


_NAME = _ask("What is your name?", "name")
_ROOTS = t.ListRootsRequest()

Asked = str | t.InputRequiredResult


def _given(ctx: Context, *names: str) -> list[Any] | None:
    """Answer the client's answers to these questions; None if one is missing."""
    given = ctx.input_responses or {}
    if any(given.get(name) is None for name in names):
        return None
    return [given[name] for name in names]


def _told(answers: list[Any]) -> str:
    return json.dumps([answer.model_dump(mode="json") for answer in answers])


def _add_asking_tools(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> Asked:
        """Ask for a name."""
        if (answers := _given(ctx, "user_name")) is None:
            return t.InputRequiredResult(input_requests={"user_name": _NAME})
        return f"Hello, {answers[0].content['name']}!"

    @server.tool()
    async def test_streaming_elicitation(ctx: Context) -> Asked:
        """Ask for a name, after telling how far it is."""
        await ctx.report_progress(1, 2)
        return t.InputRequiredResult(input_requests={"user_name": _NAME})

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context) -> Asked:
        """Ask the client's model."""
        if (answers := _given(ctx, "capital_question")) is None:
            return t.InputRequiredResult(
                input_requests={
                    "capital_question": _sample("What is the capital of France?")
                }
            )
        return _told(answers)

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> Asked:
        """Ask for the client's roots."""
        if (answers := _given(ctx, "client_roots")) is None:
            return t.InputRequiredResult(input_requests={"client_roots": _ROOTS})
        return _told(answers)

    @server.tool()
    async def test_input_required_result_request_state(ctx: Context) -> Asked:
        """Ask, and remember in the client's hands."""
        if _given(ctx, "confirm") is None:
            return t.InputRequiredResult(
                input_requests={"confirm": _ask("Please confirm", "ok", "boolean")},
                request_state="remembered",
            )
        return "state-ok" if ctx.request_state == "remembered" else "state-lost"

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> Asked:
        """Ask, and remember where nobody can forge it."""
        if _given(ctx, "confirm") is None:
            return t.InputRequiredResult(
                input_requests={"confirm": _ask("Please confirm", "ok", "boolean")},
                request_state="sealed",
            )
        return f"state {ctx.request_state}"

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> Asked:
        """Ask three things at once."""
        asked: t.InputRequests = {
            "user_name": _NAME,
            "greeting": _sample("Generate a greeting"),
            "client_roots": _ROOTS,
        }
        if (answers := _given(ctx, *asked)) is None:
            return t.InputRequiredResult(input_requests=asked, request_state="three")
        return _told(answers)

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> Asked:
        """Ask twice."""
        if ctx.request_state is None:
            return t.InputRequiredResult(
                input_requests={"step1": _ask("Step 1: What is your name?", "name")},
                request_state="1",
            )
        if ctx.request_state == "1":
            question = _ask("Step 2: What is your favorite color?", "color")
            return t.InputRequiredResult(
                input_requests={"step2": question}, request_state="2"
            )
        return "done"

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> Asked:
        """Ask only what the client can answer."""
        able = ctx.client_capabilities or t.ClientCapabilities()
        asked: t.InputRequests = {}
        if able.sampling is not None:
            asked["greeting"] = _sample("Generate a greeting")
        if able.elicitation is not None:
            asked["user_name"] = _NAME
        if not asked or _given(ctx, *asked) is not None:
            return "done"
        return t.InputRequiredResult(input_requests=asked)


def _add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return b"\x89PNG"

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that a client may want to hear about."""
        return "watched"

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def templated(id: str) -> dict[str, Any]:  # noqa: A002  the suite names it
        """A record."""
        return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


def _add_prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """A prompt."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(
        arg1: Annotated[str, Field(description="First test argument")],
        arg2: Annotated[str, Field(description="Second test argument")],
    ) -> str:
        """A prompt of two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(
        resourceUri: Annotated[  # noqa: N803  the suite names it
            str, Field(description="What to embed")
        ],
    ) -> list[UserMessage]:
        """A prompt with a resource in it."""
        return [
            UserMessage(
                _embedded(resourceUri, "Embedded resource content for testing.")
            ),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """A prompt with an image in it."""
        return [UserMessage(_image()), UserMessage("Please analyze the image above.")]

    @server.prompt()
    async def test_input_required_result_prompt(
        ctx: Context,
    ) -> str | t.InputRequiredResult:
        """A prompt that asks first."""
        if (answers := _given(ctx, "user_context")) is None:
            question = _ask("What context should the prompt use?", "context")
            return t.InputRequiredResult(input_requests={"user_context": question})
        return f"In the context of {answers[0].content['context']}."

    @server.completion()
    async def complete(
        ref: t.PromptReference | t.ResourceTemplateReference,
        argument: t.CompletionArgument,
        context: t.CompletionContext | None,
    ) -> t.Completion:
        del ref, context
        words = ["paris", "park", "party"]
        return t.Completion(values=[w for w in words if w.startswith(argument.value)])
