"""Searching, reading and writing with classes in place of mappings."""

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from odooport import (
    ExternalId,
    InvalidRequest,
    Many,
    Odoo,
    OdooRecord,
    OdooValues,
    RecordMissing,
    Ref,
    SchemaChanged,
    Target,
    Targets,
    record_model,
)
from odooport.records import NOT_SET, Relation, UtcDatetime
from tests.usecases.conftest import CountingGateway


class Country(OdooRecord):
    odoo_model: ClassVar[str] = "res.country"

    name: str
    code: str | None


class PartnerType(StrEnum):
    CONTACT = "contact"
    INVOICE = "invoice"


class Partner(OdooRecord):
    odoo_model: ClassVar[str] = "res.partner"

    display_name: str | None
    is_company: bool
    color: int
    country_id: Ref[Country] | None
    child_ids: Annotated[list[int], Relation("res.partner")]
    type: PartnerType | str | None = Field(union_mode="left_to_right")
    create_date: UtcDatetime | None


class PartnerValues(OdooValues):
    odoo_model: ClassVar[str] = "res.partner"

    name: str | None = None
    color: int = NOT_SET
    country_id: Target[Country] | None = None
    child_ids: Targets[Partner] = NOT_SET
    type: PartnerType | None = Field(default=None, strict=False)


class Lead(OdooRecord):
    odoo_model: ClassVar[str] = "crm.lead"

    name: str | None
    expected_revenue: Decimal
    date_deadline: dt.date | None


async def test_a_search_with_a_class_answers_its_records(odoo: Odoo) -> None:
    found = await odoo.search(
        Partner, [["is_company", "=", True]], order="id desc", limit=3, offset=1
    )
    ids = await odoo.search(
        "res.partner", [["is_company", "=", True]], order="id desc", limit=3, offset=1
    )
    assert [partner.id for partner in found] == ids
    assert all(type(partner) is Partner and partner.is_company for partner in found)
    country = next(partner.country_id for partner in found if partner.country_id)
    assert country.name
    first = found[0]
    assert first.create_date is not None
    assert first.create_date.utcoffset() == dt.timedelta(0)
    assert first.type is PartnerType.CONTACT


