"""What the gate counts on in an idempotency store: each case holds for every one."""

import asyncio
import json
import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from odooport.ports import Attempt, AttemptState, IdempotencyStore
from odooport_security.idempotency import MOST_ANSWER, SqliteIdempotency
from odooport_security.redis_idempotency import RedisIdempotency

from .redis_server import (  # noqa: F401  # the fixtures are asked for by name
    RedisServer,
    empty,
    mortal,
    running,
)

DAY = 86_400.0
BEGUN, RUNNING, FINISHED = (
    AttemptState.BEGUN,
    AttemptState.RUNNING,
    AttemptState.FINISHED,
)
UNKNOWN, MISMATCH, UNAVAILABLE = (
    AttemptState.UNKNOWN,
    AttemptState.MISMATCH,
    AttemptState.UNAVAILABLE,
)
ANSWER = json.dumps({"status": 201, "body": {"id": 7, "name": "Zoë ✓"}})

# What a process of its own does: each line it is told is a key to begin.
CHILD = """
import asyncio, sys
from pathlib import Path
from odooport_security.idempotency import SqliteIdempotency

async def main(path, how):
    store = SqliteIdempotency(Path(path))
    for number in range(int(sys.argv[3])):
        key = f"key-{number}"
        attempt = await store.begin("k1", key, "request")
        print(key, attempt.state, flush=True)
        if how == "finish" and attempt.state == "begun":
            kept = await store.finish("k1", key, f"answer to {key}")
            print(key, "finished" if kept else "lost", flush=True)
    if how == "hold":
        sys.stdin.read()

asyncio.run(main(*sys.argv[1:3]))
"""


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = DAY * 20_000.25

    def __call__(self) -> float:
        return self.now


class Pace:
    """A sleep that lasts until the test says so."""

    def __init__(self) -> None:
        self._slept = asyncio.Event()
        self._asleep = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self._asleep.set()
        await self._slept.wait()
        self._slept.clear()

    async def turn(self) -> None:
        """Let what sleeps do its work, and come back when it sleeps again."""
        async with asyncio.timeout(5):
            await self._asleep.wait()
            self._asleep.clear()
            self._slept.set()
            await self._asleep.wait()


type Store = SqliteIdempotency | RedisIdempotency
type Make = Callable[[], Store]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "idempotency.db"


@pytest.fixture(params=["sqlite", "redis"])
async def make(
    request: pytest.FixtureRequest, path: Path, clock: Clock
) -> AsyncIterator[Make]:
    """Makes stores that share what they hold, as those of several processes do."""
    made: list[Store] = []
    server = request.getfixturevalue("redis") if request.param == "redis" else None

    def make() -> Store:
        store: Store = (
            SqliteIdempotency(path, clock=clock)
            if server is None
            else RedisIdempotency(server.url, clock=clock)
        )
        made.append(store)
        return store

    yield make
    for store in made:
        await store.aclose()


@pytest.fixture
def store(make: Make) -> IdempotencyStore:
    return make()


async def ask(
    store: IdempotencyStore,
    key: str = "a",
    *,
    subject: str = "k1",
    fingerprint: str = "request",
) -> Attempt:
    return await store.begin(subject, key, fingerprint)


async def state(store: IdempotencyStore, key: str = "a") -> AttemptState:
    return (await ask(store, key)).state


async def until(
    wanted: AttemptState, look: Callable[[], Awaitable[AttemptState]]
) -> None:
    """Wait until something is in a state, for five seconds at most."""
    async with asyncio.timeout(5):
        while await look() is not wanted:  # noqa: ASYNC110  # another process tells
            await asyncio.sleep(0.02)


# Every one of them


async def test_a_new_key_is_begun(store: IdempotencyStore):
    assert await ask(store) == Attempt(BEGUN)


async def test_a_key_that_runs_is_not_begun_again(make: Make):
    one, other = make(), make()
    await ask(one)

    for store in (one, other):
        attempt = await ask(store)
        assert (attempt.state, attempt.answer) == (RUNNING, None)
        assert attempt.retry_after > 0


async def test_the_first_answer_is_given_again(make: Make):
    one, other = make(), make()
    await ask(one)

    assert await one.finish("k1", "a", ANSWER)
    for store in (one, other):
        assert await ask(store) == Attempt(FINISHED, ANSWER)


