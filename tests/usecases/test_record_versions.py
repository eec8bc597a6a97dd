"""Versions of records: a write that must not overwrite what others wrote."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from odooport import (
    Call,
    Caller,
    Decision,
    Gate,
    InvalidRequest,
    Mask,
    Masking,
    Odoo,
    OdooDecides,
    OdooKnowledge,
    Principal,
    RecordChanged,
    RecordMissing,
    RecordVersion,
    Unaudited,
    Unlimited,
)
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import ADMIN, CountingGateway

PARTNER = "res.partner"
NAMED = ["name", "phone", "category_id"]


async def made(odoo: Odoo, **values: Any) -> int:
    (record_id,) = await odoo.create(PARTNER, {"name": "Ada", **values})
    return record_id


async def version(
    odoo: Odoo, record_id: int, fields: Sequence[str] | None = NAMED
) -> str:
    (found,) = await odoo.read_versions(PARTNER, [record_id], fields=fields)
    return found.version


async def test_a_version_comes_with_the_record_that_read_answers(odoo: Odoo) -> None:
    one = await made(odoo)
    for fields in (None, ["name"], ["id"], ["name", "write_date"]):
        (found,) = await odoo.read_versions(PARTNER, [one], fields=fields)
        assert [found.record] == await odoo.read(PARTNER, [one], fields=fields)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", found.version)
        assert RecordVersion.parse(found.version).text == found.version
        assert RecordVersion.parse(f"{found.version}.suffix").text == found.version


@pytest.mark.parametrize("fields", [None, NAMED])
async def test_a_record_that_is_as_it_was_read_is_written(
    odoo: Odoo, fields: list[str] | None
) -> None:
    one = await made(odoo)
    known = await version(odoo, one, fields)
    await odoo.write(PARTNER, [one], {"phone": "1"}, if_match=[known])
    (record,) = await odoo.read(PARTNER, [one], fields=["phone"])
    assert record["phone"] == "1"


@pytest.mark.parametrize("fields", [None, NAMED])
async def test_a_record_that_moved_on_is_not_written(
    odoo: Odoo, demo: Odoo, gateway: CountingGateway, fields: list[str] | None
) -> None:
    one = await made(odoo)
    known = await version(odoo, one, fields)
    await demo.write(PARTNER, [one], {"phone": "2"})  # within the same second
    gateway.calls.clear()
    with pytest.raises(RecordChanged, match=r"'phone'.*Nothing was written") as caught:
        await odoo.write(PARTNER, [one], {"phone": "1"}, if_match=[known])
    (change,) = caught.value.changes
    assert (change.id, change.fields) == (one, ("phone",))
    assert change.write_date is not None
    assert change.write_uid is not None
    assert "write" not in gateway.called
    with pytest.raises(RecordChanged):
        await odoo.unlink(PARTNER, [one], if_match=[known])
    assert "unlink" not in gateway.called


async def test_a_relation_to_many_counts_by_its_ids(odoo: Odoo) -> None:
    one = await made(odoo)
    known = await version(odoo, one)
    (tag,) = await odoo.create("res.partner.category", {"name": "Late"})
    await odoo.write(PARTNER, [one], {"category_id": [tag]})
    with pytest.raises(RecordChanged) as caught:
        await odoo.unlink(PARTNER, [one], if_match=[known])
    assert caught.value.changes[0].fields == ("category_id",)


async def test_one_of_many_that_moved_on_keeps_all_from_being_written(
    odoo: Odoo,
) -> None:
    ids = [await made(odoo), await made(odoo)]
    known = [await version(odoo, one) for one in ids]
    await odoo.write(PARTNER, [ids[1]], {"name": "Bea"})
    with pytest.raises(RecordChanged) as caught:
        await odoo.write(PARTNER, ids, {"phone": "1"}, if_match=known)
    assert [change.id for change in caught.value.changes] == [ids[1]]
    rows = await odoo.read(PARTNER, ids, fields=["phone"])
    assert [row["phone"] for row in rows] == [None, None]
    with pytest.raises(RecordChanged):  # nor is it the version of another record
        await odoo.write(PARTNER, [ids[0]], {"phone": "1"}, if_match=[known[1]])


async def test_one_of_several_versions_is_enough_and_a_star_asks_for_none(
    odoo: Odoo,
) -> None:
    one = await made(odoo)
    old = await version(odoo, one)
    await odoo.write(PARTNER, [one], {"phone": "1"}, if_match=["*"])
    now = await version(odoo, one, None)
    await odoo.write(PARTNER, [one], {"phone": "2"}, if_match=[[old, now]])
    with pytest.raises(RecordChanged):
        await odoo.write(PARTNER, [one], {"phone": "3"}, if_match=[[old, now]])


async def test_a_record_that_is_gone_is_missing(odoo: Odoo) -> None:
    one = await made(odoo)
    known = await version(odoo, one)
    await odoo.unlink(PARTNER, [one])
    for given in (known, "*"):
        with pytest.raises(RecordMissing):
            await odoo.write(PARTNER, [one], {"phone": "1"}, if_match=[given])


@pytest.mark.parametrize(
    "given", [["x"], [""], [[]], [], "*", ["1.bnVsbA.aaaaaaaaaaaaaaaa."]]
)
async def test_what_is_no_version_is_refused_and_nothing_is_written(
    odoo: Odoo, gateway: CountingGateway, given: Any
) -> None:
    one = await made(odoo)
    gateway.calls.clear()
    with pytest.raises(InvalidRequest, match="if_match"):
        await odoo.write(PARTNER, [one], {"phone": "1"}, if_match=given)
    assert "write" not in gateway.called


async def test_values_are_checked_before_versions_are_read(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    one = await made(odoo)
    known = await version(odoo, one)
    gateway.calls.clear()
    with pytest.raises(InvalidRequest):
        await odoo.write(PARTNER, [one], {"color": "x"}, if_match=[known])
    assert "read" not in gateway.called


async def test_a_text_in_several_languages_is_written_with_the_same_care(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    (lang,) = await odoo.acting_as(active_test=False).search(
        "res.lang", [["code", "=", "fr_FR"]]
    )
    await odoo.write("res.lang", [lang], {"active": True})
    (one,) = await odoo.create("product.product", {"name": "Desk"})
    (seen,) = await odoo.read_versions("product.product", [one], fields=["name"])
    texts = {"name": {"en_US": "Table", "fr_FR": "Bureau"}}
    await odoo.write("product.product", [one], texts, if_match=[seen.version])
    gateway.calls.clear()
    with pytest.raises(RecordChanged):
        await odoo.write("product.product", [one], texts, if_match=[seen.version])
    assert "update_field_translations" not in gateway.called


async def test_a_version_is_compared_in_the_language_that_it_was_read_in(
    odoo: Odoo,
) -> None:
    (lang,) = await odoo.acting_as(active_test=False).search(
        "res.lang", [["code", "=", "fr_FR"]]
    )
    await odoo.write("res.lang", [lang], {"active": True})
    french = odoo.acting_as(lang="fr_FR")
    (country,) = await odoo.create("res.country", {"name": "Nowhere", "code": "ZQ"})
    await french.write("res.country", [country], {"name": "Nulle part"})
    (found,) = await french.read_versions("res.country", [country], fields=["name"])
    assert found.record["name"] == "Nulle part"
    await odoo.write("res.country", [country], {"code": "ZR"}, if_match=[found.version])
    (found,) = await french.read_versions("res.country", [country], fields=["name"])
    await french.write("res.country", [country], {"name": "Ailleurs"})
    with pytest.raises(RecordChanged, match="'name'"):
        await odoo.unlink("res.country", [country], if_match=[found.version])


async def test_what_the_caller_cannot_see_is_no_part_of_a_version(
    gateway: CountingGateway, odoo: Odoo
) -> None:
    one = await made(odoo, phone="1")
    mask = {"phone": Masking.DROP, "ref": Masking.STARS, "write_date": Masking.DROP}
    principal = Principal("k1", "k1", "full", {"default": ADMIN})
    gate = Gate(gateway, _Hides(mask), Unlimited(), Unaudited())
    narrow = Odoo(gate, Caller(principal, "rest", "r1"))
    known = await version(narrow, one, None)
    await odoo.write(PARTNER, [one], {"phone": "2", "ref": "7"})
    await narrow.write(PARTNER, [one], {"name": "Bea"}, if_match=[known])
    with pytest.raises(RecordChanged) as caught:
        await narrow.write(PARTNER, [one], {"name": "Eve"}, if_match=[known])
    (change,) = caught.value.changes
    assert change.write_date is None
    assert "name" in change.fields
    assert not {"phone", "ref"} & set(change.fields)


class _Hides(OdooDecides):
    """Allows every call, behind a mask."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return Decision(True, "", "tests/1", call, mask=self.mask)


