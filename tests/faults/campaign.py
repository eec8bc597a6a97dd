"""Random faults, and callers who behave as they should, at every door.

Each case is drawn from a seed and its number: a door, a wire, an operation, a fault and
the request that it hits. A caller asks again where nothing was done, looks where nobody
knows, and asks under another key only then. What reached Odoo is counted between the
service and Odoo, and what is there is counted in Odoo.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import httpx2

from odooport import Call, OdooGateway, Session

from .proxy import (
    Asked,
    Fault,
    FaultyProxy,
    bad_gateway_after,
    bad_gateway_before,
    bomb,
    byte_by_byte,
    cut_short,
    deep,
    drop_after,
    drop_before,
    drop_midway,
    garbled,
    no_answer,
    no_answer_though_done,
    pass_on,
    redirect,
    reset,
    trickle,
    unfinished_chunks,
    wrong_type,
)
from .world import DOORS, Answer, Door, McpDoor, RestDoor, open_door

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "bad_gateway_after": bad_gateway_after,
        "bad_gateway_before": bad_gateway_before,
        "bomb": bomb,
        "byte_by_byte": byte_by_byte(0.3),
        "cut_short": cut_short,
        "deep": deep,
        "drop_after": drop_after,
        "drop_before": drop_before,
        "drop_midway": drop_midway,
        "garbled": garbled,
        "idle_reset": pass_on,
        "no_answer": no_answer,
        "no_answer_though_done": no_answer_though_done,
        "redirect": redirect("http://127.0.0.1:9/"),
        "reset": reset,
        "trickle": trickle,
        "unfinished_chunks": unfinished_chunks,
        "wrong_type": wrong_type,
    }
)
READS = ("search", "read", "count")
WRITES = ("create", "update", "delete", "copy", "method")
WIRES = ("jsonrpc", "xmlrpc")
TARGETS = ("login", "schema", "any", "call", "call", "call")
"""Which request a fault hits: most of all the one that does what is asked for."""

WRITING = frozenset({"create", "write", "unlink", "copy", "name_create"})
"""The methods by which the operations write."""

NOT_DONE = frozenset({"gateway_unavailable", "gateway_protocol", "rate_limited"})
"""Codes that say that nothing was written."""

_PAUSE = 0.1
_PATIENCE = 60.0
_SLACK = 3.0
"""What an answer may take longer than the deadline, on a machine with much to do."""

_RECORDS = "/v1/models/res.partner/records"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one request.

    Attributes:
        number: Its number.
        door: Where the caller asks.
        wire: How the service speaks with Odoo.
        operation: What the caller wants.
        keyed: Whether he sends an idempotency key.
        tagged: Whether he says which version he has seen.
        fault: What happens.
        target: To which request.
        nth: To which one of them.
        times: To how many of them.
    """

    number: int
    door: str
    wire: str
    operation: str
    keyed: bool
    tagged: bool
    fault: str
    target: str
    nth: int
    times: int

    def is_hit(self, asked: Asked) -> bool:
        """Answer whether a request is one that the fault may hit."""
        match self.target:
            case "login":
                return asked.service == "common"
            case "schema":
                return asked.name == "fields_get"
            case "call" if self.operation in WRITES:
                return asked.name in WRITING
            case "call":
                return asked.service == "object" and asked.name != "fields_get"
            case _:
                return True


def drawn(seed: int, number: int) -> Case:
    """Answer the case that a seed has under a number; always the same."""
    random = Random(f"{seed}:{number}")
    operation = random.choice(READS + WRITES + WRITES)
    writes = operation in WRITES
    return Case(
        number,
        random.choice(DOORS),
        random.choice(WIRES),
        operation,
        writes and random.random() < 0.5,
        operation in ("update", "delete") and random.random() < 0.5,
        random.choice([*FAULTS]),
        random.choice(TARGETS),
        random.randint(1, 3),
        random.choice((1, 1, 1, 2, 3)),
    )


