"""Drives the real services for minutes, with bad days in between: does anything grow?

Starts ``odooport serve`` (REST and MCP over HTTP) and ``odooport-mcp-stdio`` as
processes, over one state directory, in front of an Odoo that a relay cuts off now and
then. Callers read, search, count, write with and without idempotency keys, hang up in
the middle, read slowly and try wrong keys. Prints what each process held in memory,
file handles, connections and threads, how every call ended, and what the Odoo really
holds at the end of all that was asked for.

Exits with 1 if something grew beyond the bounds that are printed, or if an outcome was
wrong: a change done twice, a success without a change, an error that says "not done"
for what was done, a caller who hangs, an error that should not be.

The Odoo is the one in memory, in another process behind its own server; or the one
that ``--odoo`` names, with its login in ``ODOO_DB``, ``ODOO_USER`` and
``ODOO_PASSWORD``. What was made there is deleted in the end.

It looks at ``/proc``, so it runs on Linux only.

Usage: ``python perf/soak.py MINUTES [--callers N] [--seed S] [--odoo URL]``
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import processes
from callers import MODEL, Caller, Ledger, Said, World
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from processes import Sample
from relay import Relay

from odooport import Call, Context, Credentials
from odooport_adapters import JsonRpcGateway, OdooHttp
from odooport_mcp.client import OdooportClient
from odooport_security import SqliteKeyStore

CALLERS = 8
PAUSE = 0.1
"""How many seconds a caller waits between two calls, on average."""

LONG_RECORDS = 300
LONG_TEXT = "all work and no play " * 200

MORE_HANDLES = 10
"""How many more file handles there may be at the end than at the start, both idle."""

MORE_THREADS = 4
MORE_MEMORY = 16.0
"""How many MiB more there may be in the last minute than in the first."""

MORE_AN_HOUR = 20.0
"""How many MiB an hour the memory may grow by, in a run that is long enough."""

LONG_ENOUGH = 300.0
"""How many seconds a run must have for its memory's growth to be a matter of hours."""

_MINUTE = 60.0
_QUIET_WITHIN = 20.0
_POOLED_SECONDS = 6.0
"""Longer than an idle connection to Odoo is kept."""

_READY_WITHIN = 60.0
_STOPS_WITHIN = 15.0
_BIN = Path(sys.executable).parent
_MIB = 1024 * 1024
_SHOWN = 20
_BAD = ("error", "critical")


@dataclass
class Watched:
    """A process that is watched.

    Attributes:
        name: What it is called in the table.
        pid: Its number.
        serves: The port that it serves, if callers come by one.
        odoo: The port that it reaches Odoo at.
        judged: Whether its growth counts; an Odoo in memory holds what it is given.
        samples: What was seen while it was driven, after the warm-up.
        idle: What was seen while nothing was asked, before and after.
    """

    name: str
    pid: int
    serves: int | None
    odoo: int
    judged: bool = True
    samples: list[Sample] = field(default_factory=list[Sample])
    idle: list[Sample] = field(default_factory=list[Sample])

    def look(self) -> Sample | None:
        """Look at it now."""
        return processes.take(
            self.pid, time.monotonic(), serves=self.serves, odoo=self.odoo
        )

    @property
    def was_there(self) -> bool:
        """Whether it was there before, in between and afterwards."""
        return len(self.idle) == 2 and len(self.samples) > 0

    @property
    def first(self) -> float:
        """Its memory in the first minute, or the first third of a short run."""
        until = self.samples[0].at + self._window
        return processes.memory([one for one in self.samples if one.at <= until])

    @property
    def last(self) -> float:
        """Its memory in the last minute, or the last third."""
        since = self.samples[-1].at - self._window
        return processes.memory([one for one in self.samples if one.at >= since])

    @property
    def _window(self) -> float:
        return min(_MINUTE, (self.samples[-1].at - self.samples[0].at) / 3)

    def grown(self, seconds: float) -> Iterator[str]:
        """Answer what grew beyond its bound in so many seconds."""
        if not self.judged:
            return
        if not self.was_there:
            yield f"{self.name} was gone at the end."
            return
        before, after = self.idle
        if after.handles > before.handles + MORE_HANDLES:
            yield f"{self.name} has {after.handles - before.handles} more handles."
        if after.threads > before.threads + MORE_THREADS:
            yield f"{self.name} has {after.threads - before.threads} more threads."
        if self.last > self.first + MORE_MEMORY:
            yield f"{self.name} has {self.last - self.first:.1f} MiB more."
        slope = processes.growth_an_hour(self.samples)
        if seconds >= LONG_ENOUGH and slope > MORE_AN_HOUR:
            yield f"{self.name} grows by {slope:.1f} MiB an hour."


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for at the command line."""

    seconds: float
    callers: int
    seed: int
    url: str | None
    login: Credentials

    @property
    def warm_up(self) -> float:
        """How long to drive before anything is measured."""
        return min(_MINUTE, 0.3 * self.seconds)


# Processes


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], sign: str, log: Path
) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """Start a process and answer it with the first address that it names.

    Args:
        command: What to run.
        environment: Its variables.
        sign: The word that the line with the address begins with; the first address
            of all if it is empty.
        log: Where to keep what it writes.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process, _address_in(log, process, sign)
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOPS_WITHIN)
        if process.poll() is None:
            process.kill()
            process.wait()


