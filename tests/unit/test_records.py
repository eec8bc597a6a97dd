"""Classes for records and values: their names, their types and what they refuse."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from odooport import records
from odooport.errors import InvalidRequest
from odooport.record_classes import (
    PythonType,
    always_set,
    attribute_name,
    class_name,
    class_names,
    enum_member_name,
    enum_members,
    enum_name,
    python_fields,
    record_fields,
    record_model,
    value_fields,
    values_model,
)
from odooport.records import AnyRef, ExternalId, Many, OdooRecord, OdooValues, Ref
from odooport.schema import Field, ModelSchema

STATES = (("draft", "Quotation"), ("to approve", "To approve"))
MADE = ModelSchema(
    "x.made",
    {
        "id": Field("id", "integer", readonly=True),
        "write_date": Field("write_date", "datetime", readonly=True),
        "name": Field("name", "char", label="Name", required=True, translated=True),
        "code": Field("code", "char", size=3),
        "count": Field("count", "integer"),
        "ratio": Field("ratio", "float", digits=(16, 2)),
        "total": Field("total", "monetary"),
        "done": Field("done", "boolean"),
        "day": Field("day", "date", required=True),
        "moment": Field("moment", "datetime", help="When it was."),
        "state": Field("state", "selection", required=True, selection=STATES),
        "country_id": Field("country_id", "many2one", relation="res.country"),
        "line_ids": Field("line_ids", "one2many", relation="x.line"),
        "any": Field("any", "reference", selection=(("res.partner", "Contact"),)),
        "content": Field("content", "binary"),
        "shape": Field("shape", "json"),
        "looks": Field("looks", "properties"),
        "global": Field("global", "char"),
        "age": Field("age", "integer", stored=False, readonly=True),
        "city": Field("city", "char", stored=False, related="country_id.name"),
    },
)
RECORD = {
    "id": 7,
    "write_date": "2026-11-22T16:29:54Z",
    "name": "Desk",
    "code": None,
    "count": 3,
    "ratio": 0.5,
    "total": 12.5,
    "done": True,
    "day": "2026-11-22",
    "moment": "2026-11-22T16:29:54Z",
    "state": "draft",
    "country_id": {"id": 20, "name": "Belgium"},
    "line_ids": [1, 2],
    "any": {"model": "res.partner", "id": 3},
    "content": "AAEC",
    "shape": {"a": [1]},
    "looks": {"Colour": "blue"},
    "global": "yes",
    "age": 4,
    "city": None,
}


def values(**given: Any) -> OdooValues:
    return values_model(MADE)(**given)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("res.partner", "Partner"),
        ("res.partner.bank", "PartnerBank"),
        ("sale.order", "SaleOrder"),
        ("sale.order_line", "SaleOrderLine"),
        ("res", "Res"),
        ("x_studio.thing", "XStudioThing"),
        ("many", "ManyRecord"),
        ("none", "NoneRecord"),
        ("res.2fa", "Model2fa"),
    ],
)
def test_a_class_is_called_after_its_model(model: str, name: str) -> None:
    assert class_name(model) == name


def test_no_two_classes_have_one_name() -> None:
    models = ["partner", "res.partner", "res_partner", "sale.order"]
    assert class_names(models) == {
        "partner": "Partner",
        "res.partner": "ResPartner",
        "res_partner": "ResPartner_2",
        "sale.order": "SaleOrder",
    }
    assert class_names(reversed(models)) == class_names(models)


def test_an_enum_is_called_after_its_class_and_field() -> None:
    assert enum_name("SaleOrder", "invoice_status") == "SaleOrderInvoiceStatus"


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("name", "name"),
        ("type", "type"),
        ("id", "id"),
        ("global", "global_"),
        ("copy", "copy_"),
        ("model_id", "model_id_"),
        ("odoo_model", "odoo_model_"),
        ("str", "str_"),
        ("_barcode_scanned", "barcode_scanned_"),
        ("model_dump_json", "model_dump_json_"),
        ("model_validate", "model_validate_"),
    ],
)
def test_an_attribute_is_called_after_its_field(field: str, attribute: str) -> None:
    assert attribute_name(field) == attribute


@pytest.mark.parametrize(
    ("key", "member"),
    [
        ("to approve", "TO_APPROVE"),
        ("01_in_progress", "N01_IN_PROGRESS"),
        ("-1", "MINUS_1"),
        ("1", "N1"),
        ("Etc/GMT+1", "ETC_GMT_PLUS_1"),
        ("no-message", "NO_MESSAGE"),
        ("", "EMPTY"),
        ("%", "U25"),
        ("__init__", "INIT"),
    ],
)
def test_a_member_is_called_after_its_value(key: str, member: str) -> None:
    assert enum_member_name(key) == member


@given(st.lists(st.text(max_size=8), unique=True, min_size=1))
def test_any_selection_becomes_an_enum(keys: list[str]) -> None:
    choices = Field("x", "selection", selection=tuple((key, "") for key in keys))
    members = enum_members(choices)
    assert list(members.values()) == keys
    assert all(name.isidentifier() for name in members)
    assert [str(member) for member in StrEnum("Made", members)] == keys


def test_a_record_has_the_type_of_each_field() -> None:
    cls = record_model(MADE, MADE.fields)
    record: Any = cls.model_validate(RECORD)
    assert record.model_dump() == {
        "id": 7,
        "write_date": dt.datetime(2026, 11, 22, 16, 29, 54, tzinfo=dt.UTC),
        "name": "Desk",
        "code": None,
        "count": 3,
        "ratio": 0.5,
        "total": Decimal("12.5"),
        "done": True,
        "day": dt.date(2026, 11, 22),
        "moment": dt.datetime(2026, 11, 22, 16, 29, 54, tzinfo=dt.UTC),
        "state": "draft",
        "country_id": {"id": 20, "name": "Belgium"},
        "line_ids": [1, 2],
        "any": {"model": "res.partner", "id": 3},
        "content": b"\x00\x01\x02",
        "shape": {"a": [1]},
        "looks": {"Colour": "blue"},
        "global_": "yes",
        "age": 4,
        "city": None,
    }
    assert record.country_id == Ref(20, "Belgium")
    assert record.any == AnyRef("res.partner", 3)
    assert isinstance(record.state, StrEnum)
    assert (cls.odoo_model, cls.odoo_fingerprint) == ("x.made", MADE.fingerprint)
    assert cls.odoo_fields() == list(MADE.fields)
    assert cls.model_fields["name"].title == "Name"
    assert cls.__doc__ == "A record of ``x.made``."


def test_a_value_that_left_the_selection_stays_text() -> None:
    record: Any = record_model(MADE, ["state"]).model_validate(
        {"id": 1, "state": "gone"}
    )
    assert record.state == "gone"
    assert not isinstance(record.state, StrEnum)


def test_a_record_needs_every_value_and_does_not_change() -> None:
    cls = record_model(MADE, ["code"])
    with pytest.raises(ValidationError, match="code"):
        cls.model_validate({"id": 1})
    record = cls.model_validate({"id": 1, "code": None, "more": 1})
    with pytest.raises(ValidationError, match="frozen"):
        record.id = 2


def test_a_class_has_what_is_stored_or_shown_from_elsewhere() -> None:
    assert set(MADE.fields) - set(record_fields(MADE)) == {"content", "age"}
    assert set(MADE.fields) - set(value_fields(MADE)) == {"id", "write_date", "age"}


def test_a_class_of_unknown_fields_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Did you mean 'name'"):
        record_model(MADE, ["nam"])
    attachments = ModelSchema("ir.attachment", {"raw": Field("raw", "binary")})
    with pytest.raises(InvalidRequest, match="'datas'"):
        record_model(attachments, ["raw"])


@pytest.mark.parametrize(
    "field",
    [
        Field("x", "char"),
        Field("x", "char", required=True, stored=False),
        Field("x", "char", required=True, depends=("y",)),
        Field("x", "char", required=True, related="y.z"),
        Field("x", "char", required=True, company_dependent=True),
        Field("x", "json", required=True),
    ],
    ids=lambda field: ", ".join(field.structure()),
)
def test_what_may_be_empty_takes_none(field: Field) -> None:
    assert not always_set(MADE, field)


def test_what_is_required_and_stored_takes_no_none_but_in_a_view() -> None:
    required = Field("x", "char", required=True)
    assert always_set(MADE, required)
    assert not always_set(ModelSchema("x.report", {"x": required}), required)


def test_only_what_was_set_is_sent_in_clean_form() -> None:
    what = values(
        code="abc",
        total=Decimal("12.50"),
        day=dt.date(2026, 11, 22),
        moment=dt.datetime(2026, 11, 22, 17, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        state="draft",
        country_id=ExternalId("base.be"),
        line_ids=Many(
            add=[1, Ref(2)], set=[], create=[values(global_="x")], update={3: {"a": 1}}
        ),
        any=AnyRef("res.partner", 3),
        content=b"\x00\x01\x02",
    )
    assert what.to_values() == {
        "code": "abc",
        "total": 12.5,
        "day": "2026-11-22",
        "moment": "2026-11-22T16:00:00Z",
        "state": "draft",
        "country_id": {"external_id": "base.be"},
        "line_ids": {
            "set": [],
            "add": [1, 2],
            "create": [{"global": "x"}],
            "update": [{"id": 3, "a": 1}],
        },
        "any": {"model": "res.partner", "id": 3},
        "content": "AAEC",
    }
    assert values().to_values() == {}


def test_values_show_only_what_was_set() -> None:
    given = values(name="Desk")
    setattr(given, "code", None)  # noqa: B010 - checkers do not know its fields
    assert repr(given) == "XMadeValues(name='Desk', code=None)"
    assert str(given) == "name='Desk' code=None"
    assert repr(values()) == "XMadeValues()"


def test_only_what_was_set_is_dumped_by_the_names_of_odoo() -> None:
    moment = dt.datetime(2026, 11, 22, 16, 30, tzinfo=dt.UTC)
    given = values(**{"global": "yes"}, moment=moment, country_id=Ref(20, "Belgium"))
    assert given.model_dump() == {
        "moment": moment,
        "country_id": 20,
        "global": "yes",
    }
    assert given.model_dump_json() == (
        '{"moment":"2026-11-22T16:30:00Z","country_id":20,"global":"yes"}'
    )
    assert given.model_dump(include={"moment"}) == {"moment": moment}
    assert values(count=3).model_dump(by_alias=False) == {"count": 3}


LINES = Many(
    add=[1, "Desk", ExternalId("x.a")],
    set=[],
    create=[values(name="A", total=Decimal("1.50")), {"name": "B"}],
    update={3: {"name": "C"}, 4: values(code=None)},
    delete=[Ref[Any](5)],
)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": {"en_US": "Desk", "fr_FR": "Bureau"}, "code": None},
        {"day": dt.date(2026, 11, 22), "moment": dt.datetime(2026, 11, 22, 16, 30)},
        {"total": Decimal("12.50"), "ratio": 0.5, "done": False, "count": 0},
        {"state": "to approve", "any": AnyRef("res.partner", 3), "global": "yes"},
        {"country_id": Ref[Any](20, "Belgium"), "line_ids": [1, Ref[Any](2), "Desk"]},
        {"country_id": ExternalId("base.be"), "line_ids": LINES},
        {"country_id": "Belgium", "line_ids": Many()},
        {"content": b"\x00\xff", "shape": {"a": [1]}, "looks": {"Colour": "blue"}},
    ],
)
def test_values_come_back_from_json_and_write_the_same(given: dict[str, Any]) -> None:
    before = values(**given)
    after = type(before).model_validate_json(before.model_dump_json())
    assert after.to_values() == before.to_values()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"add": 3}, "'add' takes a list"),
        ({"ad": [3]}, "records are given as a list"),
        ({"add": [{"id": 3}]}, "a record is given as"),
        ({"create": [3]}, "a record's values are a dictionary"),
        ({"update": [{"name": "x"}]}, "with the 'id' of each record once"),
        ({"update": [{"id": 3}, {"id": 3}]}, "with the 'id' of each record once"),
    ],
)
def test_words_that_say_nothing_are_refused(words: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        values(line_ids=words)


@pytest.mark.parametrize("name", ["model_dump", "model_dump_x", "model_validate_x"])
def test_a_field_may_be_called_as_pydantic_calls_its_methods(name: str) -> None:
    schema = ModelSchema("x.made", {name: Field(name, "char", label="Made")})
    made = record_model(schema).model_validate({"id": 1, name: "a"})
    assert getattr(made, f"{name}_") == "a"
    written = values_model(schema).model_validate({name: "a"})
    assert written.to_values() == {name: "a"}
    assert written.model_dump() == {name: "a"}


def test_a_time_without_a_zone_is_utc() -> None:
    what = values(moment=dt.datetime(2026, 11, 22, 17))
    assert what.to_values() == {"moment": "2026-11-22T17:00:00Z"}


def test_a_translated_text_may_be_given_in_several_languages() -> None:
    texts = {"en_US": "Desk", "fr_FR": "Bureau"}
    assert values(name=texts).to_values() == {"name": texts}
    with pytest.raises(ValidationError):
        values(code=texts)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": None}, "name"),
        ({"name": 3}, "name"),
        ({"code": "abcd"}, "at most 3 characters"),
        ({"count": "3"}, "valid integer"),
        ({"count": True}, "valid integer"),
        ({"count": None}, "valid integer"),
        ({"ratio": "0.5"}, "valid number"),
        ({"total": "much"}, "valid decimal"),
        ({"total": Decimal("NaN")}, "finite number"),
        ({"done": "false"}, "valid boolean"),
        ({"day": "2026-11-22"}, "valid date"),
        ({"day": None}, "valid date"),
        ({"moment": "2026-11-22"}, "valid datetime"),
        ({"moment": dt.datetime.min.replace(tzinfo=dt.timezone.max)}, "outside of the"),
        ({"state": "sale"}, "'draft' or 'to approve'"),
        ({"state": None}, "state"),
        ({"country_id": {"id": 3}}, "a record is given as a Ref, by its id"),
        ({"country_id": True}, "not as True"),
        ({"line_ids": 3}, "records are given as a list"),
        ({"line_ids": [3, 4.5]}, "not as 4.5"),
        ({"line_ids": None}, "not as None"),
        ({"any": "res.partner,3"}, "AnyRef"),
        ({"content": "no base64!"}, "must be base64"),
        ({"nam": "Ann"}, "Extra inputs are not permitted"),
        ({"write_date": None}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_at_once(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        values(**given)


def test_an_assignment_is_checked_too() -> None:
    what: Any = values(code="abc")
    with pytest.raises(ValidationError, match="at most 3 characters"):
        what.code = "abcd"
    with pytest.raises(ValidationError, match="no attribute 'unknown'"):
        what.unknown = 1
    what.count = 4
    assert what.to_values() == {"code": "abc", "count": 4}


def test_source_and_type_say_the_same(
    schema_of: Callable[[str], ModelSchema],
) -> None:
    class Other(OdooRecord):
        odoo_model: ClassVar[str] = "other"

    known: dict[str, Any] = {
        **vars(records),
        "Other": Other,
        "Choice": StrEnum,
        "Field": pydantic.Field,
    }
    for writing in (False, True):
        fields = python_fields(
            schema_of("res.partner"),
            writing=writing,
            enum=lambda _: PythonType("Choice", StrEnum),
            record=lambda _: PythonType("Other", Other),
        )
        for item in fields:
            meant = eval(item.type.source, known)  # our own source text
            assert repr(meant) == repr(item.type.annotation), item.attribute
