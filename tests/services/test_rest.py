"""The REST door, in process: the real guards over Odoo in memory."""

import asyncio
import functools
import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.routing import Mount

import odooport.errors
from odooport import (
    AnswerLost,
    AuthenticationFailed,
    Call,
    Conflict,
    Credentials,
    Decision,
    Gate,
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    OdooAccessError,
    OdooDecides,
    OdooFailed,
    OdooKnowledge,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    Principal,
    RecordMissing,
    Refusal,
    Unaudited,
    Unlimited,
)
from odooport_adapters import MemoryGateway
from odooport_rest.app import build_app
from odooport_runtime.front import FrontRules
from odooport_runtime.problems import KINDS
from odooport_security import (
    AuditReader,
    ChainedAudit,
    IdentityStore,
    KeyPolicy,
    LimitsRateLimiter,
    Lockout,
    RateLimits,
    Roles,
    SecretCipher,
    SqliteKeyStore,
)

PARTNERS = "/v1/models/res.partner"
JSON = {"Content-Type": "application/json"}


class Clock:
    """A clock that stands still until it is moved; each is far ahead of the last."""

    hours = itertools.count(1)

    def __init__(self) -> None:
        self.now = 3600.0 * next(self.hours)

    def __call__(self) -> float:
        return self.now


class Stage:
    """One app for all doors, each after the other: FastAPI keeps every app for good.

    It passes on to the door of the test what the app asks its gate.
    """

    def __init__(self) -> None:
        self.door: Door | None = None
        self.app = build_app(
            self,
            ready=lambda: self.door.ready(),
            clock=lambda: self.door.clock(),
            rules=FrontRules(max_body=100_000),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.door.gate, name)


stage = functools.cache(Stage)


@dataclass
class Door:
    """The REST app over Odoo in memory, and keys to it."""

    gateway: MemoryGateway
    state: Path
    clock: Clock = field(default_factory=Clock)
    budget: str = "100000/minute"
    signs: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    login: str = "admin"

    def __post_init__(self) -> None:
        self.keys = SqliteKeyStore(self.state / "keys.db")
        self.audit = ChainedAudit(self.state / "audit")
        identities = IdentityStore(
            self.state / "identities.db",
            SecretCipher([]),
            dict,
            variable=lambda _: None,
        )
        credentials = {"default": Credentials("demo", self.login, self.login)}
        self.gate = Gate(
            self.gateway,
            KeyPolicy(self.keys, Roles(), identities, credentials, lockout=Lockout()),
            LimitsRateLimiter(RateLimits(self.budget, address="1000000/minute")),
            self.audit,
        )
        stage().door = self
        self.app = stage().app

    async def ready(self) -> object:
        sign = self.signs[-1] if self.signs else None
        return await sign() if sign else await self.gateway.version("default")

    @asynccontextmanager
    async def client(self, role: str = "full") -> AsyncIterator[httpx2.AsyncClient]:
        _, token = self.keys.create(role, role)
        async with visitor(self.app) as http:
            http.headers["Authorization"] = f"Bearer {token}"
            yield http

    def close(self) -> None:
        self.keys.close()
        self.audit.close()