def _address_in(log: Path, process: subprocess.Popen[bytes], sign: str) -> str:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            for word in line.split():
                if line.strip().startswith(sign) and word.startswith("http://"):
                    url = urlsplit(word)
                    return f"http://{url.hostname}:{url.port}"
        time.sleep(0.05)
    raise RuntimeError(f"it did not start: {log.read_text()}")


# Odoo itself, asked beside the services


class Books:
    """What the Odoo really holds.

    Args:
        http: A client of the Odoo, not through the relay.
        login: A login to it.
        run: The word that marks whatever this run makes.
    """

    def __init__(self, http: OdooHttp, login: Credentials, run: str) -> None:
        self._gateway = JsonRpcGateway(http)
        self._login = login
        self._run = run

    async def _ask(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        session = await self._gateway.authenticate(self._login)
        context = Context(active_test=False)
        call = Call(model, method, args, kwargs, context)
        return await self._gateway.execute(session, call)

    async def open(self, callers: int) -> tuple[dict[int, str], list[int]]:
        """Make the records that are read, and one that each caller changes."""
        names = [f"{self._run} known {number}" for number in range(LONG_RECORDS)]
        values = [{"name": name, "comment": LONG_TEXT} for name in names]
        known: list[int] = await self._ask(MODEL, "create", values)
        own = [{"name": f"{self._run} of caller {number}"} for number in range(callers)]
        return dict(zip(known, names, strict=True)), await self._ask(
            MODEL, "create", own
        )

    async def check(self, ledger: Ledger, own: Sequence[int]) -> int:
        """Compare what was said with what is there; answer how many changes it were."""
        found = await self._ask(
            MODEL, "search_read", [["name", "like", self._run]], ["name"]
        )
        _compare(
            "record", ledger.created, Counter(one["name"] for one in found), ledger
        )
        messages = await self._ask(
            "mail.message",
            "search_read",
            [["model", "=", MODEL], ["res_id", "in", list(own)]],
            ["body"],
        )
        bodies = Counter(
            str(one["body"]).removeprefix("<p>").removesuffix("</p>")
            for one in messages
        )
        _compare("message", ledger.posted, bodies, ledger)
        for one in await self._ask(MODEL, "read", list(own), ["ref"]):
            wanted = ledger.written.get(one["id"])
            if wanted is not None and one["ref"] != wanted:
                ledger.blame("A record does not hold what was written last.")
        return len(ledger.created) + len(ledger.posted)

    async def close(self) -> None:
        """Delete whatever this run has made."""
        made = await self._ask(MODEL, "search", [["name", "like", self._run]])
        if made:
            await self._ask(MODEL, "unlink", made)


def _compare(
    what: str, said: Mapping[str, Said], found: Counter[str], ledger: Ledger
) -> None:
    wanted = {
        Said.DONE: (1, 1),
        Said.NOT_DONE: (0, 0),
        Said.UNDONE: (0, 0),
        Said.UNKNOWN: (0, 1),
    }
    for mark, saying in said.items():
        least, most = wanted[saying]
        if not least <= found[mark] <= most:
            ledger.blame(
                f"A {what} that was said to be {saying.value!r} is there "
                f"{found[mark]} times."
            )


# What goes wrong


async def break_now_and_then(
    relay: Relay, choice: random.Random, until: float, pause: float
) -> Counter[str]:
    """Cut the Odoo off for a while, again and again; answer how often how."""
    faults: Counter[str] = Counter()
    while (rest := until - time.monotonic()) > 0:
        await asyncio.sleep(min(rest, choice.uniform(0.5 * pause, 1.5 * pause)))
        if until - time.monotonic() < pause / 2:
            break
        fault = choice.choice(["gone for 2 s", "reset", "reset", "silent for 2 s"])
        faults[fault] += 1
        if fault == "reset":
            relay.reset()
        elif fault == "silent for 2 s":
            relay.hush()
            await asyncio.sleep(2)
            relay.speak()
        else:
            await relay.leave()
            await asyncio.sleep(2)
            await relay.listen()
    return faults


# Driving and watching


async def watch(watched: Sequence[Watched], ledger: Ledger) -> None:
    """Look at every process once a second, until cancelled."""
    there = list(watched)
    while True:
        for one in tuple(there):
            sample = await asyncio.to_thread(one.look)
            if sample is None:
                ledger.blame(f"{one.name} has ended by itself.")
                there.remove(one)
            else:
                one.samples.append(sample)
        await asyncio.sleep(1)


async def quiet(watched: Sequence[Watched], caller: Caller) -> None:
    """Wait until nothing is under way any more, and look at every process.

    A service closes what its pool of connections to Odoo has too long with its next
    call, so there is one more call after that time.
    """
    until = time.monotonic() + _QUIET_WITHIN
    while time.monotonic() < until:
        samples = [await asyncio.to_thread(one.look) for one in watched]
        if not any(one and one.to_clients for one in samples):
            break
        await asyncio.sleep(0.5)
    await asyncio.sleep(_POOLED_SECONDS)
    await caller.one_call()
    await asyncio.sleep(1)  # the connection of that call is closed by then
    for one in watched:
        if (sample := one.look()) is not None:
            one.idle.append(sample)


async def drive(callers: Sequence[Caller], seconds: float) -> None:
    """Let the callers call for a while."""
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.go_on(until, PAUSE))


