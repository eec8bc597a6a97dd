"""What the gate counts on in an audit: each case holds for every implementation."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from odooport.gate import Unaudited
from odooport.model import ANONYMOUS, Call, Caller, Credentials, Operation, Principal
from odooport.ports import AuditEvent, AuditLog
from odooport_security.audit import ChainedAudit

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LOGIN = {"default": Credentials("demo", "admin", "s3cr3t")}
CALLER = Caller(Principal("k1", "shop", "full", LOGIN), "rest", "req-1", "127.0.0.1")
NOBODY = Caller(ANONYMOUS, "rest", "req-2", "192.0.2.1")
WRITE = Call("res.partner", "write", ([7], {"comment": "between us"}))


@pytest.fixture(params=["chained", "unaudited"])
def audit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuditLog]:
    chained = ChainedAudit(tmp_path / "audit", clock=lambda: NOW)
    yield chained if request.param == "chained" else Unaudited()
    chained.close()


def event(outcome: str, **changes: Any) -> AuditEvent:
    facts: dict[str, Any] = {
        "call": WRITE,
        "operation": Operation.WRITE,
        "ids": (7,),
        "fields": ("comment",),
    }
    return AuditEvent(CALLER, outcome, **(facts | changes))


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("outcome", ["begun", "ok", "permission_denied", "internal"])
async def test_an_event_that_is_kept_answers_true(
    audit: AuditLog, outcome: str, operation: Operation
):
    assert await audit.record(event(outcome, operation=operation)) is True


async def test_a_request_that_never_became_a_call_is_kept(audit: AuditLog):
    assert await audit.record(AuditEvent(NOBODY, "authentication_failed")) is True


async def test_a_flood_of_refusals_is_kept_whatever_its_size(audit: AuditLog):
    refused = AuditEvent(NOBODY, "authentication_failed")

    assert all([await audit.record(refused) for _ in range(50)])


async def test_events_at_the_same_time_are_all_kept(audit: AuditLog):
    events = [event("begun"), event("ok"), event("ok", operation=Operation.READ)] * 20

    assert all(await asyncio.gather(*map(audit.record, events)))


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": range(5000), "fields": ["f" * 10_000] * 300},
        {"ids": [10**5000]},
        {"fields": ["a\nb", "\u2028", "\ud800", "\x1b[2J", "\x00"]},
        {"before": [{"id": 7, "comment": b"\xff", "score": float("nan")}]},
        {"after": [{"id": 7, "lines": [[[[[[[[1]]]]]]]]}]},
        {"call": Call("m" * 100_000, "\ud800", instance="\n")},
    ],
)
async def test_what_a_caller_names_never_keeps_an_event_from_being_kept(
    audit: AuditLog, changes: dict[str, Any]
):
    assert await audit.record(event("begun", **changes)) is True


async def test_whoever_stops_waiting_disturbs_nobody(
    audit: AuditLog, caplog: pytest.LogCaptureFixture
):
    first = asyncio.ensure_future(audit.record(event("begun")))
    await asyncio.sleep(0)  # lets it begin
    first.cancel()

    assert await audit.record(event("begun")) is True
    assert caplog.records == []
