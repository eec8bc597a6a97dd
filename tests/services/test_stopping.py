"""Services that are told to stop, and callers that go away, as processes."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from odooport import GatewayUnavailable
from odooport_mcp.failures import ERROR_KEY
from odooport_runtime.draining import Drain

from .slow_odoo import (
    DOORS,
    PATIENCE,
    READ,
    TOOL_READ,
    TOOL_WRITE,
    WRITE,
    Process,
    SlowOdoo,
    read_audit,
    serving,
    slow_odoo,
    soon,
    variables,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the tests send POSIX signals"
)

LONG = "60"
"""A time that no test waits for."""

MARGIN = 2.0
"""What an end may take longer than it says, on a machine with much else to do."""

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture
async def slow() -> AsyncIterator[SlowOdoo]:
    async with slow_odoo() as odoo:
        yield odoo


@asynccontextmanager
async def started(
    door: str, slow: SlowOdoo, state: Path, **more: str
) -> AsyncIterator[Process]:
    async with serving(DOORS[door], variables(slow, state, **more), state) as service:
        yield service


def requests_of(door: str) -> tuple[Any, Any]:
    """Answer what a door is asked: a slow read and a slow write."""
    return (TOOL_READ, TOOL_WRITE) if door.startswith("mcp") else (READ, WRITE)


def done(answer: Any) -> bool:
    """Answer whether a call was answered as it should be."""
    result = answer.json().get("result")
    if isinstance(result, dict):
        return result.get("isError") is not True
    return answer.status == 200 and ("records" in answer.json() or result is True)


# Draining


async def test_a_drain_counts_and_refuses():
    drain = Drain(retry_after=7.0)
    assert await drain.ended(0.0)
    with drain.admit():
        drain.stop()
        assert (drain.under_way, drain.stopping) == (1, True)
        with (
            pytest.raises(GatewayUnavailable, match="nothing was done") as refusal,
            drain.admit(),
        ):
            pass
        assert refusal.value.retry_after == 7.0
        assert drain.under_way == 1
        assert not await drain.ended(0.0)
    assert await drain.ended(PATIENCE)
    assert drain.under_way == 0


@pytest.mark.parametrize("door", DOORS)
async def test_a_running_call_ends_while_new_ones_are_refused(
    door: str, slow: SlowOdoo, tmp_path: Path
):
    _, write = requests_of(door)
    async with started(door, slow, tmp_path, ODOOPORT_GRACE=LONG) as service:
        running, kept = await service.line(), await service.line()
        assert (await kept.ask("GET", "/health")).status == 200
        await running.send(*write)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        service.send_signal(signal.SIGTERM)
        assert (await service.told("stopping"))["under_way"] == 1

        new = await service.line()
        for line in (kept, new):
            refused = await line.ask(*write)
            assert refused.status == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["code"] == "gateway_unavailable"
            assert "stopping" in refused.json()["detail"]
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["connection"] == "close"
            assert await line.is_closed()
        assert (await (await service.line()).ask("GET", "/ready")).status == 503
        health = await (await service.line()).ask("GET", "/health")
        assert (health.status, health.json()) == (200, {"status": "ok"})

        slow.may_end.set()
        answer = await running.answer()
        assert done(answer)
        assert answer.headers["connection"] == "close"
        assert await service.ended() == 0
        assert service.lines[-1]["event"] != "internal"
        assert not [line for line in service.lines if line["level"] == "error"]


@pytest.mark.parametrize("door", ["rest", "mcp", "mcp of both"])
async def test_when_the_grace_is_over_each_caller_hears_what_is_known(
    door: str, slow: SlowOdoo, tmp_path: Path
):
    read, write = requests_of(door)
    async with started(door, slow, tmp_path, ODOOPORT_GRACE="1") as service:
        reading, writing = await service.line(), await service.line()
        await reading.send(*read)
        await writing.send(*write)
        await soon(lambda: slow.running() == 2)
        service.send_signal(signal.SIGTERM)
        began = time.monotonic()
        await service.told("stopping")
        answers = [await reading.answer(), await writing.answer()]
        assert await service.ended() == 0
        assert 1 <= time.monotonic() - began < 1 + MARGIN
    assert [(answer.status, answer.json()["code"]) for answer in answers] == [
        (503, "gateway_unavailable"),
        (504, "outcome_unknown"),
    ]
    assert service.outcomes("action_confirm") == ["begun", "outcome_unknown"]
    (stopped,) = [line for line in service.lines if line["event"] == "stopped"]
    assert stopped["given_up"] == 2


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(
    second: signal.Signals, slow: SlowOdoo, tmp_path: Path
):
    async with started("rest", slow, tmp_path, ODOOPORT_GRACE=LONG) as service:
        running = await service.line()
        await running.send(*WRITE)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        service.send_signal(signal.SIGTERM)
        await service.told("stopping")
        began = time.monotonic()
        service.send_signal(second)
        assert await service.ended() == 0
        assert time.monotonic() - began < MARGIN
    assert service.outcomes("action_confirm") == ["begun", "outcome_unknown"]


@pytest.mark.parametrize("door", ["rest", "mcp of both"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_with_nothing_under_way_it_ends_at_once(
    door: str, number: signal.Signals, slow: SlowOdoo, tmp_path: Path
):
    async with started(door, slow, tmp_path, ODOOPORT_GRACE=LONG) as service:
        kept, silent = await service.line(), await service.line()
        assert (await kept.ask("GET", "/health")).status == 200
        began = time.monotonic()
        service.send_signal(number)
        assert await service.ended() == 0
        assert time.monotonic() - began < MARGIN
        assert await kept.is_closed()
        assert await silent.is_closed()


# Callers that go away


@pytest.mark.parametrize(
    ("door", "request_", "method", "outcome"),
    [
        ("rest", READ, "search_read", "cancelled"),
        ("rest", WRITE, "action_confirm", "outcome_unknown"),
        ("mcp", TOOL_READ, "search_read", "cancelled"),
        ("mcp", TOOL_WRITE, "action_confirm", "outcome_unknown"),
        ("mcp of both", TOOL_WRITE, "action_confirm", "outcome_unknown"),
    ],
)
async def test_a_caller_who_goes_away_frees_his_place_and_the_connection_to_odoo(
    door: str,
    request_: Any,
    method: str,
    outcome: str,
    slow: SlowOdoo,
    tmp_path: Path,
):
    async with started(door, slow, tmp_path, ODOOPORT_CONCURRENCY="1") as service:
        leaving = await service.line()
        await leaving.send(*request_)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        leaving.drop()
        left = time.monotonic()
        await service.told("request")
        await soon(lambda: slow.running() == 0)
        # The slow call still does not end; the key may have one place.
        assert not slow.may_end.is_set()
        slow.began.clear()
        again = await service.line()
        await again.send(*request_)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        assert time.monotonic() - left < MARGIN
        slow.may_end.set()
        assert done(await again.answer())
        service.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
    first, *_ = [line for line in service.lines if line["event"] == "request"]
    assert first["left"] is True
    assert first["status"] is None
    assert not [line for line in service.lines if line["level"] == "error"]
    ends = [it for it in service.outcomes(method) if it != "begun"]
    assert sorted(ends) == sorted([outcome, "ok"])


async def test_a_session_of_the_handshake_era_is_cancelled_with_its_stream(
    slow: SlowOdoo, tmp_path: Path
):
    message = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {
            "name": "call_method",
            "arguments": {
                "model": "sale.order",
                "method": "action_confirm",
                "ids": [1],
            },
        },
    }
    async with started("mcp", slow, tmp_path, ODOOPORT_CONCURRENCY="1") as service:
        leaving = await service.line()
        await leaving.send("POST", "/mcp", message)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        leaving.drop()
        await soon(lambda: slow.running() == 0)
        slow.may_end.set()
        again = await service.line()
        answer = await again.ask("POST", "/mcp", message)
        assert answer.headers["content-type"].startswith("text/event-stream")
        (data,) = [
            json.loads(line.removeprefix(b"data: "))
            for line in answer.body.splitlines()
            if line.startswith(b"data: {")
        ]
        assert data["result"]["isError"] is False


async def test_who_prefers_not_to_wait_gets_an_answer_in_time(
    slow: SlowOdoo, tmp_path: Path
):
    async with started("rest", slow, tmp_path) as service:
        line = await service.line()
        began = time.monotonic()
        answer = await line.ask(*READ, Prefer="wait=1")
        assert time.monotonic() - began < 1 + MARGIN
        assert (answer.status, answer.json()["code"]) == (503, "gateway_unavailable")
        assert answer.headers["preference-applied"] == "wait=1"
        assert not slow.may_end.is_set()


# stdio


@asynccontextmanager
async def talking(
    slow: SlowOdoo, state: Path, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the stdio service, with a confirmation under way."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "odooport_mcp_stdio.main",
        cwd=state,
        env=variables(slow, state, ODOOPORT_ROLE="full", **more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        tell(process, 1, "initialize", INITIALIZE)
        tell(process, None, "notifications/initialized", {})
        confirm(process, 2)
        async with asyncio.timeout(PATIENCE):
            assert (await heard(process))["id"] == 1
            await slow.began.wait()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def tell(
    process: asyncio.subprocess.Process, number: int | None, method: str, params: Any
) -> None:
    assert process.stdin is not None
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    process.stdin.write(json.dumps(message).encode() + b"\n")


def confirm(process: asyncio.subprocess.Process, number: int) -> None:
    arguments = {"model": "sale.order", "method": "action_confirm", "ids": [1]}
    params = {"name": "call_method", "arguments": arguments}
    tell(process, number, "tools/call", params)


async def heard(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return json.loads(await process.stdout.readline())


async def said(process: asyncio.subprocess.Process, event: str) -> Any:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while line := await process.stderr.readline():
            if (told := json.loads(line))["event"] == event:
                return told
    raise AssertionError(event)


def outcomes(state: Path) -> list[str]:
    lines = read_audit(state)
    return [it["outcome"] for it in lines if it.get("method") == "action_confirm"]


async def test_stdio_lets_a_running_call_end_and_refuses_new_ones(
    slow: SlowOdoo, tmp_path: Path
):
    async with talking(slow, tmp_path, ODOOPORT_GRACE=LONG) as process:
        process.send_signal(signal.SIGTERM)
        assert (await said(process, "stopping"))["under_way"] == 1
        confirm(process, 3)
        refused = await heard(process)
        assert (refused["id"], refused["result"]["isError"]) == (3, True)
        text = refused["result"]["content"][0]["text"]
        assert text.startswith("gateway_unavailable: The service is stopping")
        assert refused["result"]["_meta"][ERROR_KEY]["request_id"]
        slow.may_end.set()
        answer = await heard(process)
        assert (answer["id"], answer["result"]["isError"]) == (2, False)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    assert outcomes(tmp_path) == ["begun", "gateway_unavailable", "ok"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, None])
async def test_stdio_ends_at_a_second_signal_or_when_the_grace_is_over(
    second: signal.Signals | None, slow: SlowOdoo, tmp_path: Path
):
    grace = "1" if second is None else LONG
    async with talking(slow, tmp_path, ODOOPORT_GRACE=grace) as process:
        process.send_signal(signal.SIGTERM)
        await said(process, "stopping")
        began = time.monotonic()
        if second is not None:
            process.send_signal(second)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        assert time.monotonic() - began < MARGIN + (second is None)
    assert outcomes(tmp_path) == ["begun", "outcome_unknown"]


async def test_stdio_ends_when_its_client_goes_away_and_keeps_what_is_known(
    slow: SlowOdoo, tmp_path: Path
):
    async with talking(slow, tmp_path, ODOOPORT_GRACE=LONG) as process:
        assert process.stdin is not None
        began = time.monotonic()
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        assert time.monotonic() - began < MARGIN
        await soon(lambda: slow.running() == 0)
    assert outcomes(tmp_path) == ["begun", "outcome_unknown"]


async def test_stdio_frees_the_place_of_a_call_that_its_client_cancels(
    slow: SlowOdoo, tmp_path: Path
):
    async with talking(slow, tmp_path, ODOOPORT_CONCURRENCY="1") as process:
        gone = {"requestId": 2, "reason": "not needed any more"}
        tell(process, None, "notifications/cancelled", gone)
        await soon(lambda: slow.running() == 0)
        # The slow call still does not end; there is one place.
        slow.began.clear()
        confirm(process, 3)
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
        slow.may_end.set()
        heard_of = {(answer := await heard(process))["id"]: answer}
        while 3 not in heard_of:
            heard_of[(answer := await heard(process))["id"]] = answer
        assert heard_of[3]["result"]["isError"] is False
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    assert sorted(it for it in outcomes(tmp_path) if it != "begun") == [
        "ok",
        "outcome_unknown",
    ]
