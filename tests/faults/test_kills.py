"""A service that is killed at any moment: what it leaves behind is true."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2
import pytest

from .proxy import Exchange, FaultyProxy, pass_on, proxy_to
from .services import Service, furnish, odooport, started
from .world import MovableClock, SwappableOdoo, odoo_in_memory

SEED = 7
ROUNDS = 8
WRITERS = 8
MOMENTS = ("before", "done", "answered", "some time")

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the tests send POSIX signals"
)


@dataclass
class Between:
    """An Odoo, and what stands between it and the services."""

    odoo: SwappableOdoo
    proxy: FaultyProxy


@pytest.fixture
async def between() -> AsyncIterator[Between]:
    odoo = SwappableOdoo(await odoo_in_memory(MovableClock()))
    async with odoo.serving(), proxy_to(odoo.address) as proxy:
        yield Between(odoo, proxy)


async def killed_during_writes(
    between: Between, service: Service, names: list[str], moment: str, random: Random
) -> dict[str, httpx2.Response]:
    """Kill the service while it creates; answer what was answered before."""
    early, rest = names[:2], names[2:]
    victim = random.randrange(len(rest))
    seen = 0

    async def kill(it: Exchange) -> None:
        nonlocal seen
        seen += 1
        if seen <= victim:
            await pass_on(it)
            return
        if moment == "done":
            await it.forward()
        elif moment == "answered":
            await pass_on(it)
            for _ in range(random.randrange(20)):  # somewhere on the way back
                await asyncio.sleep(0)
        if service.process.returncode is None:
            service.process.kill()
        it.close()

    answers: dict[str, httpx2.Response] = {}

    async def create(name: str) -> None:
        try:
            answers[name] = await service.create(name, f"key-of-{name}")
        except httpx2.TransportError:
            return  # this is what a caller sees of a kill

    for name in early:
        await create(name)
    if moment == "some time":
        writing = asyncio.gather(*map(create, rest))
        await asyncio.sleep(random.uniform(0, 0.08))
        service.process.kill()
        await writing
    else:
        between.proxy.inject(kill, hits="create", times=None)
        await asyncio.gather(*map(create, rest))
        between.proxy.heal()
    await service.process.wait()
    return answers


async def test_after_a_kill_no_key_writes_again_and_every_answer_stays(
    between: Between, tmp_path: Path
) -> None:
    key = furnish(tmp_path, between.proxy.address)
    random = Random(SEED)
    names: list[str] = []
    answered: dict[str, httpx2.Response] = {}
    ends: set[str] = set()
    for round_ in range(ROUNDS + 1):
        async with started(tmp_path, key) as service:
            for name in names:
                before = await between.odoo.written(name)
                again = await service.create(name, f"key-of-{name}")
                written = await between.odoo.written(name)
                if name in answered:
                    first = answered[name]
                    assert first.status_code == 201
                    assert again.content == first.content
                    assert again.headers["Idempotency-Replayed"] == "true"
                    assert (before, written) == (1, 1)
                    ends.add("replayed to who has heard it")
                elif again.status_code == 201:
                    was_there = "Idempotency-Replayed" in again.headers
                    assert (before, written) == (int(was_there), 1)
                    ends.add("replayed" if was_there else "run")
                else:
                    assert again.status_code == 504
                    assert again.json()["code"] == "outcome_unknown"
                    assert before == written <= 1
                    ends.add(f"unknown, written {written}")
            if round_ == ROUNDS:
                break
            names = [f"round{round_}-{number}" for number in range(WRITERS)]
            moment = MOMENTS[round_ % len(MOMENTS)]
            answered = await killed_during_writes(
                between, service, names, moment, random
            )
    assert ends >= {
        "replayed to who has heard it",
        "unknown, written 0",
        "unknown, written 1",
    }
    status, said = await odooport(tmp_path, "audit", "verify")
    assert status == 0, said


async def test_a_line_that_a_kill_has_torn_is_told_as_that_and_not_as_tampering(
    between: Between, tmp_path: Path
) -> None:
    key = furnish(tmp_path, between.proxy.address)
    async with started(tmp_path, key) as service:
        assert (await service.create("Ada")).status_code == 201
        service.process.kill()
        await service.process.wait()
    (file,) = (tmp_path / "audit").rglob("*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    status, said = await odooport(tmp_path, "audit", "verify")
    assert (status, "cut short" in said) == (0, True), said
    async with started(tmp_path, key) as service:
        assert (await service.create("Eve")).status_code == 201
    status, said = await odooport(tmp_path, "audit", "verify")
    assert (status, "cut short" in said) == (0, True), said
    torn = file.read_bytes()
    file.write_bytes(torn.replace(b"Ada", b"Eva", 1).replace(b"create", b"unlink", 1))
    status, said = await odooport(tmp_path, "audit", "verify")
    assert status == 1, said
