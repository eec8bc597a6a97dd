"""What users touch by name. Later work adds to it; it renames and removes nothing.

A change shows here first. Where it is meant, write the snapshots anew::

    python -m tests.snapshots.test_surface
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.main import get_command

import odooport
import odooport_adapters
import odooport_security
from odooport import Caller, Credentials, Gate, OdooDecides, Unaudited, Unlimited
from odooport_adapters import MemoryGateway
from odooport_cli.main import app as cli
from odooport_mcp.server import build_server
from odooport_mcp.tools import TOOLS
from odooport_rest.app import build_app
from odooport_runtime.problems import KINDS
from odooport_runtime.settings import Settings
from odooport_security import Roles, principal_of

FOLDER = Path(__file__).parent
ROLES = Roles()


def python_names() -> Any:
    """Everything that the packages export, and the parameters of the use cases."""
    return {
        package.__name__: sorted(package.__all__)
        for package in (odooport, odooport_adapters, odooport_security)
    }


def rest_routes() -> Any:
    """Every route, with its parameters and the statuses that it may answer."""
    gate = Gate(MemoryGateway(), OdooDecides(), Unlimited(), Unaudited())
    described = build_app(gate, ready=lambda: asyncio.sleep(0)).openapi()
    return {
        f"{method.upper()} {path}": {
            "parameters": sorted(item["name"] for item in route.get("parameters", [])),
            "statuses": sorted(route["responses"]),
        }
        for path, routes in described["paths"].items()
        for method, route in routes.items()
        if method in ("get", "post", "patch", "put", "delete")
    }


def problem_codes() -> Any:
    """Every error code with the status that REST gives it."""
    return {code: kind.status for code, kind in sorted(KINDS.items())}


def mcp_tools() -> Any:
    """Every tool as a client sees it, but for the prose."""

    async def ask() -> Any:
        credentials = {"default": Credentials("demo", "admin", "admin")}
        me = Caller(
            principal_of("s", "s", "full", credentials, ROLES), "mcp-stdio", "r"
        )
        gate = Gate(MemoryGateway(), OdooDecides(), Unlimited(), Unaudited())
        async with Client(build_server(gate, lambda _: me)) as client:
            tools = (await client.list_tools()).tools
        return {
            tool.name: {
                "annotations": (
                    tool.annotations.model_dump(exclude_none=True)
                    if tool.annotations
                    else None
                ),
                "arguments": {
                    name: without_prose(schema)
                    for name, schema in tool.input_schema["properties"].items()
                },
                "required": tool.input_schema.get("required", []),
                "answer": sorted((tool.output_schema or {}).get("properties", {})),
            }
            for tool in tools
        }

    return asyncio.run(ask())


def without_prose(schema: Any) -> Any:
    """Answer a schema without its titles, descriptions and examples."""
    if isinstance(schema, dict):
        return {
            key: without_prose(value)
            for key, value in schema.items()
            if key not in ("title", "description", "examples")
        }
    return (
        [without_prose(item) for item in schema] if isinstance(schema, list) else schema
    )


def settings() -> Any:
    """Every setting with the variables that set it."""
    return {
        name: (field.json_schema_extra or {}).get("variables")  # type: ignore[union-attr]
        for name, field in Settings.model_fields.items()
        if name != "sources"
    }


def commands() -> Any:
    """Every command with its options."""

    def of(command: Any) -> Any:
        inner = getattr(command, "commands", None)
        if inner:
            return {name: of(inner[name]) for name in sorted(inner)}
        return sorted(option for item in command.params for option in item.opts)

    return of(get_command(cli))


SURFACES: dict[str, Callable[[], Any]] = {
    "python": python_names,
    "rest": rest_routes,
    "problems": problem_codes,
    "mcp": mcp_tools,
    "settings": settings,
    "commands": commands,
}


def shown(surface: str) -> str:
    return json.dumps(SURFACES[surface](), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("surface", SURFACES)
def test_what_users_touch_is_as_it_was(surface: str) -> None:
    assert shown(surface) == (FOLDER / f"{surface}.json").read_text("utf-8")


def test_the_docs_name_every_tool_and_who_may_use_it() -> None:
    page = (FOLDER.parents[1] / "docs" / "mcp.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip(" `"): cells[2].strip()
        for cells in (line.split("|") for line in page.splitlines())
        if len(cells) > 3 and cells[1].startswith(" `")
    }
    may = {
        spec.function.__name__: [
            name
            for name in ROLES.names
            if (role := ROLES.get(name)) and spec.operation in role.operations
        ]
        for spec in TOOLS
    }
    assert rows == {
        name: ("every role" if len(roles) == len(ROLES.names) else ", ".join(roles))
        for name, roles in may.items()
    }


if __name__ == "__main__":
    for each in SURFACES:
        (FOLDER / f"{each}.json").write_text(shown(each), "utf-8")