async def recovers(address: str, key: str, ledger: Ledger) -> float | None:
    """Answer after how many seconds without faults a read succeeds, if it does."""
    began = time.monotonic()
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        while time.monotonic() < began + _READY_WITHIN:
            with suppress(httpx2.HTTPError):
                answer = await http.get(f"{address}/v1/models/{MODEL}/aggregate")
                if answer.is_success:
                    return time.monotonic() - began
            await asyncio.sleep(0.1)
    ledger.blame("It did not recover by itself after the last fault.")
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """The services under load.

    Attributes:
        process: That of REST and MCP over HTTP.
        address: Where it is reached.
        stdio: A client of the stdio service.
        watched: Both of them.
        logs: What they wrote.
    """

    process: subprocess.Popen[bytes]
    address: str
    stdio: Client
    watched: list[Watched]
    logs: Sequence[Path]


async def start(
    stack: AsyncExitStack, state: Path, logs: Path, odoo: int, login: Credentials
) -> Services:
    """Start both services, over one state directory.

    Args:
        stack: Ends them.
        state: Where they keep their state.
        logs: Where to keep what they write.
        odoo: The port of this machine that they reach Odoo at.
        login: Whom they act as there.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "ODOO_URL": f"http://127.0.0.1:{odoo}",
        "ODOO_DB": login.database,
        "ODOO_USER": login.login,
        "ODOO_PASSWORD": login.secret,
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_ROLE": "full",
        "ODOOPORT_TIMEOUT": "10",
        "ODOOPORT_DEADLINE": "15",
        "ODOOPORT_RATE_LIMIT": "1000000/minute",
        "ODOOPORT_ADDRESS_RATE_LIMIT": "1000000/minute",
        "ODOOPORT_LOG_LEVEL": "warning",
    }
    command = [str(_BIN / "odooport"), "serve", "--port", "0"]
    process, address = stack.enter_context(
        started(command, environment, "REST", logs / "serve")
    )
    before = processes.children(os.getpid())
    stdio = await stack.enter_async_context(
        Client(
            stdio_client(
                StdioServerParameters(
                    command=str(_BIN / "odooport-mcp-stdio"), env=environment
                ),
                errlog=stack.enter_context((logs / "stdio").open("w")),
            )
        )
    )
    (local,) = processes.children(os.getpid()) - before
    watched = [
        Watched("serve", process.pid, urlsplit(address).port, odoo),
        Watched("stdio", local, None, odoo),
    ]
    return Services(process, address, stdio, watched, (logs / "serve", logs / "stdio"))


async def soak(plan: Plan) -> int:
    """Drive and watch, print the tables; answer the exit code."""
    ledger, run = Ledger(), f"soak-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        state, logs = (
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)
        )
        url, extra = plan.url, list[Watched]()
        if url is None:
            command = [str(_BIN / "odooport"), "fake-odoo", "--port", "0"]
            odoo, url = stack.enter_context(
                started(command, {"PATH": os.environ["PATH"]}, "", logs / "odoo")
            )
            port = urlsplit(url).port
            extra.append(Watched("Odoo in memory", odoo.pid, port, 0, judged=False))
        where = urlsplit(url)
        books = Books(await stack.enter_async_context(OdooHttp(url)), plan.login, run)
        stack.push_async_callback(books.close)
        known, own = await books.open(plan.callers)
        relay = await stack.enter_async_context(
            Relay(where.hostname or "127.0.0.1", where.port or 80)
        )
        store = SqliteKeyStore(state / "keys.db")
        keys = [store.create(f"{n}", "full")[1] for n in range(plan.callers)]
        store.close()
        services = await start(stack, state, logs, relay.port, plan.login)
        watched = [*services.watched, *extra]
        world = World(
            services.address, run, known, ledger, OdooportClient(services.stdio)
        )
        callers = [
            Caller(world, f"{n}", key, mine, random.Random(f"{plan.seed} {n}"))
            for n, (key, mine) in enumerate(zip(keys, own, strict=True))
        ]
        _say(f"warming up for {plan.warm_up:.0f} s")
        await drive(callers, plan.warm_up)
        await quiet(watched, callers[0])
        _say(f"driving for {plan.seconds:.0f} s")
        watching = asyncio.create_task(watch(watched, ledger))
        breaking = asyncio.create_task(
            break_now_and_then(
                relay,
                random.Random(f"{plan.seed} faults"),
                time.monotonic() + plan.seconds,
                min(10.0, plan.seconds / 4),
            )
        )
        await drive(callers, plan.seconds)
        faults = await breaking
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        back = await recovers(services.address, keys[0], ledger)
        await quiet(watched, callers[0])
        changes = await books.check(ledger, own)
        kept = processes.size_of(state)
        stopped = await asyncio.to_thread(stop, services.process, ledger)
        for log in services.logs:
            for line in _complaints(log.read_text()):
                ledger.blame(f"{log.name} wrote: {line}")
    grown = [wrong for one in watched for wrong in one.grown(plan.seconds)]
    _print_processes(watched)
    _print_outcomes(ledger)
    broken = ", ".join(f"{fault} ({count})" for fault, count in faults.items())
    print(f"Odoo was: {broken or 'never cut off'}.")
    if back is not None:
        print(f"After the last fault a read succeeded again within {back:.1f} s.")
    print(
        f"{changes:,} changes were compared with what Odoo holds; {ledger.replayed:,} "
        "answers were first answers given again."
    )
    sizes = ", ".join(f"{name} {size / _MIB:.1f}" for name, size in kept.items())
    print(f"State directory in MiB: {sizes}. The audit grows with every change.")
    print(f"On SIGTERM the service ended within {stopped:.1f} s.")
    print(_bounds(plan.seconds))
    for wrong, count in Counter(ledger.wrong + grown).most_common(_SHOWN):
        print(f"WRONG, {count} times: {wrong}")
    if not ledger.wrong + grown:
        print("Nothing grew beyond these bounds, and no outcome was wrong.")
    return 1 if ledger.wrong + grown else 0


def stop(process: subprocess.Popen[bytes], ledger: Ledger) -> float:
    """Send SIGTERM to the service, and answer after how many seconds it ended."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        if (code := process.wait(_STOPS_WITHIN)) != 0:
            ledger.blame(f"The service ended with {code}.")
    except subprocess.TimeoutExpired:
        ledger.blame("The service did not end when it was told to.")
    return time.monotonic() - began


