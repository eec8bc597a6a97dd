"""Callers that use every door in every way, and a ledger of what they were told."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx2

from odooport import OdooportError
from odooport_mcp.client import OdooportClient, connect

MODEL = "res.partner"
RECORDS = f"/v1/models/{MODEL}/records"
DONE = "ok"

_PATIENCE = 40.0
"""Seconds after which a caller hangs; the services are told to answer much sooner."""

_SETTLED_WITHIN = 60.0
"""How many seconds a caller goes on asking again with its key."""

_AWAY = "gateway_unavailable"
_UNKNOWN = "outcome_unknown"
_LOST = "answer_lost"
_IN_FLIGHT = "idempotency_in_flight"
_READS = frozenset({DONE, _AWAY})
_WRITES = frozenset({DONE, _AWAY, _UNKNOWN, _LOST})
_STRANGERS = frozenset({"authentication_failed", "rate_limited"})
_HUNG_UP = "hung up"
_HUNG = "hung"
_BROKEN = "broken: "
_PAUSE_SECONDS = 0.3
_PAGE = 300
"""How many of the long records a slow reader asks for."""

_ENOUGH = 100_000
"""After how many bytes one who leaves early has enough."""

type Action = Callable[[], Awaitable[None]]


class Said(StrEnum):
    """What a caller was told in the end about one change."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"
    UNDONE = "done, and deleted again"


_TOLD: Mapping[str, Said] = {
    DONE: Said.DONE,
    _LOST: Said.DONE,
    _UNKNOWN: Said.UNKNOWN,
    _HUNG_UP: Said.UNKNOWN,
    _IN_FLIGHT: Said.UNKNOWN,
}
"""Every other code of Odooport says that nothing was done."""


def _told(outcome: str) -> Said:
    if outcome == _HUNG or outcome.startswith(_BROKEN):
        return Said.UNKNOWN
    return _TOLD.get(outcome, Said.NOT_DONE)


@dataclass
class Ledger:
    """What was asked for and what was answered.

    Attributes:
        created: What was said about the record of each name.
        posted: What was said about each message.
        written: The value that each record was told to have in the end; None where
            nobody can know.
        outcomes: How often each way to call ended how.
        longest: The seconds of the longest call of each way.
        wrong: What should not have been; each in a sentence.
        replayed: How many answers were first answers given again.
    """

    created: dict[str, Said] = field(default_factory=dict[str, Said])
    posted: dict[str, Said] = field(default_factory=dict[str, Said])
    written: dict[int, str | None] = field(default_factory=dict[int, str | None])
    outcomes: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    longest: dict[str, float] = field(default_factory=dict[str, float])
    wrong: list[str] = field(default_factory=list[str])
    replayed: int = 0

    def note(
        self, way: str, outcome: str, seconds: float, allowed: frozenset[str]
    ) -> None:
        """Count one call, and see whether it may end like this."""
        self.outcomes.setdefault(way, Counter())[outcome] += 1
        self.longest[way] = max(seconds, self.longest.get(way, 0.0))
        if outcome not in allowed:
            self.wrong.append(f"{way} was answered {outcome!r}.")

    def blame(self, wrong: str) -> None:
        """Note what should not have been."""
        self.wrong.append(wrong)


@dataclass(frozen=True, slots=True)
class World:
    """What every caller knows.

    Attributes:
        address: Where the HTTP doors are.
        run: A word that marks whatever this run makes.
        known: Records that nobody changes, by id, with their names.
        ledger: Where everything is noted.
        stdio: A client of the stdio service.
    """

    address: str
    run: str
    known: Mapping[int, str]
    ledger: Ledger
    stdio: OdooportClient


