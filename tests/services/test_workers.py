"""Several processes that act as one: workers at one port, and services at two."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from odooport_runtime.serving import check_workers
from odooport_runtime.settings import Settings, SettingsError
from odooport_security import KeyStore, RedisKeyStore, SqliteKeyStore
from tests.contract.redis_server import RedisServer, empty, running

from .slow_odoo import (
    DOORS,
    PATIENCE,
    READ,
    TOOL_READ,
    WRITE,
    Answer,
    Line,
    Process,
    SlowOdoo,
    read_audit,
    slow_odoo,
    soon,
    variables,
)

__all__ = ["empty", "running"]  # fixtures

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no workers on Windows"
)

LONG = "60"
"""A time that no test waits for."""

PARTNERS = "/v1/models/res.partner/records"
FAST = ("GET", f"{PARTNERS}?limit=1&fields=name", None)


@dataclass
class Workers(Process):
    """A service of several processes."""

    pids: dict[int, int] = field(default_factory=dict)

    async def begun(self, worker: int) -> None:
        """Wait until a worker serves."""
        while True:
            line = await self.told("serving")
            self.learn()
            if line["worker"] == worker:
                return

    def learn(self) -> None:
        """See in the log which process has which place."""
        for line in self.lines:
            if line["event"] == "worker":
                self.pids[line["worker"]] = line["pid"]

    async def line_to(self, worker: int) -> Line:
        """Answer a connection to one worker: the others stand still meanwhile."""
        others = [pid for number, pid in self.pids.items() if number != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            line = await self.line()
            name = uuid.uuid4().hex
            answer = await line.ask("GET", "/health", **{"X-Request-Id": name})
            assert answer.status == 200
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        while (told := await self.told("request"))["request_id"] != name:
            pass
        assert told["worker"] == worker
        return line

    async def hung_up(self) -> None:
        """Wait until every process of the service is gone."""
        await soon(lambda: not any(map(alive, [self.process.pid, *self.pids.values()])))


def alive(pid: int) -> bool:
    """Answer whether a process runs; one that nobody has waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
async def slow() -> AsyncIterator[SlowOdoo]:
    async with slow_odoo() as odoo:
        yield odoo


def key_store(settings: Mapping[str, str], state: Path) -> KeyStore:
    """Open the keys of a service, as the command line does."""
    if settings.get("ODOOPORT_KEY_STORE") == "redis":
        return RedisKeyStore(settings["ODOOPORT_REDIS_URL"])
    return SqliteKeyStore(state / "keys.db")


@asynccontextmanager
async def started(
    slow: SlowOdoo,
    redis: RedisServer,
    state: Path,
    *,
    door: str = "rest",
    workers: int = 2,
    **more: str,
) -> AsyncIterator[Workers]:
    """Start a service, and wait until each of its workers serves."""
    settings = {
        "ODOOPORT_WORKERS": str(workers),
        "ODOOPORT_REDIS_URL": redis.url,
        **more,
    }
    keys = key_store(settings, state)
    _, key = keys.create("shop", "full")
    keys.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *DOORS[door],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=state,
        env=variables(slow, state, **settings),
        start_new_session=True,  # as a terminal does, and none may be left over
    )
    service = Workers(process, state, key)
    try:
        service.port = (await service.told("listening"))["port"]
        if workers > 1:
            for _ in range(workers):
                await service.told("serving")
            service.learn()
        yield service
    finally:
        for line in service.lines_left:
            line.drop()
        # Nothing is left over, whatever the test has found.
        for pid in service.pids.values():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        if process.returncode is None:
            process.kill()
        await service.ended()


@dataclass
class Pair:
    """Two processes that should act as one, with a connection to each."""

    one: Line
    other: Line
    keys: KeyStore

    async def both(self, request: Any, **headers: str) -> list[Answer]:
        """Answer what each says, one after the other."""
        return [await line.ask(*request, **headers) for line in (self.one, self.other)]


@asynccontextmanager
async def pair_of(
    kind: str, slow: SlowOdoo, redis: RedisServer, state: Path, **more: str
) -> AsyncIterator[Pair]:
    """Start two workers of one service, two services, or two on two machines.

    What the machines share is the Redis alone: each has a state directory of its own.
    """
    places = [state, state]
    settings = {"ODOOPORT_REDIS_URL": redis.url, **more}
    if kind == "machines":
        places = [state / "one", state / "other"]
        settings["ODOOPORT_KEY_STORE"] = "redis"
        for place in places:
            place.mkdir()
    async with AsyncExitStack() as stack:
        keys = stack.enter_context(closing(key_store(settings, state)))
        if kind == "workers":
            service = await stack.enter_async_context(
                started(slow, redis, state, **settings)
            )
            yield Pair(await service.line_to(1), await service.line_to(2), keys)
            return
        one, other = [
            await stack.enter_async_context(
                started(slow, redis, place, workers=1, **settings)
            )
            for place in places
        ]
        assert one.port != other.port
        other.key = one.key
        yield Pair(await one.line(), await other.line(), keys)


