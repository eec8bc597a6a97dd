"""The MCP server: the tools, guarded, with errors in the words of every other door."""

import inspect
import json
from collections.abc import Awaitable, Callable, Container
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast, get_type_hints

from mcp import MCPError
from mcp.server import CacheHint, MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND, CallToolResult, TextContent
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field, TypeAdapter, ValidationError, create_model

from odooport import (
    Call,
    Caller,
    Gate,
    InvalidRequest,
    Odoo,
    OdooportError,
    Operation,
    Principal,
)
from odooport_mcp.arguments import (
    CallContext,
    ToolArguments,
    WriteArguments,
    plain_schema,
    refusal,
)
from odooport_mcp.failures import refused
from odooport_mcp.results import encodable, text_of
from odooport_mcp.tools import TOOLS, ToolSpec

INSTRUCTIONS = (
    "Odooport gives you an Odoo database. Find a model's name with find_models and "
    "its fields with describe_model, then search_records. Search before you write; "
    "tell the user what you are going to change or delete. A failed call changed "
    "nothing unless its message says otherwise; errors begin with a code and say what "
    "to do next."
)

_KEEP = CacheHint(ttl_ms=60_000, scope="private")
"""How long a client may keep what this server has; it depends on the key."""

REPLAYED_KEY = "odooport/replayed"
"""Where the result's ``_meta`` says that this is the first answer to the request, given
again under its idempotency key."""

_NAMED = {"tools/call": "tool", "prompts/get": "prompt"}
"""The methods that name something, and what."""

type RequestContext = ServerRequestContext[Any, Any]
type Identify = Callable[[RequestContext], Caller]
"""Tells whose request this is. Must answer from the request itself, never from anything
that two requests share."""

type Admit = Callable[[], AbstractContextManager[None]]
"""Counts a call of a tool while it runs; raises one of our errors to refuse it."""

type Powers = Callable[[Principal], Container[Operation]]
"""Tells what a principal may do at all."""


class _OdooTool(Tool):
    """A tool that refuses what it does not know, and answers errors as all doors do."""

    odoo_for: Callable[[Caller, CallContext], Odoo] = Field(exclude=True)
    note: Callable[[Caller, OdooportError, Call], Awaitable[None]] = Field(exclude=True)
    once: Callable[..., Awaitable[tuple[str, bool]]] = Field(exclude=True)
    identify: Identify = Field(exclude=True)
    admit: Admit = Field(exclude=True)
    answers: Any = Field(exclude=True)

    @classmethod
    def of(
        cls, spec: ToolSpec, gate: Gate, identify: Identify, admit: Admit
    ) -> "_OdooTool":
        """Build a tool from its function."""
        plain = Tool.from_function(
            spec.function, context_kwarg="odoo", structured_output=False
        )
        model = create_model(
            f"{plain.name}_arguments",
            __base__=(
                ToolArguments if spec.operation is Operation.READ else WriteArguments,
                plain.fn_metadata.arg_model,
            ),
        )
        answers = TypeAdapter[Any](get_type_hints(spec.function)["return"])

        def odoo_for(caller: Caller, context: CallContext) -> Odoo:
            return Odoo(gate, caller).acting_as(
                instance=context.instance,
                company=context.company,
                lang=context.lang,
                tz=context.tz,
                active_test=False if context.archived else None,
                extra=context.extra,
            )

        return cls(
            fn=spec.function,
            name=plain.name,
            title=spec.title,
            description=inspect.cleandoc(plain.description),
            parameters=plain_schema(model.model_json_schema(), nullable=False),
            fn_metadata=FuncMetadata(
                arg_model=model,
                output_schema=plain_schema(answers.json_schema(), nullable=True),
            ),
            is_async=True,
            context_kwarg="odoo",
            annotations=spec.hints,
            odoo_for=odoo_for,
            note=gate.note,
            once=gate.once,
            identify=identify,
            admit=admit,
            answers=answers,
        )

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> CallToolResult:
        """Check the arguments, run the tool, and put its answer or error into words."""
        del convert_result
        caller = request_id = None
        try:
            caller = self.identify(context.request_context)
            request_id = caller.request_id
            with self.admit():
                plain, text, replayed = await self._answered(caller, arguments)
        except MCPError:
            raise
        except OdooportError as error:
            if caller is not None:
                await self.note(caller, error, self._asked(arguments))
            return refused(self.name, error, request_id)
        except Exception as error:  # noqa: BLE001  a crash shows nothing to a client
            return refused(self.name, error, request_id)
        return CallToolResult(
            content=[TextContent(text=text)],
            structured_content=plain,
            _meta={REPLAYED_KEY: True} if replayed else None,
        )

    async def _answered(
        self, caller: Caller, arguments: dict[str, Any]
    ) -> tuple[Any, str, bool]:
        """Answer as data and as text, and tell whether an earlier run gave it."""
        asked = self._checked(arguments)
        key = asked.pop("idempotency_key", None)
        odoo = self.odoo_for(caller, asked.pop("context") or CallContext())
        if key is None:
            return *await self._answer(odoo, asked), False

        async def answered() -> str:
            return json.dumps(await self._answer(odoo, asked))

        request = json.dumps([self.name, arguments], sort_keys=True)
        kept, replayed = await self.once(caller, key, request, answered)
        plain, text = json.loads(kept)
        return plain, text, replayed

    async def _answer(self, odoo: Odoo, asked: dict[str, Any]) -> tuple[Any, str]:
        """Run the tool, and answer what it answers, as data and as text."""
        answer = await self.fn(odoo, **asked)
        plain = self.answers.dump_python(answer, mode="json")
        text = text_of(answer, plain)
        return encodable(plain, text) or (plain, text)

    def _asked(self, arguments: dict[str, Any]) -> Call:
        """Answer what a refused request was about, as far as it can be told."""
        model, method = arguments.get("model"), arguments.get("method")
        return Call(
            model if isinstance(model, str) else "",
            method if isinstance(method, str) else self.name,
        )

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        model = self.fn_metadata.arg_model
        optional = {
            name for name, it in model.model_fields.items() if not it.is_required()
        }
        # Many clients send null for everything that they leave out.
        given = {
            name: value
            for name, value in arguments.items()
            if value is not None or name not in optional
        }
        try:
            return model.model_validate(given).model_dump_one_level()
        except ValidationError as error:
            # The cause is left out: it quotes what the caller sent.
            raise refusal(self.name, model, error) from None