def _complaints(log: str) -> Iterator[str]:
    """Answer the lines of a log that tell of a crash, or that no logger wrote."""
    for line in log.splitlines():
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            if said["level"] in _BAD or said.get("logger") == "py.warnings":
                yield str(said.get("exception") or said["event"])[-300:]
        elif "Traceback" in line or "Error" in line:
            yield line


# What is printed


def _print_processes(watched: Sequence[Watched]) -> None:
    print(
        f"{'process':16}{'MiB first':>10}{'last':>7}{'most':>7}{'per hour':>10}"
        f"{'handles':>10}{'most':>6}{'clients':>9}{'most':>6}{'Odoo':>6}{'most':>6}"
        f"{'threads':>9}"
    )
    for one in watched:
        if not one.was_there:
            continue  # it is gone, which is told as wrong
        before, after = one.idle
        most = {
            name: max(getattr(sample, name) for sample in one.samples)
            for name in ("memory", "handles", "to_clients", "to_odoo")
        }
        print(
            f"{one.name:16}{one.first:10.1f}{one.last:7.1f}{most['memory']:7.1f}"
            f"{processes.growth_an_hour(one.samples):+10.1f}"
            f"{_both(before.handles, after.handles):>10}{most['handles']:6}"
            f"{_both(before.to_clients, after.to_clients):>9}{most['to_clients']:6}"
            f"{_both(before.to_odoo, after.to_odoo):>6}{most['to_odoo']:6}"
            f"{_both(before.threads, after.threads):>9}"
        )
    print()


