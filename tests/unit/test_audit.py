"""The audit on disk: what its lines say, when they are there, and who changed them."""

import asyncio
import json
import os
import re
import resource
import shlex
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from odooport.model import ANONYMOUS, Call, Caller, Credentials, Operation, Principal
from odooport.ports import AuditEvent
from odooport_cli import audit as commands
from odooport_security import AuditError, AuditReader, ChainedAudit
from odooport_security.chain import link, read_line
from odooport_security.verifying import Kind, Verification

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LOGIN = {"default": Credentials("demo", "admin", "s3cr3t")}
CALLER = Caller(Principal("k1", "shop", "full", LOGIN), "rest", "req-1", "127.0.0.1")
WRITE = Call("res.partner", "write", ([7], {"comment": "between us"}))


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def go(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit"


@pytest.fixture
def audit(directory: Path, clock: Clock) -> Iterator[ChainedAudit]:
    audit = ChainedAudit(directory, clock=clock)
    yield audit
    audit.close()


def event(outcome: str, **changes: Any) -> AuditEvent:
    facts: dict[str, Any] = {
        "call": WRITE,
        "operation": Operation.WRITE,
        "ids": (7,),
        "fields": ("comment",),
    }
    return AuditEvent(CALLER, outcome, **(facts | changes))


def read(number: int = 0) -> AuditEvent:
    call = Call("res.partner", "read", ([number],))
    return event("ok", call=call, operation=Operation.READ, ids=(number,))


def failed(address: str | None = "192.0.2.1") -> AuditEvent:
    caller = Caller(ANONYMOUS, "rest", "req-2", address)
    return AuditEvent(caller, "authentication_failed", reason="There is no such key.")


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def raw(directory: Path) -> list[bytes]:
    return [
        line for path in files(directory) for line in path.read_bytes().split(b"\n")
    ]


def kept(directory: Path, *kinds: str) -> list[dict[str, Any]]:
    """Answer the lines of calls, or of other kinds."""
    lines = [json.loads(line) for line in raw(directory) if line]
    return [line for line in lines if line["kind"] in (kinds or ("call", "request"))]


# What a line says


async def test_a_line_says_who_did_what_to_which_records(
    audit: ChainedAudit, directory: Path
):
    await audit.record(event("ok", milliseconds=12.3456, rule="full"))

    (line,) = kept(directory)
    assert len(line.pop("hash")) == len(line.pop("prev")) == 64
    assert line == {
        "n": 2,
        "time": "2026-03-01T12:00:00.250000Z",
        "kind": "call",
        "door": "rest",
        "subject": "k1",
        "key": "shop",
        "role": "full",
        "address": "127.0.0.1",
        "request_id": "req-1",
        "instance": "default",
        "login": "admin",
        "model": "res.partner",
        "method": "write",
        "operation": "write",
        "ids": [7],
        "id_count": 1,
        "fields": ["comment"],
        "field_count": 1,
        "outcome": "ok",
        "reason": None,
        "rule": "full",
        "milliseconds": 12.346,
    }


async def test_a_request_without_a_call_says_where_it_came_from(
    audit: ChainedAudit, directory: Path
):
    await audit.record(failed())
    audit.close()

    (line,) = kept(directory, "request")
    assert (line["address"], line["outcome"]) == ("192.0.2.1", "authentication_failed")
    assert line["reason"] == "There is no such key."
    assert (line["model"], line["login"], line["ids"]) == (None, None, [])


async def test_neither_values_nor_secrets_are_kept(
    audit: ChainedAudit, directory: Path
):
    await audit.record(event("begun"))
    await audit.record(event("odoo_refused", reason="'between us' is not allowed"))
    await audit.record(event("invalid_request", reason="'between us' is no number"))
    audit.close()

    text = b"".join(raw(directory))
    assert text.count(b'"reason":null') == 3
    assert b"between us" not in text
    assert b"s3cr3t" not in text


async def test_our_own_reasons_are_kept(audit: ChainedAudit, directory: Path):
    await audit.record(event("permission_denied", reason="The role may not."))
    audit.close()

    assert kept(directory)[0]["reason"] == "The role may not."


async def test_records_before_and_after_a_write_are_kept_where_they_are_given(
    audit: ChainedAudit, directory: Path
):
    before = [{"id": 7, "name": "Azure", "country_id": [20, "Belgium"], "ids": [1, 2]}]
    await audit.record(event("ok", before=before, after=[{"id": 7, "name": "Ash"}]))

    (line,) = kept(directory)
    assert (line["before"], line["before_count"]) == (before, 1)
    assert (line["after"], line["after_count"]) == ([{"id": 7, "name": "Ash"}], 1)


async def test_records_are_cut_to_a_bound_and_counted(
    audit: ChainedAudit, directory: Path
):
    before = [{"id": number, "image": "x" * 5000} for number in range(3000)]
    await audit.record(event("ok", before=before))

    (line,) = kept(directory)
    assert line["before_count"] == 3000
    assert line["before"][0] == {"id": 0, "image": "x" * 500 + "…"}
    assert len(json.dumps(line)) < 40_000


@pytest.mark.parametrize(
    ("model", "record"),
    [
        ("res.users", {"id": 2, "password": "c4nary"}),
        ("res.partner", {"id": 2, "signup_token": "c4nary"}),
        ("res.partner", {"id": 2, "properties": [{"api_key": "c4nary"}]}),
        ("ir.config_parameter", {"id": 2, "value": "c4nary"}),
        ("payment.provider", {"id": 2, "anything": "c4nary"}),
    ],
)
async def test_a_secret_in_a_changed_record_is_not_kept(
    audit: ChainedAudit, directory: Path, model: str, record: dict[str, Any]
):
    call = Call(model, "write", ([2], {}))
    await audit.record(event("ok", call=call, before=[record], after=[record]))

    text = b"".join(raw(directory))
    assert b"***" in text
    assert b"c4nary" not in text


async def test_long_lists_and_names_are_cut_and_counted(
    audit: ChainedAudit, directory: Path
):
    await audit.record(event("ok", ids=range(5000), fields=["ф" * 10_000] * 300))

    (line,) = kept(directory)
    assert (len(line["ids"]), line["id_count"]) == (100, 5000)
    assert (len(line["fields"]), line["field_count"]) == (100, 300)
    assert max(map(len, raw(directory))) < 100_000


async def test_names_cannot_break_a_line(audit: ChainedAudit, directory: Path):
    names = ["a\nb", "c\u2028d", "\ud800", "\x1b[2J", '","hash":"x"}']
    await audit.record(event("ok", fields=names))

    (line,) = kept(directory)
    assert line["fields"] == names
    assert AuditReader(directory).verify().is_intact


async def test_only_the_owner_may_open_what_is_made(
    audit: ChainedAudit, directory: Path
):
    before = os.umask(0)
    try:
        await audit.record(event("ok"))
    finally:
        os.umask(before)

    modes = [path.stat().st_mode for path in (directory.parent, directory)]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o700, 0o700]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(directory)] == [0o600]