class Caller:
    """One caller: a key of its own, and one call after the other until told to end.

    Args:
        world: What it knows.
        name: What it is called; no other is called the same.
        key: Its API key, for every right.
        mine: A record that it alone changes.
        choice: Where its whims come from.
    """

    def __init__(
        self, world: World, name: str, key: str, mine: int, choice: random.Random
    ) -> None:
        self._world = world
        self._ledger = world.ledger
        self._name = name
        self._key = key
        self._mine = mine
        self._choice = choice
        self._made: list[tuple[str, int]] = []
        self._count = 0
        self._kept_alive = self._http()
        actions: Sequence[tuple[int, Action]] = (
            (10, self._search),
            (10, self._read),
            (6, self._aggregate),
            (3, self._describe),
            (5, self._create),
            (8, self._create_with_key),
            (3, self._post_with_key),
            (5, self._update),
            (8, self._delete),
            (4, self._hang_up_on_a_read),
            (4, self._hang_up_on_a_create),
            (4, self._hang_up_and_ask_again),
            (1, self._read_slowly),
            (2, self._try_a_wrong_key),
            (4, self._use_mcp),
            (6, self._use_stdio),
        )
        self._weights = [weight for weight, _ in actions]
        self._actions = [action for _, action in actions]

    def _http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._world.address,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=_PATIENCE,
            limits=httpx2.Limits(keepalive_expiry=2.0),
            trust_env=False,
        )

    async def go_on(self, until: float, pause: float) -> None:
        """Call until a moment, with short pauses in between.

        Args:
            until: The moment, by ``time.monotonic``.
            pause: How many seconds a pause has on average.
        """
        async with self._kept_alive:
            while time.monotonic() < until:
                (action,) = self._choice.choices(self._actions, self._weights)
                await action()
                await asyncio.sleep(self._choice.uniform(0, 2 * pause))
        self._kept_alive = self._http()

    async def one_call(self) -> None:
        """Make one call at a time when nobody else does."""
        async with self._kept_alive:
            await self._aggregate()
        self._kept_alive = self._http()
        count = self._world.stdio.count_records(MODEL)
        await self._call("stdio count", count, _READS)

    def _mark(self) -> str:
        self._count += 1
        return f"{self._world.run} {self._name} {self._count}"

    @asynccontextmanager
    async def _line(self) -> AsyncGenerator[httpx2.AsyncClient]:
        """Answer a client: mostly the one that is kept alive, at times a new one."""
        if self._choice.random() < 0.7:
            yield self._kept_alive
        else:
            async with self._http() as http:
                yield http

    async def _ask(
        self,
        way: str,
        method: str,
        path: str,
        *,
        allowed: frozenset[str],
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str, httpx2.Response | None]:
        """Ask over REST, and answer how it ended, with the answer if one came."""
        began = time.monotonic()
        answer = None
        try:
            async with self._line() as http:
                answer = await http.request(
                    method, path, json=body, headers=dict(headers or {})
                )
            outcome = DONE if answer.is_success else str(answer.json()["code"])
        except httpx2.TimeoutException:
            outcome = _HUNG
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            outcome = f"{_BROKEN}{type(error).__name__}"
        self._ledger.note(way, outcome, time.monotonic() - began, allowed)
        return outcome, answer

    # What reads

    async def _search(self) -> None:
        way = "REST search"
        path = f"{RECORDS}?q={self._world.run}&limit=5&fields=name"
        outcome, answer = await self._ask(way, "GET", path, allowed=_READS)
        if outcome == DONE and answer is not None and not answer.json()["records"]:
            self._ledger.blame("A search found nothing where there is something.")

    async def _read(self) -> None:
        record_id, name = self._choice.choice(list(self._world.known.items()))
        path = f"{RECORDS}/{record_id}?fields=name"
        outcome, answer = await self._ask("REST read", "GET", path, allowed=_READS)
        if outcome == DONE and answer is not None and answer.json()["name"] != name:
            self._ledger.blame("A record was read that is another one.")

    async def _aggregate(self) -> None:
        path = f"/v1/models/{MODEL}/aggregate"
        await self._ask("REST aggregate", "GET", path, allowed=_READS)

    async def _describe(self) -> None:
        path = f"/v1/models/{MODEL}?level=brief&refresh=true"
        await self._ask("REST describe", "GET", path, allowed=_READS)

    # What changes something

    async def _create(self) -> None:
        mark = self._mark()
        outcome, answer = await self._ask(
            "REST create",
            "POST",
            f"{RECORDS}?fields=name",
            allowed=_WRITES,
            body={"name": mark},
        )
        self._was_created(mark, outcome, answer)

    def _was_created(
        self, mark: str, outcome: str, answer: httpx2.Response | None
    ) -> None:
        self._ledger.created[mark] = _told(outcome)
        if outcome == DONE and answer is not None:
            self._made.append((mark, int(answer.json()["id"])))

    async def _create_with_key(self) -> None:
        await self._settle_create(self._mark())

    async def _settle_create(self, mark: str) -> None:
        path = f"{RECORDS}?fields=name"
        way, body = "REST create, key", {"name": mark}
        outcome, answer = await self._settle(way, "POST", path, mark, body)
        self._was_created(mark, outcome, answer)
        if outcome == DONE and answer is not None and self._choice.random() < 0.3:
            again, second = await self._settle(way, "POST", path, mark, body)
            if again == DONE and second is not None:
                first_id, second_id = answer.json()["id"], second.json()["id"]
                if (first_id, "Idempotency-Replayed" in second.headers) != (
                    second_id,
                    True,
                ):
                    self._ledger.blame("A key gave another answer than the first time.")

    async def _post_with_key(self) -> None:
        mark = self._mark()
        outcome, _ = await self._settle(
            "REST method, key",
            "POST",
            f"/v1/models/{MODEL}/methods/message_post",
            mark,
            {"ids": [self._mine], "kwargs": {"body": mark}},
        )
        self._ledger.posted[mark] = _told(outcome)

    async def _settle(
        self, way: str, method: str, path: str, mark: str, body: object
    ) -> tuple[str, httpx2.Response | None]:
        """Ask with a key, again and again until it is known what became of it."""
        headers = {"Idempotency-Key": _key_of(mark)}
        until = time.monotonic() + _SETTLED_WITHIN
        while True:
            outcome, answer = await self._ask(
                way,
                method,
                path,
                allowed=_WRITES | {_IN_FLIGHT},
                body=body,
                headers=headers,
            )
            if answer is not None and "Idempotency-Replayed" in answer.headers:
                self._ledger.replayed += 1
            if outcome not in (_AWAY, _IN_FLIGHT):
                return outcome, answer
            if time.monotonic() > until:
                self._ledger.blame(f"{way} was never settled.")
                return outcome, answer
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _update(self) -> None:
        mark = self._mark()
        outcome, _ = await self._ask(
            "REST update",
            "PATCH",
            f"{RECORDS}/{self._mine}?fields=name",
            allowed=_WRITES,
            body={"ref": mark},
        )
        said = _told(outcome)
        if said is Said.DONE:
            self._ledger.written[self._mine] = mark
        elif said is Said.UNKNOWN:
            self._ledger.written[self._mine] = None

    async def _delete(self) -> None:
        if not self._made:
            return
        mark, record_id = self._made.pop(self._choice.randrange(len(self._made)))
        outcome, _ = await self._ask(
            "REST delete", "DELETE", f"{RECORDS}/{record_id}", allowed=_WRITES
        )
        match _told(outcome):
            case Said.DONE:
                self._ledger.created[mark] = Said.UNDONE
            case Said.UNKNOWN:
                self._ledger.created[mark] = Said.UNKNOWN
            case _:
                self._made.append((mark, record_id))

    # Whoever goes away, or takes his time

    async def _hang_up(
        self, way: str, method: str, path: str, body: object, mark: str | None = None
    ) -> None:
        """Ask on a connection of its own, and close it in the middle."""
        headers = {} if mark is None else {"Idempotency-Key": _key_of(mark)}
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._choice.uniform(0.002, 0.06)):
                async with self._http() as http:
                    await http.request(method, path, json=body, headers=headers)
        except (TimeoutError, httpx2.HTTPError):
            pass
        seconds = time.monotonic() - began
        self._ledger.note(way, _HUNG_UP, seconds, frozenset({_HUNG_UP}))

    async def _hang_up_on_a_read(self) -> None:
        path = f"{RECORDS}?limit=200&fields=name,comment"
        await self._hang_up("REST read, hung up", "GET", path, None)

    async def _hang_up_on_a_create(self) -> None:
        mark = self._mark()
        way, body = "REST create, hung up", {"name": mark}
        await self._hang_up(way, "POST", f"{RECORDS}?fields=name", body)
        self._ledger.created[mark] = Said.UNKNOWN

    async def _hang_up_and_ask_again(self) -> None:
        mark = self._mark()
        way, body = "REST create, key, hung up", {"name": mark}
        await self._hang_up(way, "POST", f"{RECORDS}?fields=name", body, mark)
        await self._settle_create(mark)

    async def _read_slowly(self) -> None:
        """Take a large answer in small bites; leave in the middle at times."""
        began = time.monotonic()
        path = f"{RECORDS}?domain={_LONG}&limit={_PAGE}&fields=name,comment"
        host, _, port = self._world.address.removeprefix("http://").partition(":")
        leaves = self._choice.random() < 0.3
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"Authorization: Bearer {self._key}\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        outcome, answer = _HUNG_UP, b""
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                line.setblocking(False)
                async with asyncio.timeout(_PATIENCE):
                    await loop.sock_connect(line, (host, int(port)))
                    await loop.sock_sendall(line, head.encode())
                    while data := await loop.sock_recv(line, 16 * 1024):
                        answer += data
                        if leaves and len(answer) > _ENOUGH:
                            break
                        await asyncio.sleep(0.02)
                    else:
                        outcome = _outcome_of(answer)
        except TimeoutError:
            outcome = _HUNG
        except OSError as error:
            outcome = f"{_BROKEN}{type(error).__name__}"
        seconds = time.monotonic() - began
        self._ledger.note("REST slow reader", outcome, seconds, _READS | {_HUNG_UP})

    async def _try_a_wrong_key(self) -> None:
        # the number of a key that there is, with a secret that is not its own
        wrong = f"{self._key.rpartition('_')[0]}_{self._choice.randbytes(24).hex()}"
        await self._ask(
            "REST, wrong key",
            "GET",
            "/v1/me",
            allowed=_STRANGERS,
            headers={"Authorization": f"Bearer {wrong}"},
        )

    # MCP

    async def _use_mcp(self) -> None:
        """Come, ask a few things one after the other, and go."""
        try:
            async with connect(f"{self._world.address}/mcp", self._key) as client:
                for _ in range(self._choice.randrange(1, 6)):
                    await self._tool("MCP", client)
        except OdooportError as error:
            self._ledger.note("MCP connect", error.code, 0.0, _READS)

    async def _use_stdio(self) -> None:
        await self._tool("stdio", self._world.stdio)

    async def _tool(self, door: str, client: OdooportClient) -> None:
        mark = self._mark()
        match self._choice.randrange(4):
            case 0:
                await self._call(
                    f"{door} search",
                    client.search_records(MODEL, q=self._world.run, limit=5),
                    _READS,
                )
            case 1:
                await self._call(f"{door} count", client.count_records(MODEL), _READS)
            case 2:
                made = client.create_records(MODEL, [{"name": mark}])
                outcome, ids = await self._call(f"{door} create", made, _WRITES)
                self._ledger.created[mark] = _told(outcome)
                if ids:
                    self._made.append((mark, ids[0]))
            case _:
                await self._settle_tool(f"{door} create, key", client, mark)

    async def _settle_tool(self, way: str, client: OdooportClient, mark: str) -> None:
        until = time.monotonic() + _SETTLED_WITHIN
        while True:
            made = client.create_records(
                MODEL, [{"name": mark}], idempotency_key=_key_of(mark)
            )
            outcome, ids = await self._call(way, made, _WRITES | {_IN_FLIGHT})
            if outcome not in (_AWAY, _IN_FLIGHT):
                break
            if time.monotonic() > until:
                self._ledger.blame(f"{way} was never settled.")
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        self._ledger.created[mark] = _told(outcome)
        if ids:
            self._made.append((mark, ids[0]))

    async def _call[T](
        self, way: str, asked: Awaitable[T], allowed: frozenset[str]
    ) -> tuple[str, T | None]:
        began = time.monotonic()
        answer = None
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await asked
            outcome = DONE
        except OdooportError as error:
            outcome = error.code
        except TimeoutError:
            outcome = _HUNG
        self._ledger.note(way, outcome, time.monotonic() - began, allowed)
        return outcome, answer


def _key_of(mark: str) -> str:
    """Answer an idempotency key, which may hold no spaces."""
    return mark.replace(" ", "-")


_LONG = "%5B%5B%22comment%22%2C%22%21%3D%22%2Cfalse%5D%5D"
"""The domain of the records that have a comment, as it stands in an address."""


def _outcome_of(answer: bytes) -> str:
    """Answer how a call ended, from all that came."""
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        said: Any = json.loads(body)
        return DONE if b" 200 " in head.split(b"\r\n")[0] else str(said["code"])
    except (ValueError, KeyError, TypeError):
        return f"{_BROKEN}the answer is not whole"
