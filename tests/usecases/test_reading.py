"""Finding, reading, counting and grouping records."""

import pytest

from odooport import (
    InvalidRequest,
    Odoo,
    OdooAccessError,
    Page,
    Principal,
    RecordMissing,
    Reference,
)
from odooport.model import Caller
from tests.usecases.conftest import ADMIN, CountingGateway


async def all_pages(odoo: Odoo, model: str, **options: object) -> list[Page]:
    pages: list[Page] = []
    cursor: str | None = None
    while True:
        page = await odoo.search_read(model, cursor=cursor, **options)  # type: ignore[arg-type]
        pages.append(page)
        if page.cursor is None:
            return pages
        cursor = page.cursor


async def test_a_search_answers_clean_values(odoo: Odoo) -> None:
    page = await odoo.search_read(
        "res.partner",
        [["is_company", "=", True], ["country_id.code", "=", "BE"]],
        fields=["name", "country_id", "child_ids", "parent_id", "active"],
        limit=1,
    )
    (record,) = page.records
    assert record["country_id"] == {"id": 20, "name": "Belgium"}
    assert record["parent_id"] is None
    assert record["active"] is True
    assert isinstance(record["child_ids"], list)


async def test_a_search_without_fields_answers_a_telling_few(odoo: Odoo) -> None:
    page = await odoo.search_read("res.partner", limit=1)
    assert {"id", "display_name", "email", "country_id"} <= page.records[0].keys()
    assert len(page.records[0]) <= 13


async def test_a_page_says_whether_there_is_more(odoo: Odoo) -> None:
    everything = await odoo.count("res.partner")
    short = await odoo.search_read("res.partner", limit=everything - 1, count=True)
    whole = await odoo.search_read("res.partner", limit=everything)
    assert (short.has_more, short.total) == (True, everything)
    assert (whole.has_more, whole.cursor, whole.total) == (False, None, None)


@pytest.mark.parametrize(
    ("order", "paging"),
    [
        (None, "keyset"),
        ("id desc", "keyset"),
        ("name", "offset"),
        ("country_id, name desc", "offset"),
        ("write_date desc", "offset"),
    ],
)
async def test_pages_hold_every_record_once(
    odoo: Odoo, order: str | None, paging: str
) -> None:
    pages = await all_pages(odoo, "res.partner", order=order, limit=7, fields=["name"])
    ids = [record["id"] for page in pages for record in page.records]
    assert sorted(ids) == sorted(await odoo.search("res.partner", limit=1000))
    assert {page.paging for page in pages} == {paging}


@pytest.mark.parametrize("order", ["name", "name desc", "name desc, id desc"])
async def test_a_required_column_pages_by_its_values(odoo: Odoo, order: str) -> None:
    pages = await all_pages(odoo, "crm.lead", order=order, limit=3, fields=["type"])
    ids = [record["id"] for page in pages for record in page.records]
    assert ids == await odoo.search("crm.lead", order=order, limit=1000)
    assert {page.paging for page in pages} == {"keyset"}
    assert all("name" not in record for page in pages for record in page.records)


async def test_a_record_made_meanwhile_does_not_shift_the_pages(odoo: Odoo) -> None:
    first = await odoo.search_read("res.partner", order="id desc", limit=5)
    await odoo.create("res.partner", {"name": "Newcomer"})
    second = await odoo.search_read(
        "res.partner", order="id desc", limit=5, cursor=first.cursor
    )
    ids = [record["id"] for record in (*first.records, *second.records)]
    assert len(set(ids)) == 10
    assert ids == sorted(ids, reverse=True)


async def test_a_cursor_belongs_to_its_query(odoo: Odoo) -> None:
    page = await odoo.search_read("res.partner", limit=2)
    with pytest.raises(InvalidRequest, match="another search"):
        await odoo.search_read(
            "res.partner", [["active", "=", True]], limit=2, cursor=page.cursor
        )


async def test_a_cursor_belongs_to_its_principal(odoo: Odoo) -> None:
    page = await odoo.search_read("res.partner", limit=2)
    other = Principal("other", "other", "full", {"default": ADMIN})
    stranger = odoo.acting_as(caller=Caller(other, "rest", "r"))
    with pytest.raises(InvalidRequest, match="another search"):
        await stranger.search_read("res.partner", limit=2, cursor=page.cursor)


@pytest.mark.parametrize("cursor", ["", "x", "!!", "bnVsbA", "W10", "é"])
async def test_what_is_no_cursor_is_refused(odoo: Odoo, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        await odoo.search_read("res.partner", cursor=cursor)


async def test_the_cap_of_a_principal_holds_and_is_said(odoo: Odoo) -> None:
    small = Principal("small", "small", "reader", {"default": ADMIN}, max_rows=3)
    page = await odoo.acting_as(caller=Caller(small, "rest", "r")).search_read(
        "res.partner", limit=50
    )
    assert len(page.records) == 3
    assert (page.limit, page.capped, page.has_more) == (3, True, True)


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "5"])
async def test_a_limit_that_is_none_is_refused(
    odoo: Odoo, gateway: CountingGateway, limit: object
) -> None:
    with pytest.raises(InvalidRequest, match="limit"):
        await odoo.search_read("res.partner", limit=limit)  # type: ignore[arg-type]
    assert gateway.called == []


async def test_a_name_search_finds_by_what_people_call_it(odoo: Odoo) -> None:
    (belgium,) = await odoo.name_search("res.country", "Belg")
    assert belgium == Reference(20, "Belgium")
    page = await odoo.search_read("res.country", q="belg")
    assert [record["id"] for record in page.records] == [20]