# When it is on disk


@pytest.mark.parametrize("outcome", ["begun", "ok", "odoo_refused", "outcome_unknown"])
async def test_a_write_is_in_the_file_when_the_answer_comes(
    audit: ChainedAudit, directory: Path, outcome: str
):
    await audit.record(event(outcome))

    assert [line["outcome"] for line in kept(directory)] == [outcome]


@pytest.mark.parametrize("operation", [None, Operation.READ])
async def test_whatever_begins_is_in_the_file_when_the_answer_comes(
    audit: ChainedAudit, directory: Path, operation: Operation | None
):
    await audit.record(event("begun", operation=operation))

    assert len(kept(directory)) == 1


async def test_the_line_of_a_read_is_written_within_a_second(directory: Path):
    reads_end, writes_end = os.pipe()
    audit = ChainedAudit(directory, opener=lambda path: writes_end)
    async with asyncio.timeout(1):
        await audit.record(read())
        text = await asyncio.to_thread(os.read, reads_end, 10_000)

    assert b'"outcome":"ok"' in text
    audit.close()
    os.close(reads_end)


async def test_reads_come_before_the_write_that_came_after_them(
    audit: ChainedAudit, directory: Path
):
    for number in range(3):
        await audit.record(read(number))
    await audit.record(event("begun"))

    assert [line["ids"] for line in kept(directory)] == [[0], [1], [2], [7]]


async def test_closing_brings_everything_to_disk(audit: ChainedAudit, directory: Path):
    await audit.record(read())
    audit.close()

    assert len(kept(directory)) == 1
    assert kept(directory, "end")


def test_lines_are_written_also_when_the_event_loop_is_gone(
    audit: ChainedAudit, directory: Path
):
    with asyncio.Runner() as runner:
        runner.run(audit.record(read()))
    audit.close()

    assert len(kept(directory)) == 1


async def test_after_closing_the_next_event_goes_on_with_the_chain(
    audit: ChainedAudit, directory: Path
):
    for _ in range(3):
        await audit.record(event("begun"))
        audit.close()

    assert [line["n"] for line in kept(directory)] == [2, 5, 8]
    assert AuditReader(directory).verify().is_intact


async def test_writes_at_the_same_time_are_kept_in_their_order(
    audit: ChainedAudit, directory: Path
):
    events = [event("begun", ids=(number,)) for number in range(200)]

    assert all(await asyncio.gather(*map(audit.record, events)))
    assert ids(kept(directory)) == list(range(200))


# When the disk refuses


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_write_that_cannot_be_kept_answers_false(
    audit: ChainedAudit, directory: Path
):
    with room_for(1500):
        answers = [await audit.record(event("begun")) for _ in range(5)]

    assert answers == [True, True, False, False, False]
    assert len(kept(directory)) == 2