async def test_a_key_of_somebody_else_is_another_key(store: IdempotencyStore):
    await ask(store, "b1", subject="a")

    assert (await ask(store, "1", subject="ab")).state is BEGUN
    assert (await ask(store, "b1", subject="c")).state is BEGUN


@pytest.mark.parametrize("what", ["running", "finished", "unknown"])
async def test_another_request_under_a_key_is_a_mismatch(make: Make, what: str):
    one, other = make(), make()
    await ask(one)
    if what == "finished":
        await one.finish("k1", "a", ANSWER)
    elif what == "unknown":
        await one.abandon("k1", "a")

    for store in (one, other):
        assert await ask(store, fingerprint="other") == Attempt(MISMATCH)
        assert (await ask(store)).state is AttemptState(what)


async def test_a_key_that_was_released_is_free(make: Make):
    one, other = make(), make()
    await ask(one)
    await one.release("k1", "a")

    assert (await ask(other, fingerprint="other")).state is BEGUN


async def test_a_key_that_was_abandoned_is_unknown_for_good(make: Make):
    one, other = make(), make()
    await ask(one)
    await one.abandon("k1", "a")

    assert await ask(one) == await ask(other) == Attempt(UNKNOWN)
    await one.release("k1", "a")
    assert not await one.finish("k1", "a", ANSWER)
    assert await state(other) is UNKNOWN


async def test_what_is_finished_stays_so(make: Make):
    one, other = make(), make()
    await ask(one)
    await one.finish("k1", "a", ANSWER)

    await one.release("k1", "a")
    await one.abandon("k1", "a")
    assert not await one.finish("k1", "a", "another")
    assert await ask(other) == Attempt(FINISHED, ANSWER)


async def test_only_who_began_a_request_can_end_it(make: Make):
    one, other = make(), make()
    await ask(one)

    assert not await other.finish("k1", "a", "another")
    await other.release("k1", "a")
    await other.abandon("k1", "a")
    assert await state(other) is RUNNING
    assert await one.finish("k1", "a", ANSWER)


async def test_nothing_is_finished_that_was_not_begun(store: IdempotencyStore):
    assert not await store.finish("k1", "a", ANSWER)
    assert await state(store) is BEGUN


async def test_of_many_at_once_exactly_one_begins(make: Make):
    stores = [make() for _ in range(4)]
    keys = [str(number) for number in range(5)]

    asked = [[ask(stores[place % 4], key) for place in range(12)] for key in keys]
    for attempts in await asyncio.gather(*(asyncio.gather(*tasks) for tasks in asked)):
        assert sorted(attempt.state for attempt in attempts) == [BEGUN, *[RUNNING] * 11]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 70_000, MOST_ANSWER])