def visitor(app: FastAPI | Starlette) -> httpx2.AsyncClient:
    """Answer a client without a key."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://localhost"
    )


@pytest.fixture
def gateway():
    return MemoryGateway.demo()


@pytest.fixture
def door(gateway, tmp_path):
    door = Door(gateway, tmp_path)
    yield door
    door.close()


@pytest.fixture
async def http(door):
    async with door.client() as client:
        yield client


@pytest.fixture
async def reader(door):
    async with door.client("reader") as client:
        yield client


@pytest.fixture
async def partner(http):
    """The address of a contact in Belgium."""
    belgium = await country(http, "BE")
    created = await http.post(
        f"{PARTNERS}/records", json={"name": "Zoë", "country_id": belgium}
    )
    assert created.status_code == 201, created.text
    return created.headers["Location"]


async def country(http: httpx2.AsyncClient, code: str) -> int:
    answer = await http.get(
        "/v1/models/res.country/records",
        params={"domain": json.dumps([["code", "=", code]])},
    )
    return answer.json()["records"][0]["id"]


async def everything(http: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """Answer what could have been written by mistake."""
    fields = ["name", "country_id", "active", "color", "category_id", "write_date"]
    answer = await http.post(
        f"{PARTNERS}/search", json={"fields": fields, "limit": 1000}
    )
    assert answer.status_code == 200
    return answer.json()["records"]


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is one clear problem, and answer it."""
    assert (answer.status_code, answer.json().get("code")) == (
        status,
        code,
    ), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"/problems/{code}"
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    assert told["request_id"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in answer.text
    assert "records" not in told
    return told


# Who and what


async def test_me_says_whose_key_it_is_and_who_that_is_in_odoo(http):
    me = (await http.get("/v1/me")).json()
    assert me["role"] == "full"
    assert me["door"] == "rest"
    assert me["login"] == "admin"
    assert me["version"].startswith("18.0")
    assert set(me["company"]) == {"id", "name"}


async def test_models_are_found_by_name(http):
    models = (await http.get("/v1/models?q=sale.order")).json()["models"]
    assert {"sale.order", "sale.order.line"} <= {item["model"] for item in models}
    assert all("sale.order" in item["model"] for item in models)
    assert all(item["label"] for item in models)


async def test_a_model_is_described_with_its_fields(http):
    told = (await http.get(PARTNERS)).json()
    assert told["model"] == "res.partner"
    country_field = told["fields"]["country_id"]
    assert country_field["type"] == "many2one"
    assert country_field["relation"] == "res.country"
    assert country_field["required"] is False
    assert told["fields"]["type"]["selection"]["contact"] == "Contact"
    assert "relation" not in told["fields"]["name"]


async def test_a_model_is_described_at_the_level_asked_for(http):
    brief = (await http.get(f"{PARTNERS}?level=brief")).json()
    create = (await http.get("/v1/models/sale.order?level=create")).json()
    one = (await http.get("/v1/models/sale.order?fields=state")).json()
    assert len(brief["fields"]) + len(brief["others"]) == brief["total"]
    assert "partner_id" in create["required"]
    assert create["defaults"]["name"] == "New"
    assert list(one["fields"]) == ["state"]
    assert one["fields"]["state"]["selection"]["sale"] == "Sales Order"


async def test_an_unknown_level_is_refused(http):
    problem(await http.get(f"{PARTNERS}?level=all"), 422, "invalid_request")


async def test_what_only_administrators_see_is_null_for_others(gateway, tmp_path):
    ordinary = Door(gateway, tmp_path, login="demo")
    async with ordinary.client() as http:
        told = (await http.get(f"{PARTNERS}?fields=name")).json()
    ordinary.close()
    assert told["modules"] is None
    assert told["transient"] is None
    assert told["fields"]["name"]["index"] is None


async def test_a_description_that_did_not_change_is_not_sent_again(http):
    first = await http.get(PARTNERS)
    tag = first.headers["etag"]
    assert tag.startswith(f'"{first.json()["fingerprint"]}-')
    again = await http.get(PARTNERS, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    other = await http.get(f"{PARTNERS}?level=brief", headers={"If-None-Match": tag})
    assert other.status_code == 200


async def test_every_answer_about_a_model_names_its_fingerprint(http, partner):
    fingerprint = (await http.get(PARTNERS)).json()["fingerprint"]
    answers = [
        await http.get(partner),
        await http.get(f"{PARTNERS}/records?limit=1"),
        await http.post(f"{PARTNERS}/search", json={"limit": 1}),
        await http.get(f"{PARTNERS}/aggregate"),
        await http.post(f"{PARTNERS}/aggregate", json={}),
        await http.get(f"{PARTNERS}/defaults"),
        await http.get(f"{PARTNERS}/relations"),
        await http.patch(partner, json={"name": "Zoë"}),
        await http.post(f"{PARTNERS}/records", json={"name": "New"}),
        await http.post(f"{PARTNERS}/records", json=[{"name": "New"}]),
        await http.post(f"{partner}/copy", json={}),
        await http.delete(partner),
    ]
    assert {it.headers["schema-fingerprint"] for it in answers} == {fingerprint}


async def test_a_pinned_fingerprint_that_fits_changes_nothing(http, partner):
    fingerprint = (await http.get(PARTNERS)).headers["schema-fingerprint"]
    answer = await http.get(partner, headers={"Schema-Fingerprint": fingerprint})
    assert answer.status_code == 200


async def test_a_pinned_fingerprint_that_does_not_fit_stops_the_request(http, partner):
    pin = {"Schema-Fingerprint": "0" * 16}
    told = await http.delete(partner, headers=pin)
    problem(told, 412, "schema_changed")
    now = (await http.get(PARTNERS)).headers["schema-fingerprint"]
    assert told.headers["schema-fingerprint"] == now
    assert (await http.get(partner)).status_code == 200


async def test_relations_lead_out_of_a_model(http):
    told = (await http.get("/v1/models/sale.order/relations?depth=2")).json()
    ways = {(it["model"], it["field"]): it["to"] for it in told["relations"]}
    assert ways["sale.order", "partner_id"] == "res.partner"
    assert ways["sale.order.line", "order_id"] == "sale.order"
    far = await http.get("/v1/models/sale.order/relations?depth=4")
    problem(far, 422, "invalid_request")


async def test_methods_are_found_with_their_arguments(http):
    answer = await http.get("/v1/models/sale.order/methods?q=action_confirm")
    found = {it["name"]: it for it in answer.json()["methods"]}
    assert found["action_confirm"]["on_records"] is True
    assert found["action_confirm"]["signature"].startswith("action_confirm(")
    assert "write" not in found


async def test_what_can_be_done_with_a_record_is_told(http):
    found = await http.get(
        "/v1/models/sale.order/records",
        params={"domain": '[["state","=","draft"]]', "limit": 1},
    )
    order = found.json()["records"][0]["id"]
    address = f"/v1/models/sale.order/records/{order}/actions"
    actions = {it["name"]: it for it in (await http.get(address)).json()["actions"]}
    assert actions["action_confirm"]["available"] is True
    assert actions["action_draft"]["available"] is False
    assert [it for it in actions.values() if not it["callable"]]
    gone = "/v1/models/sale.order/records/999999/actions"
    problem(await http.get(gone), 404, "record_missing")


async def test_a_form_fills_in_values_and_saves_nothing(http, partner):
    number = int(partner.rpartition("/")[2])
    before = (await http.get("/v1/models/sale.order/aggregate")).json()
    answer = await http.post(
        "/v1/models/sale.order/onchange", json={"values": {"partner_id": number}}
    )
    assert answer.json()["values"]["partner_invoice_id"]["id"] == number
    assert answer.json()["warnings"] == []
    assert (await http.get("/v1/models/sale.order/aggregate")).json() == before


async def test_a_wrong_value_in_a_form_is_refused(http):
    answer = await http.post(
        "/v1/models/sale.order/onchange", json={"values": {"partnr_id": 1}}
    )
    problem(answer, 422, "invalid_request")


async def test_translated_texts_are_read_in_the_languages_asked_for(http):
    address = "/v1/models/res.country/records/20?fields=name&languages=en_US"
    assert (await http.get(address)).json()["name"] == {"en_US": "Belgium"}
    unknown = f"{address},xx_XX"
    problem(await http.get(unknown), 422, "invalid_request")


async def test_defaults_say_what_a_new_record_would_hold(http):
    answer = await http.get(f"{PARTNERS}/defaults?fields=type,active")
    assert answer.json() == {"values": {"type": "contact", "active": True}}


# Reading


async def test_a_search_answers_clean_values(http, partner):
    answer = await http.get(
        f"{PARTNERS}/records",
        params={
            "domain": '[["name", "=", "Zoë"]]',
            "fields": "name,country_id,email,is_company,child_ids,create_date",
        },
    )
    (record,) = answer.json()["records"]
    assert record.pop("create_date").endswith("Z")
    assert record.pop("country_id").keys() == {"id", "name"}
    assert f"{PARTNERS}/records/{record.pop('id')}" == partner
    assert record == {
        "name": "Zoë",
        "email": None,
        "is_company": False,
        "child_ids": [],
    }


async def test_letters_are_answered_as_they_are(http, partner):
    answer = await http.get(f"{partner}?fields=name")
    assert "Zoë".encode() in answer.content


async def test_pages_go_through_all_records_once(http):
    first = await http.get(f"{PARTNERS}/records?fields=name&limit=4&count=exact")
    page = first.json()["page"]
    ids = [record["id"] for record in first.json()["records"]]
    assert page["limit"] == 4
    assert page["paging"] == "keyset"
    while page["has_more"]:
        answer = await http.get(
            f"{PARTNERS}/records?fields=name&limit=4&cursor={page['next_cursor']}"
        )
        page = answer.json()["page"]
        ids += [record["id"] for record in answer.json()["records"]]
    assert page["next_cursor"] is None
    assert len(ids) == len(set(ids)) == first.json()["page"]["total"] > 8
    assert ids == sorted(ids)


async def test_a_cursor_of_another_search_is_refused(http):
    page = (await http.get(f"{PARTNERS}/records?limit=1")).json()["page"]
    answer = await http.get(
        f"{PARTNERS}/records?limit=1&q=a&cursor={page['next_cursor']}"
    )
    problem(answer, 422, "invalid_request")


async def test_a_capped_limit_is_said(http):
    page = (await http.get(f"{PARTNERS}/records?limit=5000")).json()["page"]
    assert page["capped"] is True
    assert page["limit"] == 1000


async def test_the_total_is_counted_only_on_request(http):
    page = (await http.get(f"{PARTNERS}/records?limit=1")).json()["page"]
    assert page["total"] is None


async def test_q_searches_by_name(http, partner):
    found = (await http.get(f"{PARTNERS}/records?q=Zo%C3%AB")).json()["records"]
    assert [record["name"] for record in found] == ["Zoë"]


async def test_an_order_is_kept(http):
    found = (await http.get(f"{PARTNERS}/records?fields=id&order=id desc")).json()
    ids = [record["id"] for record in found["records"]]
    assert ids == sorted(ids, reverse=True)


async def test_a_search_as_a_body_answers_the_same(http):
    by_query = await http.get(
        f"{PARTNERS}/records",
        params={
            "domain": '[["is_company", "=", true]]',
            "fields": "name",
            "order": "name",
            "limit": "3",
            "count": "exact",
        },
    )
    by_body = await http.post(
        f"{PARTNERS}/search",
        json={
            "domain": [["is_company", "=", True]],
            "fields": ["name"],
            "order": "name",
            "limit": 3,
            "count": "exact",
        },
    )
    assert by_query.status_code == 200
    assert by_query.json() == by_body.json()
    assert len(by_query.json()["records"]) == 3


async def test_a_whole_number_in_a_body_may_have_a_point(http):
    answer = await http.post(
        f"{PARTNERS}/search", content=b'{"limit": 2.0}', headers=JSON
    )
    assert answer.json()["page"]["limit"] == 2
    refused = await http.post(
        f"{PARTNERS}/search", content=b'{"limit": 2.5}', headers=JSON
    )
    problem(refused, 422, "invalid_request")


async def test_one_record_is_read_by_id(http, partner):
    record = (await http.get(partner)).json()
    assert record["name"] == "Zoë"
    assert record["country_id"]["name"] == "Belgium"
    assert "image_1920" not in record


async def test_a_missing_record_is_a_404(http):
    problem(await http.get(f"{PARTNERS}/records/999999"), 404, "record_missing")


async def test_groups_are_counted_and_summed(http):
    by_query = await http.get(
        "/v1/models/sale.order/aggregate?groupby=state"
        "&aggregates=__count,amount_total:sum&order=__count desc"
    )
    by_body = await http.post(
        "/v1/models/sale.order/aggregate",
        json={
            "groupby": ["state"],
            "aggregates": ["__count", "amount_total:sum"],
            "order": "__count desc",
        },
    )
    groups = by_query.json()["groups"]
    assert by_query.json() == by_body.json()
    assert {"state", "__count", "amount_total:sum"} == groups[0].keys()
    counts = [group["__count"] for group in groups]
    assert counts == sorted(counts, reverse=True)
    assert by_query.json()["page"]["has_more"] is False


async def test_groups_are_never_cut_silently(http):
    path = f"{PARTNERS}/aggregate?groupby=name&limit=2"
    first = (await http.get(path)).json()
    assert len(first["groups"]) == 2
    assert first["page"] == {
        "limit": 2,
        "capped": False,
        "has_more": True,
        "next_offset": 2,
    }
    second = (await http.get(f"{path}&offset=2")).json()
    assert not [group for group in second["groups"] if group in first["groups"]]
    capped = (await http.get(f"{PARTNERS}/aggregate?groupby=name&limit=5000")).json()
    assert capped["page"]["capped"] is True


async def test_archived_records_are_found_on_request(http, partner):
    await http.patch(partner, json={"active": False})
    hidden = await http.get(f"{PARTNERS}/records?q=Zo%C3%AB")
    shown = await http.get(f"{PARTNERS}/records?q=Zo%C3%AB&archived=true")
    assert hidden.json()["records"] == []
    assert len(shown.json()["records"]) == 1


async def test_a_time_zone_decides_where_months_begin(http):
    path = "/v1/models/sale.order/aggregate?groupby=date_order:month&limit=1"
    here = (await http.get(path)).json()["groups"][0]["date_order:month"]["from"]
    there = (await http.get(f"{path}&tz=Asia/Tokyo")).json()["groups"][0]
    assert here != there["date_order:month"]["from"]


async def test_a_company_that_is_not_ones_own_is_refused_by_odoo(http):
    answer = await http.get(f"{PARTNERS}/records?company=999")
    problem(answer, 403, "odoo_access_denied")


async def test_ones_own_company_is_accepted(http):
    company = (await http.get("/v1/me")).json()["company"]["id"]
    answer = await http.get(f"{PARTNERS}/records?company={company}&limit=1")
    assert answer.status_code == 200


# Writing


async def test_a_created_record_is_answered_and_located(http):
    answer = await http.post(
        f"{PARTNERS}/records?fields=name,email",
        json={"name": "Ada", "email": "ada@example.com"},
    )
    assert answer.status_code == 201
    record = answer.json()
    assert record == {"id": record["id"], "name": "Ada", "email": "ada@example.com"}
    assert answer.headers["Location"] == f"{PARTNERS}/records/{record['id']}"
    assert (await http.get(answer.headers["Location"])).json()["name"] == "Ada"


async def test_many_records_are_created_in_one_call(http):
    answer = await http.post(
        f"{PARTNERS}/records", json=[{"name": "Ada"}, {"name": "Grace"}]
    )
    assert answer.status_code == 201
    assert "Location" not in answer.headers
    ids = answer.json()["ids"]
    names = [
        (await http.get(f"{PARTNERS}/records/{record_id}")).json()["name"]
        for record_id in ids
    ]
    assert names == ["Ada", "Grace"]


async def test_of_many_records_all_are_created_or_none(http):
    before = await everything(http)
    answer = await http.post(
        f"{PARTNERS}/records",
        json=[{"name": "Ada"}, {"name": "Grace", "color": "red"}, {"nam": "Edsger"}, 7],
    )
    told = problem(answer, 422, "invalid_request")
    pointers = [item["pointer"] for item in told["errors"]]
    assert pointers == ["/1/color", "/2/nam", "/3"]
    assert await everything(http) == before


async def test_a_changed_record_is_answered(http, partner):
    answer = await http.patch(f"{partner}?fields=city", json={"city": "Gent"})
    assert answer.status_code == 200
    assert answer.json().keys() == {"id", "city"}
    assert answer.json()["city"] == "Gent"


async def test_what_was_read_can_be_written_back(http, partner):
    read = (await http.get(f"{partner}?fields=country_id,category_id")).json()
    del read["id"]
    answer = await http.patch(f"{partner}?fields=country_id", json=read)
    assert answer.json()["country_id"]["name"] == "Belgium"


async def test_a_country_may_be_given_by_its_name(http, partner):
    answer = await http.patch(partner, json={"country_id": "France"})
    assert answer.json()["country_id"]["name"] == "France"


async def test_a_country_that_is_none_is_refused_and_the_old_one_stays(http, partner):
    answer = await http.patch(partner, json={"country_id": "Belgum"})
    told = problem(answer, 422, "invalid_request")
    assert told["errors"][0]["pointer"] == "/country_id"
    assert (await http.get(partner)).json()["country_id"]["name"] == "Belgium"


async def test_null_empties_a_field(http, partner):
    answer = await http.patch(partner, json={"country_id": None})
    assert answer.json()["country_id"] is None


async def test_a_deleted_record_is_gone(http, partner):
    answer = await http.delete(partner)
    assert answer.status_code == 204
    assert answer.content == b""
    problem(await http.get(partner), 404, "record_missing")
    problem(await http.delete(partner), 404, "record_missing")


async def test_a_record_is_copied_with_what_shall_differ(http, partner):
    answer = await http.post(f"{partner}/copy?fields=name", json={"name": "Zoë 2"})
    assert answer.status_code == 201
    assert answer.json()["name"] == "Zoë 2"
    assert answer.headers["Location"] != partner
    assert (await http.get(answer.headers["Location"])).status_code == 200


async def test_what_is_written_but_cannot_be_read_back_is_no_error(
    http, gateway, partner
):
    def refuse(*args, **kwargs):
        raise OdooAccessError("No reading.")

    gateway.on("res.partner", "read", refuse)
    created = await http.post(f"{PARTNERS}/records", json={"name": "Ada"})
    assert created.status_code == 201
    assert created.json().keys() == {"id"}
    changed = await http.patch(partner, json={"city": "Gent"})
    assert changed.status_code == 200
    assert changed.json().keys() == {"id"}


async def test_unknown_fields_to_answer_are_refused_before_anything_is_written(
    http, partner
):
    before = await everything(http)
    for answer in [
        await http.post(f"{PARTNERS}/records?fields=nam", json={"name": "Ada"}),
        await http.patch(f"{partner}?fields=nam", json={"city": "Gent"}),
        await http.post(f"{partner}/copy?fields=nam", json={}),
        await http.post(f"{PARTNERS}/records?fields=name", json=[{"name": "Ada"}]),
    ]:
        problem(answer, 422, "invalid_request")
    assert await everything(http) == before


async def test_a_method_is_called_and_its_result_answered(http):
    draft = await http.get(
        "/v1/models/sale.order/records",
        params={"domain": '[["state", "=", "draft"]]', "limit": "1"},
    )
    order = draft.json()["records"][0]["id"]
    answer = await http.post(
        "/v1/models/sale.order/methods/action_confirm", json={"ids": [order]}
    )
    assert answer.json() == {"result": True}
    state = await http.get(f"/v1/models/sale.order/records/{order}?fields=state")
    assert state.json()["state"] == "sale"


async def test_a_method_gets_its_arguments_as_they_are(http, gateway):
    def echo(*args, **kwargs):
        return {"args": args, "kwargs": kwargs}

    gateway.on("res.partner", "echo", echo)
    answer = await http.post(
        f"{PARTNERS}/methods/echo",
        json={"ids": [1, 2], "args": [[["a", "=", 1]], None], "kwargs": {"deep": True}},
    )
    assert answer.json()["result"] == {
        "args": [[1, 2], [["a", "=", 1]], None],
        "kwargs": {"deep": True},
    }


@pytest.mark.parametrize("result", [float("nan"), float("inf"), object(), b"raw"])
async def test_a_result_that_is_no_json_is_an_answer_that_was_lost(
    http, gateway, result
):
    gateway.on("res.partner", "odd", lambda: result)
    answer = await http.post(f"{PARTNERS}/methods/odd", json={})
    problem(answer, 502, "answer_lost")


# Bad input: one clear error, nothing written

BAD_SEARCHES = {
    "unknown model": ("/v1/models/no.such.model/records", {}),
    "no model name": ("/v1/models/Res Partner/records", {}),
    "unknown field to read": (f"{PARTNERS}/records", {"fields": "nam"}),
    "empty name of a field": (f"{PARTNERS}/records", {"fields": "name,,email"}),
    "path as a field": (f"{PARTNERS}/records", {"fields": "country_id.code"}),
    "half a domain": (f"{PARTNERS}/records", {"domain": '[["name","="'}),
    "flat domain": (f"{PARTNERS}/records", {"domain": '["name","=","x"]'}),
    "empty domain text": (f"{PARTNERS}/records", {"domain": ""}),
    "unknown operator": (f"{PARTNERS}/records", {"domain": '[["name","like it",1]]'}),
    "unknown field in a domain": (f"{PARTNERS}/records", {"domain": '[["nam","=",1]]'}),
    "unknown field in an order": (f"{PARTNERS}/records", {"order": "nam"}),
    "no order": (f"{PARTNERS}/records", {"order": "name sideways"}),
    "limit of zero": (f"{PARTNERS}/records", {"limit": "0"}),
    "negative limit": (f"{PARTNERS}/records", {"limit": "-1"}),
    "limit with a point": (f"{PARTNERS}/records", {"limit": "1.0"}),
    "limit with a sign": (f"{PARTNERS}/records", {"limit": "+1"}),
    "limit in other digits": (f"{PARTNERS}/records", {"limit": "٣"}),
    "endless limit": (f"{PARTNERS}/records", {"limit": "9" * 5000}),
    "no cursor": (f"{PARTNERS}/records", {"cursor": "!"}),
    "unknown count": (f"{PARTNERS}/records", {"count": "maybe"}),
    "unknown parameter": (f"{PARTNERS}/records", {"offset": "1"}),
    "unknown time zone": (f"{PARTNERS}/records", {"tz": "Mars/Olympus"}),
    "no company": (f"{PARTNERS}/records", {"company": "mine"}),
    "company of zero": (f"{PARTNERS}/records", {"company": "0"}),
    "no flag": (f"{PARTNERS}/records", {"archived": "yes"}),
    "empty language": (f"{PARTNERS}/records", {"lang": ""}),
    "id of zero": (f"{PARTNERS}/records/0", {}),
    "negative id": (f"{PARTNERS}/records/-1", {}),
    "id beyond int4": (f"{PARTNERS}/records/2147483648", {}),
    "id with a point": (f"{PARTNERS}/records/1.0", {}),
    "text as an id": (f"{PARTNERS}/records/first", {}),
    "parameter of another route": (f"{PARTNERS}/records/1", {"limit": "1"}),
    "unknown group": (f"{PARTNERS}/aggregate", {"groupby": "nam"}),
    "unknown aggregate": (f"{PARTNERS}/aggregate", {"aggregates": "color:guess"}),
    "unknown default": (f"{PARTNERS}/defaults", {"fields": "nam"}),
    "unknown parameter of me": ("/v1/me", {"verbose": "1"}),
}


@pytest.mark.parametrize("case", BAD_SEARCHES)
async def test_a_bad_search_is_refused_with_one_clear_error(http, case):
    path, params = BAD_SEARCHES[case]
    problem(await http.get(path, params=params), 422, "invalid_request")


async def test_a_parameter_that_comes_twice_is_refused(http):
    answer = await http.get(f"{PARTNERS}/records?limit=1&limit=2")
    told = problem(answer, 422, "invalid_request")
    assert told["errors"] == [{"pointer": "?limit", "detail": "Give it once."}]


async def test_an_unknown_instance_is_refused(http):
    answer = await http.get("/v1/me?instance=elsewhere")
    problem(answer, 422, "invalid_request")


NO_ID = "/v1/models/res.partner/records/999999"
BAD_WRITES: dict[str, tuple[str, str, Any, int, str]] = {
    "create on an unknown model": (
        "POST", "/v1/models/no.model/records", {"name": "x"}, 422, "invalid_request",
    ),
    "create with an unknown field": (
        "POST", f"{PARTNERS}/records", {"nam": "x"}, 422, "invalid_request",
    ),
    "create of nothing": ("POST", f"{PARTNERS}/records", [], 422, "invalid_request"),
    "create of text": ("POST", f"{PARTNERS}/records", "Ada", 422, "invalid_request"),
    "create of null": ("POST", f"{PARTNERS}/records", None, 422, "invalid_request"),
    "create without what is required": (
        "POST", "/v1/models/res.country/records", {}, 400, "odoo_refused",
    ),
    "boolean as text": (
        "PATCH", "{partner}", {"active": "false"}, 422, "invalid_request",
    ),
    "number as text": ("PATCH", "{partner}", {"color": "7"}, 422, "invalid_request"),
    "country as text": (
        "PATCH", "{partner}", {"country_id": "Belgum"}, 422, "invalid_request",
    ),
    "country as a numeric text": (
        "PATCH", "{partner}", {"country_id": "20"}, 422, "invalid_request",
    ),
    "unknown selection": (
        "PATCH", "{partner}", {"type": "friend"}, 422, "invalid_request",
    ),
    "nothing to change": ("PATCH", "{partner}", {}, 422, "invalid_request"),
    "a list to change": ("PATCH", "{partner}", [{}], 422, "invalid_request"),
    "change of a missing record": (
        "PATCH", NO_ID, {"name": "x"}, 404, "record_missing",
    ),
    "copy of a missing record": ("POST", f"{NO_ID}/copy", {}, 404, "record_missing"),
    "change of a country that is missing": (
        "PATCH", "{partner}", {"country_id": 999999}, 400, "odoo_refused",
    ),
    "unknown member of a search": (
        "POST", f"{PARTNERS}/search", {"filter": []}, 422, "invalid_request",
    ),
    "limit as text in a search": (
        "POST", f"{PARTNERS}/search", {"limit": "5"}, 422, "invalid_request",
    ),
    "limit as a boolean in a search": (
        "POST", f"{PARTNERS}/search", {"limit": True}, 422, "invalid_request",
    ),
    "domain that is an object": (
        "POST", f"{PARTNERS}/search", {"domain": {"name": "x"}}, 422, "invalid_request",
    ),
    "domain that is false": (
        "POST", f"{PARTNERS}/search", {"domain": False}, 422, "invalid_request",
    ),
    "no fields in a search": (
        "POST", f"{PARTNERS}/search", {"fields": []}, 422, "invalid_request",
    ),
    "fields as text in a search": (
        "POST", f"{PARTNERS}/search", {"fields": "name"}, 422, "invalid_request",
    ),
    "unknown member of a method": (
        "POST", f"{PARTNERS}/methods/x", {"id": 1}, 422, "invalid_request",
    ),
    "an id of a method as text": (
        "POST", f"{PARTNERS}/methods/x", {"ids": ["1"]}, 422, "invalid_request",
    ),
    "no ids of a method": (
        "POST", f"{PARTNERS}/methods/x", {"ids": []}, 422, "invalid_request",
    ),
    "a context as an argument": (
        "POST", f"{PARTNERS}/methods/x", {"kwargs": {"context": {}}}, 422,
        "invalid_request",
    ),
    "private method": (
        "POST", f"{PARTNERS}/methods/_write", {}, 422, "invalid_request",
    ),
    "write by name": (
        "POST", f"{PARTNERS}/methods/write", {"ids": [1], "args": [{"name": "x"}]},
        422, "invalid_request",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_WRITES)
async def test_a_bad_change_is_refused_with_one_clear_error(http, partner, case):
    method, path, body, status, code = BAD_WRITES[case]
    before = await everything(http)
    answer = await http.request(
        method,
        path.replace("{partner}", partner),
        content=json.dumps(body),
        headers=JSON,
    )
    problem(answer, status, code)
    assert await everything(http) == before


async def test_an_unknown_method_is_one_clear_error(http):
    answer = await http.post(f"{PARTNERS}/methods/action_fly", json={"ids": [1]})
    # Some gateways can tell an unknown method from a crash of a known one.
    known = {"invalid_request": 422, "odoo_failed": 502}
    problem(answer, known[answer.json()["code"]], answer.json()["code"])


BAD_BODIES = {
    "half a body": b'{"name": "Ada"',
    "nothing": b"",
    "a word": b"Ada",
    "a member twice": b'{"name": "Ada", "name": "Grace"}',
    "a member twice, deep inside": b'{"x": [[0, 0, {"name": "a", "name": "b"}]]}',
    "no number": b'{"name": "Ada", "color": NaN}',
    "endless": b'{"name": "Ada", "partner_latitude": 1e999}',
    "many digits": b'{"name": "Ada", "color": ' + b"9" * 5000 + b"}",
    "no UTF-8": b'{"name": "Zo\xeb"}',
    "deep nesting": b'{"name": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_body_that_is_no_json_is_refused(http, case):
    before = await everything(http)
    answer = await http.post(
        f"{PARTNERS}/records", content=BAD_BODIES[case], headers=JSON
    )
    assert "JSON" in problem(answer, 422, "invalid_request")["detail"]
    assert await everything(http) == before


async def test_half_a_character_is_answered_unharmed(http, gateway):
    gateway.on("res.partner", "odd", lambda: "\ud800")
    answer = await http.post(f"{PARTNERS}/methods/odd", json={})
    assert answer.json() == {"result": "\ud800"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", ""]
)
async def test_a_body_must_say_that_it_is_json(http, kind):
    answer = await http.post(
        f"{PARTNERS}/records",
        content=b'{"name": "Ada"}',
        headers={"Content-Type": kind},
    )
    assert "application/json" in problem(answer, 422, "invalid_request")["detail"]


async def test_a_body_where_none_belongs_is_refused(http, partner):
    answer = await http.request("DELETE", partner, json={"ids": [1, 2, 3]})
    problem(answer, 422, "invalid_request")
    assert (await http.get(partner)).status_code == 200


async def test_a_body_that_is_too_large_is_refused(http):
    async def endless():
        for _ in range(1000):
            yield b" " * 1000

    known = await http.post(f"{PARTNERS}/records", content=b" " * 100_001, headers=JSON)
    problem(known, 413, "payload_too_large")
    unknown = await http.post(f"{PARTNERS}/records", content=endless(), headers=JSON)
    problem(unknown, 413, "payload_too_large")


@pytest.mark.parametrize(
    "header", ["Idempotency-Key", "If-Match", "If-Unmodified-Since"]
)
async def test_a_promise_that_is_not_kept_yet_is_refused(http, partner, header):
    before = await everything(http)
    for method, path, body in [
        ("POST", f"{PARTNERS}/records", {"name": "Ada"}),
        ("PATCH", partner, {"name": "Ada"}),
        ("POST", f"{partner}/copy", {}),
        ("POST", f"{PARTNERS}/methods/action_archive", {"ids": [1]}),
    ]:
        answer = await http.request(method, path, json=body, headers={header: '"x"'})
        problem(answer, 422, "invalid_request")
    problem(await http.delete(partner, headers={header: '"x"'}), 422, "invalid_request")
    assert await everything(http) == before


async def test_a_change_that_names_a_version_overwrites_nothing_else(http, partner):
    seen = await http.get(partner)
    tag = seen.headers["ETag"]
    known = await http.get(partner, headers={"If-None-Match": tag})
    assert (known.status_code, known.headers["ETag"]) == (304, tag)
    written = await http.patch(partner, json={"phone": "1"}, headers={"If-Match": tag})
    assert written.status_code == 200, written.text
    now = written.headers["ETag"]
    assert now == (await http.get(partner)).headers["ETag"] != tag
    assert (await http.get(partner, headers={"If-None-Match": tag})).status_code == 200
    for method, body in [("PATCH", {"phone": "2"}), ("DELETE", None)]:
        answer = await http.request(
            method, partner, json=body, headers={"If-Match": tag}
        )
        (change,) = problem(answer, 409, "conflict")["changes"]
        assert change["fields"] == ["phone"]
        assert change["write_date"]
        assert change["write_uid"]
    assert (await http.get(partner)).headers["ETag"] == now
    for given in ("*", f'W/"x", {tag}, {now}'):
        answer = await http.patch(partner, json={}, headers={"If-Match": given})
        assert answer.json()["code"] == "invalid_request", "an empty change"
    answer = await http.patch(
        partner, json={"phone": "3"}, headers={"If-Match": f"{tag}, {now}"}
    )
    assert answer.status_code == 200, answer.text
    last = answer.headers["ETag"]
    assert (await http.delete(partner, headers={"If-Match": last})).status_code == 204


@pytest.mark.parametrize("given", ["x", '"x"', "", 'W/"x"', "*, *", '"a" "b"'])
async def test_what_is_no_tag_of_a_record_changes_nothing(http, partner, given):
    answer = await http.patch(partner, json={"phone": "1"}, headers={"If-Match": given})
    assert "If-Match" in problem(answer, 422, "invalid_request")["detail"]
    assert (await http.get(partner)).json()["phone"] is None


async def test_an_answer_with_one_record_has_its_tag(http, partner):
    made = await http.post(f"{PARTNERS}/records", json={"name": "Ada"})
    copied = await http.post(f"{partner}/copy?fields=name", json={})
    for answer, place in [
        (made, made.headers["Location"]),
        (copied, copied.headers["Location"] + "?fields=name"),
    ]:
        assert answer.headers["ETag"] == (await http.get(place)).headers["ETag"]


# Who may


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        "odp_a_b",
        "Bearer odp_aaaaaaaa_" + "a" * 43,
        "Bearer ÿ",
    ],
)
async def test_nobody_comes_in_without_a_key(door, header):
    async with visitor(door.app) as http:
        headers = {} if header is None else {"Authorization": header.encode("latin-1")}
        answer = await http.get("/v1/me", headers=headers)
    problem(answer, 401, "authentication_failed")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_key_nothing_is_said_about_the_request(door):
    async with visitor(door.app) as http:
        for answer in [
            await http.post(f"{PARTNERS}/records", content=b"{", headers=JSON),
            await http.get(f"{PARTNERS}/records?nonsense=1"),
            await http.get("/v1/models/no.such.model"),
        ]:
            problem(answer, 401, "authentication_failed")


async def test_a_revoked_key_is_refused_at_once(door):
    record, token = door.keys.create("shop", "reader")
    async with visitor(door.app) as http:
        http.headers["Authorization"] = f"bearer {token}"
        assert (await http.get("/v1/me")).status_code == 200
        door.keys.revoke(record.id)
        told = problem(await http.get("/v1/me"), 401, "authentication_failed")
    assert "revoked" in told["detail"]


async def test_a_reader_changes_nothing(reader, http, partner):
    before = await everything(http)
    for answer in [
        await reader.post(f"{PARTNERS}/records", json={"name": "Ada"}),
        await reader.patch(partner, json={"name": "Ada"}),
        await reader.delete(partner),
        await reader.post(f"{partner}/copy", json={}),
        await reader.post(f"{PARTNERS}/methods/action_archive", json={"ids": [1]}),
    ]:
        problem(answer, 403, "permission_denied")
    assert await everything(http) == before


@pytest.mark.parametrize(
    "lines", [lambda child: {"delete": [child]}, lambda child: [[2, child, 0]]]
)
async def test_an_editor_deletes_nothing_through_a_list(door, http, partner, lines):
    firm = int(partner.rpartition("/")[2])
    child = {"name": "Kim", "parent_id": firm}
    made = await http.post(f"{PARTNERS}/records", json=child)
    number = made.json()["id"]
    before = await everything(http)
    async with door.client("editor") as editor:
        values = {"child_ids": lines(number)}
        told = problem(
            await editor.patch(partner, json=values), 403, "permission_denied"
        )
        assert "'editor' may not delete 'res.partner'" in told["detail"]
        copied = await editor.post(f"{partner}/copy", json=values)
        problem(copied, 422, "invalid_request")
        assert await everything(http) == before
        kept = {"child_ids": {"update": [{"id": number, "name": "Kim"}]}}
        assert (await editor.patch(partner, json=kept)).status_code == 200


@pytest.mark.parametrize(
    "users",
    [
        {"create": [{"login": "evil", "name": "Evil"}]},
        {"add": [2]},
        [[1, 2, {"login": "x"}]],
    ],
    ids=str,
)
async def test_a_protected_model_is_not_changed_through_another(http, partner, users):
    before = (await http.get("/v1/models/res.users/records?fields=login")).json()
    answer = await http.patch(partner, json={"user_ids": users})
    assert answer.status_code in (403, 422)
    if not isinstance(users, list):  # user 2 is none of this contact's
        told = problem(answer, 403, "permission_denied")
        assert "'res.users' can be read but not changed here" in told["detail"]
    after = (await http.get("/v1/models/res.users/records?fields=login")).json()
    assert after == before


async def test_what_odoo_forbids_its_user_is_a_403(gateway, tmp_path):
    door = Door(gateway, tmp_path, login="demo")
    async with door.client() as salesman:
        answer = await salesman.post("/v1/models/res.country/records", json={
            "name": "Utopia", "code": "UT",
        })  # fmt: skip
        problem(answer, 403, "odoo_access_denied")
    door.close()


async def test_a_used_up_budget_says_when_to_come_back(gateway, tmp_path):
    door = Door(gateway, tmp_path, budget="2/hour")
    async with door.client() as http:
        answers = [await http.get(f"{PARTNERS}/records?limit=1") for _ in range(3)]
    door.close()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = problem(answers[-1], 429, "rate_limited")
    seconds = int(answers[-1].headers["Retry-After"])
    assert told["retry_after"] == seconds > 0
    assert f"r=0;t={seconds}" in answers[-1].headers["RateLimit"]


async def test_a_foreign_host_name_is_refused(http):
    answer = await http.get("/v1/me", headers={"Host": "evil.example.com"})
    told = problem(answer, 421, "permission_denied")
    assert "ODOOPORT_HOSTS" in told["detail"]
    for name in ("localhost:8770", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        assert (await http.get("/v1/me", headers={"Host": name})).status_code == 200


async def test_other_peoples_pages_are_refused(http):
    for origin in ("https://evil.example.com", "null", "http://localhost:1"):
        answer = await http.get("/v1/me", headers={"Origin": origin})
        problem(answer, 403, "permission_denied")
        assert "Access-Control-Allow-Origin" not in answer.headers
    own = await http.get("/v1/me", headers={"Origin": "http://localhost"})
    assert own.status_code == 200


# What Odoo answers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Conflict("x"), 409),
        (GatewayUnavailable("x"), 503),
        (OutcomeUnknown("x"), 504),
        (GatewayProtocolError("x"), 502),
        (GatewayError("x"), 502),
        (OdooAccessError("x"), 403),
        (OdooRefused("x"), 400),
        (AnswerLost("x"), 502),
        (OdooFailed("x", debug="Traceback in /opt/odoo"), 502),
        (AuthenticationFailed("x"), 401),
    ],
)
async def test_every_error_of_a_change_has_its_status(http, gateway, error, status):
    def fail(*args, **kwargs):
        raise error

    gateway.on("res.partner", "create", fail)
    answer = await http.post(f"{PARTNERS}/records", json={"name": "Ada"})
    told = problem(answer, status, error.code)
    assert told["detail"].endswith("x")
    assert "/opt/odoo" not in answer.text


def test_every_error_of_the_tree_has_a_kind():
    tree = [
        item
        for item in vars(odooport.errors).values()
        if isinstance(item, type) and issubclass(item, OdooportError)
    ]
    assert {item.code for item in tree} <= KINDS.keys()
    assert RecordMissing in tree


async def test_a_crash_is_answered_blandly_and_logged_whole(http, gateway, caplog):
    def crash(*args, **kwargs):
        raise RuntimeError("the password is hunter2")

    gateway.on("res.partner", "create", crash)
    answer = await http.post(f"{PARTNERS}/records", json={"name": "Ada"})
    told = problem(answer, 500, "internal")
    assert "hunter2" not in answer.text
    (line,) = [record for record in caplog.records if record.msg == "internal"]
    assert "hunter2" in str(line.exc_info)
    assert line.request_id == told["request_id"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{PARTNERS}/methods/slow", 504, "outcome_unknown"),
        (f"{PARTNERS}/records", 503, "gateway_unavailable"),
    ],
)
async def test_a_call_that_is_given_up_is_answered_truly(
    door, http, gateway, path, status, code
):
    began = asyncio.Event()

    async def slow(*args: Any, **kwargs: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    gateway.on("res.partner", "slow", slow)
    gateway.on("res.partner", "search_read", slow)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    reads = path.endswith("records")
    scope = {
        "type": "http",
        "method": "GET" if reads else "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", http.headers["Authorization"].encode()),
            *([] if reads else [(b"content-type", b"application/json")]),
            *([] if reads else [(b"content-length", b"2")]),
        ],
    }
    serving = asyncio.create_task(door.app(scope, receive, send))
    await asyncio.wait_for(began.wait(), 30)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert messages[0]["status"] == status
    assert json.loads(messages[1]["body"])["code"] == code