async def test_after_a_full_disk_the_chain_goes_on_unbroken(
    audit: ChainedAudit, directory: Path
):
    with room_for(1500):
        for number in range(5):
            await audit.record(read(number))
        assert await audit.record(event("begun")) is False
    assert await audit.record(event("begun")) is True

    assert [line["ids"] for line in kept(directory)] == [[0], [1], [2], [3], [4], [7]]
    assert AuditReader(directory).verify().findings == []


async def test_a_disk_without_room_for_a_first_line_answers_false(
    audit: ChainedAudit, directory: Path
):
    with room_for(100):
        assert await audit.record(event("begun")) is False
    assert await audit.record(event("begun")) is True

    assert len(files(directory)) == 1
    assert AuditReader(directory).verify().findings == []


async def test_a_directory_that_cannot_be_made_answers_false(tmp_path: Path):
    (tmp_path / "blocked").write_text("a file where a directory should be")
    audit = ChainedAudit(tmp_path / "blocked" / "audit")

    assert await audit.record(event("begun")) is False
    audit.close()


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
async def test_a_disk_that_takes_nothing_or_keeps_nothing_answers_false(
    directory: Path, device: str
):
    audit = ChainedAudit(directory, opener=lambda path: os.open(device, os.O_WRONLY))

    assert await audit.record(event("begun")) is False
    audit.close()


async def test_what_fails_in_an_unknown_way_answers_false(directory: Path):
    def broken(path: Path) -> int:
        raise RuntimeError("something else")

    audit = ChainedAudit(directory, opener=broken)

    assert await audit.record(event("begun")) is False
    audit.close()


async def test_lines_without_room_in_memory_are_counted(
    audit: ChainedAudit, directory: Path
):
    big = event(
        "ok", operation=Operation.READ, before=[{"id": 1, "a": "x" * 400}] * 100
    )
    with room_for(1500):
        assert await audit.record(event("begun"))
        answers = [await audit.record(big) for _ in range(700)]
        assert not all(answers)
    await audit.record(event("begun"))
    audit.close()

    (lost,) = kept(directory, "lost")
    assert lost["count"] == answers.count(False)
    assert AuditReader(directory).verify().is_intact


async def test_an_event_that_is_no_event_answers_false(audit: ChainedAudit):
    odd: Any = object()

    assert await audit.record(event("begun", fields=[odd])) is False


# Files


async def test_a_full_file_is_followed_by_one_that_names_its_head(
    directory: Path, clock: Clock
):
    audit = ChainedAudit(directory, max_bytes=4096, clock=clock)
    for _ in range(30):
        await audit.record(event("begun"))
    audit.close()

    first, second, *_ = files(directory)
    assert all(path.stat().st_size <= 4096 + 200 for path in files(directory))
    last = json.loads(first.read_bytes().splitlines()[-1])
    header = json.loads(second.read_bytes().splitlines()[0])
    assert (header["kind"], header["file"]) == ("begin", 2)
    assert (header["prev"], header["n"]) == (last["hash"], last["n"] + 1)
    assert AuditReader(directory).verify().is_intact


async def test_a_line_beyond_the_size_of_a_file_has_a_file_of_its_own(directory: Path):
    audit = ChainedAudit(directory, max_bytes=4096)
    for _ in range(2):
        await audit.record(event("begun", fields=["x" * 90] * 100))
    audit.close()

    assert len(files(directory)) == 2
    assert AuditReader(directory).verify().is_intact


async def test_a_new_day_begins_a_new_file(
    audit: ChainedAudit, directory: Path, clock: Clock
):
    await audit.record(event("begun"))
    clock.go(hours=11, minutes=59)
    await audit.record(event("begun"))
    clock.go(minutes=1)
    await audit.record(event("begun"))

    assert [len(path.read_bytes().splitlines()) for path in files(directory)] == [3, 2]


