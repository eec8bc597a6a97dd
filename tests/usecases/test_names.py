"""Records named in writes: by id, by exact name, by external id."""

import pytest

from odooport import InvalidRequest, Odoo, OdooAccessError, OdooFailed
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import CountingGateway

WRITES = {"create", "write"}


async def country_of(odoo: Odoo, partner: int) -> str:
    (record,) = await odoo.read("res.partner", [partner], fields=["country_id"])
    return str(record["country_id"]["name"])


@pytest.mark.parametrize(
    "country",
    [
        "Belgium",
        {"name": "Belgium"},
        "base.be",
        {"external_id": "base.be"},
        {"id": 20, "name": "France"},
    ],
)
async def test_a_country_may_be_named(odoo: Odoo, country: object) -> None:
    (made,) = await odoo.create("res.partner", {"name": "A", "country_id": country})
    assert await country_of(odoo, made) == "Belgium"


async def test_an_ordinary_user_may_give_an_external_id(demo: Odoo) -> None:
    (made,) = await demo.create("res.partner", {"name": "A", "country_id": "base.be"})
    assert await country_of(demo, made) == "Belgium"


async def test_a_name_is_looked_up_in_the_language_of_the_call(odoo: Odoo) -> None:
    (french,) = await odoo.acting_as(active_test=False).search(
        "res.lang", [["code", "=", "fr_FR"]]
    )
    await odoo.write("res.lang", [french], {"active": True})
    await odoo.write("res.country", [20], {"name": {"fr_FR": "Belgique"}})
    values = {"name": "A", "country_id": "Belgique"}
    (made,) = await odoo.acting_as(lang="fr_FR").create("res.partner", values)
    assert await country_of(odoo, made) == "Belgium"
    with pytest.raises(InvalidRequest, match="called exactly 'Belgique'"):
        await odoo.create("res.partner", values)


async def test_a_code_that_odoo_would_find_a_country_by_is_no_name(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    with pytest.raises(InvalidRequest, match=r"The closest are .*'Belgium' \(20\)"):
        await odoo.create("res.partner", {"name": "A", "country_id": "BE"})
    assert not WRITES & set(gateway.called)


async def test_a_misspelt_name_is_answered_with_the_closest(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match=r"The closest are .*'Belgium' \(20\)"):
        await odoo.create("res.partner", {"name": "A", "country_id": "Belgum"})


async def test_an_ambiguous_name_lists_the_candidates(odoo: Odoo) -> None:
    twins = await odoo.create("res.partner", [{"name": "Twin"}, {"name": "Twin"}])
    with pytest.raises(InvalidRequest) as caught:
        await odoo.create("res.partner", {"name": "A", "parent_id": "Twin"})
    (problem,) = caught.value.problems
    assert problem.pointer == "/parent_id"
    assert "2 'res.partner' records are called 'Twin'" in problem.message
    assert all(f"'Twin' ({twin})" in problem.message for twin in twins)


async def test_a_contact_is_found_by_its_own_name_and_by_the_whole(odoo: Odoo) -> None:
    (firm,) = await odoo.create("res.partner", {"name": "Firm", "is_company": True})
    (kid,) = await odoo.create("res.partner", {"name": "Kid", "parent_id": firm})
    for name in ("Kid", "Firm, Kid"):
        (made,) = await odoo.create("res.partner", {"name": "A", "parent_id": name})
        (record,) = await odoo.read("res.partner", [made], fields=["parent_id"])
        assert record["parent_id"]["id"] == kid


async def test_an_archived_record_is_named_only_if_archived_ones_show(
    odoo: Odoo,
) -> None:
    await odoo.create("res.partner", {"name": "Gone", "active": False})
    values = {"name": "A", "parent_id": "Gone"}
    with pytest.raises(InvalidRequest, match="called exactly 'Gone'"):
        await odoo.create("res.partner", values)
    assert await odoo.acting_as(active_test=False).create("res.partner", values)


async def test_a_thousand_rows_ask_for_a_name_once(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    rows = [{"name": f"A {n}", "country_id": "Belgium"} for n in range(500)]
    rows += [{"name": f"B {n}", "country_id": "base.be"} for n in range(500)]
    await odoo.create("res.partner", rows)
    named = ["search_read", "search_read", "check_object_reference", "create"]
    assert gateway.called == named


async def test_an_external_id_of_another_model_says_which(odoo: Odoo) -> None:
    for given in ({"external_id": "base.user_admin"}, "base.user_admin"):
        with pytest.raises(InvalidRequest, match=r"is a 'res\.users' record"):
            await odoo.create("res.partner", {"name": "A", "country_id": given})


async def test_an_external_id_that_there_is_not_is_refused(odoo: Odoo) -> None:
    given = {"external_id": "base.nope"}
    with pytest.raises(InvalidRequest, match=r"no external id 'base\.nope'"):
        await odoo.create("res.partner", {"name": "A", "country_id": given})


async def test_another_crash_is_not_taken_for_a_missing_external_id(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    def crash(*args: object) -> None:
        raise OdooFailed("Odoo failed.", "ValueError: something else")

    memory.on("ir.model.data", "check_object_reference", crash)
    with pytest.raises(OdooFailed):
        await odoo.create(
            "res.partner", {"name": "A", "country_id": {"external_id": "base.be"}}
        )


async def test_a_model_that_may_not_be_read_cannot_be_named(demo: Odoo) -> None:
    values = {"name": "A", "model_id": "Contact"}
    with pytest.raises(OdooAccessError):
        await demo.create("ir.model.fields", values)


async def test_tags_are_added_and_removed_in_plain_words(odoo: Odoo) -> None:
    (made,) = await odoo.create(
        "res.partner", {"name": "A", "category_id": ["Prospect", 2]}
    )
    words = {"add": ["Reseller"], "remove": ["Supplier"]}
    await odoo.write("res.partner", [made], {"category_id": words})
    (record,) = await odoo.read("res.partner", [made], fields=["category_id"])
    assert sorted(record["category_id"]) == [1, 3]


async def test_lines_are_made_changed_and_deleted_in_plain_words(odoo: Odoo) -> None:
    (made,) = await odoo.create(
        "res.partner",
        {"name": "A", "child_ids": {"create": [{"name": "one"}, {"name": "two"}]}},
    )
    (record,) = await odoo.read("res.partner", [made], fields=["child_ids"])
    one, two = sorted(record["child_ids"])
    words = {
        "update": [{"id": one, "country_id": "Belgium"}],
        "create": [{"name": "three"}],
        "delete": [two],
    }
    await odoo.write("res.partner", [made], {"child_ids": words})
    (record,) = await odoo.read("res.partner", [made], fields=["child_ids"])
    names = await odoo.read("res.partner", record["child_ids"], fields=["name"])
    assert sorted(row["name"] for row in names) == ["one", "three"]
    assert await country_of(odoo, one) == "Belgium"
