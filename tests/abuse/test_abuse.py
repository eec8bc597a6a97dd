"""Every abuse, tried at every door where it applies, with everything on.

What refuses each is in ``docs/abuse.md``. Where it is meant to change, write it anew::

    python -m tests.abuse.test_abuse
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from odooport import Call
from tests.abuse.abuses import (
    GATE,
    MCP,
    REST,
    STDIO,
    Abuse,
    everywhere,
    layer_of,
)
from tests.abuse.fields import fields
from tests.abuse.files import files
from tests.abuse.payloads import payloads
from tests.abuse.records import records
from tests.abuse.strangers import strangers
from tests.abuse.world import (
    FORGED,
    HIDDEN,
    OFFICE,
    PROXY,
    Answer,
    World,
    audit_of,
    world,
)

PAGE = Path(__file__).parents[2] / "docs" / "abuse.md"
ABUSES: list[Abuse] = [*strangers(), *fields(), *records(), *payloads(), *files()]


@dataclass(frozen=True)
class Tried:
    """What came of an abuse.

    Attributes:
        answer: What was answered.
        reached: What reached an Odoo.
        lines: What the audit says of the request.
    """

    answer: Answer
    reached: list[Call]
    lines: list[dict[str, Any]]


@dataclass(frozen=True, repr=False)
class Report:
    """What came of all of them.

    Attributes:
        tried: Each abuse, by its name.
        allowed: What was answered to those who belong here, by what they asked.
        secrets: What must not be seen anywhere.
        people: The log as people read it.
        programs: The log as programs read it.
        files: Every file of the state directory.
    """

    tried: dict[str, Tried]
    allowed: dict[str, Answer]
    secrets: list[str]
    people: str
    programs: str
    files: dict[str, bytes]


async def try_all(directory: Path) -> Report:
    """Try every abuse in one world, and close it before the audit is read."""
    answers: dict[str, tuple[Answer, list[Call]]] = {}
    async with world(directory) as it:
        for abuse in ABUSES:
            it.reached()
            answers[str(abuse)] = await abuse.attempt(it), it.reached()
        allowed = await ask_properly(it)
        secrets = [*it.secrets]
    lines: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for facts in audit_of(it.state).search():
        lines[str(facts.get("request_id"))].append(dict(facts))
    people, programs = it.log
    return Report(
        {
            name: Tried(answer, reached, lines[answer.request_id])
            for name, (answer, reached) in answers.items()
        },
        allowed,
        secrets,
        people.getvalue(),
        programs.getvalue(),
        {
            str(path.relative_to(directory)): path.read_bytes()
            for path in it.state.rglob("*")
            if path.is_file()
        },
    )


async def ask_properly(it: World) -> dict[str, Answer]:
    """Ask what may be asked, with the same keys; without it no refusal says much."""
    mine = {REST: it.leads[1], MCP: it.leads[1], STDIO: it.leads[0]}
    asked = [
        *proper(
            "clerk", "search_records", domain=[["name", "like", "a"]], order="name"
        ),
        *proper("clerk", "search_records", route="all fields", domain=[["id", "=", 1]]),
        *proper("clerk", "aggregate_records", groupby=["country_id"]),
        *proper("clerk", "update_records", ids=[1], values={"city": "Mons"}),
        *proper("writer", "update_records", ids=[1], values={"city": "Mons"}),
        *proper(
            "full",
            "call_method",
            model="crm.lead",
            method="action_unarchive",
            ids=[it.leads[2]],
        ),
    ]
    for door, lead in mine.items():
        for tool, more in (
            ("read_records", {"fields": ["name"]}),
            ("update_records", {"values": {"name": "Mine"}}),
            ("call_method", {"method": "action_set_won"}),
        ):
            asked += proper(
                "seller", tool, doors=(door,), model="crm.lead", ids=[lead], **more
            )
    answers = {str(one): await one.attempt(it) for one in asked}
    shop = {"params": {"instance": "shop"}}
    for key in ("shopkeeper", "tenant", "identity"):
        answers[key] = await it.rest(key, "GET", "/v1/me", **shop)
    answers["office"] = await it.rest("office", "GET", "/v1/me", peer=OFFICE)
    answers["through a proxy"] = await it.rest(
        "office", "GET", "/v1/me", peer=PROXY, headers={"X-Forwarded-For": OFFICE}
    )
    stale = await it.rest("stale", "GET", "/v1/me")
    assert stale.code == "authentication_failed", stale.text
    answers["a login that Odoo refuses"] = replace(stale, code="ok")
    for path in ("/openapi.json", "/docs", "/health", "/ready"):
        answers[path] = await it.rest("", "GET", path)
    return answers


def proper(role: str, tool: str, *, route: str = "", **given: Any) -> list[Abuse]:
    """Answer at each door what is none of these abuses."""
    given = {"model": "res.partner", **given}
    asked = f"{role}: {tool} {route}"
    return everywhere("allowed", asked, role, tool, ("", "ok"), **given)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    with asyncio.Runner() as runner:
        yield runner.run(try_all(tmp_path_factory.mktemp("abuse")))


@pytest.mark.parametrize("abuse", ABUSES, ids=str)
def test_an_abuse_is_refused_and_kept_and_never_reaches_odoo(
    abuse: Abuse, report: Report
) -> None:
    tried = report.tried[str(abuse)]
    layer, code = abuse.refusal
    assert tried.answer.code == code, tried.answer.text
    assert tried.reached == []
    if layer == "settings":
        assert not tried.answer.request_id  # nothing is served at all
        return
    assert tried.lines, "it is not in the audit"
    last = tried.lines[-1]
    assert last["outcome"] not in ("begun", "ok")
    assert layer_of(last) == layer, last


def test_the_same_keys_may_do_what_they_are_for(report: Report) -> None:
    codes = {asked: answer.code for asked, answer in report.allowed.items()}
    assert {asked: code for asked, code in codes.items() if code != "ok"} == {}


def test_what_is_hidden_from_a_role_is_in_no_answer_to_it(report: Report) -> None:
    told = [text.text for asked, text in report.allowed.items() if "clerk" in asked]
    assert any("Plane & Oak" in text and "***" in text for text in told)
    assert not any(HIDDEN in text for text in told)


def test_every_abuse_is_tried_by_three_routes_at_each_of_its_doors() -> None:
    routes = Counter((abuse.kind, abuse.door) for abuse in ABUSES if abuse.door != GATE)
    assert {place: count for place, count in routes.items() if count < 3} == {}
    assert len({str(abuse) for abuse in ABUSES}) == len(ABUSES)


def test_no_text_becomes_a_line_of_the_log_or_of_the_audit(report: Report) -> None:
    lines = report.programs.splitlines()
    assert any(FORGED in line for line in lines)
    assert all(isinstance(json.loads(line), dict) for line in lines)
    for line in report.people.splitlines():
        assert line[:2] in ("20", "\x1b["), line
    for name, content in report.files.items():
        if name.endswith(".jsonl"):
            told = [json.loads(line) for line in content.splitlines()]
            assert all("outcome" in facts or "kind" in facts for facts in told)


def test_no_text_becomes_a_header_of_an_answer(report: Report) -> None:
    for name, tried in report.tried.items():
        head = tried.answer.text.split("\n\n", 1)[0]
        assert "x-forged" not in head.lower(), name


def test_no_secret_is_in_an_answer_a_log_or_a_file(report: Report) -> None:
    places = {
        "the log of people": report.people.encode(),
        "the log of programs": report.programs.encode(),
        **{name: tried.answer.text.encode() for name, tried in report.tried.items()},
        **{name: answer.text.encode() for name, answer in report.allowed.items()},
        **report.files,
    }
    seen = [
        (place, number)
        for place, content in places.items()
        for number, secret in enumerate(report.secrets)
        if secret.encode() in content
    ]
    assert seen == []


def page() -> str:
    """Write the page."""
    lines = [
        "# What is refused, and by what",
        "",
        "Each way to abuse Odooport that the tests try, at each door where it applies.",
        "None reaches Odoo, and each is in the audit. This page is written by",
        "`python -m tests.abuse.test_abuse`.",
        "",
        "| refused by | which is |",
        "| --- | --- |",
        "| settings | the start of the service: it serves nothing |",
        "| front | what stands before both doors over HTTP: addresses, hosts, sizes |",
        "| door | the door itself, before any key is looked at |",
        "| keys | the key, its time and its networks |",
        "| request | the form of the request, or of the model that it is about |",
        "| masked schema | the model as the role sees it: there is no such field |",
        "| role | the rule of the role |",
        "| records | the search for the records that a call names |",
        "",
        "The door `gate` is the Python library past all doors, where the role stands",
        "alone.",
    ]
    kinds: dict[str, dict[str, dict[str, str]]] = {}
    for abuse in ABUSES:
        doors = kinds.setdefault(abuse.kind, {}).setdefault(abuse.route, {})
        doors[abuse.door] = "{}: `{}`".format(*abuse.refusal)
    names = [REST, MCP, STDIO, GATE]
    for kind, routes in kinds.items():
        shown = [name for name in names if any(name in it for it in routes.values())]
        lines += ["", f"## {kind[:1].upper()}{kind[1:]}", ""]
        lines += [f"| route | {' | '.join(shown)} |", "| --- " * (len(shown) + 1) + "|"]
        lines += [
            f"| {route} | {' | '.join(doors.get(name, '') for name in shown)} |"
            for route, doors in routes.items()
        ]
    return "\n".join([*lines, ""])


def test_the_page_says_what_refuses_each_abuse() -> None:
    assert page().split("\n") == PAGE.read_text(encoding="utf-8").split("\n")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