async def test_the_head_of_a_file_that_ends_is_in_the_log(
    audit: ChainedAudit,
    directory: Path,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO")
    await audit.record(event("begun"))
    audit.close()

    clock.go(days=1)
    await audit.record(event("begun"))
    clock.go(days=1)
    await audit.record(event("begun"))

    ends = [path.read_bytes().splitlines()[-1] for path in files(directory)[:2]]
    heads = [json.loads(line)["hash"] for line in ends]
    assert [record.__dict__["head"] for record in caplog.records] == heads


@pytest.mark.parametrize("what", ["deleted", "moved", "cut", "appended", "replaced"])
async def test_a_file_that_somebody_touches_is_not_used_on(
    audit: ChainedAudit, directory: Path, tmp_path: Path, what: str
):
    await audit.record(event("begun"))
    (path,) = files(directory)
    match what:
        case "deleted":
            path.unlink()
        case "moved":
            path.rename(tmp_path / "elsewhere")
        case "cut":
            os.truncate(path, 10)
        case "appended":
            path.write_bytes(path.read_bytes() + b"x\n")
        case _:
            text = path.read_bytes()
            path.rename(tmp_path / "elsewhere")
            path.write_bytes(text.replace(b"begun", b"never"))

    assert await audit.record(event("begun")) is True
    newest = files(directory)[-1]
    assert newest.name.endswith("-0002.jsonl")
    assert len(newest.read_bytes().splitlines()) == 2
    assert not AuditReader(directory).verify().is_intact


async def test_a_planted_file_is_not_written_to(directory: Path, tmp_path: Path):
    directory.mkdir(parents=True)
    (tmp_path / "passwords").touch()
    audit = ChainedAudit(directory, clock=lambda: NOW, token_bytes=bytes)
    name = f"20260301T120000Z-{os.getpid()}-00000000-0001.jsonl"
    (directory / name).symlink_to(tmp_path / "passwords")

    assert await audit.record(event("begun")) is False
    assert (tmp_path / "passwords").read_bytes() == b""
    audit.close()


async def test_processes_share_the_directory_each_with_its_own_chain(directory: Path):
    audits = [ChainedAudit(directory) for _ in range(3)]
    events = [audit.record(event("begun")) for audit in audits * 10]

    assert all(await asyncio.gather(*events))
    for audit in audits:
        audit.close()
    found = AuditReader(directory).verify()
    assert (found.chains, found.lines, found.findings) == (3, 36, [])


WRITER = """
import asyncio, sys
from pathlib import Path
from odooport.model import Call, Caller, Operation, Principal
from odooport.ports import AuditEvent
from odooport_security import ChainedAudit

async def write():
    audit = ChainedAudit(Path(sys.argv[1]), max_bytes=20_000)
    caller = Caller(Principal("k1", "shop", "full", {}), "rest", "req-1")
    for number in range(1_000_000):
        call = Call("res.partner", "write", ([number], {}))
        event = AuditEvent(caller, "begun", call, Operation.WRITE, ids=(number,))
        if await audit.record(event):
            print(number, flush=True)

asyncio.run(write())
"""


def test_a_killed_process_leaves_every_line_that_it_was_promised(directory: Path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    promised: list[int] = []
    for child in children:
        with child:
            assert child.stdout is not None
            for line in child.stdout:
                if int(line) == 200:
                    child.send_signal(signal.SIGKILL)
                promised.append(int(line))
        assert child.returncode == -signal.SIGKILL

    found = AuditReader(directory).verify()
    assert found.is_intact
    assert found.chains == 2
    there = [line["ids"][0] for line in AuditReader(directory).search(outcome="begun")]
    assert not set(promised) - set(there)
    assert len(there) >= len(promised)


# Floods


async def test_failed_logins_of_one_address_are_counted_from_the_sixth_on(
    audit: ChainedAudit, directory: Path, clock: Clock
):
    for _ in range(100):
        assert await audit.record(failed())
        clock.go(seconds=0.5)
    clock.go(seconds=10)
    await audit.record(event("begun"))

    assert len(kept(directory, "request")) == 5
    (line,) = kept(directory, "failed-logins")
    assert (line["address"], line["count"]) == ("192.0.2.1", 95)
    assert line["outcomes"] == {"authentication_failed": 95}
    assert (line["since"], line["until"]) == (
        "2026-03-01T12:00:02.750000Z",
        "2026-03-01T12:00:49.750000Z",
    )


async def test_what_was_counted_is_told_at_the_end(
    audit: ChainedAudit, directory: Path
):
    for _ in range(7):
        await audit.record(failed())
    audit.close()

    assert [line["count"] for line in kept(directory, "failed-logins")] == [2]


async def test_what_was_counted_is_told_without_a_further_event(
    directory: Path, clock: Clock
):
    reads_end, writes_end = os.pipe()
    audit = ChainedAudit(
        directory,
        clock=clock,
        opener=lambda path: os.dup(writes_end),
        flush_seconds=0.01,
    )
    for _ in range(7):
        await audit.record(failed())
    clock.go(seconds=59.99)
    await audit.record(read())
    text = b""
    async with asyncio.timeout(5):
        while b'"ok"' not in text:
            text += await asyncio.to_thread(os.read, reads_end, 100_000)
        assert b"failed-logins" not in text
        clock.go(seconds=0.02)
        while b"failed-logins" not in text:
            text += await asyncio.to_thread(os.read, reads_end, 100_000)

    audit.close()
    os.close(reads_end)
    os.close(writes_end)


async def test_each_minute_tells_the_first_again(
    audit: ChainedAudit, directory: Path, clock: Clock
):
    for _ in range(3):
        for _ in range(10):
            await audit.record(failed())
        clock.go(minutes=1)
    audit.close()

    assert len(kept(directory, "request")) == 15
    assert [line["count"] for line in kept(directory, "failed-logins")] == [5, 5, 5]


async def test_addresses_beyond_number_are_counted_together(
    audit: ChainedAudit, directory: Path
):
    for number in range(2000):
        await audit.record(failed(f"2001:db8::{number:x}"))
    audit.close()

    assert len(kept(directory, "request")) == 500
    (line,) = kept(directory, "failed-logins-of-others")
    assert (line["address"], line["count"]) == (None, 1500)


async def test_the_calls_of_a_known_key_are_never_only_counted(
    audit: ChainedAudit, directory: Path
):
    for _ in range(50):
        await audit.record(event("rate_limited"))
    audit.close()

    assert len(kept(directory)) == 50


# Tampering


@pytest.fixture
async def chain(directory: Path, clock: Clock) -> Path:
    """Three files with a chain: lines 1 to 8, 9 to 16, 17 to 22."""
    audit = ChainedAudit(directory, clock=clock)
    for _ in range(3):
        for number in range(7 if clock.now.day < 3 else 4):
            await audit.record(event("begun", ids=(number,)))
        clock.go(days=1)
    clock.go(days=-1)
    audit.close()
    return directory


def verify(directory: Path, *heads: str) -> Verification:
    return AuditReader(directory).verify(*heads)


def seen(found: Verification) -> list[tuple[str, int, Kind]]:
    """Answer the number of the file, the line and the kind of each finding."""
    return [(item.file[-10:-6], item.line, item.kind) for item in found.findings]


class Tampering:
    """Somebody who may write to a file, and changes its lines."""

    def __init__(self, directory: Path, number: int = 1) -> None:
        self.path = files(directory)[number - 1]
        self.lines = self.path.read_bytes().splitlines(keepends=True)

    def save(self) -> None:
        self.path.write_bytes(b"".join(self.lines))

    def forge(self, index: int, **facts: Any) -> None:
        """Change a line and make its hash anew."""
        line = read_line(self.lines[index])
        assert line is not None
        body = {k: v for k, v in line.facts.items() if k not in ("n", "prev", "hash")}
        text = json.dumps(body | facts, separators=(",", ":"))
        self.lines[index], _ = link(line.n, line.prev, text.encode())


def test_a_chain_that_nobody_touched_is_intact(chain: Path):
    found = verify(chain)

    assert found.is_intact
    assert (found.chains, found.files, found.lines) == (1, 3, 22)
    assert found.findings == []


@pytest.mark.parametrize("index", range(8))
def test_a_changed_line_is_found(chain: Path, index: int):
    somebody = Tampering(chain)
    somebody.lines[index] = somebody.lines[index].replace(b"2026-03", b"2025-03")
    somebody.save()

    found = verify(chain)
    assert not found.is_intact
    assert seen(found) == [("0001", index + 1, Kind.CHANGED)]


def test_a_changed_last_line_is_found(chain: Path):
    somebody = Tampering(chain, 3)
    somebody.lines[-1] = somebody.lines[-1].replace(b'"end"', b'"not"')
    somebody.save()

    assert seen(verify(chain)) == [("0003", len(somebody.lines), Kind.CHANGED)]


@pytest.mark.parametrize("name", [b"hash", b"prev", b"n"])
def test_a_member_of_the_chain_under_another_name_is_found(chain: Path, name: bytes):
    somebody = Tampering(chain)
    other = b'"' + b"x" * len(name) + b'":'
    somebody.lines[3] = somebody.lines[3].replace(b'"' + name + b'":', other)
    somebody.save()

    assert seen(verify(chain)) == [("0001", 4, Kind.CHANGED)]


def test_a_changed_hash_is_found(chain: Path):
    somebody = Tampering(chain)
    line = somebody.lines[3]
    somebody.lines[3] = (
        line[:-67]
        + line[-67:-3].translate(bytes.maketrans(b"0123456789", b"1234567890"))
        + line[-3:]
    )
    somebody.save()

    assert seen(verify(chain)) == [("0001", 4, Kind.CHANGED)]


def test_a_change_of_blanks_is_found(chain: Path):
    somebody = Tampering(chain)
    somebody.lines[3] = somebody.lines[3].replace(b'"n":4', b'"n": 4')
    somebody.save()

    assert seen(verify(chain)) == [("0001", 4, Kind.CHANGED)]


@pytest.mark.parametrize("index", range(1, 8))
def test_a_changed_line_with_a_new_hash_is_found(chain: Path, index: int):
    somebody = Tampering(chain)
    somebody.forge(index, outcome="permission_denied")
    somebody.save()

    assert seen(verify(chain)) == [("0001", index + 1, Kind.CHANGED)]


def test_a_hash_without_its_line_is_found(chain: Path):
    somebody = Tampering(chain)
    somebody.lines[2] = b"\x00" * len(somebody.lines[2][:-1]) + b"\n"
    somebody.save()

    assert seen(verify(chain)) == [("0001", 3, Kind.CHANGED)]


def test_a_removed_line_is_found(chain: Path):
    somebody = Tampering(chain)
    del somebody.lines[4]
    somebody.save()

    found = verify(chain)
    assert seen(found) == [("0001", 5, Kind.REMOVED)]
    assert "line 5 of the chain" in found.findings[0].text


def test_a_removed_first_line_is_found(chain: Path):
    somebody = Tampering(chain)
    del somebody.lines[0]
    somebody.save()

    assert ("0001", 1, Kind.REMOVED) in seen(verify(chain))


def test_lines_cut_from_the_end_of_a_file_that_has_a_next_one_are_found(chain: Path):
    somebody = Tampering(chain)
    del somebody.lines[-3:]
    somebody.save()

    found = verify(chain)
    assert seen(found) == [("0002", 1, Kind.REMOVED)]
    assert "lines 6 to 8 of the chain" in found.findings[0].text


@pytest.mark.parametrize(("number", "where"), [(1, ("0002", 1)), (2, ("0003", 1))])
def test_a_removed_file_is_found(chain: Path, number: int, where: tuple[str, int]):
    files(chain)[number - 1].unlink()

    assert seen(verify(chain)) == [(*where, Kind.REMOVED)]


def test_an_emptied_file_is_found(chain: Path):
    os.truncate(files(chain)[1], 0)

    assert seen(verify(chain)) == [("0003", 1, Kind.REMOVED)]


@pytest.mark.parametrize("text", [b"{}\n", b"\n", b'{"n":5}\n', b"[1]\n", b"\xff\n"])
def test_an_inserted_line_is_found(chain: Path, text: bytes):
    somebody = Tampering(chain)
    somebody.lines.insert(4, text)
    somebody.save()

    assert seen(verify(chain)) == [("0001", 5, Kind.INSERTED)]


def test_a_line_that_stands_there_twice_is_found(chain: Path):
    somebody = Tampering(chain)
    somebody.lines.insert(6, somebody.lines[3])
    somebody.save()

    assert seen(verify(chain)) == [("0001", 7, Kind.INSERTED)]


def test_a_line_that_was_forged_to_fit_in_is_found(chain: Path):
    somebody = Tampering(chain)
    before = read_line(somebody.lines[3])
    assert before is not None
    somebody.lines.insert(4, link(5, before.hash, b'{"kind":"call"}')[0])
    somebody.save()

    found = verify(chain)
    assert not found.is_intact
    assert ("0001", 6, Kind.INSERTED) in seen(found)


def test_a_line_added_to_the_end_is_found(chain: Path):
    somebody = Tampering(chain, 3)
    somebody.lines.append(b'{"kind":"call"}\n')
    somebody.save()

    assert seen(verify(chain)) == [("0003", len(somebody.lines), Kind.CHANGED)]


@pytest.mark.parametrize(("one", "other"), [(2, 3), (3, 2), (1, 6)])
def test_lines_in_another_order_are_found(chain: Path, one: int, other: int):
    somebody = Tampering(chain)
    somebody.lines[one], somebody.lines[other] = (
        somebody.lines[other],
        somebody.lines[one],
    )
    somebody.save()

    found = verify(chain)
    assert {kind for *_, kind in seen(found)} == {Kind.REORDERED}
    assert ("0001", max(one, other) + 1, Kind.REORDERED) in seen(found)


def test_files_in_another_order_are_found(chain: Path):
    first, second, _ = files(chain)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)

    assert not verify(chain).is_intact


def test_a_file_under_the_name_of_another_chain_is_found(chain: Path):
    first = files(chain)[0]
    name = first.name.replace(f"-{os.getpid()}-", "-1-")
    (chain / name).write_bytes(first.read_bytes())

    assert seen(verify(chain)) == [("0001", 1, Kind.REORDERED)]


def test_a_chain_that_was_written_anew_is_found_by_its_head(chain: Path):
    (head,) = AuditReader(chain).heads()
    prev = ""
    for number in (1, 2, 3):
        somebody = Tampering(chain, number)
        for index, text in enumerate(somebody.lines):
            line = json.loads(text)
            n, before = line.pop("n"), line.pop("prev")
            del line["hash"]
            if n == 4:
                line["outcome"] = "permission_denied"
            body = json.dumps(line, separators=(",", ":")).encode()
            somebody.lines[index], prev = link(n, prev or before, body)
        somebody.save()

    assert verify(chain).is_intact  # what has no secret can be made anew by anybody
    assert not verify(chain, head.hash).is_intact


def test_a_noted_head_proves_that_nothing_was_cut_before_it(chain: Path):
    somebody = Tampering(chain, 3)
    line = read_line(somebody.lines[2])
    assert line is not None

    (known,) = verify(chain, line.hash).heads
    assert (known.file, known.line) == (somebody.path.name, 3)
    assert known.after == 22 - line.n

    del somebody.lines[2:]
    somebody.save()
    assert verify(chain).is_intact
    found = verify(chain, line.hash)
    assert not found.is_intact
    assert [known.file for known in found.heads] == [None]


def test_a_head_in_a_directory_that_is_gone_is_missed(directory: Path):
    assert verify(directory).is_intact
    assert not verify(directory, "0" * 64).is_intact


def test_old_files_may_go_if_their_head_was_noted(chain: Path):
    first = files(chain)[0]
    line = read_line(first.read_bytes().splitlines(keepends=True)[-1])
    assert line is not None
    first.unlink()

    found = verify(chain, line.hash)
    assert found.is_intact
    assert (found.heads[0].line, found.heads[0].after) == (0, 14)


@pytest.mark.parametrize("number", [1, 3])
def test_half_a_line_at_the_end_is_told_apart_from_tampering(chain: Path, number: int):
    somebody = Tampering(chain, number)
    somebody.lines.append(b'{"n":9,"prev":"')
    somebody.save()

    found = verify(chain)
    assert found.is_intact
    assert seen(found) == [(f"000{number}", len(somebody.lines), Kind.CUT_SHORT)]


def test_findings_beyond_number_are_counted(chain: Path):
    somebody = Tampering(chain)
    somebody.lines[3:3] = [b"x\n"] * 20_000
    somebody.save()

    found = verify(chain)
    assert len(found.findings) == 101
    assert found.findings[-1].text == "and 19900 findings more"


def test_a_line_without_end_costs_no_memory(chain: Path):
    somebody = Tampering(chain)
    somebody.lines.insert(3, b"x" * 5_000_000 + b"\n")
    somebody.save()

    assert seen(verify(chain)) == [("0001", 4, Kind.INSERTED)]
    assert len(list(AuditReader(chain).search(model="res.partner"))) == 18


def test_what_cannot_be_read_is_said(tmp_path: Path):
    (tmp_path / "audit").write_text("a file where a directory should be")

    with pytest.raises(AuditError, match="cannot be read"):
        AuditReader(tmp_path / "audit").verify()


# Reading


@pytest.fixture
async def two_chains(directory: Path, clock: Clock) -> Path:
    """Ten reads, by turns in two chains, a minute apart; the last has half a line."""
    audits = [ChainedAudit(directory, clock=clock) for _ in range(2)]
    for number in range(10):
        await audits[number % 2].record(replace(event("begun"), ids=(number,)))
        clock.go(minutes=1)
    for audit in audits:
        audit.close()
    with files(directory)[-1].open("ab") as file:
        file.write(b'{"half":')
    return directory


def ids(lines: Sequence[Any] | Iterator[Any]) -> list[int]:
    return [number for line in lines for number in line.get("ids", ())]


def test_the_tail_is_in_the_order_of_time_across_chains(two_chains: Path):
    reader = AuditReader(two_chains)

    assert ids(reader.tail(6)) == [6, 7, 8, 9]  # and the two ends
    assert ids(reader.tail(1000)) == list(range(10))


async def test_the_tail_of_a_long_file_is_read_from_its_end(
    audit: ChainedAudit, directory: Path
):
    await asyncio.gather(*(audit.record(read(number)) for number in range(500)))
    await audit.record(event("begun"))

    assert ids(AuditReader(directory).tail(400)) == [*range(101, 500), 7]
    assert len(AuditReader(directory).tail(10_000)) == 502


def test_a_search_is_in_the_order_of_time_across_chains(two_chains: Path):
    assert ids(AuditReader(two_chains).search()) == list(range(10))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"key": "k1"}, 10),
        ({"key": "shop"}, 10),
        ({"key": "k2"}, 0),
        ({"model": "res.partner"}, 10),
        ({"model": "res.*"}, 10),
        ({"model": "sale.*"}, 0),
        ({"outcome": "begun"}, 10),
        ({"outcome": "ok"}, 0),
        ({"door": "rest"}, 10),
        ({"door": "mcp-http"}, 0),
        ({"request_id": "req-1"}, 10),
        ({"request_id": "req-9"}, 0),
        ({"record_id": 3}, 1),
        ({"record_id": 3, "model": "sale.order"}, 0),
        ({"since": NOW + timedelta(minutes=4), "outcome": "begun"}, 6),
        ({"until": NOW + timedelta(minutes=4), "outcome": "begun"}, 4),
    ],
)
def test_a_search_finds_what_fits(two_chains: Path, wanted: Any, found: int):
    assert len(list(AuditReader(two_chains).search(**wanted))) == found