@dataclass(frozen=True)
class Behind:
    """The Odoo behind everything, and a way to it beside all proxies.

    Attributes:
        address: Where it is.
        database: Its database.
        login: Who may do everything there.
        password: His password.
        gateway: The way to it.
        session: His session.
    """

    address: str
    database: str
    login: str
    password: str
    gateway: OdooGateway
    session: Session

    async def run(self, method: str, *args: Any) -> Any:
        """Run a method of the contacts."""
        call = Call("res.partner", method, args)
        return await self.gateway.execute(self.session, call)

    async def count(self, *domain: Any) -> int:
        """Answer how many contacts fit."""
        return int(await self.run("search_count", [*domain]))


@dataclass
class Lane:
    """One door over one wire; its cases are played one after the other.

    Attributes:
        door: The door.
        proxy: What stands between it and Odoo.
        instances: The names of that Odoo that nobody has used yet; the last one stays.
        all: All of its names.
    """

    door: Door
    proxy: FaultyProxy
    instances: list[str]
    all: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.all = tuple(self.instances)

    def instance_for(self, case: Case) -> str:
        """Answer one that has never logged in, if the fault is about that."""
        if case.target in ("login", "schema") and len(self.instances) > 1:
            return self.instances.pop(0)
        return self.instances[-1]