async def test_a_crash_of_the_key_store_is_a_closed_door(door):
    (door.state / "keys.db").unlink(missing_ok=True)
    (door.state / "keys.db").mkdir()
    async with visitor(door.app) as http:
        http.headers["Authorization"] = "Bearer odp_aaaaaaaa_" + "a" * 43
        problem(await http.get("/v1/me"), 401, "authentication_failed")


# Names of requests


async def test_a_request_keeps_its_name_everywhere(door, http, caplog):
    caplog.set_level(logging.INFO)
    answer = await http.get(
        f"{PARTNERS}/records?limit=1", headers={"X-Request-Id": "order-17.a_B"}
    )
    assert answer.headers["X-Request-Id"] == "order-17.a_B"
    door.audit.close()
    events = AuditReader(door.state / "audit").search(request_id="order-17.a_B")
    assert [event["method"] for event in events] == ["search_read"]
    lines = [record for record in caplog.records if record.msg in ("call", "request")]
    assert {record.request_id for record in lines} == {"order-17.a_B"}
    assert {record.msg for record in lines} == {"call", "request"}


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "é", "a\tb", "<script>"])
async def test_a_name_that_could_harm_a_log_is_replaced(http, name):
    answer = await http.get("/health", headers={"X-Request-Id": name.encode("latin-1")})
    assert answer.headers["X-Request-Id"] not in ("", name)