def test_a_damaged_line_does_not_stop_the_reader(two_chains: Path):
    somebody = Tampering(two_chains)
    somebody.lines[1:1] = [b"nonsense\n", b"[1]\n", b'{"time":7}\n', b"[" * 100_000]
    somebody.save()
    reader = AuditReader(two_chains)

    assert 2 in ids(reader.search())
    assert 2 in ids(reader.tail(100))


def test_heads_are_the_last_lines(chain: Path):
    (head,) = AuditReader(chain).heads()
    last = json.loads(files(chain)[-1].read_bytes().splitlines()[-1])

    assert (head.hash, head.n, head.file) == (last["hash"], 22, files(chain)[-1].name)


def test_half_a_line_is_nobodys_head_or_tail(chain: Path):
    last = files(chain)[-1]
    os.truncate(last, last.stat().st_size - 1)

    assert AuditReader(chain).heads()[0].n == 21
    assert [line["n"] for line in AuditReader(chain).tail(1)] == [21]


# The commands


@pytest.fixture
def odooport(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., int]:
    """Runs a command of ``odooport audit``."""
    app = typer.Typer()
    for command in (commands.verify, commands.heads, commands.tail, commands.search):
        app.command()(command)
    for name in list(os.environ):
        if name.startswith("ODOO"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ODOOPORT_STATE", str(directory.parent))
    return lambda line: app(shlex.split(line), standalone_mode=False)


type Output = pytest.CaptureFixture[str]


def test_verify_says_that_all_is_well(
    chain: Path, odooport: Callable[..., int], capsys: Output
):
    (head,) = AuditReader(chain).heads()

    assert odooport(f"verify --head {head.hash}") == 0
    assert capsys.readouterr().out == (
        f"head {head.hash}: {head.file} line 6, 0 lines later\n"
        "As it was written: 22 lines in 3 files, 1 chain.\n"
    )


def test_verify_names_file_and_line_and_answers_one(
    chain: Path, odooport: Callable[..., int], capsys: Output
):
    somebody = Tampering(chain)
    del somebody.lines[4]
    somebody.save()

    assert odooport("verify") == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{somebody.path.name} line 5: removed: line 5 of the chain")
    assert "Tampered with" in out


def test_verify_answers_one_when_a_head_is_not_there(
    chain: Path, odooport: Callable[..., int], capsys: Output
):
    assert odooport(f"verify --head {'a' * 64}") == 1
    assert "not there" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", ["", "--head abc", "--head " + "g" * 64])
def test_verify_answers_two_when_it_cannot_tell(
    odooport: Callable[..., int], capsys: Output, arguments: str
):
    assert odooport(f"verify {arguments}") == 2
    assert capsys.readouterr().err.startswith("odooport: ")


def test_verify_answers_two_when_the_audit_cannot_be_read(
    directory: Path, odooport: Callable[..., int], capsys: Output
):
    directory.parent.mkdir()
    directory.write_text("a file where a directory should be")

    assert odooport("verify") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_heads_shows_what_verify_takes(
    two_chains: Path, odooport: Callable[..., int], capsys: Output
):
    assert odooport("heads") == 0
    heads = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert len(heads) == 2
    assert odooport("verify " + " ".join(f"--head {head}" for head in heads)) == 0


def test_tail_shows_a_line_for_each_event(
    chain: Path, odooport: Callable[..., int], capsys: Output
):
    assert odooport("tail -n 2") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "2026-03-03T12:00:00.250000Z  begun  k1 (shop)  rest 127.0.0.1  "
        "res.partner.write [3]  request req-1"
    )
    assert second == "2026-03-03T12:00:00.250000Z  (end)  line 22 of its chain"


