"""Load by Locust: how soon answers come when many ask at once.

Starts ``odooport serve`` with every guard and the audit on, lets users of REST and of
MCP over HTTP ask it, each once a second, and reads what Locust counted after a warm-up
of ten seconds. Over the Odoo in memory that measures Odooport; over a real Odoo it
measures both, beside the same load sent straight to Odoo, in turn.

Usage: ``python perf/load.py [--target memory|odoo|straight|URL] [--door rest|mcp|both]
[--users N] [--seconds N] [--rounds N] [--json FILE]``. An address is that of services
that run already, such as several processes behind a balancer; ``--key`` is a key of
theirs that may create and write.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import targets
from figures import Figure, options, report
from targets import BIN, MODEL, Target

from odooport_security import SqliteKeyStore

WARM_UP = 10
MEMORY_USERS = 100
ODOO_USERS = 30
SECONDS = 60
OWN_RECORDS = 20
DOORS = {"rest": ("RestUser",), "mcp": ("McpUser",), "both": ("RestUser", "McpUser")}
STRAIGHT = ("StraightUser",)
_HERE = Path(__file__).parent
_LINGER = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of Locust has counted.

    Attributes:
        requests: How many requests were answered.
        failures: How many of them wrongly, or not at all.
        rate: How many a second.
        p50: Half of the answers came within so many milliseconds.
        p95: 95 of 100 did.
        p99: 99 of 100 did.
        kinds: The milliseconds of 95 of 100 answers of each kind of request.
    """

    requests: int
    failures: int
    rate: float
    p50: float
    p95: float
    p99: float
    kinds: Mapping[str, float]

    @classmethod
    def of(cls, entries: Sequence[dict[str, Any]]) -> "Load":
        """Add up the entries of Locust's report, one for each kind of request."""
        requests = sum(entry["num_requests"] for entry in entries)
        if not requests:
            raise SystemExit("Nothing was asked under load; see above.")
        times = _times(entries)
        # From the end of the warm-up to the last answer: the users that still wait
        # when time is up are waited for.
        seconds = max(entry["last_request_timestamp"] for entry in entries) - min(
            entry["start_time"] for entry in entries
        )
        return cls(
            requests,
            sum(entry["num_failures"] for entry in entries),
            requests / seconds,
            *(_percentile(times, share) for share in (0.50, 0.95, 0.99)),
            kinds={
                entry["name"]
                .lower()
                .replace(" ", "_"): _percentile(_times([entry]), 0.95)
                for entry in entries
            },
        )


def _times(entries: Sequence[dict[str, Any]]) -> dict[float, int]:
    """Answer how many answers took how many milliseconds."""
    times: dict[float, int] = {}
    for entry in entries:
        for milliseconds, count in entry["response_times"].items():
            when = float(milliseconds)
            times[when] = times.get(when, 0) + count
    return times


def _percentile(times: dict[float, int], share: float) -> float:
    """Answer the time within which a share of the answers came."""
    left = share * sum(times.values())
    for milliseconds, count in sorted(times.items()):
        left -= count
        if left <= 0:
            return milliseconds
    return 0.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """Something that Locust can be pointed at.

    Attributes:
        host: Its address.
        users: The classes of the users that know how to ask it.
        more: The options of the locustfile.
    """

    host: str
    users: Sequence[str]
    more: Sequence[str]