@pytest.fixture(params=["workers", "services", "machines"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# At one port


@pytest.mark.parametrize("door", ["rest", "mcp", "rest of both"])
async def test_two_processes_answer_at_one_port(
    door: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, door=door) as service:
        slow.may_end.set()
        for worker in (1, 2):
            line = await service.line_to(worker)
            request = TOOL_READ if door == "mcp" else READ
            assert (await line.ask(*request)).status == 200
        assert len({service.process.pid, *service.pids.values()}) == 3
        service.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        await service.hung_up()
    begun = [line for line in service.lines if line["event"] == "listening"]
    assert [line["workers"] for line in begun] == [2]
    calls = [line for line in service.lines if line["event"] == "call"]
    assert {line["worker"] for line in calls} == {1, 2}
    assert not [line for line in service.lines if line["level"] == "error"]


async def test_the_watcher_says_once_where_it_listens_and_serves_nothing(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, workers=3) as service:
        assert sorted(service.pids) == [1, 2, 3]
        served = [line for line in service.lines if line["event"] == "serving"]
        assert {line["port"] for line in served} == {service.port}
        for pid in service.pids.values():
            os.kill(pid, signal.SIGSTOP)
        line = await service.line()
        await line.send("GET", "/health")
        asked = asyncio.create_task(line.answer())
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        assert not done
        for pid in service.pids.values():
            os.kill(pid, signal.SIGCONT)
        assert (await asked).status == 200


# What they share


async def test_a_budget_is_one_for_both(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with pair_of(
        kind, slow, redis, tmp_path, ODOOPORT_RATE_LIMIT="6/day"
    ) as pair:
        answers = [
            answer for _ in range(4) for answer in await pair.both(FAST)
        ]  # more than one budget, less than two
        assert [answer.status for answer in answers] == [200] * 6 + [429] * 2
        left = [
            int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])
            for answer in answers[:6]
        ]
        assert left == [5, 4, 3, 2, 1, 0]


async def test_one_place_is_one_for_both(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with pair_of(kind, slow, redis, tmp_path, ODOOPORT_CONCURRENCY="1") as pair:
        await pair.one.send(*READ)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        assert (await pair.other.ask(*FAST)).status == 429
        slow.may_end.set()
        assert (await pair.one.answer()).status == 200
        assert (await pair.other.ask(*FAST)).status == 200


async def test_a_revoked_key_is_refused_by_both(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with pair_of(kind, slow, redis, tmp_path) as pair:
        assert [it.status for it in await pair.both(FAST)] == [200, 200]
        for key in pair.keys.list():
            pair.keys.revoke(key.id)
        assert [it.status for it in await pair.both(FAST)] == [401, 401]


async def test_a_new_key_is_known_to_both(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with pair_of(kind, slow, redis, tmp_path) as pair:
        _, pair.one.key = pair.keys.create("new", "reader")
        pair.other.key = pair.one.key
        assert [it.status for it in await pair.both(FAST)] == [200, 200]


async def test_what_one_has_done_under_a_key_the_other_does_not_do_again(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    create = ("POST", PARTNERS, {"name": "Once"})
    async with pair_of(kind, slow, redis, tmp_path) as pair:
        first, again = await pair.both(create, **{"Idempotency-Key": "order-1"})
        assert (first.status, again.status) == (201, 201)
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert first.headers["location"] == again.headers["location"]
        await pair.one.send(*WRITE, **{"Idempotency-Key": "order-2"})
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        meanwhile = await pair.other.ask(*WRITE, **{"Idempotency-Key": "order-2"})
        assert meanwhile.json()["code"] == "idempotency_in_flight"
        slow.may_end.set()
        assert (await pair.one.answer()).status == 200
    places = (
        [tmp_path] if kind != "machines" else [tmp_path / "one", tmp_path / "other"]
    )
    lines = [line for place in places for line in read_audit(place)]
    created = [line for line in lines if line.get("method") == "create"]
    assert [line["outcome"] for line in created] == ["begun", "ok"]


async def test_wrong_keys_are_counted_by_both_together(
    kind: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with pair_of(kind, slow, redis, tmp_path, ODOOPORT_FAILED_LOGINS="2") as pair:
        wrong = {"Authorization": f"Bearer odp_{'a' * 16}_{'b' * 43}"}
        answers = await pair.both(FAST, **wrong) + await pair.both(FAST, **wrong)
        assert [it.status for it in answers] == [401, 401, 429, 429]


# When one ends, and when all do


async def test_a_worker_that_dies_is_replaced_while_the_other_serves(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path) as service:
        steady, dead = await service.line_to(2), service.pids[1]
        os.kill(dead, signal.SIGKILL)
        died = await service.told("worker died")
        assert (died["worker"], died["status"]) == (1, -signal.SIGKILL)
        assert died["level"] == "error"
        assert (await steady.ask(*FAST)).status == 200
        await service.begun(1)
        assert service.pids[1] != dead
        assert (await (await service.line_to(1)).ask(*FAST)).status == 200
        assert (await steady.ask(*FAST)).status == 200
        service.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        await service.hung_up()


@pytest.mark.parametrize("whom", ["the watcher", "all, as a terminal does"])
async def test_a_signal_lets_running_calls_end_at_each_worker(
    whom: str, slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, ODOOPORT_GRACE=LONG) as service:
        lines = [await service.line_to(worker) for worker in (1, 2)]
        for line in lines:
            await line.send(*WRITE)
        await soon(lambda: slow.running() == 2)
        if whom == "the watcher":
            service.send_signal(signal.SIGTERM)
        else:
            os.killpg(service.process.pid, signal.SIGINT)
        for _ in lines:
            assert (await service.told("stopping"))["under_way"] == 1
        refused = await (await service.line()).ask(*FAST)
        assert (refused.status, refused.json()["code"]) == (503, "gateway_unavailable")
        slow.may_end.set()
        assert [(await line.answer()).status for line in lines] == [200, 200]
        assert await service.ended() == 0
        await service.hung_up()
    assert service.outcomes("action_confirm").count("ok") == 2


async def test_at_a_second_signal_all_end_at_once(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, ODOOPORT_GRACE=LONG) as service:
        for worker in (1, 2):
            await (await service.line_to(worker)).send(*WRITE)
        await soon(lambda: slow.running() == 2)
        service.send_signal(signal.SIGTERM)
        for _ in range(2):
            await service.told("stopping")
        service.send_signal(signal.SIGINT)
        assert await service.ended() == 0
        await service.hung_up()
        assert not slow.may_end.is_set()
    assert service.outcomes("action_confirm").count("outcome_unknown") == 2


async def test_no_worker_outlives_a_watcher_that_is_killed(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, ODOOPORT_GRACE=LONG) as service:
        running = await service.line_to(1)
        await running.send(*WRITE)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        service.process.kill()
        await soon(lambda: not alive(service.pids[2]))
        assert alive(service.pids[1])
        slow.may_end.set()
        assert (await running.answer()).status == 200
        await service.hung_up()


async def test_a_worker_that_does_not_end_is_killed(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    async with started(slow, redis, tmp_path, ODOOPORT_GRACE="0") as service:
        os.kill(service.pids[1], signal.SIGSTOP)
        service.send_signal(signal.SIGTERM)
        assert (await service.told("worker killed"))["worker"] == 1
        assert await service.ended() == 0
        await service.hung_up()


# What stops it before it begins


@pytest.mark.parametrize("door", DOORS)
async def test_workers_without_a_redis_are_refused_in_one_line(
    door: str, slow: SlowOdoo, tmp_path: Path
):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *DOORS[door],
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env=variables(slow, tmp_path, ODOOPORT_WORKERS="2"),
    )
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    (line,) = said.decode().splitlines()
    assert process.returncode in (1, 2)
    assert "ODOOPORT_REDIS_URL" in line
    assert "ODOOPORT_WORKERS" in line


async def test_a_wrong_setting_is_said_once_and_no_worker_begins(
    slow: SlowOdoo, redis: RedisServer, tmp_path: Path
):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *DOORS["rest"],
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env=variables(
            slow,
            tmp_path,
            ODOOPORT_WORKERS="2",
            ODOOPORT_REDIS_URL=redis.url,
            ODOOPORT_CA_BUNDLE=str(tmp_path / "missing.pem"),
            ODOO_URL="https://127.0.0.1:1",
        ),
    )
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    (line,) = said.decode().splitlines()
    assert process.returncode == 2
    assert "ODOOPORT_CA_BUNDLE" in line


def test_one_worker_needs_no_redis():
    check_workers(Settings())
    with pytest.raises(SettingsError, match="ODOOPORT_REDIS_URL"):
        check_workers(Settings(workers=2))