def test_search_shows_what_fits(
    two_chains: Path, odooport: Callable[..., int], capsys: Output
):
    assert (
        odooport(
            "search --key shop --model 'res.*' --outcome begun --door rest --id 3 "
            "--request-id req-1 --since 2026-03-01 --until 2026-03-02T00:00:00Z"
        )
        == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_search_shows_lines_as_json(
    two_chains: Path, odooport: Callable[..., int], capsys: Output
):
    assert odooport("search --outcome begun --json --since 2026-03-01T13:02+01:00") == 0
    lines = capsys.readouterr().out.splitlines()
    assert ids([json.loads(line) for line in lines]) == list(range(2, 10))


@pytest.mark.parametrize("since", ["yesterday", "0d", "900000d", "", "2026-13-01"])
def test_search_refuses_what_is_no_time(
    two_chains: Path, odooport: Callable[..., int], capsys: Output, since: str
):
    assert odooport(f"search --since '{since}'") == 2
    assert "is no time" in capsys.readouterr().err


async def test_what_a_caller_names_commands_no_terminal(
    audit: ChainedAudit,
    directory: Path,
    odooport: Callable[..., int],
    capsys: Output,
):
    evil = "a\nFAKE  line\r\x1b[2J\u2028\u202e\x9b1m"
    caller = replace(CALLER, request_id=evil, address=evil)
    call = Call(evil, evil)
    await audit.record(replace(event("begun", call=call), caller=caller))
    await audit.record(failed(evil))
    audit.close()

    for arguments in ("tail", "search", "tail --json", "search --json"):
        odooport(arguments)
        out = capsys.readouterr().out
        assert len(out.splitlines()) == 4  # a beginning, two events and an end
        assert out.replace("\n", "").isprintable()


def test_the_verifier_in_the_docs_finds_what_ours_finds(chain: Path, tmp_path: Path):
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    script = tmp_path / "verify.py"
    script.write_text(textwrap.dedent(code))

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), *map(str, files(chain))]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    (head,) = AuditReader(chain).heads()
    assert run().stdout.strip() == head.hash

    somebody = Tampering(chain)
    somebody.forge(3, outcome="permission_denied")
    somebody.save()
    assert run().returncode == 1