async def test_every_request_without_a_name_gets_its_own(http):
    names = {(await http.get("/health")).headers["X-Request-Id"] for _ in range(20)}
    assert len(names) == 20


# Paths


@pytest.mark.parametrize(
    "path", ["/v2/me", "/v1", "/v1/", "/v1/models/", f"{PARTNERS}/", "/problems/nope"]
)
async def test_a_path_that_is_none_is_a_problem(http, path):
    problem(await http.get(path), 404, "not_found")


async def test_a_method_that_a_path_does_not_take_is_a_problem(http):
    answer = await http.put("/v1/me")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"
    answer = await http.delete(f"{PARTNERS}/records")
    told = problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST"
    assert told["detail"].endswith("use GET, POST.")
    answer = await http.put(f"{PARTNERS}/records/1")
    assert answer.headers["Allow"] == "DELETE, GET, PATCH"
    answer = await http.put("/docs/assets/swagger-ui.css")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD"


async def test_every_problem_is_explained_where_its_type_points(door):
    async with visitor(door.app) as http:
        for code, kind in KINDS.items():
            told = (await http.get(f"/problems/{code}")).json()
            assert told["type"] == f"/problems/{code}"
            assert told["status"] == kind.status
            assert told["detail"]


# The service itself


async def test_health_and_readiness_need_no_key(door):
    async with visitor(door.app) as http:
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert (await http.get("/ready")).json() == {"status": "ready"}


