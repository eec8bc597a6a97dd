"""The state directory on bad days: full, shared, and with a clock that jumps."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odooport_security import SqliteKeyStore

from .services import PARTNERS, furnish, odooport, started
from .world import MovableClock, SwappableOdoo, odoo_in_memory

PATIENCE = 30
RACES = 20


@pytest.fixture
async def odoo() -> AsyncIterator[SwappableOdoo]:
    server = SwappableOdoo(await odoo_in_memory(MovableClock()))
    async with server.serving():
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB, which only root may make."""
    mount = shutil.which("mount")
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or mount is None:
        pytest.skip("NOT TESTED: a full disk. Only root on Linux may make a small one.")
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"NOT TESTED: a full disk. A small one is refused: {made.stderr}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a byte free; answer the file that takes it all."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            for size in (65_536, 4096, 1):
                with_room = True
                while with_room:
                    with_room = file.write(b"\0" * size) == size
        except OSError:
            return filler
    return filler


async def test_a_full_disk_refuses_writes_and_loses_nothing(
    odoo: SwappableOdoo, small_disk: Path
) -> None:
    key = furnish(small_disk, odoo.address)
    async with started(small_disk, key) as service:
        first = await service.create("First", "first")
        assert first.status_code == 201, first.text
        filler = fill(small_disk)
        refused: tuple[list[str], list[str]] = ([], [])  # without keys, and with
        async with asyncio.timeout(PATIENCE):
            # the files may still have room in the blocks that they have
            for number in range(100):
                name = f"full{number}"
                answer = await service.create(name, name if number % 2 else None)
                times = await odoo.written(name)
                if answer.status_code == 201:
                    assert times == 1
                    continue
                assert (answer.status_code, times) == (503, 0), answer.text
                assert answer.json()["code"] == "gateway_unavailable"
                assert "nothing was sent" in answer.json()["detail"]
                refused[number % 2].append(name)
                if min(map(len, refused)) == 3:
                    break
        assert min(map(len, refused)) == 3
        read = await service.http.get(f"{PARTNERS}/records?limit=1")
        assert read.status_code == 200, read.text

        filler.unlink()
        for name in (*refused[0], *refused[1]):
            async with asyncio.timeout(PATIENCE):
                while True:
                    answer = await service.create(name, name)
                    if answer.status_code == 201:
                        break
                    await asyncio.sleep(0.1)
            assert await odoo.written(name) == 1
        again = await service.create("First", "first")
        assert again.content == first.content
        assert await odoo.written("First") == 1
    status, said = await odooport(small_disk, "audit", "verify")
    assert status == 0, said


async def test_two_processes_share_a_directory_under_load(
    odoo: SwappableOdoo, tmp_path: Path
) -> None:
    key = furnish(tmp_path, odoo.address)
    async with started(tmp_path, key) as one, started(tmp_path, key) as other:

        async def race(number: int) -> None:
            name = f"race{number}"
            answers = await asyncio.gather(
                *(service.create(name, name) for service in (one, other, one, other))
            )
            codes = {answer.status_code for answer in answers}
            assert codes <= {201, 409}, [answer.text for answer in answers]
            done = [answer for answer in answers if answer.status_code == 201]
            replayed = [it for it in done if "Idempotency-Replayed" in it.headers]
            assert len(done) - len(replayed) == 1
            assert len({answer.content for answer in done}) == 1
            for answer in answers:
                if answer.status_code == 409:
                    assert answer.json()["code"] == "idempotency_in_flight"
            for service in (one, other):
                again = await service.create(name, name)
                assert again.content == done[0].content
                assert again.headers["Idempotency-Replayed"] == "true"
            assert await odoo.written(name) == 1

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*map(race, range(RACES)))
        store = SqliteKeyStore(tmp_path / "keys.db")
        made, token = store.create("newcomer", "reader")
        bearer = {"Authorization": f"Bearer {token}"}
        for service in (one, other):
            me = await service.http.get("/v1/me", headers=bearer)
            assert me.json()["principal"] == "newcomer"
        store.revoke(made.id)
        store.close()
        for service in (one, other):
            async with asyncio.timeout(PATIENCE):
                while True:
                    me = await service.http.get("/v1/me", headers=bearer)
                    if me.status_code == 401:
                        break
                    await asyncio.sleep(0.05)
    status, said = await odooport(tmp_path, "audit", "verify")
    assert (status, "2 chains" in said) == (0, True), said


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)], ids=str)
async def test_a_key_expires_by_the_clock_on_the_wall_whichever_way_it_jumps(
    jump: timedelta, tmp_path: Path
) -> None:
    now = datetime(2026, 3, 18, 12, tzinfo=UTC)
    clock = [now]
    store = SqliteKeyStore(tmp_path / "keys.db", clock=lambda: clock[0])
    _, lasting = store.create("lasting", "reader")
    _, ending = store.create("ending", "reader", expires_at=now + timedelta(days=1))
    clock[0] = now + jump
    assert not await is_expired(store, lasting, clock[0])
    assert await is_expired(store, ending, clock[0]) is (jump > timedelta())
    clock[0] = now
    assert not await is_expired(store, ending, clock[0])
    store.close()


async def is_expired(store: SqliteKeyStore, token: str, now: datetime) -> bool:
    """Answer whether a key that is there has expired."""
    found = await store.verify(token)
    assert found is not None
    return found.is_expired(now)
