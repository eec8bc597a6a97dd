"""Every fault between Odooport and Odoo, at every door: what the caller sees.

It stands in ``docs/faults.md``. Where it is meant to change, write it anew::

    python -m tests.faults.test_faults
"""

import asyncio
import itertools
import re
import statistics
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.proxy import (
    Exchange,
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
    endless,
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
from tests.faults.world import (
    BRIDGE,
    DOORS,
    PATIENCE,
    REST,
    Answer,
    MovableClock,
    Place,
    World,
    keep,
    odoo_in_memory,
    set_password,
)

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        sys.platform == "win32",
        reason="the proxies keep their ports as POSIX lets them",
    ),
]

IN_MILLISECONDS, AT_ONCE, CUT, RETRIED = 0.1, 1.0, 3.0, 6.0
"""Classes of time, in seconds: nothing is sent; at once; one timeout of one second;
three of them."""

ENDLESS = 256 * 1024 * 1024
"""More bytes than are ever taken of an answer."""

OK, AWAY, UNKNOWN, ODD, REFUSED = (
    "ok",
    "gateway_unavailable",
    "outcome_unknown",
    "gateway_protocol",
    "authentication_failed",
)
STATUS = {
    AWAY: 503,
    UNKNOWN: 504,
    ODD: 502,
    REFUSED: 401,
    "conflict": 409,
    "idempotency_in_flight": 409,
    "idempotency_mismatch": 422,
}
"""The HTTP status of each code."""

JSON_RPC, XML_RPC = "json", "xml"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Row:
    """One fault, and what is to be seen of it.

    Attributes:
        what: What happens, for the page.
        fault: What the proxy does; None if it is told otherwise.
        read: The code of a read whose every attempt is hit.
        again: The code of a read whose first attempt alone is hit.
        write: The code of a write.
        written: How often the write is done in Odoo.
        within: The most seconds that a write takes, or a read that is hit once.
        read_within: The most seconds that a read takes which is hit each time.
        wires: The wires that it applies to.
        patient: Whether one call to Odoo may take a minute here.
    """

    what: str
    fault: Fault | None
    read: str
    again: str
    write: str
    written: int
    within: float = AT_ONCE
    read_within: float = AT_ONCE
    wires: tuple[str, ...] = (JSON_RPC, XML_RPC)
    patient: bool = False


LOST = (AWAY, OK, UNKNOWN)
"""The connection broke: a read is asked again, and of a write nobody knows."""

STRANGE = (ODD, ODD, UNKNOWN)
"""Something came that is no answer of Odoo's."""

FINE = (OK, OK, OK)

ROWS = [
    Row("nothing at all", pass_on, *FINE, 1),
    Row("the kept connections are reset between two calls", None, *FINE, 1),
    Row(
        "the answer comes byte by byte, in time",
        byte_by_byte(0.3),
        *FINE,
        1,
        CUT,
        CUT,
        patient=True,
    ),
    Row("nothing listens at Odoo's address", None, AWAY, AWAY, AWAY, 0),
    Row("the connection breaks before Odoo has the request", drop_before, *LOST, 0),
    Row("the connection is reset when the request is sent", reset, *LOST, 0),
    Row("Odoo does it, and the connection breaks", drop_after, *LOST, 1),
    Row("Odoo does it, and its answer breaks off", drop_midway, *LOST, 1),
    Row("Odoo does it, and its answer is shorter than it says", cut_short, *LOST, 1),
    Row(
        "Odoo does it, and its answer lacks the last chunk", unfinished_chunks, *LOST, 1
    ),
    Row("Odoo takes the request and never answers", no_answer, *LOST, 0, CUT, RETRIED),
    Row(
        "Odoo does it and never answers",
        no_answer_though_done,
        *LOST,
        1,
        CUT,
        RETRIED,
    ),
    Row(
        "Odoo does it, and its answer trickles without an end",
        trickle,
        *LOST,
        1,
        CUT,
        RETRIED,
    ),
    Row("502 with a page, and Odoo has not seen it", bad_gateway_before, *LOST, 0),
    Row("502 with a page, though Odoo has done it", bad_gateway_after, *LOST, 1),
    Row("Odoo does it, and its answer is cut in two", garbled, *STRANGE, 1),
    Row("Odoo does it, and its answer is plain text", wrong_type, *STRANGE, 1),
    Row(
        "Odoo does it, and its answer has 3 GB",
        endless,
        *STRANGE,
        1,
        RETRIED,
        RETRIED,
        patient=True,
    ),
    Row("Odoo does it, and its answer is nested 100,000 deep", deep, *STRANGE, 1),
    Row(
        "Odoo does it, and its answer is an XML bomb",
        bomb,
        *STRANGE,
        1,
        wires=(XML_RPC,),
    ),
    Row("a redirect to another server", None, ODD, ODD, AWAY, 0),
]
DOWN = "nothing listens at Odoo's address"
RESET_BETWEEN = "the kept connections are reset between two calls"