def build_server(
    gate: Gate,
    identify: Identify,
    *,
    version: str = "",
    powers: Powers | None = None,
    admit: Admit = nullcontext,
) -> MCPServer[Any]:
    """Build an MCP server with all tools.

    Whoever embeds it may add tools, resources and prompts of their own. Those are shown
    to everybody who comes in, and the gate does not guard them.

    Args:
        gate: The guarded path to Odoo.
        identify: Tells whose request it is.
        version: What the server says is its version.
        powers: Tells what a principal may do; a tool that it may not use is not listed
            to it. Every tool is listed if this is left out. Either way, the gate alone
            decides what a call may do.
        admit: Is asked before each call of a tool, and counts it; it refuses when the
            process is about to end.
    """
    operations = {spec.function.__name__: spec.operation for spec in TOOLS}

    async def known(method: str, name: str) -> bool:
        """Answer whether there is a tool or prompt of this name."""
        if method == "tools/call":
            return name in operations or any(
                tool.name == name for tool in await server.list_tools()
            )
        return any(prompt.name == name for prompt in await server.list_prompts())

    async def exact(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
        """Answer unknown names as the protocol asks; list what the caller may use."""
        if (kind := _NAMED.get(ctx.method)) is not None:
            name = (ctx.params or {}).get("name")
            if isinstance(name, str) and not await known(ctx.method, name):
                message = f"Unknown {kind}: {name[:64]!r}"
                asked = Call("", name[:64])
                await gate.note(identify(ctx), InvalidRequest(message), asked)
                raise MCPError(INVALID_PARAMS, message)
        result = await call_next(ctx)
        if ctx.method == "tools/list" and powers is not None:
            may = powers(identify(ctx).principal)
            listed = cast("dict[str, Any]", result)  # on the wire already
            listed["tools"] = [
                tool
                for tool in listed["tools"]
                if (operation := operations.get(tool["name"])) is None
                or operation in may
            ]
        return result

    async def absent() -> set[str]:
        """Answer which kinds of things this server has none of."""
        kinds: set[str] = set()
        if not await server.list_prompts():
            kinds.add("prompts")
        if not (
            await server.list_resources() or await server.list_resource_templates()
        ):
            kinds.add("resources")
        return kinds

    async def honest(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
        """Promise no prompts or resources where there are none; the SDK always does.

        What is not promised is not served either, but to clients of the handshake era:
        many of those ask without looking, and an empty list troubles them less than an
        error.
        """
        kind = ctx.method.partition("/")[0]
        if (
            kind in ("prompts", "resources")
            and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
            and kind in await absent()
        ):
            raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
        result = await call_next(ctx)
        if ctx.method in ("initialize", "server/discover"):
            told = cast("dict[str, Any]", result)  # on the wire already
            for kind in await absent():
                told["capabilities"].pop(kind, None)
        return result

    server = MCPServer[Any](
        "odooport",
        title="Odooport",
        version=version,
        instructions=INSTRUCTIONS,
        tools=[_OdooTool.of(spec, gate, identify, admit) for spec in TOOLS],
        log_level="WARNING",
        subscriptions=False,
        cache_hints={"server/discover": _KEEP, "tools/list": _KEEP},
        middleware=[honest, exact],
    )
    return server