async def test_readiness_follows_odoo_but_does_not_hammer_it(door):
    asked = 0

    async def down():
        nonlocal asked
        asked += 1
        raise GatewayUnavailable("connection refused at 10.0.0.7")

    door.signs.append(down)
    async with visitor(door.app) as http:
        answers = await asyncio.gather(*(http.get("/ready") for _ in range(20)))
        for answer in answers:
            problem(answer, 503, "gateway_unavailable")
            assert "10.0.0.7" not in answer.text
        assert asked == 1
        assert (await http.get("/health")).status_code == 200
        door.signs.clear()
        door.clock.now += 5
        assert (await http.get("/ready")).json() == {"status": "ready"}


def refs(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(refs, node.values()))
    return set().union(*map(refs, node)) if isinstance(node, list) else set()


async def test_the_description_is_whole_and_says_what_errors_look_like(door):
    async with visitor(door.app) as http:
        told = (await http.get("/openapi.json")).json()
    assert told["openapi"].startswith("3.1")
    for ref in refs(told):
        node = told
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
    names = []
    for path, operations in told["paths"].items():
        for operation in operations.values():
            names.append(operation["operationId"])
            assert operation["description"]
            if not path.startswith("/v1"):
                continue
            assert operation["security"] == [{"ApiKey": []}]
            assert {"401", "403", "422", "429", "503", "504"} <= (
                operation["responses"].keys()
            )
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    (kind,) = response["content"]
                    assert kind == "application/problem+json"
    assert len(names) == len(set(names))
    assert "HTTPValidationError" not in json.dumps(told)
    for word in ('"ge":', '"le":', '"gt":', '"lt":'):  # Python's, which nobody reads
        assert word not in json.dumps(told)