async def test_a_search_reads_exactly_the_fields_of_the_class(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    await odoo.search(Country, limit=2)
    (call,) = [call for call in gateway.calls if call.method == "search_read"]
    assert call.kwargs["fields"] == ["id", "name", "code"]
    assert "search" not in gateway.called


async def test_a_class_reads_counts_and_deletes_by_id(odoo: Odoo) -> None:
    (number,) = await odoo.create(Partner, PartnerValues(name="Ann"))
    (ann,) = await odoo.read(Partner, [number])
    assert ann.display_name == "Ann"
    assert await odoo.count(Partner, [["id", "=", number]]) == 1
    await odoo.unlink(Partner, [number])
    with pytest.raises(RecordMissing):
        await odoo.read(Partner, [number])


async def test_money_and_dates_are_read_as_python_values(odoo: Odoo) -> None:
    (number,) = await odoo.create(
        "crm.lead",
        {"name": "Desks", "expected_revenue": 12.5, "date_deadline": "2026-11-22"},
    )
    (lead,) = await odoo.read(Lead, [number])
    assert lead.expected_revenue == Decimal("12.5")
    assert lead.date_deadline == dt.date(2026, 11, 22)


async def test_only_the_values_that_were_set_are_sent(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    values = PartnerValues(name="Ann")
    values.color = 3
    await odoo.create(Partner, [values, {"name": "Ben"}])
    (call,) = [call for call in gateway.calls if call.method == "create"]
    assert call.args[0] == [{"name": "Ann", "color": 3}, {"name": "Ben"}]


@pytest.mark.parametrize(
    "country", [Ref[Country](20), 20, "Belgium", ExternalId("base.be")], ids=repr
)
async def test_a_record_is_named_in_any_way(
    odoo: Odoo, country: Ref[Country] | int | str | ExternalId
) -> None:
    values = PartnerValues(name="Ann", country_id=country)
    (number,) = await odoo.create(Partner, values)
    (ann,) = await odoo.read(Partner, [number])
    assert ann.country_id == Ref(20, "Belgium")
    await odoo.write(Partner, [number], PartnerValues(country_id=None))
    assert (await odoo.read(Partner, [number]))[0].country_id is None


async def test_lines_are_changed_in_plain_words(odoo: Odoo) -> None:
    children = Many(create=[PartnerValues(name="Ben"), {"name": "Cleo"}])
    values = PartnerValues(name="Ann", child_ids=children)
    (number,) = await odoo.create(Partner, values)
    ben, cleo = sorted((await odoo.read(Partner, [number]))[0].child_ids)
    change = Many(update={ben: PartnerValues(name="Bea")}, remove=[Ref[Partner](cleo)])
    await odoo.write(Partner, [number], PartnerValues(child_ids=change))
    assert (await odoo.read(Partner, [number]))[0].child_ids == [ben]
    (bea,) = await odoo.read("res.partner", [ben], fields=["name"])
    assert bea["name"] == "Bea"


async def test_values_of_another_model_are_refused(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await odoo.create(Country, PartnerValues(name="Ann"))
    assert caught.value.message == (
        "'PartnerValues' holds values of 'res.partner', and this writes to "
        "'res.country'."
    )
    assert "create" not in gateway.called


async def test_nothing_set_is_nothing_to_write(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="nothing to change"):
        await odoo.write(Partner, [1], PartnerValues())


async def test_a_class_chooses_its_fields_itself(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="says itself which fields"):
        await odoo.read(Partner, [1], fields=["name"])  # type: ignore[call-overload] # wrong on purpose # pyright: ignore


async def test_a_class_must_say_its_model(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="does not say which model"):
        await odoo.search(OdooRecord)


async def test_a_class_that_does_not_fit_is_refused_before_reading(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    class Changed(OdooRecord):
        odoo_model: ClassVar[str] = "res.partner"

        nam: str | None
        color: str
        active: bool
        country_id: Annotated[Ref[Any] | None, Relation("res.country.state")]
        parent_id: Ref[Country] | None

    with pytest.raises(SchemaChanged) as caught:
        await odoo.search(Changed)
    assert caught.value.message == (
        "'res.partner' is not what the class 'Changed' was written for. 'res.partner' "
        "has no field 'nam' that you can see. Did you mean 'name'? 'color' is "
        "of type integer now, and not char or html or selection or text. 'country_id' "
        "points to 'res.country' now, and not to 'res.country.state'. 'parent_id' "
        "points to 'res.partner' now, and not to 'res.country'. Generate the classes "
        "again, as the Odoo user whose program this is."
    )
    assert caught.value.model == "res.partner"
    assert caught.value.fingerprint == (await odoo.fields("res.partner")).fingerprint
    assert gateway.called == []


async def test_only_the_fields_that_are_written_must_fit(odoo: Odoo) -> None:
    class OldValues(OdooValues):
        odoo_model: ClassVar[str] = "res.partner"

        name: str | None = None
        gone: str | None = None

    assert await odoo.create(Partner, OldValues(name="Ann"))
    with pytest.raises(SchemaChanged, match="'gone'"):
        await odoo.create(Partner, OldValues(name="Ann", gone="x"))


async def test_a_class_of_this_very_schema_is_not_compared(odoo: Odoo) -> None:
    schema = await odoo.fields("res.partner")

    class Same(OdooRecord):
        odoo_model: ClassVar[str] = "res.partner"
        odoo_fingerprint: ClassVar[str] = schema.fingerprint

        name: Ref[Country]  # wrong, and not looked at

    with pytest.raises(
        SchemaChanged, match=r"^Record .* does not fit the class 'Same'"
    ):
        await odoo.search(Same, limit=1)


async def test_a_value_that_does_not_fit_is_told_with_its_record(odoo: Odoo) -> None:
    class Strict(OdooRecord):
        odoo_model: ClassVar[str] = "res.partner"

        parent_id: Ref[Any]

    (number,) = await odoo.create(Partner, PartnerValues(name="Ann"))
    with pytest.raises(SchemaChanged) as caught:
        await odoo.read(Strict, [number])
    assert caught.value.message.startswith(
        f"Record {number} of 'res.partner' does not fit the class 'Strict': parent_id: "
    )
    assert "Ann" not in caught.value.message


async def test_every_model_in_memory_fills_its_class(odoo: Odoo) -> None:
    for info in await odoo.models():
        schema = await odoo.fields(info.model)
        if schema.fields:
            cls = record_model(schema)
            assert all(type(row) is cls for row in await odoo.search(cls, limit=20))


async def a_partner(odoo: Odoo) -> Partner:
    (number,) = await odoo.create(Partner, PartnerValues(name="Ann"))
    (ann,) = await odoo.read(Partner, [number])
    return ann


async def test_a_record_that_was_read_is_not_written(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    ann: Any = await a_partner(odoo)
    gateway.calls.clear()
    for wrong in (
        lambda: odoo.write(Partner, [ann.id], ann),
        lambda: odoo.create(Partner, ann),
        lambda: odoo.onchange("res.partner", ann),
        lambda: odoo.copy("res.partner", ann.id, values=ann),
    ):
        with pytest.raises(InvalidRequest, match="an object of a class for writing"):
            await wrong()
    with pytest.raises(InvalidRequest) as caught:
        await odoo.create(Partner, [PartnerValues(name="Ben"), ann])
    assert [problem.pointer for problem in caught.value.problems] == ["/1"]
    assert gateway.called == []


async def test_a_class_or_a_list_in_place_of_values_is_refused(odoo: Odoo) -> None:
    wrong: Any = PartnerValues
    with pytest.raises(InvalidRequest, match="The class 'PartnerValues' cannot be"):
        await odoo.create(Partner, wrong)
    wrong = [PartnerValues(name="Ann")]
    with pytest.raises(InvalidRequest, match="without a list"):
        await odoo.write(Partner, [1], wrong)


async def test_a_form_takes_values_objects(odoo: Odoo) -> None:
    values = PartnerValues(name="Ann")
    assert await odoo.onchange("res.partner", values) == (
        await odoo.onchange("res.partner", {"name": "Ann"})
    )


async def test_a_copy_takes_values_objects(odoo: Odoo) -> None:
    ann = await a_partner(odoo)
    made = await odoo.copy("res.partner", ann.id, values=PartnerValues(name="Bea"))
    (bea,) = await odoo.read(Partner, [made])
    assert bea.display_name == "Bea"


async def test_where_a_class_says_nothing_the_name_is_asked_for(odoo: Odoo) -> None:
    cls: Any = Partner
    for wrong in (
        lambda: odoo.search_read(cls),
        lambda: odoo.aggregate(cls),
        lambda: odoo.name_search(cls, "Ann"),
        lambda: odoo.default_get(cls),
        lambda: odoo.describe(cls),
        lambda: odoo.fields(cls),
        lambda: odoo.relations(cls),
        lambda: odoo.actions(cls, 1),
        lambda: odoo.methods(cls),
        lambda: odoo.onchange(cls, {}),
        lambda: odoo.copy(cls, 1),
        lambda: odoo.call(cls, "action_archive", [1]),
    ):
        with pytest.raises(InvalidRequest, match="give the technical name here, such"):
            await wrong()


@pytest.mark.parametrize("wrong", [PartnerValues, PartnerValues(name="x"), None, int])
async def test_a_search_says_which_class_it_takes(odoo: Odoo, wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match="or the class of its records") as caught:
        await odoo.search(wrong)
    assert "'res.partner'" in caught.value.message


async def test_values_that_went_through_json_write_the_same(odoo: Odoo) -> None:
    values = PartnerValues(
        name="Ann",
        country_id=ExternalId("base.be"),
        child_ids=Many(create=[PartnerValues(name="Ben")]),
        type=PartnerType.CONTACT,
    )
    again = PartnerValues.model_validate_json(values.model_dump_json())
    (number,) = await odoo.create(Partner, again)
    (ann,) = await odoo.read(Partner, [number])
    assert (ann.country_id, len(ann.child_ids)) == (Ref(20, "Belgium"), 1)
