"""What the benchmarks run against: an Odoo, and our services in front of it.

The Odoo is the one that ``ODOO_URL``, ``ODOO_DB``, ``ODOO_USER`` and ``ODOO_PASSWORD``
name; without them, the Odoo in memory behind its own server, in another process.
"""

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from odooport import Credentials
from odooport_adapters import AutoGateway, OdooHttp

BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parent.parent
MODEL = "res.partner"
SEEDED = "PERF-"
"""What the references of the records begin with that the benchmarks have made."""

FIELDS = ["name", "email", "city", "country_id"]
"""What a small search reads."""

SIX_FIELDS = [*FIELDS, "phone", "write_date"]
"""What a large search reads."""

_BATCH = 1000
_UNLIMITED = "1000000/minute"
_STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Target:
    """An Odoo that is measured.

    Attributes:
        url: Its address.
        login: A login of its administrator.
        is_real: Whether it is a server of Odoo, and not the one in memory.
    """

    url: str
    login: Credentials
    is_real: bool

    def ask(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method over XML-RPC, as a plain script would."""
        with ServerProxy(f"{self.url}/xmlrpc/2/object", allow_none=True) as proxy:
            return proxy.execute_kw(
                *(self.login.database, self.uid(), self.login.secret),
                *(model, method, args, kwargs),
            )

    def uid(self) -> int:
        """Log in, and answer the id of the user."""
        login = self.login
        with ServerProxy(f"{self.url}/xmlrpc/2/common", allow_none=True) as proxy:
            uid = proxy.authenticate(login.database, login.login, login.secret, {})
        if not isinstance(uid, int) or uid is False:
            raise SystemExit("Odoo refuses the login: see ODOO_USER and ODOO_PASSWORD.")
        return uid

    def environment(self) -> dict[str, str]:
        """Answer the variables that point a service here."""
        return {
            "ODOO_URL": self.url,
            "ODOO_DB": self.login.database,
            "ODOO_USER": self.login.login,
            "ODOO_PASSWORD": self.login.secret,
            "ODOOPORT_ALLOW_HTTP": "true",
        }


def target(stack: ExitStack) -> Target:
    """Answer the Odoo to measure; start one in memory if none is named.

    Args:
        stack: What is started ends with it.
    """
    if url := os.environ.get("ODOO_URL"):
        names = ("ODOO_DB", "ODOO_USER", "ODOO_PASSWORD")
        login = Credentials(*(os.environ[name] for name in names))
        return Target(url.rstrip("/"), login, is_real=True)
    url = started(
        stack,
        ["odooport", "fake-odoo", "--port", "0"],
        {"PATH": os.environ["PATH"]},
    )
    return Target(url, Credentials("demo", "admin", "admin"), is_real=False)


@asynccontextmanager
async def default_gateway(url: str) -> AsyncIterator[AutoGateway]:
    """Reach an Odoo as the services do if no transport is set.

    Args:
        url: Its address.
    """
    async with OdooHttp(url) as http, aclosing(AutoGateway.over(http)) as gateway:
        yield gateway


def seed(odoo: Target, rows: int) -> None:
    """Make partners until there are so many that a benchmark has made; they stay."""
    domain = [["ref", "=like", f"{SEEDED}%"]]
    there = odoo.ask(MODEL, "search_count", domain)
    (country,) = odoo.ask("res.country", "search", [["code", "=", "BE"]], limit=1)
    for first in range(there, rows, _BATCH):
        odoo.ask(
            MODEL,
            "create",
            [
                {
                    "name": f"Perf Partner {number:06}",
                    "ref": f"{SEEDED}{number:06}",
                    "email": f"partner{number}@example.com",
                    "city": f"City {number % 97}",
                    "phone": f"+32 2 {number:06}",
                    "country_id": country,
                }
                for number in range(first, min(first + _BATCH, rows))
            ],
        )


def installed(package: str) -> Path:
    """Install one package of ours alone, as its users do; answer where it is.

    Args:
        package: Its name, such as ``odooport-cli``.
    """
    place = _ROOT / "build" / "perf" / package
    subprocess.run(
        [
            *("uv", "sync", "--frozen", "--quiet", "--no-dev", "--compile-bytecode"),
            f"--package={package}",
        ],
        cwd=_ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(place)},
        check=True,
    )
    return place / "bin"


def service_environment(state: Path, odoo: Target | None = None) -> dict[str, str]:
    """Answer the environment of a service: every guard on, no budget used up.

    Args:
        state: Its state directory.
        odoo: The Odoo behind it; the service's own in memory unless told.
    """
    behind = {"ODOOPORT_TRANSPORT": "memory"} if odoo is None else odoo.environment()
    return {
        "PATH": os.environ["PATH"],
        **behind,
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_RATE_LIMIT": _UNLIMITED,
        "ODOOPORT_ADDRESS_RATE_LIMIT": _UNLIMITED,
        "ODOOPORT_CONCURRENCY": "1000",
        "ODOOPORT_LOG_LEVEL": "warning",
    }


def started(
    stack: ExitStack,
    command: Sequence[str],
    environment: Mapping[str, str],
    at: Path = BIN,
) -> str:
    """Start a service, wait until it says where it listens, and answer its address.

    Args:
        stack: The service ends with it.
        command: The name of one of our commands, and its arguments.
        environment: The whole environment of the process.
        at: Where the command is.
    """
    process = subprocess.Popen(
        [str(at / command[0]), *command[1:]],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def stop() -> None:
        process.terminate()
        process.wait(_STOP_SECONDS)

    stack.callback(stop)
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        for word in line.split():
            if word.startswith("http://127.0.0.1"):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return "/".join(word.split("/")[:3])
    raise SystemExit(f"{command[0]} did not start: {''.join(said)}")