async def test_answers_are_as_the_description_says(http, partner):
    told = (await http.get("/openapi.json")).json()
    record = f"{PARTNERS}/records/{{id}}".replace("res.partner", "{model}")
    for path, template, status in [
        ("/v1/me", "/v1/me", "200"),
        ("/v1/models?q=sale", "/v1/models", "200"),
        (PARTNERS, "/v1/models/{model}", "200"),
        (f"{PARTNERS}/defaults", "/v1/models/{model}/defaults", "200"),
        (f"{PARTNERS}/records?limit=1", "/v1/models/{model}/records", "200"),
        (f"{PARTNERS}/aggregate", "/v1/models/{model}/aggregate", "200"),
        (f"{PARTNERS}/records?limit=x", "/v1/models/{model}/records", "422"),
        (partner, record, "200"),
        (f"{PARTNERS}/records/999999", record, "404"),
        ("/ready", "/ready", "200"),
        ("/problems/internal", "/problems/{code}", "200"),
    ]:
        answer = await http.get(path)
        assert str(answer.status_code) == status
        content = told["paths"][template]["get"]["responses"][status]["content"]
        schema = content[answer.headers["Content-Type"]]["schema"]
        schema["components"] = told["components"]
        Draft202012Validator(schema).validate(answer.json())