async def test_an_answer_comes_back_as_it_was(store: IdempotencyStore, size: int):
    answer = ("é\n\x00" * (size // 4 + 1)).encode()[:size].decode(errors="ignore")
    await ask(store)

    assert await store.finish("k1", "a", answer)
    assert await ask(store) == Attempt(FINISHED, answer)


@pytest.mark.parametrize("answer", ["x" * (MOST_ANSWER + 1), "é" * (MOST_ANSWER - 9)])
async def test_of_an_answer_that_is_too_large_a_mark_is_kept(
    store: IdempotencyStore, answer: str
):
    await ask(store)

    assert await store.finish("k1", "a", answer)
    assert await ask(store) == Attempt(FINISHED, None)


@pytest.mark.parametrize("what", ["finish", "abandon"])
async def test_a_key_is_free_again_after_24_hours(make: Make, clock: Clock, what: str):
    one, other = make(), make()
    await ask(one)
    await (
        one.finish("k1", "a", ANSWER) if what == "finish" else one.abandon("k1", "a")
    )

    clock.now += DAY - 1
    assert (await ask(other, fingerprint="other")).state is MISMATCH
    clock.now += 1
    assert (await ask(other, fingerprint="other")).state is BEGUN


async def test_a_key_is_found_after_the_clock_jumped_back(make: Make, clock: Clock):
    one, other = make(), make()
    await ask(one, "ended")
    await one.finish("k1", "ended", ANSWER)
    await ask(one, "runs")

    clock.now -= 400 * DAY
    assert await ask(other, "ended") == Attempt(FINISHED, ANSWER)
    assert await state(other, "runs") is RUNNING
    assert await one.finish("k1", "runs", ANSWER)


async def test_what_runs_is_not_begun_again_when_the_clock_jumps_ahead(
    make: Make, clock: Clock
):
    one = make()
    await ask(one)

    clock.now += 2 * DAY
    assert await state(one) is RUNNING
    assert await one.finish("k1", "a", ANSWER)


async def test_a_caller_who_stops_waiting_leaves_no_claim_behind(make: Make):
    one, other = make(), make()
    for number in range(30):
        task = asyncio.ensure_future(ask(one, str(number)))
        for _ in range(number % 6):
            await asyncio.sleep(0)
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        if not isinstance(result, asyncio.CancelledError):
            await one.release("k1", str(number))

        async def look(key: str = str(number)) -> AttemptState:
            return await state(other, key)

        await until(BEGUN, look)


async def test_an_answer_is_kept_when_nobody_waits_for_that(make: Make):
    one, other = make(), make()
    await ask(one)
    task = asyncio.ensure_future(one.finish("k1", "a", "x" * 200_000))
    await asyncio.sleep(0)
    task.cancel()

    await until(FINISHED, lambda: state(other))


async def test_no_key_and_no_subject_is_kept_or_logged(
    make: Make,
    path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    store = make()
    secret, subject = "a-key-to-hide", "a-subject-to-hide"
    await store.begin(subject, secret, "a-request-to-hide")
    await store.finish(subject, secret, ANSWER)
    await store.begin(subject, secret, "another-to-hide")

    assert "to-hide" not in caplog.text
    if isinstance(store, SqliteIdempotency):
        await store.aclose()
        assert b"to-hide" not in path.read_bytes()
    else:
        with request.getfixturevalue("redis").client() as client:
            kept = [client.hkeys(name) for name in client.keys("*")]
            assert "to-hide" not in str(client.keys("*"))
            assert kept


# SQLite


@pytest.fixture
async def sqlite(path: Path, clock: Clock) -> AsyncIterator[SqliteIdempotency]:
    store = SqliteIdempotency(path, clock=clock)
    yield store
    await store.aclose()


def child(path: Path, how: str, keys: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), how, str(keys)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Answer what a child has printed, in whole lines, and see it end."""
    out, _ = process.communicate(timeout=60)
    whole = out[: out.rfind("\n") + 1]
    return [(line.split()[0], line.split()[1]) for line in whole.splitlines()]


async def test_only_the_owner_may_open_the_files(sqlite: SqliteIdempotency, path: Path):
    await ask(sqlite)

    files = list(path.parent.iterdir())
    assert any(file.suffix == ".lock" for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_claim_is_in_the_file_when_it_is_answered(
    sqlite: SqliteIdempotency, path: Path
):
    await ask(sqlite)

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT state FROM entries").fetchall() == [
            ("running",)
        ]
    connection.close()


async def test_threads_share_a_store(sqlite: SqliteIdempotency):
    found: list[AttemptState] = []

    async def look() -> None:
        states = await asyncio.gather(*(state(sqlite, str(n)) for n in range(50)))
        found.extend(states)

    threads = [threading.Thread(target=lambda: asyncio.run(look())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)

    assert (found.count(BEGUN), found.count(RUNNING)) == (50, 150)


def test_of_two_processes_exactly_one_begins_each_key(path: Path):
    processes = [child(path, "hold", 200) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
    # Both hold what they have until both have asked for all.
    first = [read_lines(process, 200) for process in processes]
    for process in processes:
        process.communicate("", timeout=60)

    for one, other in zip(*first, strict=True):
        assert one[0] == other[0]
        assert sorted((one[1], other[1])) == ["begun", "running"]


def read_lines(process: subprocess.Popen[str], count: int) -> list[tuple[str, str]]:
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(count)]
    return [(key, found) for key, found in lines]


@pytest.mark.parametrize("seed", range(6))
async def test_what_a_killed_process_began_is_never_free(path: Path, seed: int):
    chance = random.Random(seed)
    process = child(path, "finish", 100_000)
    read_lines(process, chance.randrange(1, 60))
    process.send_signal(signal.SIGKILL)
    # What was read before tells of keys with lower numbers only.
    rest = said(process)
    told = dict(rest)
    last = max([int(key.removeprefix("key-")) for key in told], default=0)

    store = SqliteIdempotency(path)
    for number in range(last + 1):
        key = f"key-{number}"
        attempt = await ask(store, key)
        if number < last or told.get(key) == "finished":
            assert attempt == Attempt(FINISHED, f"answer to {key}")
        elif key in told:
            assert attempt.state in (UNKNOWN, FINISHED)
    await store.aclose()


async def test_what_runs_in_another_process_runs_until_that_dies(
    sqlite: SqliteIdempotency, path: Path
):
    process = child(path, "hold", 1)
    read_lines(process, 1)
    assert (await ask(sqlite, "key-0")).state is RUNNING

    process.kill()
    process.communicate()
    assert (await ask(sqlite, "key-0")).state is UNKNOWN
    assert (await ask(sqlite, "key-0", fingerprint="other")).state is MISMATCH


async def test_the_locks_of_dead_processes_are_deleted(
    sqlite: SqliteIdempotency, path: Path, clock: Clock
):
    process = child(path, "hold", 1)
    read_lines(process, 1)
    process.kill()
    process.communicate()
    await ask(sqlite, "a")
    clock.now += 61
    await ask(sqlite, "b")

    assert len(list(path.parent.glob("*.lock"))) == 1
    assert (await ask(sqlite, "key-0")).state is UNKNOWN
    await sqlite.aclose()
    assert not list(path.parent.glob("*.lock"))


async def test_what_another_process_runs_is_not_begun_again_after_24_hours(
    make_sqlite: Callable[[], SqliteIdempotency], clock: Clock
):
    one, other = make_sqlite(), make_sqlite()
    await ask(one)
    clock.now += 2 * DAY

    assert await state(other) is RUNNING


async def test_a_claim_that_was_answered_to_nobody_is_free(
    make_sqlite: Callable[[], SqliteIdempotency],
):
    one, other = make_sqlite(), make_sqlite()
    task = asyncio.ensure_future(ask(one))
    await asyncio.sleep(0)
    answer = task._fut_waiter
    async with asyncio.timeout(5):
        while not answer.done():  # noqa: ASYNC110  # the very moment counts
            await asyncio.sleep(0)
    # The answer is there, and whoever waits has not seen it yet.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert answer.result().state is BEGUN

    await until(BEGUN, lambda: state(other))


async def test_what_a_process_does_not_know_that_it_runs_is_unknown(
    sqlite: SqliteIdempotency, path: Path
):
    await ask(sqlite)
    await sqlite.abandon("k1", "a")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET state = 'running'")
    connection.close()

    assert await state(sqlite) is UNKNOWN


async def test_old_entries_leave_the_file_and_what_runs_does_not(
    sqlite: SqliteIdempotency, path: Path, clock: Clock
):
    for number in range(10):
        await ask(sqlite, str(number))
        if number % 2:
            await sqlite.finish("k1", str(number), ANSWER)
    clock.now += DAY
    await ask(sqlite, "new")
    await sqlite.aclose()

    with sqlite3.connect(path) as connection:
        states = connection.execute("SELECT state FROM entries").fetchall()
    connection.close()
    assert states == [("running",)] * 6


async def test_what_was_begun_is_finished_after_its_lock_was_deleted(
    make_sqlite: Callable[[], SqliteIdempotency], path: Path
):
    one, other = make_sqlite(), make_sqlite()
    await ask(one)
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    assert await state(other) is UNKNOWN

    assert await one.finish("k1", "a", ANSWER)
    assert await ask(other) == Attempt(FINISHED, ANSWER)
    await ask(one, "b")
    assert await state(other, "b") is RUNNING


@pytest.fixture
async def make_sqlite(
    path: Path, clock: Clock
) -> AsyncIterator[Callable[[], SqliteIdempotency]]:
    made: list[SqliteIdempotency] = []

    def make() -> SqliteIdempotency:
        made.append(SqliteIdempotency(path, clock=clock))
        return made[-1]

    yield make
    for store in made:
        await store.aclose()


async def test_what_runs_is_kept_though_the_file_was_deleted(
    sqlite: SqliteIdempotency, path: Path
):
    await ask(sqlite)
    for file in path.parent.glob("idempotency.db*"):
        file.unlink()

    assert await state(sqlite) is RUNNING
    assert await sqlite.finish("k1", "a", ANSWER)
    assert await ask(sqlite) == Attempt(FINISHED, ANSWER)


async def test_a_file_of_a_newer_version_is_left_alone(
    sqlite: SqliteIdempotency, path: Path, caplog: pytest.LogCaptureFixture
):
    await ask(sqlite)
    await sqlite.aclose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    assert await state(sqlite, "b") is UNAVAILABLE
    assert not await sqlite.finish("k1", "a", ANSWER)
    assert "newer Odooport" in str([vars(record) for record in caplog.records])


async def test_a_file_that_is_no_database_lets_nothing_run(
    sqlite: SqliteIdempotency, path: Path
):
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)

    attempt = await ask(sqlite)
    assert attempt.state is UNAVAILABLE
    assert attempt.retry_after > 0


async def test_a_directory_that_cannot_be_written_lets_nothing_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "state").write_text("a file in its place")
    store = SqliteIdempotency(tmp_path / "state" / "idempotency.db")

    assert await state(store) is UNAVAILABLE
    assert await state(store) is UNAVAILABLE
    assert caplog.messages == ["idempotency keys cannot be kept"]
    (tmp_path / "state").unlink()
    assert await state(store) is BEGUN
    await store.aclose()


async def test_an_answer_that_was_damaged_is_not_given(
    sqlite: SqliteIdempotency, path: Path
):
    await ask(sqlite)
    await sqlite.finish("k1", "a", "x" * 5000)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET answer = x'0102'")
    connection.close()

    assert await state(sqlite) is UNAVAILABLE
    assert await state(sqlite, "b") is BEGUN


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of half a megabyte."""
    # Not below the directory of the test: pytest fails if that cannot be removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place]
        may = sys.platform == "linux" and os.geteuid() == 0
        if (
            not may
            or subprocess.run(mount, capture_output=True, check=False).returncode
        ):
            pytest.skip("a small file system can be mounted by root on Linux only")
        try:
            yield Path(place)
        finally:
            # Lazily: a test that failed may have left a file open.
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast


async def test_a_full_disk_lets_nothing_begin(
    small_disk: Path, caplog: pytest.LogCaptureFixture
):
    ballast = fill(small_disk)
    store = SqliteIdempotency(small_disk / "idempotency.db")
    assert await state(store) is UNAVAILABLE
    assert "idempotency keys cannot be kept" in caplog.messages

    ballast.unlink()
    assert await state(store) is BEGUN
    await store.aclose()


async def test_what_a_full_disk_did_not_take_is_unknown(
    small_disk: Path, caplog: pytest.LogCaptureFixture
):
    path = small_disk / "idempotency.db"
    one, other = SqliteIdempotency(path), SqliteIdempotency(path)
    await ask(one, "a")
    await ask(one, "free")
    ballast = fill(small_disk)
    noise = random.Random(1).randbytes(300_000).hex()

    assert not await one.finish("k1", "a", noise)
    await one.release("k1", "free")
    assert "idempotency keys cannot be kept" in caplog.messages
    for store in (one, other):
        assert await state(store, "a") not in (BEGUN, FINISHED)

    ballast.unlink()
    await until(UNKNOWN, lambda: state(other, "a"))
    assert await state(one, "a") is UNKNOWN
    await until(BEGUN, lambda: state(other, "free"))
    await one.aclose()
    await other.aclose()


# Redis


@pytest.fixture
async def shared(
    redis: RedisServer, clock: Clock, pace: Pace
) -> AsyncIterator[list[RedisIdempotency]]:
    """Two stores over one Redis; the first renews its leases when it is told."""
    stores = [
        RedisIdempotency(redis.url, clock=clock, sleep=pace),
        RedisIdempotency(redis.url, clock=clock),
    ]
    yield stores
    for store in stores:
        await store.aclose()


@pytest.fixture
def pace() -> Pace:
    return Pace()


async def test_what_runs_is_unknown_when_its_lease_is_over(
    shared: list[RedisIdempotency], clock: Clock
):
    one, other = shared
    await ask(one)

    clock.now += 14
    assert await state(other) is RUNNING
    clock.now += 1
    assert await state(other) is UNKNOWN
    assert (await ask(other, fingerprint="other")).state is MISMATCH
    assert await one.finish("k1", "a", ANSWER)
    assert await ask(other) == Attempt(FINISHED, ANSWER)


async def test_a_lease_is_renewed_while_its_process_lives(
    shared: list[RedisIdempotency], clock: Clock, pace: Pace
):
    one, other = shared
    await ask(one)
    for _ in range(6):
        clock.now += 5
        await pace.turn()

    assert await state(other) is RUNNING


async def test_a_lease_is_renewed_in_a_redis_that_is_full(
    shared: list[RedisIdempotency], redis: RedisServer, clock: Clock, pace: Pace
):
    one, other = shared
    await ask(one)
    with redis.client() as client:
        client.config_set("maxmemory", 1)
        try:
            clock.now += 10
            await pace.turn()
        finally:
            client.config_set("maxmemory", 0)
    clock.now += 10

    assert await state(other) is RUNNING


async def test_redis_forgets_what_nobody_asks_for(
    shared: list[RedisIdempotency], redis: RedisServer
):
    one, _ = shared
    await ask(one, "ended")
    await one.finish("k1", "ended", ANSWER)
    await ask(one, "runs")

    with redis.client() as client:
        ends = sorted(client.pttl(name) / 1000 for name in client.keys("*"))
    assert ends == pytest.approx([DAY, 2 * DAY], abs=10)


async def test_without_redis_nothing_is_begun(mortal_redis: RedisServer):
    mortal_redis.stop()
    store = RedisIdempotency(mortal_redis.url)

    attempt = await ask(store)
    assert attempt.state is UNAVAILABLE
    assert attempt.retry_after > 0
    assert store.unanswered == 1
    await store.aclose()


async def test_what_redis_did_not_hear_of_is_not_free(
    redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
):
    one = RedisIdempotency(redis.url, clock=clock)
    other = RedisIdempotency(redis.url, clock=clock)
    await ask(one)
    with redis.client() as client:
        client.config_set("maxmemory", 1)
        try:
            assert not await one.finish("k1", "a", ANSWER)
            assert await state(other, "new") is UNAVAILABLE
        finally:
            client.config_set("maxmemory", 0)
    assert "the answer to a request with an idempotency key is not kept" in (
        caplog.messages
    )

    clock.now += 2  # nobody tries a Redis that failed, for a second
    assert await state(other) is RUNNING
    clock.now += 13
    assert await state(other) is UNKNOWN
    assert await state(one) is UNKNOWN
    await one.aclose()
    await other.aclose()


async def test_what_redis_lost_is_kept_anew_when_it_ends(
    shared: list[RedisIdempotency], redis: RedisServer
):
    one, other = shared
    await ask(one)
    redis.clear()

    assert await one.finish("k1", "a", ANSWER)
    assert await ask(other) == Attempt(FINISHED, ANSWER)


async def test_what_redis_lost_and_gave_to_another_is_not_overwritten(
    shared: list[RedisIdempotency], redis: RedisServer
):
    one, other = shared
    await ask(one)
    redis.clear()
    await ask(other)

    assert not await one.finish("k1", "a", "of the first")
    await one.release("k1", "a")
    assert await other.finish("k1", "a", ANSWER)
    assert await ask(one) == Attempt(FINISHED, ANSWER)


class Way:
    """Stands before a Redis, and loses its answers when it is told to.

    Attributes:
        url: Where it is.
        deaf: Whether every answer is lost.
        cuts: How many answers are lost together with their connection.
    """

    def __init__(self, there: str) -> None:
        self._there = int(there.split(":")[2].split("/")[0])
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.deaf = False
        self.cuts = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def aclose(self) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        there, to = await asyncio.open_connection("127.0.0.1", self._there)
        back = asyncio.ensure_future(self._answer(there, writer))
        try:
            while data := await reader.read(65_536):
                to.write(data)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            back.cancel()
            to.close()
            writer.close()

    async def _answer(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await there.read(65_536):
            if self.cuts:
                self.cuts -= 1
                writer.close()
                return
            if not self.deaf:
                writer.write(data)


@pytest.fixture
async def way(redis: RedisServer) -> AsyncIterator[Way]:
    way = Way(redis.url)
    await way.open()
    yield way
    await way.aclose()


async def test_a_claim_whose_answer_was_lost_is_freed_again(
    redis: RedisServer, way: Way, clock: Clock, pace: Pace
):
    one = RedisIdempotency(way.url, clock=clock, sleep=pace)
    other = RedisIdempotency(redis.url, clock=clock)
    await ask(one, "before")
    way.deaf = True
    assert await state(one) is UNAVAILABLE
    assert await state(other) is RUNNING

    way.deaf = False
    clock.now += 2
    await pace.turn()
    assert await state(other) is BEGUN
    await one.aclose()
    await other.aclose()


async def test_a_claim_that_redis_is_asked_for_twice_is_begun(way: Way, clock: Clock):
    store = RedisIdempotency(way.url, clock=clock)
    await ask(store, "before")

    way.cuts = 1
    assert await state(store) is BEGUN
    assert way.cuts == 0
    way.cuts = 1
    assert await store.finish("k1", "a", ANSWER)
    assert way.cuts == 0
    await store.aclose()