def _both(before: int, after: int) -> str:
    return f"{before} → {after}"


def _print_outcomes(ledger: Ledger) -> None:
    print(f"{'call':28}{'calls':>8}{'longest':>10}  outcomes")
    for way, outcomes in sorted(ledger.outcomes.items()):
        shown = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
        print(f"{way:28}{outcomes.total():8}{ledger.longest[way]:8.1f} s  {shown}")
    total = sum(outcomes.total() for outcomes in ledger.outcomes.values())
    print(f"{'together':28}{total:8}")
    print()


def _bounds(seconds: float) -> str:
    text = (
        f"Bounds: at the end at most {MORE_HANDLES} handles and {MORE_THREADS} threads "
        f"more than at the start, idle; {MORE_MEMORY:.0f} MiB more in the last minute "
        "than in the first"
    )
    if seconds >= LONG_ENOUGH:
        return f"{text}; {MORE_AN_HOUR:.0f} MiB an hour."
    return f"{text}. Growth an hour is not judged in less than five minutes."


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> int:
    """Read the command line, and soak."""
    parser = argparse.ArgumentParser(
        description="Drive the real services with bad days in between; does it grow?"
    )
    parser.add_argument("minutes", type=float, help="how long, without the warm-up")
    parser.add_argument("--callers", type=int, default=CALLERS, help="how many at once")
    parser.add_argument("--seed", type=int, default=1, help="for their whims")
    parser.add_argument(
        "--odoo",
        metavar="URL",
        help="a real Odoo; ODOO_DB, ODOO_USER and ODOO_PASSWORD are the login. "
        "What is made there is deleted in the end.",
    )
    asked = parser.parse_args()
    if not processes.PROC.joinpath("self", "fd").is_dir():
        parser.error("it looks at /proc, which only Linux has.")
    if asked.minutes <= 0 or asked.callers <= 0:
        parser.error("give some minutes and some callers.")
    login = Credentials("demo", "admin", "admin")
    if asked.odoo is not None:
        names = ("ODOO_DB", "ODOO_USER", "ODOO_PASSWORD")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            parser.error(f"set {', '.join(missing)}.")
        login = Credentials(*(os.environ[name] for name in names))
    seconds = asked.minutes * _MINUTE
    plan = Plan(seconds, asked.callers, asked.seed, asked.odoo, login)
    return asyncio.run(soak(plan))


if __name__ == "__main__":
    sys.exit(main())