@dataclass(frozen=True)
class Scene:
    """Something that happens beside the table.

    Attributes:
        what: What happens, for the page.
        asked: What the caller asks for.
        code: What it is answered.
        written: How often what it writes is done in Odoo afterwards.
        within: The most seconds that it takes.
        doors: Where it is tried.
    """

    what: str
    asked: str
    code: str
    written: int
    within: float = AT_ONCE
    doors: tuple[str, ...] = DOORS


EARLY = Scene("Odoo is not there when the services start", "write", AWAY, 0)
AWAY_FOR_LONG = Scene(
    "Odoo was away five times in a row", "write", AWAY, 0, IN_MILLISECONDS
)
SILENT_FOR_LONG = Scene(
    "Odoo was silent for five calls in a row", "write", AWAY, 0, IN_MILLISECONDS
)
BACK = Scene("Odoo is back; Odooport runs on", "write", OK, 1)
CERTIFICATES = {
    name: Scene(f"Odoo's TLS certificate {fault}", "write", AWAY, 0)
    for name, fault in {
        "tls-untrusted": "is of an authority that is not trusted",
        "tls-expired": "has expired",
        "tls-other-host": "is for another host",
    }.items()
}
LOST_LOGIN = Scene("the login before it loses its answer", "write", AWAY, 0)
LOST_SCHEMA = Scene(
    "the question for the fields before it loses its answer, each time",
    "write",
    AWAY,
    0,
)
NOT_READ_BACK = Scene(
    "Odoo does it, and then it cannot be read for the answer, which has the `id` alone",
    "write",
    OK,
    1,
    doors=(REST,),
)
OTHER_UIDS_READ = Scene(
    "another database is restored, where the user has another id", "read", OK, 0
)
OTHER_UIDS = Scene(
    "another database is restored, where the user has another id",
    "write",
    REFUSED,
    0,
)
OTHER_UIDS_NEXT = Scene("the same, at the next call", "write", OK, 1)
NEW_PASSWORD = Scene(
    "the user's password is changed; one login is tried, and no more",
    "write",
    REFUSED,
    0,
)
CLOCK = Scene("Odoo's clock jumps by 400 days, either way", "write", OK, 1)

KEY_UNKNOWN = Scene(
    "its answer was lost, and it comes again under its key", "write", UNKNOWN, 1
)
KEY_REPLAYED = Scene(
    "it is finished, and comes again under its key: the first answer, marked as such",
    "write",
    OK,
    1,
)
KEY_TAKEN = Scene(
    "another request came before under its key", "write", "idempotency_mismatch", 0
)
KEY_RUNNING = Scene(
    "it runs, and comes again under its key: it is done once",
    "write",
    "idempotency_in_flight",
    1,
)
KEY_FREE = Scene(
    "it was answered `gateway_unavailable`, and comes again under its key",
    "write",
    OK,
    1,
)
MOVED_ON = Scene(
    "the record moved on since its version was read: the answer says which fields",
    "write with a version",
    "conflict",
    0,
)
MOVED_ON_CLOCK = Scene(
    "the same, and Odoo's clock jumped by 400 days, either way",
    "write with a version",
    "conflict",
    0,
)