async def test_records_come_in_the_order_asked_for(odoo: Odoo) -> None:
    ids = await odoo.search("res.partner", limit=5)
    backwards = ids[::-1]
    records = await odoo.read("res.partner", backwards, fields=["name"])
    assert [record["id"] for record in records] == backwards
    assert set(records[0]) == {"id", "name"}


async def test_a_missing_record_is_an_error_and_not_an_absence(odoo: Odoo) -> None:
    with pytest.raises(RecordMissing) as caught:
        await odoo.read("res.partner", [1, 999_999])
    assert caught.value.ids == (999_999,)


async def test_reading_whole_attachments_leaves_the_raw_bytes_out(odoo: Odoo) -> None:
    (made,) = await odoo.create("ir.attachment", {"name": "a.txt", "datas": "aGk="})
    (record,) = await odoo.read("ir.attachment", [made])
    assert record["name"] == "a.txt"
    assert "raw" not in record
    with pytest.raises(InvalidRequest, match="datas"):
        await odoo.read("ir.attachment", [made], fields=["raw"])


async def test_groups_sum_up_by_month(odoo: Odoo) -> None:
    groups = await odoo.aggregate(
        "sale.order",
        groupby=["date_order:month"],
        aggregates=["amount_total:sum", "amount_total:max"],
        order="amount_total:sum desc",
    )
    totals = [group["amount_total:sum"] for group in groups]
    assert totals == sorted(totals, reverse=True)
    assert groups[0]["date_order:month"]["from"].endswith("-01T00:00:00Z")
    assert sum(group["__count"] for group in groups) == await odoo.count("sale.order")


async def test_groups_show_a_many2one_as_it_is_everywhere(odoo: Odoo) -> None:
    groups = await odoo.aggregate("res.partner", groupby=["country_id"])
    assert {"id": 20, "name": "Belgium"} in [group["country_id"] for group in groups]


async def test_one_group_of_all_needs_no_groupby(odoo: Odoo) -> None:
    (group,) = await odoo.aggregate("sale.order", aggregates=["amount_total:sum"])
    assert group["__count"] == await odoo.count("sale.order")


BAD_QUESTIONS = {
    "unknown model": ("res.partnr", None, {}, "res.partner"),
    "no model name": ("res partner", None, {}, "no model name"),
    "unknown field in the domain": ("res.partner", [["nam", "=", 1]], {}, "'name'"),
    "unknown field behind a dot": (
        "res.partner",
        [["country_id.cod", "=", "BE"]],
        {},
        "'code'",
    ),
    "field that Odoo would drop": (
        "res.partner",
        [["same_vat_partner_id", "=", 1]],
        {},
        "cannot be searched",
    ),
    "operator that is none": ("res.partner", [["name", "similar", "x"]], {}, "ilike"),
    "flat domain": ("res.partner", ["name", "=", "x"], {}, r"\[\["),
    "dangling or": ("res.partner", ["|", ["name", "=", "x"]], {}, r"'\|'"),
    "text that is no domain": ("res.partner", "name = x", {}, "domain"),
    "number as text": ("res.partner", [["color", "=", "5"]], {}, "number"),
    "unknown field to read": ("res.partner", None, {"fields": ["nam"]}, "'name'"),
    "path to read": ("res.partner", None, {"fields": ["country_id.code"]}, "path"),
    "no field to read": ("res.partner", None, {"fields": []}, "at least one"),
    "order by what cannot be sorted": (
        "res.partner",
        None,
        {"order": "display_name"},
        "sorted",
    ),
    "order that is none": ("res.partner", None, {"order": "name up"}, "order"),
}


@pytest.mark.parametrize("case", BAD_QUESTIONS)
async def test_a_bad_question_is_refused_before_it_is_sent(
    odoo: Odoo, gateway: CountingGateway, case: str
) -> None:
    model, domain, options, hint = BAD_QUESTIONS[case]
    with pytest.raises(InvalidRequest, match=hint):
        await odoo.search_read(model, domain, **options)
    assert "search_read" not in gateway.called


async def test_a_right_that_is_missing_is_an_error(demo: Odoo) -> None:
    with pytest.raises(OdooAccessError):
        await demo.search_read("ir.config_parameter")


async def test_archived_records_show_when_asked_for(odoo: Odoo) -> None:
    (made,) = await odoo.create("res.partner", {"name": "Old", "active": False})
    found = [["id", "=", made]]
    assert await odoo.count("res.partner", found) == 0
    assert await odoo.acting_as(active_test=False).count("res.partner", found) == 1


async def test_a_language_that_is_not_there_is_an_error(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="language 'xx_XX'"):
        await odoo.acting_as(lang="xx_XX").search_read("res.partner")


async def test_a_time_zone_that_is_not_there_is_an_error(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="time zone"):
        odoo.acting_as(tz="Europe/Brussel")


async def test_a_company_that_the_user_lacks_is_an_error(odoo: Odoo) -> None:
    with pytest.raises(OdooAccessError):
        await odoo.acting_as(company=99).search_read("res.partner")


async def test_who_am_i_tells_both_sides(demo: Odoo) -> None:
    identity = await demo.whoami()
    assert (identity.login, identity.uid, identity.door) == ("demo", 6, "python")
    assert identity.company is not None
    assert identity.version.startswith("18.0")


async def test_models_are_found_by_a_part_of_their_name(odoo: Odoo) -> None:
    found = [info.model for info in await odoo.models("partner")]
    assert "res.partner" in found
    assert "sale.order" not in found


async def test_a_new_record_has_defaults(odoo: Odoo) -> None:
    defaults = await odoo.default_get("res.partner", ["type", "active"])
    assert defaults == {"type": "contact", "active": True}