def run(what: Loaded, *, users: int, seconds: int, html: Path | None = None) -> Load:
    """Let Locust load something, and answer what it counted after its warm-up.

    Args:
        what: What to load.
        users: How many users, each of whom asks once a second.
        seconds: How long it is counted.
        html: Where Locust's own report goes.
    """
    with tempfile.TemporaryDirectory() as folder:
        counted = Path(folder) / "counted"
        done = subprocess.run(
            [
                *(str(BIN / "locust"), "-f", str(_HERE / "locustfile.py")),
                *("--headless", "--only-summary", "--reset-stats", "--loglevel=ERROR"),
                *(f"--users={users}", f"--spawn-rate={users / WARM_UP}"),
                *(f"--run-time={WARM_UP + seconds}", "--stop-timeout=30"),
                *(f"--host={what.host}", "--json-file", str(counted)),
                *(("--html", str(html)) if html is not None else ()),
                *what.more,
                *what.users,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=WARM_UP + seconds + _LINGER,
        )
        written = list(Path(folder).iterdir())
        if not written:
            raise SystemExit(f"Locust did not run: {done.stderr[-2000:]}")
        entries = json.loads(written[0].read_text())
    if not entries or any(entry["num_failures"] for entry in entries):
        sys.stderr.write(done.stderr[-4000:] + done.stdout[-4000:])
    return Load.of(entries)


@contextmanager
def ours(
    stack: ExitStack, odoo: Target | None, users: Sequence[str]
) -> Generator[Loaded]:
    """Start Odooport, with records that may be changed; they are deleted in the end.

    Args:
        stack: What the service ends with.
        odoo: The Odoo behind it; its own in memory unless told.
        users: The classes of the users that will ask.
    """
    state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    _, key = SqliteKeyStore(state / "keys.db").create("perf", "editor")
    environment = targets.service_environment(state, odoo)
    host = targets.started(stack, ["odooport", "serve", "--port", "0"], environment)
    if odoo is None:
        # They end with the service, as do the records that are made for it.
        yield served(host, key, users)
        return
    with records(odoo) as (ids, own):
        yield Loaded(host, users, _more(key, ids, own))


def served(host: str, key: str, users: Sequence[str]) -> Loaded:
    """Answer services that run already, with records made through them; these stay.

    Args:
        host: Their one address.
        key: A key of theirs that may create and write.
        users: The classes of the users that will ask.
    """
    path = f"{host}/v1/models/{MODEL}/records"
    with httpx2.Client(headers={"Authorization": f"Bearer {key}"}) as client:
        shown = client.get(f"{path}?fields=id").raise_for_status().json()["records"]
        made = client.post(path, json=_values()).raise_for_status().json()["ids"]
    return Loaded(host, users, _more(key, [record["id"] for record in shown], made))


def _values() -> list[dict[str, str]]:
    """Answer the values of the records that are made for the load."""
    return [{"name": f"Perf Load {number}"} for number in range(OWN_RECORDS)]


@contextmanager
def records(odoo: Target) -> Generator[tuple[list[int], list[int]]]:
    """Answer ids to read, and of records to change that are deleted in the end."""
    ids = odoo.ask(MODEL, "search", [["name", "!=", False]], limit=50)
    own = odoo.ask(MODEL, "create", _values())
    try:
        yield ids, own
    finally:
        odoo.ask(MODEL, "unlink", own)


def straight(odoo: Target, ids: Sequence[int], own: Sequence[int]) -> Loaded:
    """Answer Odoo itself as something that Locust can load."""
    login = [f"--database={odoo.login.database}", f"--uid={odoo.uid()}"]
    more = [*_more(odoo.login.secret, ids, own), *login]
    return Loaded(odoo.url, STRAIGHT, more)


def _more(key: str, ids: Sequence[int], own: Sequence[int]) -> list[str]:
    texts = (",".join(map(str, each)) for each in (ids, own))
    first, second = texts
    return [f"--key={key}", f"--ids={first}", f"--own-ids={second}"]


def figures_of(name: str, loads: Sequence[Load], of: str) -> list[Figure]:
    """Answer the figures of a load: the medians of its slices, and all failures.

    Args:
        name: What was loaded: ``memory``, ``odoo``, ``straight``, ``address``.
        loads: What each slice has counted.
        of: What was measured, in one line.
    """

    def middle(read: Callable[[Load], float]) -> float:
        return statistics.median(read(load) for load in loads)

    kinds = sorted(set.intersection(*(set(load.kinds) for load in loads)))
    return [
        Figure(f"load.{name}.p50_ms", middle(lambda load: load.p50), "ms", of),
        Figure(f"load.{name}.p95_ms", middle(lambda load: load.p95), "ms", of),
        Figure(f"load.{name}.p99_ms", middle(lambda load: load.p99), "ms", of),
        Figure(f"load.{name}.rate", middle(lambda load: load.rate), "1/s", of),
        Figure(f"load.{name}.failures", sum(load.failures for load in loads), "", of),
        *(
            Figure(
                f"load.{name}.{kind}.p95_ms",
                middle(lambda load, kind=kind: load.kinds[kind]),
                "ms",
                of,
            )
            for kind in kinds
        ),
    ]


def in_memory(
    doors: Sequence[str], users: int, seconds: int, html: Path | None
) -> list[Figure]:
    """Load one process over the Odoo in memory."""
    with ExitStack() as stack:
        loaded = stack.enter_context(ours(stack, None, doors))
        load = run(loaded, users=users, seconds=seconds, html=html)
    of = f"{users} users, {seconds} s, one process over memory, every guard on"
    per_user = Figure("load.memory.rate_a_user", load.rate / users, "1/s", of)
    return [*figures_of("memory", [load], of), per_user]


def on_odoo(
    odoo: Target, doors: Sequence[str], users: int, seconds: int, slices: int
) -> list[Figure]:
    """Load Odooport over a real Odoo, and that Odoo itself, in turn."""
    with ExitStack() as stack:
        us = stack.enter_context(ours(stack, odoo, doors))
        ids, own = stack.enter_context(records(odoo))
        it = straight(odoo, ids, own)
        through: list[Load] = []
        beside: list[Load] = []
        for _ in range(slices):
            beside.append(run(it, users=users, seconds=seconds))
            through.append(run(us, users=users, seconds=seconds))
    p95 = statistics.median(load.p95 for load in through)
    over = p95 / statistics.median(load.p95 for load in beside)
    of = f"{users} users, {slices} times {seconds} s"
    return [
        *figures_of("odoo", through, f"{of}, through Odooport"),
        *figures_of("straight", beside, f"{of}, straight to Odoo"),
        Figure("load.odoo.over_straight", over, "x", f"{of}, p95 over Odoo itself"),
    ]


def alone(
    what: str, doors: Sequence[str], users: int, seconds: int, key: str
) -> list[Figure]:
    """Load Odoo itself, or services at an address that run already."""
    of = f"{users} users, {seconds} s"
    if what != "straight":
        load = run(served(what.rstrip("/"), key, doors), users=users, seconds=seconds)
        return figures_of("address", [load], f"{of}, services that ran already")
    with ExitStack() as stack:
        odoo = _real(stack)
        ids, own = stack.enter_context(records(odoo))
        load = run(straight(odoo, ids, own), users=users, seconds=seconds)
    return figures_of("straight", [load], f"{of}, straight to Odoo")


def _real(stack: ExitStack) -> Target:
    """Answer the Odoo that the environment names; there must be one."""
    if "ODOO_URL" not in os.environ:
        raise SystemExit("This needs a real Odoo: set ODOO_URL and its companions.")
    return targets.target(stack)


def main() -> None:
    """Load what was asked for, and report what was counted."""
    parser = options(__doc__, rounds=3)
    parser.add_argument(
        "--target",
        help="memory, odoo, straight, or an address; memory, and odoo if ODOO_URL is "
        "set, unless told",
    )
    parser.add_argument("--door", choices=DOORS, default="both")
    parser.add_argument("--users", type=int, help="100 in memory, 30 over a real Odoo")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--key", default="", help="of services at an address")
    parser.add_argument("--html", type=Path, help="where Locust's own report goes")
    told = parser.parse_args()
    doors, seconds = DOORS[told.door], told.seconds
    figures: list[Figure] = []
    if told.target in (None, "memory"):
        users = told.users or MEMORY_USERS
        figures += in_memory(doors, users, seconds, told.html)
    elif told.target != "odoo":
        users = told.users or ODOO_USERS
        figures += alone(told.target, doors, users, seconds, told.key)
    if told.target == "odoo" or (told.target is None and "ODOO_URL" in os.environ):
        with ExitStack() as stack:
            odoo, users = _real(stack), told.users or ODOO_USERS
            # As long for each side in all, in shorter slices that take turns.
            slice_seconds = max(1, seconds // told.rounds)
            figures += on_odoo(odoo, doors, users, slice_seconds, told.rounds)
    report(figures, told.json)
    if any(figure.value for figure in figures if figure.name.endswith(".failures")):
        raise SystemExit("Some answers were wrong; see above.")


if __name__ == "__main__":
    main()
