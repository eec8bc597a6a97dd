"""The REST door as an app: everything that is served, put together."""

import secrets
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from odooport import Gate, GatewayUnavailable, OdooportError
from odooport.cache import FlightCache
from odooport_rest.answers import KindAnswer, StatusAnswer
from odooport_rest.guard import IDEMPOTENCY_KEY, REPLAYED
from odooport_rest.problems import DOOR, ProblemDetails, add_handlers
from odooport_rest.routes import v1
from odooport_runtime.front import ON_LOOPBACK, Front, FrontRules
from odooport_runtime.problems import KINDS, PROBLEM_JSON, ExactJson

_READY_SECONDS = 5.0
"""How long an answer of /ready stands: it needs no key, so it must not be a way to
make us hammer Odoo."""

_DESCRIPTION = """\
Odoo as plain JSON: `null` for empty, `{"id": 20, "name": "Belgium"}` for a many2one,
lists of ids for one2many and many2many, ISO 8601 for dates and times.

Every call needs an API key. Every error is a problem (RFC 9457) with a stable `code`;
its `type` is an address of this service that says what it means. Unknown parameters are
refused, and so is whatever is not what it should be: nothing is guessed.
"""

_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the docs page may load: only what comes from here."""


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": text}
    for status, text in (
        (403, "The network address, or a foreign page, is not let in."),
        (413, "The body is too large."),
        (421, "The host name is not served here."),
        (431, "The headers or the address are too long."),
        (500, "Odooport failed unexpectedly."),
    )
}
"""What the front answers on every path."""

_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "What the request is called in the log: the name that came in "
        "the header of this name, if it fits, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "WWW-Authenticate": {
        "description": "How to log in.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Retry-After": {
        "description": "Seconds until the same request may succeed.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit": {
        "description": "What is left of the tightest budget, and seconds until there "
        'is more, such as `"key";r=599;t=42`; where a call was counted.',
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How much that budget has in how many seconds, such as "
        '`"key";q=600;w=60`.',
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "Only on the first answer to a request that is given again "
        "under its idempotency key.",
        "schema": {"type": "string", "const": "true"},
    },
    "ETag": {
        "description": "The version of the record, for `If-Match`; where one record is "
        "answered, and not merely its id.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the record is; only where one record was made.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
"""The headers of answers."""

_SENT_WITH = {
    "201": ("Location",),
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After",),
}
"""Which status has which of them, besides those that every answer has."""

_DONE = ("200", "201", "204")

_WITH_KEY = ("RateLimit", "RateLimit-Policy")
"""Which of them any answer to a request with a key may have."""


class RestApp(FastAPI):
    """A FastAPI app whose description says what really comes and goes."""

    def openapi(self) -> dict[str, Any]:
        """Answer the OpenAPI description."""
        if self.openapi_schema:
            return self.openapi_schema
        schema = super().openapi()
        for operations in schema["paths"].values():
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    _without_null(parameter["schema"])
                for status, response in operation["responses"].items():
                    names = ("X-Request-Id", *_SENT_WITH.get(status, ()))
                    names += tuple(response.get("headers", ()))
                    if "security" in operation:
                        names += _WITH_KEY
                    if status in _DONE and any(
                        parameter["name"] == IDEMPOTENCY_KEY
                        for parameter in operation.get("parameters", ())
                    ):
                        names += (REPLAYED,)
                    response["headers"] = {
                        name: {"$ref": f"#/components/headers/{name}"} for name in names
                    }
                    if int(status) >= 400:
                        content = response["content"]
                        content[PROBLEM_JSON] = content.pop("application/json")
        schema["components"]["headers"] = _HEADERS
        # FastAPI foresees bad parameters wherever there are any; here a 404 answers.
        del schema["paths"]["/problems/{code}"]["get"]["responses"]["422"]
        return schema


def _without_null(schema: dict[str, Any]) -> None:
    """Let a parameter be left out but not null, which no address can say."""
    match schema.get("anyOf"):
        case [one, {"type": "null"}]:
            del schema["anyOf"]
            schema.update(one)
        case _:
            pass


def build_app(
    gate: Gate,
    *,
    ready: Callable[[], Awaitable[object]],
    rules: FrontRules | None = ON_LOOPBACK,
    new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Answer the REST API as an ASGI app.

    It needs no lifespan, so it can be mounted beside other apps, at the root or under a
    path. Whoever made the gateway closes it.

    Args:
        gate: The guarded path to Odoo.
        ready: Asks Odoo for a sign of life that needs no login, and raises one of our
            errors if there is none.
        rules: Who may come at all, and how much he may send; None if a ``Front`` stands
            before the app already.
        new_id: Makes request ids.
        clock: Answers the time in seconds; never goes back.
    """
    app = RestApp(
        title="Odooport",
        summary="Odoo over REST.",
        description=_DESCRIPTION,
        version=version("odooport-rest"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        # Spans would hold query strings, and these hold what people searched for.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    if rules is not None:
        app.add_middleware(
            Front, gate, rules=rules, door=DOOR, new_id=new_id, clock=clock
        )
    add_handlers(app, gate)
    app.include_router(v1(gate))
    _add_service(app, ready, clock)
    _add_docs(app)
    return app


def _add_service(
    app: FastAPI, ready: Callable[[], Awaitable[object]], clock: Callable[[], float]
) -> None:
    """Add what is asked about the service itself; none of it needs a key."""
    signs = FlightCache[str, OdooportError | bool](
        size=1, seconds=_READY_SECONDS, clock=clock
    )

    async def sign() -> OdooportError | bool:
        try:
            await ready()
        except OdooportError as error:
            return error
        return True

    @app.get(
        "/health",
        tags=["Service"],
        summary="Does the service run?",
        response_model=StatusAnswer,
        responses=_ERRORS,
    )
    async def health() -> Response:
        """Answer that the service runs, whatever Odoo does."""
        return ExactJson({"status": "ok"})

    @app.get(
        "/ready",
        tags=["Service"],
        summary="Does Odoo answer?",
        response_model=StatusAnswer,
        responses={
            **_ERRORS,
            503: {
                "model": ProblemDetails,
                "description": "Odoo does not, or the service is stopping.",
            },
        },
    )
    async def readiness() -> Response:
        """Answer whether Odoo answers; asked at most once in five seconds."""
        if isinstance(await signs.get("ready", sign), OdooportError):
            raise GatewayUnavailable(
                "Odoo does not answer. Ask again in five seconds.",
                retry_after=_READY_SECONDS,
            )
        return ExactJson({"status": "ready"})

    @app.get(
        "/problems/{code}",
        tags=["Service"],
        summary="Explain a kind of problem",
        response_model=KindAnswer,
        responses={
            **_ERRORS,
            404: {"model": ProblemDetails, "description": "No such kind."},
            503: {"model": ProblemDetails, "description": "Too busy, or stopping."},
            422: {"model": ProblemDetails, "description": "Never."},
        },
    )
    async def problem(
        code: Annotated[
            str,
            Path(
                description="The stable name of a kind of problem.",
                examples=["rate_limited"],
                json_schema_extra={"enum": sorted(KINDS)},
            ),
        ],
    ) -> Response:
        """Answer what a kind of problem means and what to do about it."""
        kind = KINDS.get(code)
        if kind is None:
            raise HTTPException(404)
        return ExactJson(
            {
                "type": f"/problems/{code}",
                "code": code,
                "title": kind.title,
                "status": kind.status,
                "detail": kind.explanation,
            }
        )


def _add_docs(app: FastAPI) -> None:
    """Add the docs page, whose parts all come from here."""
    app.mount(
        "/docs/assets",
        StaticFiles(directory=str(files("fastapi_offline") / "static")),
        name="docs-assets",
    )

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} API",
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
            # The page would send the description to a foreign host to check it.
            swagger_ui_parameters={"validatorUrl": None},
        )
        page.headers["Content-Security-Policy"] = _DOCS_POLICY
        return page

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")