SCENES = {
    "Before and after the call": [
        EARLY,
        AWAY_FOR_LONG,
        SILENT_FOR_LONG,
        BACK,
        *CERTIFICATES.values(),
        LOST_LOGIN,
        LOST_SCHEMA,
        NOT_READ_BACK,
    ],
    "Another Odoo behind the same address": [
        OTHER_UIDS_READ,
        OTHER_UIDS,
        OTHER_UIDS_NEXT,
        NEW_PASSWORD,
        CLOCK,
    ],
    "With an idempotency key": [
        KEY_UNKNOWN,
        KEY_REPLAYED,
        KEY_TAKEN,
        KEY_RUNNING,
        KEY_FREE,
    ],
    "With a version": [MOVED_ON, MOVED_ON_CLOCK],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="it")
async def _it(directory: Path) -> AsyncGenerator[World]:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[World] = loop.create_future()
    over = asyncio.Event()
    keeper = asyncio.create_task(keep(directory, opened, over))
    yield await opened
    over.set()
    await keeper


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _healed(it: World) -> AsyncGenerator[None]:
    """Leave no fault behind, whatever happens."""
    yield
    for place in it.places.values():
        for proxy in place.proxies.values():
            proxy.heal()


def unique(what: str) -> str:
    """Answer a name that nothing in Odoo has, and that is a key as well."""
    return f"{what.replace(' ', '-')}-{next(_numbers)}"


def check(
    place: Place, it: World, answer: Answer, code: str, within: float | None = None
) -> None:
    """See that an answer is what it has to be, and tells nothing that it must not."""
    assert answer.code == code, answer.text
    if place.name == REST:
        expected = {STATUS[code]} if code != OK else {200, 201, 204}
        assert answer.status in expected, answer.text
        if code != OK:
            assert "application/problem+json" in answer.text
    if code != OK:
        told = [text for text in it.hidden_from(place) if text in answer.text]
        assert not told, answer.text
    if within is not None:
        assert answer.seconds < within


async def see(
    place: Place, it: World, scene: Scene, answer: Answer, name: str = ""
) -> None:
    """See that it is as the page says, counted at Odoo's side."""
    limit = scene.within if scene.within > IN_MILLISECONDS else None
    check(place, it, answer, scene.code, limit)
    if name:
        assert await it.odoo.written(name) == scene.written


async def warm(place: Place, instance: str) -> None:
    """See that it works: it logs in and learns the model, as far as need be."""
    answer = await place.door.read(1, instance)
    assert answer.code == OK, answer.text


async def each(
    it: World, case: Callable[[World, Place], Awaitable[None]], names: Sequence[str]
) -> None:
    """Try a case at doors at the same time; none sees anything of the others."""
    cases = [case(it, it.places[name]) for name in names]
    ended = await asyncio.gather(*cases, return_exceptions=True)
    failed = {
        name: error
        for name, error in zip(names, ended, strict=True)
        if error is not None
    }
    if failed:
        raise BaseExceptionGroup(f"at {', '.join(failed)}", [*failed.values()])


# Before Odoo is there