async def test_the_docs_page_loads_nothing_from_elsewhere(door):
    async with visitor(door.app) as http:
        assert (await http.get("/")).headers["Location"] == "/docs"
        page = await http.get("/docs")
        assert "://" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert '"validatorUrl": null' in page.text  # or else a foreign host is asked
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert f"/docs/assets/{asset}" in page.text
            assert (await http.get(f"/docs/assets/{asset}")).status_code == 200
        problem(await http.get("/docs/assets/nope.js"), 404, "not_found")
        problem(await http.get("/docs/assets/%2e%2e/core.py"), 404, "not_found")


async def test_answers_are_kept_by_nobody(http, partner):
    answer = await http.get(partner)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_under_a_path_of_another_app_everything_still_points_right(door):
    _, token = door.keys.create("shop", "full")
    async with visitor(Starlette(routes=[Mount("/odoo", door.app)])) as http:
        http.headers["Authorization"] = f"Bearer {token}"
        created = await http.post(
            f"/odoo{PARTNERS}/records?fields=name", json={"name": "Ada"}
        )
        assert (await http.get(created.headers["Location"])).json()["name"] == "Ada"
        page = (await http.get("/odoo/docs")).text
        assert "/odoo/openapi.json" in page
        assert "/odoo/docs/assets/" in page
        problem(await http.get("/odoo/v1/nope"), 404, "not_found")


