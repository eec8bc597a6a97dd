"""What the gate counts on: each case holds for every implementation of a guard."""

import asyncio
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from odooport.gate import OdooDecides, Unaudited, Unlimited
from odooport.model import (
    Call,
    Caller,
    Credentials,
    Operation,
    Principal,
    Quota,
    Refusal,
)
from odooport.ports import AuditEvent, AuditLog, AuthPolicy, RateLimiter
from odooport_security import (
    JsonLinesAudit,
    KeyPolicy,
    KeyStore,
    LimitsRateLimiter,
    LocalPolicy,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LOGIN = {"default": Credentials("demo", "admin", "s3cr3t")}
PRINCIPAL = Principal("k1", "shop", "full", LOGIN)
CALLER = Caller(PRINCIPAL, "rest", "req-1", "127.0.0.1")
READ = Call("res.partner", "read", ([1], ["name"]))


# AuthPolicy


@pytest.fixture(params=["keys", "local", "odoo-decides"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuthPolicy]:
    store = KeyStore(tmp_path / "keys.db", clock=lambda: NOW)
    store.create("shop", "full")
    policies: dict[str, AuthPolicy] = {
        "keys": KeyPolicy(store, LOGIN, clock=lambda: NOW),
        "local": LocalPolicy(),
        "odoo-decides": OdooDecides(),
    }
    yield policies[request.param]
    store.close()


@pytest.mark.parametrize("token", ["", "nonsense", "odp_k1_" + "x" * 43, "\x00", "é"])
async def test_a_token_that_nobody_was_given_is_refused_with_reason_and_rule(
    policy: AuthPolicy, token: str
):
    answer = await policy.authenticate(token, "127.0.0.1")

    assert isinstance(answer, Refusal)
    assert answer.reason
    assert answer.rule


async def test_an_allowed_call_says_which_rule_and_what_to_send(policy: AuthPolicy):
    decision = await policy.authorize(PRINCIPAL, READ)

    assert (decision.allowed, decision.reason, decision.call) == (True, "", READ)
    assert decision.rule


@pytest.fixture(params=["keys", "local"])
def guarding(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuthPolicy]:
    store = KeyStore(tmp_path / "keys.db", clock=lambda: NOW)
    yield KeyPolicy(store, LOGIN) if request.param == "keys" else LocalPolicy()
    store.close()


@pytest.mark.parametrize(
    "call",
    [
        Call("res.partner", "_private", ([1],)),
        Call("ir.config_parameter", "read", ([1],)),
        Call("res.partner\n", "read", ([1],)),
        Call("res.partner", "search", ([],), {"limit": "all"}),
        Call("res.partner", "read", ("not ids",)),
    ],
)
async def test_a_refused_call_is_a_decision_with_reason_and_never_an_error(
    guarding: AuthPolicy, call: Call
):
    decision = await guarding.authorize(PRINCIPAL, call)

    assert not decision.allowed
    assert decision.reason
    assert decision.rule


async def test_a_role_that_does_not_exist_allows_nothing(guarding: AuthPolicy):
    nobody = Principal("k2", "old", "no-such-role", LOGIN)

    assert not (await guarding.authorize(nobody, READ)).allowed


# RateLimiter


@pytest.fixture(params=["limits", "unlimited"])
def limiter(request: pytest.FixtureRequest) -> RateLimiter:
    return LimitsRateLimiter("5/day") if request.param == "limits" else Unlimited()


async def test_a_call_within_the_budget_is_allowed_without_waiting(
    limiter: RateLimiter,
):
    quota = await limiter.take("k1")

    assert quota.allowed
    assert quota.retry_after == 0
    assert 0 <= quota.remaining <= quota.limit


@pytest.fixture
def budgeted() -> RateLimiter:
    return LimitsRateLimiter("5/day")


async def spend(limiter: RateLimiter, key: str, times: int) -> list[Quota]:
    return [await limiter.take(key) for _ in range(times)]


async def test_beyond_the_budget_the_answer_says_how_long_to_wait(
    budgeted: RateLimiter,
):
    *_, last = await spend(budgeted, "k1", 6)

    assert not last.allowed
    assert 0 < last.retry_after <= 2 * 86_400


async def test_calls_at_the_same_time_share_one_budget(budgeted: RateLimiter):
    quotas = await asyncio.gather(*(budgeted.take("k1") for _ in range(20)))

    assert sum(quota.allowed for quota in quotas) == 5


async def test_a_refused_call_takes_nothing(budgeted: RateLimiter):
    await spend(budgeted, "k1", 3)
    assert not (await budgeted.take("k1", cost=3)).allowed

    assert (await budgeted.take("k1", cost=2)).allowed


async def test_each_key_has_its_own_budget(budgeted: RateLimiter):
    await spend(budgeted, "k1", 6)

    assert (await budgeted.take("k2")).allowed


# AuditLog


def event(outcome: str, **changes: Any) -> AuditEvent:
    call = Call("res.partner", "write", ([7], {"comment": "between us"}))
    facts: dict[str, Any] = {
        "ids": (7,),
        "fields": ("comment",),
        "operation": Operation.WRITE,
    }
    return AuditEvent(CALLER, call, outcome=outcome, **(facts | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.jsonl"


@pytest.fixture
def lines(path: Path) -> Iterator[JsonLinesAudit]:
    audit = JsonLinesAudit(path, clock=lambda: NOW)
    yield audit
    audit.close()


@pytest.fixture(params=["json-lines", "unaudited"])
def audit(request: pytest.FixtureRequest, lines: JsonLinesAudit) -> AuditLog:
    return lines if request.param == "json-lines" else Unaudited()


@pytest.mark.parametrize("outcome", ["begun", "ok", "permission_denied"])
async def test_an_event_that_is_kept_answers_true(audit: AuditLog, outcome: str):
    assert await audit.record(event(outcome)) is True


def kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_line_says_who_did_what_to_which_records(
    lines: JsonLinesAudit, path: Path
):
    await lines.record(event("ok", milliseconds=12.3456))

    assert kept(path) == [
        {
            "time": "2026-03-01T12:00:00.250000Z",
            "door": "rest",
            "subject": "k1",
            "key": "shop",
            "role": "full",
            "address": "127.0.0.1",
            "request_id": "req-1",
            "instance": "default",
            "model": "res.partner",
            "method": "write",
            "operation": "write",
            "ids": [7],
            "id_count": 1,
            "fields": ["comment"],
            "field_count": 1,
            "outcome": "ok",
            "reason": None,
            "milliseconds": 12.346,
        }
    ]


async def test_neither_values_nor_secrets_are_kept(lines: JsonLinesAudit, path: Path):
    await lines.record(event("begun"))
    await lines.record(event("odoo_refused", reason="'between us' is not allowed"))

    text = path.read_text()
    assert "between us" not in text
    assert "s3cr3t" not in text


async def test_our_own_reasons_are_kept(lines: JsonLinesAudit, path: Path):
    await lines.record(event("permission_denied", reason="The role may not."))

    assert kept(path)[0]["reason"] == "The role may not."


async def test_long_lists_and_names_are_cut_and_counted(
    lines: JsonLinesAudit, path: Path
):
    await lines.record(event("ok", ids=range(5000), fields=["f" * 10_000] * 300))

    (line,) = kept(path)
    assert (len(line["ids"]), line["id_count"]) == (100, 5000)
    assert (len(line["fields"]), line["field_count"]) == (100, 300)
    assert len(path.read_bytes()) < 100_000


async def test_names_cannot_break_a_line(lines: JsonLinesAudit, path: Path):
    await lines.record(event("ok", fields=["a\nb", "c\u2028d", "\ud800"]))

    (line,) = kept(path)
    assert line["fields"] == ["a\nb", "c\u2028d", "\ud800"]


async def test_only_the_owner_may_read_the_file(lines: JsonLinesAudit, path: Path):
    await lines.record(event("ok"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_was_moved_away_is_made_anew(
    lines: JsonLinesAudit, path: Path
):
    await lines.record(event("begun"))
    path.rename(path.with_suffix(".1"))
    await lines.record(event("ok"))

    assert [line["outcome"] for line in kept(path.with_suffix(".1"))] == ["begun"]
    assert [line["outcome"] for line in kept(path)] == ["ok"]


async def test_a_line_that_was_cut_short_does_not_spoil_the_next(
    lines: JsonLinesAudit, path: Path
):
    path.parent.mkdir()
    path.write_text('{"half a li')
    await lines.record(event("ok"))

    first, second = path.read_text().splitlines()
    assert first == '{"half a li'
    assert json.loads(second)["outcome"] == "ok"


async def test_two_writers_share_one_file(lines: JsonLinesAudit, path: Path):
    other = JsonLinesAudit(path, clock=lambda: NOW)
    await asyncio.gather(
        *(audit.record(event("begun")) for audit in (lines, other) * 20)
    )
    other.close()

    assert len(kept(path)) == 40


@pytest.mark.parametrize("outcome", ["begun", "ok"])
async def test_what_cannot_be_kept_answers_false(tmp_path: Path, outcome: str):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a directory should be")
    audit = JsonLinesAudit(blocked / "audit.jsonl", clock=lambda: NOW)

    assert await audit.record(event(outcome)) is False


async def test_a_full_disk_answers_false():
    audit = JsonLinesAudit(Path("/dev/full"), clock=lambda: NOW)

    assert await audit.record(event("begun")) is False
    audit.close()


async def test_a_beginning_that_cannot_be_brought_to_disk_answers_false():
    audit = JsonLinesAudit(Path("/dev/null"), clock=lambda: NOW)  # takes, never keeps

    assert await audit.record(event("ok")) is True
    assert await audit.record(event("begun")) is False
    audit.close()