async def test_odoo_is_down_when_the_services_start_and_comes_back(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy = place.proxies["default"]
        name = unique("Too early")
        assert place.first == (503 if place.name == REST else None)
        for _ in range(3):
            early = await place.door.create(name, "default")
            await see(place, it, EARLY, early, name)
            check(place, it, await place.door.read(1, "default"), AWAY, AT_ONCE)
        await refused_in_milliseconds(it, place, "default", AWAY_FOR_LONG)
        assert not proxy.connections
        await proxy.start()
        await recovered(place, "default")
        await see(place, it, BACK, await place.door.create(name, "default"), name)

    await each(it, case, EARLY.doors)


async def refused_in_milliseconds(
    it: World, place: Place, instance: str, scene: Scene
) -> None:
    """See that Odooport answers without asking Odoo, and says when to ask again."""
    name = unique("Away")
    answers = [await place.door.create(name, instance) for _ in range(5)]
    for answer in answers:
        await see(place, it, scene, answer, name)
        assert "Ask again in" in answer.text
        assert "nothing was sent" in answer.text
    assert statistics.median(it.seconds for it in answers) < scene.within


async def recovered(place: Place, instance: str) -> None:
    """Wait until a door works again: a breaker closes in its own time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await place.door.read(1, instance)
            # an answer of /ready stands for a while
            if answer.code == OK and await place.readiness() in (None, 200):
                return
            await asyncio.sleep(0.1)


async def test_an_odoo_that_is_silent_costs_nobody_time_for_long(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy = place.proxies["silent"]
        await warm(place, "silent")
        proxy.inject(no_answer, times=None)
        slow = [place.door.read(1, "silent") for _ in range(6)]
        for answer in await asyncio.gather(*slow):
            check(place, it, answer, AWAY, RETRIED)
        before = len(proxy.requests)
        await refused_in_milliseconds(it, place, "silent", SILENT_FOR_LONG)
        # at the most a probe
        assert {asked.method for asked in proxy.requests[before:]} <= {"version"}
        proxy.heal()
        await recovered(place, "silent")

    await each(it, case, SILENT_FOR_LONG.doors)


# The table


@pytest.mark.parametrize(
    ("row", "wire"),
    [
        pytest.param(row, wire, id=f"{row.what}, {wire}")
        for row in ROWS
        for wire in row.wires
    ],
)
async def test_a_fault_is_told_as_it_is(it: World, row: Row, wire: str) -> None:
    instance = f"{wire}-patient" if row.patient else wire

    async def case(it: World, place: Place) -> None:
        proxy = place.proxies[instance]
        await warm(place, instance)
        name, sent = unique(row.what[:30]), proxy.asked_for("create")

        await prepare(row, proxy, it, "create")
        answer = await place.door.create(name, instance)
        check(place, it, answer, row.write, row.within)
        if row.write == AWAY:
            assert re.search("[Nn]othing was (sent|done)", answer.text), answer.text
        assert await it.odoo.written(name) == row.written
        assert proxy.asked_for("create") - sent == (row.what != DOWN)
        await restore(row, proxy)

        if row.what != DOWN:
            await prepare(row, proxy, it, "read", times=1)
            answer = await place.door.read(1, instance)
            check(place, it, answer, row.again, row.within)
            await restore(row, proxy)

        await prepare(row, proxy, it, "read")
        answer = await place.door.read(1, instance)
        check(place, it, answer, row.read, row.read_within)
        await restore(row, proxy)

        assert await place.door.find(name, instance) == row.written
        assert await it.odoo.written(name) == row.written
        assert proxy.streamed < ENDLESS

    before = it.stranger.visits
    await each(it, case, DOORS)
    assert it.stranger.visits == before


async def prepare(
    row: Row, proxy: FaultyProxy, it: World, name: str, times: int | None = None
) -> None:
    """Let the fault happen to the calls of a method."""
    proxy.streamed = 0
    if row.what == DOWN:
        await proxy.stop()
    elif row.what == RESET_BETWEEN:
        assert proxy.reset_idle() > 0
    else:
        fault = row.fault or redirect(f"{it.stranger.address}/jsonrpc")
        proxy.inject(fault, hits=name, times=times)


async def restore(row: Row, proxy: FaultyProxy) -> None:
    """Let everything be well again."""
    if row.fault is not None:
        assert proxy.faulted > 0
    proxy.heal()
    if row.what == DOWN:
        await proxy.start()


@pytest.mark.parametrize("instance", CERTIFICATES)
async def test_a_wrong_certificate_is_never_spoken_to(it: World, instance: str) -> None:
    scene = CERTIFICATES[instance]

    async def case(it: World, place: Place) -> None:
        await warm(place, "tls-good")
        name = unique(instance)
        check(place, it, await place.door.read(1, instance), AWAY, scene.within)
        answer = await place.door.create(name, instance)
        await see(place, it, scene, answer, name)
        assert "certificate" in answer.text
        assert "Nothing was sent" in answer.text
        assert not place.proxies[instance].requests

    await each(it, case, scene.doors)


# Before and after the write itself


async def test_a_lost_login_is_no_unknown_write(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies["cold"], unique("Lost login")
        proxy.inject(drop_after, hits=lambda asked: asked.service == "common")
        answer = await place.door.create(name, "cold")
        await see(place, it, LOST_LOGIN, answer, name)
        assert not proxy.asked_for("create")
        check(place, it, await place.door.create(name, "cold"), OK)
        assert await it.odoo.written(name) == 1

    await each(it, case, LOST_LOGIN.doors)


async def test_a_lost_schema_is_no_unknown_write(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies["unread"], unique("Lost schema")
        proxy.inject(drop_after, hits="fields_get", times=None)
        answer = await place.door.create(name, "unread")
        await see(place, it, LOST_SCHEMA, answer, name)
        assert not proxy.asked_for("create")
        proxy.heal()
        check(place, it, await place.door.create(name, "unread"), OK)
        assert await it.odoo.written(name) == 1

    await each(it, case, LOST_SCHEMA.doors)


async def test_a_write_is_a_success_though_it_cannot_be_read_back(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies[JSON_RPC], unique("Not read back")
        await warm(place, JSON_RPC)
        proxy.inject(drop_after, hits="read", times=None)
        answer = await place.door.create(name, JSON_RPC)
        proxy.heal()
        await see(place, it, NOT_READ_BACK, answer, name)
        assert list(answer.data) == ["id"]

    await each(it, case, NOT_READ_BACK.doors)


# Another Odoo behind the same address


async def test_a_restored_database_has_other_user_ids(it: World) -> None:
    async def restore_another(people: int) -> None:
        for place in it.places.values():
            await warm(place, "restored")
        domain = [["login", "=", BRIDGE]]
        before = await it.other.run("res.users", "search", domain)
        it.other.swap(await odoo_in_memory(MovableClock(), people_before=people))
        assert await it.other.run("res.users", "search", domain) != before

    await restore_another(3)
    for place in it.places.values():
        answer = await place.door.read(1, "restored")
        await see(place, it, OTHER_UIDS_READ, answer)
    await restore_another(6)
    for place in it.places.values():
        name = unique("Restored")
        for scene in (OTHER_UIDS, OTHER_UIDS_NEXT):
            await see(place, it, scene, await place.door.create(name, "restored"))
            assert await it.other.written(name) == scene.written


async def test_a_changed_password_is_said_and_not_tried_on_and_on(it: World) -> None:
    for place in it.places.values():
        await warm(place, "changed")
    domain = [["login", "=", BRIDGE]]
    (user,) = await it.odoo.run("res.users", "search", domain)
    await set_password(it.odoo.gateway, user, "another")

    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies["changed"], unique("Changed")
        before = logins(proxy)
        for _ in range(3):
            answer = await place.door.create(name, "changed")
            await see(place, it, NEW_PASSWORD, answer, name)
            check(place, it, await place.door.read(1, "changed"), REFUSED, AT_ONCE)
        assert logins(proxy) - before == 1

    await each(it, case, NEW_PASSWORD.doors)


def logins(proxy: FaultyProxy) -> int:
    """Answer how often somebody wanted to log in."""
    return sum(asked.method == "authenticate" for asked in proxy.requests)


async def test_odoos_clock_may_jump(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        (record,) = it.odoo.gateway.add("res.partner", {"name": unique("Clock")})
        for days in (400, -400, 0):
            tag = await place.door.tag(record, JSON_RPC)
            it.clock.ahead = timedelta(days=days)
            name = unique("Clock")
            await see(place, it, CLOCK, await place.door.create(name, JSON_RPC), name)
            city = f"{days} days"
            await it.odoo.run("res.partner", "write", [record], {"city": city})
            late = await place.door.update(record, {"city": "x"}, JSON_RPC, tag=tag)
            await see(place, it, MOVED_ON_CLOCK, late)
            assert await city_of(it, record) == city

    for name in CLOCK.doors:  # one after the other: they share the clock
        await case(it, it.places[name])


# Keys


async def test_a_lost_answer_stays_lost_under_its_key(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies[JSON_RPC], unique("Lost")
        await warm(place, JSON_RPC)
        before = proxy.asked_for("create")
        proxy.inject(drop_after, hits="create")
        for _ in range(3):
            answer = await place.door.create(name, JSON_RPC, key=name)
            await see(place, it, KEY_UNKNOWN, answer, name)
            assert not answer.replayed
        assert proxy.asked_for("create") - before == 1

    await each(it, case, KEY_UNKNOWN.doors)


async def test_the_first_answer_is_given_again_under_its_key(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        name, other = unique("Twice"), unique("Another")
        first = await place.door.create(name, JSON_RPC, key=name)
        check(place, it, first, OK)
        again = await place.door.create(name, JSON_RPC, key=name)
        await see(place, it, KEY_REPLAYED, again, name)
        assert (first.replayed, again.replayed) == (False, True)
        assert (first.data, first.status) == (again.data, again.status)
        mistaken = await place.door.create(other, JSON_RPC, key=name)
        await see(place, it, KEY_TAKEN, mistaken, other)

    await each(it, case, KEY_REPLAYED.doors)


async def test_a_request_that_runs_is_not_begun_again_under_its_key(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies[JSON_RPC], unique("Running")
        await warm(place, JSON_RPC)
        began, may_end = asyncio.Event(), asyncio.Event()

        async def hold(exchange: Exchange) -> None:
            began.set()
            await may_end.wait()
            await pass_on(exchange)

        proxy.inject(hold, hits="create")
        running = asyncio.create_task(place.door.create(name, JSON_RPC, key=name))
        async with asyncio.timeout(PATIENCE):
            await began.wait()
            second = await place.door.create(name, JSON_RPC, key=name)
            may_end.set()
            first = await running
        check(place, it, first, OK)
        await see(place, it, KEY_RUNNING, second, name)

    await each(it, case, KEY_RUNNING.doors)


async def test_what_was_provably_not_done_leaves_its_key_free(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        proxy, name = place.proxies[JSON_RPC], unique("Not done")
        await warm(place, JSON_RPC)
        await proxy.stop()
        check(place, it, await place.door.create(name, JSON_RPC, key=name), AWAY)
        await proxy.start()
        answer = await place.door.create(name, JSON_RPC, key=name)
        await see(place, it, KEY_FREE, answer, name)
        assert not answer.replayed

    await each(it, case, KEY_FREE.doors)


# Versions


async def test_a_record_that_moved_on_is_not_overwritten(it: World) -> None:
    async def case(it: World, place: Place) -> None:
        (record,) = it.odoo.gateway.add("res.partner", {"name": unique("Moved")})
        tag = await place.door.tag(record, JSON_RPC)
        await it.odoo.run("res.partner", "write", [record], {"city": "Mons"})
        for answer in (
            await place.door.update(record, {"city": "Gent"}, JSON_RPC, tag=tag),
            await place.door.delete(record, JSON_RPC, tag=tag),
        ):
            await see(place, it, MOVED_ON, answer)
            (change,) = answer.data["changes"]
            assert change["id"] == record
            assert change["fields"] == ["city"]
        assert await city_of(it, record) == "Mons"
        tag = await place.door.tag(record, JSON_RPC)
        answer = await place.door.update(record, {"city": "Gent"}, JSON_RPC, tag=tag)
        check(place, it, answer, OK)
        assert await city_of(it, record) == "Gent"

    await each(it, case, MOVED_ON.doors)


async def city_of(it: World, record: int) -> str:
    """Answer a contact's city, as Odoo has it."""
    (row,) = await it.odoo.run("res.partner", "read", [record], ["city"])
    return str(row["city"])


# The page

HEAD = """\
# What a caller sees when Odoo fails

A proxy in the tests stands between Odooport and Odoo and does what this page says, at
each door, over JSON-RPC and over XML-RPC. "Written" is counted in Odoo afterwards. This
page is written by `python -m tests.faults.test_faults`, and the tests see that each
line of it is true.

{codes}

**After `outcome_unknown`, look.** Search for something that only your record has, such
as a name or a reference: the search finds it as often as it was written, which is once
or not at all. Odooport sends a write once and never again.

**Better, send a key.** With `Idempotency-Key` (REST) or `idempotency_key` (MCP), the
same request can be sent again as often as you like, and is done once at the most. If
it was finished, its first answer comes again, with the header
`Idempotency-Replayed: true` or with `odooport/replayed` in `_meta`. If its answer was
lost, it stays `outcome_unknown`. If it was `gateway_unavailable`, it is run.

Here one call to Odoo may take one second (`timeout` of an instance), but a minute where
the answer comes byte by byte or has 3 GB. A time under 0.1 s is the median of five
calls, any other that of each call.
"""


CODES = [
    (OK, "It is done.", "Nothing."),
    (AWAY, "Of a write, nothing was done.", "Ask again."),
    (UNKNOWN, "A write was sent, and no readable answer came.", "Look; see below."),
    (ODD, "What came for a read is no answer of Odoo's.", "See what stands between."),
    (
        REFUSED,
        "Odoo refuses the login. Nothing was done.",
        "Ask again once. If it stays so, set the login right.",
    ),
    ("conflict", "The record moved on. Nothing was done.", "Read it again."),
    (
        "idempotency_in_flight",
        "The same request runs at this moment.",
        "Ask again later, under the same key.",
    ),
    (
        "idempotency_mismatch",
        "Another request came under this key. Nothing was done.",
        "Take another key.",
    ),
]


def page() -> str:
    """Write the page."""
    codes = ["| code | what it says | what to do |", "| --- | --- | --- |"]
    codes += [f"| `{code}` | {says} | {do} |" for code, says, do in CODES]
    lines = HEAD.replace("{codes}", "\n".join(codes)).splitlines()
    lines += ["", "## A write", "", *table("written")]
    for row in ROWS:
        lines.append(line(row.what, DOORS, row.write, row.within, row.written))
    lines += ["", "## A read that this happens to once", "", *table()]
    for row in ROWS:
        if row.what != DOWN:
            lines.append(line(row.what, DOORS, row.again, row.within))
    lines += ["", "## A read that this happens to each time", "", *table()]
    for row in ROWS:
        lines.append(line(row.what, DOORS, row.read, row.read_within))
    for title, scenes in SCENES.items():
        lines += ["", f"## {title}", "", *table("written")]
        for scene in scenes:
            what = scene.what
            written: int | None = scene.written
            if scene.asked == "read":
                what, written = f"{what}; a read", None
            lines.append(line(what, scene.doors, scene.code, scene.within, written, 1))
    return "\n".join([*lines, ""])


def table(*more: str) -> list[str]:
    """Answer the head of a table."""
    heads = ("what happens", *DOORS, "time", *more)
    return [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]


def line(
    what: str,
    doors: Sequence[str],
    code: str,
    within: float,
    written: int | None = None,
    columns: int = 0,
) -> str:
    """Answer a line of a table."""
    cells = [what]
    for door in DOORS:
        status = "" if door != REST or code == OK else f"{STATUS[code]} "
        cells.append(f"{status}`{code}`" if door in doors else "")
    cells.append(f"< {within:g} s")
    if written is not None or columns:
        cells.append("" if written is None else str(written))
    return f"| {' | '.join(cells)} |"


async def test_the_page_says_what_callers_see() -> None:
    assert page().split("\n") == PAGE.read_text(encoding="utf-8").split("\n")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