# Many at once


class TwoUsers:
    """An ``AuthPolicy`` whose tokens are Odoo logins, in two Odoos."""

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        credentials = {
            name: Credentials("demo", token, token, name) for name in ("default", "b")
        }
        return Principal(token, token, "full", credentials)

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return await OdooDecides().authorize(principal, call, odoo)


async def test_two_users_at_once_never_see_each_others_session(gateway):
    gate = Gate(gateway, TwoUsers(), Unlimited(), Unaudited())
    app = build_app(gate, ready=gateway.version)
    async with visitor(app) as http:

        async def ask(login: str) -> tuple[str, str]:
            answer = await http.get(
                "/v1/me", headers={"Authorization": f"Bearer {login}"}
            )
            return answer.json()["principal"], answer.json()["login"]

        answers = await asyncio.gather(
            *(ask(login) for login in ["admin", "demo"] * 40)
        )
    assert answers == [("admin", "admin"), ("demo", "demo")] * 40


async def test_a_record_is_located_in_its_own_odoo(gateway):
    gate = Gate(gateway, TwoUsers(), Unlimited(), Unaudited())
    async with visitor(build_app(gate, ready=gateway.version)) as http:
        http.headers["Authorization"] = "Bearer admin"
        answer = await http.post(f"{PARTNERS}/records?instance=b", json={"name": "Ada"})
        assert answer.headers["Location"].endswith("?instance=b")
        found = await http.get(answer.headers["Location"])
        assert found.json()["name"] == "Ada"


async def test_fifty_reads_behind_a_slow_call_are_not_delayed(http, gateway):
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> bool:
        began.set()
        await may_end.wait()
        return True

    gateway.on("sale.order", "action_confirm", slow)
    confirming = asyncio.create_task(
        http.post("/v1/models/sale.order/methods/action_confirm", json={"ids": [1]})
    )
    async with asyncio.timeout(30):
        await began.wait()
        reads = await asyncio.gather(
            *(http.get(f"{PARTNERS}/records?limit=1") for _ in range(50))
        )
        assert not confirming.done()
        may_end.set()
        answer = await confirming
    assert {read.status_code for read in reads} == {200}
    assert answer.json() == {"result": True}