async def test_versions_that_were_read_in_too_many_ways_are_refused(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    names = ["name", "phone", "email", "city", "zip", "street", "street2", "ref", "vat"]
    ids = [await made(odoo) for _ in names]
    known = [
        await version(odoo, one, [name]) for one, name in zip(ids, names, strict=True)
    ]
    gateway.calls.clear()
    with pytest.raises(InvalidRequest, match="9 ways"):
        await odoo.write(PARTNER, ids, {"comment": "x"}, if_match=known)
    assert "write" not in gateway.called
    await odoo.write(PARTNER, ids[:8], {"comment": "x"}, if_match=known[:8])


async def test_a_change_of_what_was_not_read_is_told_by_its_moment() -> None:
    now = [datetime(2026, 3, 18, 12, 0, tzinfo=UTC)]
    odoo = Odoo.connect(MemoryGateway.demo(clock=lambda: now[0]), ADMIN)
    one = await made(odoo)
    known = await version(odoo, one, ["name"])
    now[0] += timedelta(seconds=2)
    await odoo.write(PARTNER, [one], {"phone": "1"})
    with pytest.raises(RecordChanged) as caught:
        await odoo.write(PARTNER, [one], {"name": "Bea"}, if_match=[known])
    assert caught.value.changes[0].fields == ()


async def test_a_record_that_is_pointed_at_may_be_called_otherwise(odoo: Odoo) -> None:
    one = await made(odoo, country_id=20)
    known = await version(odoo, one, ["country_id"])
    await odoo.write("res.country", [20], {"name": "Belgica"})
    await odoo.write(PARTNER, [one], {"name": "Bea"}, if_match=[known])


async def test_the_content_of_files_is_no_part_of_a_version(odoo: Odoo) -> None:
    values = {"name": "a.txt", "datas": "YQ=="}
    (one,) = await odoo.create("ir.attachment", values)
    fields = ["name", "datas"]
    (found,) = await odoo.read_versions("ir.attachment", [one], fields=fields)
    (name,) = await odoo.read_versions("ir.attachment", [one], fields=["name"])
    digests = {RecordVersion.parse(it.version).digests for it in (found, name)}
    assert len(digests) == 1


async def test_a_text_that_is_too_long_for_a_version_is_none(odoo: Odoo) -> None:
    one = await made(odoo)
    known = await version(odoo, one, ["name"])
    with pytest.raises(InvalidRequest, match="no version"):
        RecordVersion.parse(known + "A" * 20_000)
