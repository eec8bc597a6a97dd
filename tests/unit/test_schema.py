"""Schemas built from what a real Odoo 18 answered."""

import pytest

from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema


def test_every_recorded_model_is_understood(schema_of):
    for model in ("res.partner", "crm.lead", "sale.order", "account.move"):
        schema = schema_of(model)
        assert len(schema.fields) > 100
        assert all(field.type for field in schema.fields.values())
        assert schema.field("id").type == "integer"


def test_a_relation_names_its_model_and_its_other_side(order):
    assert order.field("partner_id").relation == "res.partner"
    lines = order.field("order_line")
    assert (lines.type, lines.relation, lines.inverse) == (
        "one2many",
        "sale.order.line",
        "order_id",
    )


def test_a_selection_keeps_its_values_with_their_labels(order):
    assert dict(order.field("state").selection)["sale"] == "Sales Order"


def test_what_cannot_be_searched_is_known(partner):
    assert partner.field("name").searchable
    assert not partner.field("same_vat_partner_id").searchable


def test_an_unknown_field_is_answered_with_the_closest_names(partner):
    with pytest.raises(InvalidRequest, match=r"has no field 'contry_id'.*'country_id'"):
        partner.field("contry_id")


def test_a_whole_record_is_shown_without_blobs_and_plumbing(partner):
    shown = set(partner.readable)
    assert {"name", "display_name", "country_id", "comment"} <= shown
    assert not {"image_1920", "write_date", "create_uid"} & shown


def test_a_list_shows_few_telling_fields(order):
    assert "display_name" in order.telling
    assert "amount_total" in order.telling
    assert len(order.telling) <= 12


def test_an_order_answers_its_fields_and_directions(order):
    terms = order.order("date_order desc, name , id ASC NULLS last")
    assert [(field.name, descending) for field, descending in terms] == [
        ("date_order", True),
        ("name", False),
        ("id", False),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no part of an order"),
        ("name,", "is no part of an order"),
        ("name down", "'name down' is no part of an order"),
        ("partner_id.name", "Paths are not possible"),
        ("nmae desc", "Did you mean 'name'"),
        ("name; drop table x", "is no part of an order"),
        ("tax_country_id", "cannot be sorted by 'tax_country_id'"),
    ],
)
def test_an_order_that_odoo_would_crash_on_is_refused(order, text, told):
    with pytest.raises(InvalidRequest, match=told):
        order.order(text)


def test_all_that_is_wrong_with_an_order_is_told_at_once(order):
    with pytest.raises(InvalidRequest) as caught:
        order.order("nmae, name, order_line desc")
    assert len(caught.value.problems) == 2
    assert "'nmae'" in caught.value.message
    assert "'order_line'" in caught.value.message


def test_a_field_without_flags_is_as_searchable_as_it_is_stored():
    schema = ModelSchema.from_wire(
        "x", {"a": {"type": "char", "store": False}, "b": {"type": "char"}}
    )
    assert not schema.field("a").searchable
    assert schema.field("b") == Field("b", "char", label="b")
