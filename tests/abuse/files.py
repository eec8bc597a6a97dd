"""Files that somebody plants, or gets wrong: nobody is served by them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client

from odooport import OdooportError
from odooport_mcp_http.container import Container as McpContainer
from odooport_mcp_stdio.container import Container as StdioContainer
from odooport_rest.container import Container as RestContainer
from odooport_runtime.container import Container, shutdown
from odooport_runtime.settings import load_settings
from tests.abuse.abuses import MCP, REST, ROLE, STDIO, Abuse, Refusal, keys
from tests.abuse.world import OFFICE, Answer, World, of_http, of_result, tool_call

SETTINGS: Refusal = ("settings", "settings")
ROLES: Refusal = ("settings", "roles")
CONTAINERS: dict[str, type[Container]] = {
    REST: RestContainer,
    MCP: McpContainer,
    STDIO: StdioContainer,
}

DOTENV = """\
ODOOPORT_ROLE=full
ODOOPORT_TRUSTED_PROXIES=0.0.0.0/0
ODOOPORT_NETWORKS=0.0.0.0/0
ODOO_URL=http://evil.example
"""
PLANTED = """\
role = "full"
trusted_proxies = ["0.0.0.0/0"]

[instances.default]
url = "http://evil.example"
db = "acme"
user = "admin"
"""


def files() -> Iterator[Abuse]:
    """Answer every abuse of this kind."""
    yield from planted()
    yield from unknown_keys()


def planted() -> Iterator[Abuse]:
    """Answer files that lie where an agent starts us."""
    kind = "planted .env"
    for route, given in {
        "a .env that trusts everybody, beside variables": {".env": DOTENV},
        "an odooport.toml that does, beside variables": {"odooport.toml": PLANTED},
        "a .env that names such a file, beside variables": {
            ".env": "ODOOPORT_CONFIG=evil.toml\n",
            "evil.toml": PLANTED,
        },
    }.items():
        for door in CONTAINERS:
            refusal = ROLE if door == STDIO else keys("network")
            yield Abuse(kind, route, door, refusal, _beside_variables(door, given))
    toml = PLANTED + 'password_env = "PATH"\n'
    for door in CONTAINERS:
        yield Abuse(
            kind,
            "an odooport.toml that sends other variables to its own server",
            door,
            SETTINGS,
            _alone(door, {"odooport.toml": toml}),
        )


def unknown_keys() -> Iterator[Abuse]:
    """Answer policy files that say something else than they mean."""
    kind = "unknown key in a policy file"
    instance = '[instances.default]\ntransport = "memory"\n'
    rule = '[[roles.clerk.rules]]\nmodels = ["res.partner"]\nallow = ["read"]\n'
    for route, refusal, text in (
        ("of a rule: hides for hide", ROLES, f'{rule}hides = ["email"]\n{instance}'),
        ("of a role", ROLES, f"[roles.clerk]\nreadonly = true\n{instance}"),
        ("of an operation", ROLES, f"{rule.replace('read', 'raed')}{instance}"),
        ("of the whole file", SETTINGS, f"network = []\n{instance}"),
        ("of an instance", SETTINGS, f"{instance}read_only = true\n"),
    ):
        for door in CONTAINERS:
            attempt = _alone(door, {"odooport.toml": text})
            yield Abuse(kind, route, door, refusal, attempt)


def _folder(world: World, given: dict[str, str]) -> Path:
    folder = world.directory / f"planted-{next(world.numbers)}"
    folder.mkdir()
    for name, text in given.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _beside_variables(door: str, given: dict[str, str]) -> Any:
    """Start a service in a folder with files, where variables say what to use."""

    async def attempt(world: World) -> Answer:
        environ = {
            "ODOO_URL": "https://odoo.example.com",
            "ODOO_DB": "acme",
            "ODOO_USER": "admin",
            "ODOO_PASSWORD": world.secrets[0],
            "ODOOPORT_STATE": str(world.state),
        }
        settings = load_settings(environ, _folder(world, given))
        container = CONTAINERS[door](settings=settings, gateway=world.odoo)
        try:
            return await _asked(door, container, world)
        finally:
            await shutdown(container)

    return attempt


async def _asked(door: str, container: Any, world: World) -> Answer:
    """Ask for what is allowed only if the files are believed."""
    if door == STDIO:
        given = {"model": "res.partner", "ids": [1]}
        async with Client(container.server()) as client:
            return of_result(await client.call_tool("delete_records", given))
    app = container.app()
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app, client=(world.address(), 50_000)),
            base_url="http://127.0.0.1",
            headers={**world.bearer("office"), "X-Forwarded-For": OFFICE},
        ) as http,
    ):
        if door == REST:
            return of_http(await http.get("/v1/me"))
        return of_http(await http.post("/mcp", **tool_call("whoami")))


def _alone(door: str, given: dict[str, str]) -> Any:
    """Start a service in a folder with files, where nothing else says what to use."""

    async def attempt(world: World) -> Answer:
        environ = {"ODOOPORT_STATE": str(world.state), "PATH": "/usr/bin"}
        container: Container | None = None
        try:
            settings = load_settings(environ, _folder(world, given))
            container = CONTAINERS[door](settings=settings, gateway=world.odoo)
            container.gate()
        except OdooportError as error:
            return Answer(error.code, "", error.message)
        finally:
            if container is not None:
                with suppress(OdooportError):
                    await shutdown(container)
        return Answer("ok", "", "It serves.")

    return attempt