@dataclass
class Play:
    """A case while it is played.

    Attributes:
        case: The case.
        lane: Where.
        odoo: The Odoo behind it.
        deadline: How many seconds a request may take.
        name: What its record is called, and nothing else is.
        instance: Which instance the caller asks.
        record: The record that was there before; 0 if there is none.
        told: What happened, for people.
        wrong: What must not have happened.
    """

    case: Case
    lane: Lane
    odoo: Behind
    deadline: float
    name: str
    instance: str
    record: int = 0
    told: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    async def run(self) -> None:
        """Play it to the end."""
        case, proxy = self.case, self.lane.proxy
        if case.operation not in ("create", "method"):
            self.record = await self.odoo.run("create", {"name": self.name})
        if case.fault == "idle_reset":
            proxy.reset_idle()
        seen = 0

        def hits(asked: Asked) -> bool:
            nonlocal seen
            seen += case.is_hit(asked)
            first = case.nth if case.target == "any" else 1
            return case.is_hit(asked) and seen >= first

        proxy.inject(FAULTS[case.fault], hits=hits, times=case.times)
        try:
            async with asyncio.timeout(_PATIENCE):
                await (self._write() if case.operation in WRITES else self._read())
        except TimeoutError:
            self.wrong.append("the caller hung")
        finally:
            proxy.heal()
        if case.operation in WRITES and not self.wrong:
            done = await self._effect()
            self._check(done == 1, f"it was done {done} times in Odoo")

    def _check(self, true: bool, otherwise: str) -> None:
        if not true:
            self.wrong.append(otherwise)

    # Reading

    async def _read(self) -> None:
        answer = await self._insist(self._asked_read)
        self._check(answer.code == "ok", f"a read ended with {answer.code!r}")
        self._check(self.name in answer.text, "a read answered without the record")

    async def _asked_read(self) -> Answer:
        door, instance = self.lane.door, self.instance
        match self.case.operation:
            case "search":
                return await self._search(["name", "=", self.name])
            case "read":
                return await door.read(self.record, instance)
            case _:
                counted = await self._search(["name", "=", self.name], count=True)
                total = counted.data.get("page", counted.data)
                self._check(
                    counted.code != "ok"
                    or 1 in (total.get("total"), total.get("count")),
                    f"it counted otherwise: {counted.text}",
                )
                return Answer(
                    counted.code, None, counted.seconds, counted.text + self.name
                )

    async def _search(self, *domain: Any, count: bool = False) -> Answer:
        door, instance = self.lane.door, self.instance
        if isinstance(door, McpDoor):
            if count:
                return await door.ask("count_records", instance, domain=[*domain])
            return await door.ask("search_records", instance, domain=[*domain])
        assert isinstance(door, RestDoor)
        body: dict[str, Any] = {"domain": [*domain], "fields": ["name"]}
        if count:
            body["count"] = "exact"
        path = "/v1/models/res.partner/search"
        return await door.ask("POST", path, instance, body)

    async def _insist(self, ask: Callable[[], Any]) -> Answer:
        """Ask until Odoo is there again."""
        while True:
            answer, reached = await self._asked(ask)
            self._check(reached == 0, "a read has written")
            if answer.code not in NOT_DONE:
                return answer
            await asyncio.sleep(_PAUSE)

    async def _asked(self, ask: Callable[[], Any]) -> tuple[Answer, int]:
        """Ask once; answer how often what writes reached Odoo meanwhile."""
        forwarded = self.lane.proxy.forwarded
        before = len(forwarded)
        answer: Answer = await ask()
        reached = sum(asked.name in WRITING for asked in forwarded[before:])
        again = ", replayed" if answer.replayed else ""
        self.told.append(
            f"{answer.code}{again} after {answer.seconds:.2f} s, written {reached}"
        )
        self._check(
            answer.seconds <= self.deadline + _SLACK,
            f"an answer took {answer.seconds:.1f} s",
        )
        self._check(answer.code not in ("", "internal"), f"answered {answer.text}")
        return answer, reached

    # Writing

    async def _write(self) -> None:
        tag = await self._version() if self.case.tagged else None
        for number in range(100):
            key = f"{self.name}-{number}" if self.case.keyed else None
            if await self._settled(tag, key):
                return
        self._check(False, "it never came to an end")

    async def _settled(self, tag: str | None, key: str | None) -> bool:
        """Ask until it is done or nobody knows; answer whether it is done."""

        async def ask() -> Answer:
            return await self._asked_write(tag, key)

        while True:
            answer, reached = await self._asked(ask)
            self._check(reached <= 1, f"it was sent {reached} times")
            if answer.code not in NOT_DONE:
                break
            self._check(reached == 0, f"{answer.code!r}, and it was written")
            await asyncio.sleep(_PAUSE)
        match answer.code:
            case "ok":
                self._check(reached == 1, "a success, and nothing was written")
                self._check(not answer.replayed, "a first answer called a repetition")
            case "answer_lost":
                self._check(reached == 1, "called done, and nothing was written")
            case "outcome_unknown":
                if key is not None:
                    again, reached = await self._asked(ask)
                    self._check(reached == 0, "it was sent again under its key")
                    self._check(
                        again.code == "outcome_unknown",
                        f"nobody knew, and then its key says {again.code!r}",
                    )
                return await self._looked()
            case code:
                self._check(False, f"a write ended with {code!r}: {answer.text}")
        if key is not None:
            again, reached = await self._asked(ask)
            self._check(reached == 0, "it was sent again under its key")
            self._check(
                again.code == answer.code
                and again.data == answer.data
                and (again.replayed or answer.code != "ok"),
                f"not the first answer: {again.text}",
            )
        return True

    async def _version(self) -> str:
        door, instance = self.lane.door, self.instance

        async def ask() -> Answer:
            if isinstance(door, McpDoor):
                return await door.ask(
                    "read_records",
                    instance,
                    ids=[self.record],
                    fields=["name", "city"],
                    versions=True,
                )
            return await door.read(self.record, instance)

        answer = await self._insist(ask)
        if answer.code != "ok":
            self._check(False, f"a read ended with {answer.code!r}")
            return ""
        return answer.tag or str(answer.data["versions"][0])

    async def _asked_write(self, tag: str | None, key: str | None) -> Answer:
        door = self.lane.door
        if isinstance(door, McpDoor):
            return await self._asked_tool(door, tag, key)
        assert isinstance(door, RestDoor)
        name, one = self.name, f"{_RECORDS}/{self.record}"
        verb, path, body = {
            "create": ("POST", f"{_RECORDS}?fields=name", {"name": name}),
            "update": ("PATCH", f"{one}?fields=city", {"city": name}),
            "delete": ("DELETE", one, None),
            "copy": ("POST", f"{one}/copy", {}),
            "method": (
                "POST",
                "/v1/models/res.partner/methods/name_create",
                {"args": [name]},
            ),
        }[self.case.operation]
        return await door.ask(verb, path, self.instance, body, tag=tag, key=key)

    async def _asked_tool(
        self, door: McpDoor, tag: str | None, key: str | None
    ) -> Answer:
        name, ids = self.name, [self.record]
        match = None if tag is None else [tag]
        tools: Mapping[str, tuple[str, dict[str, Any]]] = {
            "create": ("create_records", {"records": [{"name": name}]}),
            "update": (
                "update_records",
                {"ids": ids, "values": {"city": name}, "if_match": match},
            ),
            "delete": ("delete_records", {"ids": ids, "if_match": match}),
            "copy": ("copy_record", {"id": self.record}),
            "method": ("call_method", {"method": "name_create", "args": [name]}),
        }
        tool, arguments = tools[self.case.operation]
        return await door.ask(tool, self.instance, idempotency_key=key, **arguments)

    async def _looked(self) -> bool:
        """Look whether it is done, as a caller can; what he sees must be so."""
        operation, record = self.case.operation, self.record
        domain: Sequence[Any] = ["name", "=", self.name]
        wanted = 1
        if operation == "copy":
            domain, wanted = ["name", "=like", f"{self.name}%"], 2
        elif operation == "update":
            domain = ["city", "=", self.name]
        elif operation == "delete":
            domain, wanted = ["id", "=", record], 0
        answer = await self._insist(lambda: self._search([*domain]))
        if answer.code != "ok":
            self._check(False, f"a look ended with {answer.code!r}")
            return True
        found = len(answer.data["records"])
        done = await self._effect()
        self._check((found == wanted) == (done == 1), f"a look has found {found}")
        self._check(done <= 1, f"it was done {done} times in Odoo")
        self.told.append(f"looked: done {done} times")
        return done > 0

    async def _effect(self) -> int:
        """Answer how often it was done, as Odoo itself has it."""
        match self.case.operation:
            case "copy":
                return await self.odoo.count(["name", "=like", f"{self.name}%"]) - 1
            case "update":
                return await self.odoo.count(["city", "=", self.name])
            case "delete":
                return 1 - await self.odoo.count(["id", "=", self.record])
            case _:
                return await self.odoo.count(["name", "=", self.name])


# All of it


def _toml(
    odoo: Behind, lanes: Mapping[str, Lane], call_seconds: float, deadline: float
) -> str:
    lines = [
        'rate_limit = "1000000/minute"',
        'address_rate_limit = "1000000/minute"',
        f"deadline = {deadline}",
    ]
    for wire, lane in lanes.items():
        for name in lane.instances:
            lines += [
                f"[instances.{name}]",
                f'url = "{lane.proxy.address}"',
                f'db = "{odoo.database}"',
                f'user = "{odoo.login}"',
                f'password = "{odoo.password}"',
                f'transport = "{wire}"',
                f"timeout = {call_seconds}",
            ]
    return "\n".join([*lines, ""])


def _children() -> set[int]:
    """Answer the processes that this one has started."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text("utf-8").rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == os.getpid():
            found.add(int(path.parent.name))
    return found


def _open_files(processes: set[int]) -> int:
    return sum(len([*Path(f"/proc/{it}/fd").iterdir()]) for it in processes)


@asynccontextmanager
async def _lanes(
    odoo: Behind,
    cases: Sequence[Case],
    directory: Path,
    call_seconds: float,
    deadline: float,
) -> AsyncGenerator[dict[tuple[str, str], Lane]]:
    lanes: dict[tuple[str, str], Lane] = {}
    async with AsyncExitStack() as stack:
        for number, name in enumerate(DOORS):
            mine: dict[str, Lane] = {}
            for wire in WIRES:
                proxy = FaultyProxy(odoo.address)
                stack.push_async_callback(proxy.aclose)
                await proxy.start()
                fresh = sum(
                    (case.door, case.wire) == (name, wire)
                    and case.target in ("login", "schema")
                    for case in cases
                )
                instances = [f"{wire}-{it}" for it in range(fresh + 1)]
                # the door is not there before its file is written
                mine[wire] = Lane(RestDoor(httpx2.AsyncClient()), proxy, instances)
            home = directory / f"door{number}"
            home.mkdir()
            toml = _toml(odoo, mine, call_seconds, deadline)
            (home / "odooport.toml").write_text(toml, encoding="utf-8")
            door, _ = await open_door(name, home, stack)
            for wire, lane in mine.items():
                lane.door = door
                lanes[name, wire] = lane
        yield lanes


async def campaign(
    odoo: Behind,
    cases: Sequence[Case],
    directory: Path,
    *,
    prefix: str,
    call_seconds: float = 1.0,
    deadline: float = 8.0,
) -> list[Play]:
    """Play cases, and answer those in which something went wrong.

    Args:
        odoo: The Odoo behind the doors.
        cases: What to play.
        directory: An empty directory for the services.
        prefix: What the names of all records begin with.
        call_seconds: How many seconds one call to Odoo may take.
        deadline: How many seconds one request may take.

    Raises:
        AssertionError: Something did not come back after it: an answer, or files and
            connections.
    """
    outsiders = _children()
    failed: list[Play] = []

    async def play(lane: Lane, mine: list[Case]) -> None:
        for case in mine:
            name = f"{prefix}{case.number}"
            instance = lane.instance_for(case)
            it = Play(case, lane, odoo, deadline, name, instance)
            await it.run()
            if it.wrong:
                failed.append(it)

    async with _lanes(odoo, cases, directory, call_seconds, deadline) as lanes:
        processes = _children() - outsiders
        for number, lane in enumerate(lanes.values()):  # some files open with a write
            name = f"{prefix}before-{number}"
            answer = await lane.door.create(name, lane.instances[-1], key=name)
            assert answer.code == "ok", answer.text
        at_first = _open_files(processes)
        async with asyncio.TaskGroup() as group:
            for place, lane in lanes.items():
                mine = [case for case in cases if (case.door, case.wire) == place]
                group.create_task(play(lane, mine))
        places = [(lane, instance) for lane in lanes.values() for instance in lane.all]
        for lane, instance in places:
            until = time.monotonic() + 2 * deadline  # a breaker may still be open
            while (answer := await lane.door.read(1, instance)).code != "ok":
                assert time.monotonic() < until, f"no recovery: {answer.text}"
                await asyncio.sleep(_PAUSE)
        # each instance keeps the connection that it has used last
        most, until = at_first + len(places), time.monotonic() + 10
        while (now := _open_files(processes)) > most:
            assert time.monotonic() < until, f"{at_first} open files became {now}"
            await asyncio.sleep(_PAUSE)
    return failed


def chosen(seed: int, count: int) -> list[Case]:
    """Answer the first cases of a seed, or the one that ``ODOOPORT_TEST_FAULT`` names.

    That variable is ``seed:number``, as ``report`` shows it.
    """
    if named := os.environ.get("ODOOPORT_TEST_FAULT"):
        again, number = map(int, named.split(":"))
        return [drawn(again, number)]
    return [drawn(seed, number) for number in range(count)]


def report(seed: int, failed: Sequence[Play], where: str) -> str:
    """Write what went wrong, and how to see it again.

    Args:
        seed: What the cases were drawn from.
        failed: The cases.
        where: The file of tests that has played them.
    """
    command = f"python -m pytest -k 100 tests/{where}/test_random_faults.py"
    lines: list[str] = []
    for it in failed:
        lines += [
            f"{it.case}",
            *(f"    WRONG: {what}" for what in it.wrong),
            *(f"    {what}" for what in it.told),
            f"    again: ODOOPORT_TEST_FAULT={seed}:{it.case.number} {command}",
        ]
    return "\n".join(lines)
