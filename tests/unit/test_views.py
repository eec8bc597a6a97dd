"""Form views: read into buttons and fields, and judged for a record."""

import pytest

from odooport.errors import GatewayProtocolError
from odooport.schema import Field, ModelSchema
from odooport.views import MAX_ARCH, MAX_DEPTH, FormView, record_actions

SCHEMA = ModelSchema(
    "sale.order",
    {
        "state": Field("state", "selection"),
        "invoice_count": Field("invoice_count", "integer", "Invoices"),
    },
)


def form(inside):
    arch = f"<form>{inside}</form>"
    return FormView.from_wire(SCHEMA, {"views": {"form": {"arch": arch}}})


def actions(inside, **values):
    return record_actions(form(inside), values)


# Buttons


def test_a_button_is_read_with_all_that_it_says():
    (button,) = form(
        """<header><button name="action_cancel" type="object" string="Cancel"
        confirm="Sure?" context="{'x': id}" help="Stops it"
        invisible="state == 'cancel'"/></header>"""
    ).buttons
    assert (button.name, button.kind, button.label) == (
        "action_cancel",
        "object",
        "Cancel",
    )
    assert (button.place, button.confirm) == ("header", "Sure?")
    assert (button.context, button.help) == ("{'x': id}", "Stops it")
    assert [condition.text for condition in button.hidden_if] == ["state == 'cancel'"]


@pytest.mark.parametrize(
    ("inside", "label"),
    [
        ('<button name="x" type="object" string=" Do  it "/>', "Do it"),
        ('<button name="x" type="object">Do <b>it</b></button>', "Do it"),
        (
            """<button name="x" type="object"><div><field name="invoice_count"/> /
            <span class="o_stat_text">Tasks</span> (2)</div></button>""",
            "Tasks",
        ),
        (
            """<button name="x" type="object"><field name="invoice_count"
            widget="statinfo" string="Bills"/></button>""",
            "Bills",
        ),
        (
            """<button name="x" type="object"> (
            <field name="invoice_count"/> ) </button>""",
            "Invoices",
        ),
        ('<button name="x" type="object"><i title="Turn"/></button>', "Turn"),
        ('<button name="x" type="object" icon="fa-cog"/>', "x"),
        ('<a name="x" type="object">Link</a>', "Link"),
    ],
)
def test_a_button_is_called_what_people_read(inside, label):
    (button,) = form(inside).buttons
    assert button.label == label


@pytest.mark.parametrize(
    ("inside", "place"),
    [
        ("<header>{}</header>", "header"),
        ("<footer>{}</footer>", "footer"),
        ('<sheet><div name="button_box">{}</div></sheet>', "button_box"),
        ("<sheet><group>{}</group></sheet>", "body"),
    ],
)
def test_a_button_knows_where_it_stands(inside, place):
    (button,) = form(inside.format('<button name="x" type="object"/>')).buttons
    assert button.place == place


@pytest.mark.parametrize(
    "inside",
    [
        '<field name="x"><list><button name="x" type="object"/></list></field>',
        '<button special="cancel" string="Discard"/>',
        '<button name="x" type="object" special="cancel"/>',
        '<button name="edit" type="edit"/>',
        '<button type="object"/>',
        '<button name="x" type="object" disabled="1"/>',
        '<button name="x" type="object" data-bs-toggle="dropdown"/>',
        '<a name="x" type="url"/>',
        '<!-- <button name="x" type="object"/> -->',
    ],
)
def test_what_nobody_can_press_or_belongs_to_lines_is_left_out(inside):
    assert form(inside).buttons == ()


def test_what_hides_an_ancestor_hides_the_button():
    inside = """<notebook invisible="a"><page invisible="0"><group invisible="b">
    <button name="x" type="object" invisible="c"/></group></page></notebook>
    <button name="y" type="object" invisible="False"/>"""
    first, second = form(inside).buttons
    assert [condition.text for condition in first.hidden_if] == ["a", "b", "c"]
    assert second.hidden_if == ()
    assert form(inside).names == {"a", "b", "c"}
    for hiding in "abc":
        values = dict.fromkeys("abc", False) | {hiding: True}
        assert first.hidden_by(values) == (True, hiding)
    assert first.hidden_by(dict.fromkeys("abc", False)) == (False, "")
    assert first.hidden_by({"a": False}) == (None, "b")
    assert first.hidden_by({"c": True}) == (True, "c")


# Actions


CONFIRM = """<button name="action_confirm" type="object" string="Confirm"
invisible="state != 'sent'"/><button name="action_confirm" type="object"
string="Confirm" invisible="state != 'draft'"/>"""


@pytest.mark.parametrize("state", ["draft", "sent"])
def test_a_button_that_stands_there_twice_is_one_action(state):
    (action,) = actions(CONFIRM, state=state)
    assert (action.available, action.reason, action.callable) == (True, None, True)


def test_an_action_says_what_hides_it():
    (action,) = actions(CONFIRM, state="sale")
    assert action.available is False
    assert action.reason == "The form hides it now: state != 'sent'; state != 'draft'."


def test_an_action_that_depends_on_something_unknown_says_so():
    (action,) = actions(CONFIRM)
    assert action.available is None
    assert action.reason == (
        "Whether the form hides it cannot be told from here: state != 'sent'; "
        "state != 'draft'."
    )


def test_a_condition_that_is_not_understood_is_unknown():
    (action,) = actions('<button name="x" type="object" invisible="9**9**9"/>')
    assert action.available is None
    assert "9**9**9" in (action.reason or "")


def test_the_label_is_that_of_the_button_that_shows():
    inside = """<button name="action_post" type="object" string="Post"
    invisible="move_type != 'entry'"/><button name="action_post" type="object"
    string="Confirm" invisible="move_type == 'entry'"/>"""
    (action,) = actions(inside, move_type="out_invoice")
    assert action.label == "Confirm"


def test_buttons_that_show_at_a_time_and_differ_are_several_actions():
    inside = """<button name="x" type="object" context="{'phone': 1}"/>
    <button name="x" type="object" context="{'mobile': 1}"/>
    <button name="x" type="object" context="{'fax': 1}" invisible="secret"/>
    <button name="x" type="object" context="{'mobile': 1}" invisible="secret"/>"""
    found = [(action.context, action.available) for action in actions(inside)]
    assert found == [
        ("{'phone': 1}", True),
        ("{'mobile': 1}", True),
        ("{'fax': 1}", None),
    ]


def test_a_window_action_is_marked_as_not_callable():
    shown, hidden = actions(
        '<button name="563" type="action" string="Invoice"/>'
        '<button name="564" type="action" string="Refund" invisible="1"/>'
    )
    assert (shown.kind, shown.available, shown.callable) == ("action", True, False)
    assert "session of Odoo's web client" in (shown.reason or "")
    assert hidden.reason is not None
    assert hidden.reason.startswith("The form hides it now: 1. It opens")


# Reading the form


def test_the_fields_of_lines_are_known_by_their_field():
    read = form(
        """<field name="name"/><field name="order_line"><list><field name="product_id"/>
        <field name="tax_id"><list><field name="amount"/></list></field></list>
        <form><group><field name="product_id"/><field name="price"/></group></form>
        </field><field name="name"/>"""
    )
    assert read.fields == {
        "name": (),
        "order_line": ("product_id", "tax_id", "price"),
    }


BOMB = (
    '<!DOCTYPE form [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><form><p>&b;</p></form>'
)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"views": {"form": None}},
        {"views": {"form": {}}},
        {"views": {"form": {"arch": None}}},
        {"views": {"form": {"arch": ""}}},
        {"views": {"form": {"arch": "<form>"}}},
        {"views": {"form": {"arch": "<form>&b;</form>"}}},
        {"views": {"form": {"arch": BOMB}}},
        {"views": {"form": {"arch": f"<form>{' ' * MAX_ARCH}</form>"}}},
        {"views": {"form": {"arch": "<p>" * 5_000 + "</p>" * 5_000}}},
        {
            "views": {
                "form": {"arch": "<p>" * (MAX_DEPTH + 1) + "</p>" * (MAX_DEPTH + 1)}
            }
        },
    ],
)
def test_a_form_that_cannot_be_read_is_an_error_and_not_an_empty_one(answer):
    with pytest.raises(GatewayProtocolError, match=r"form view of 'sale\.order'"):
        FormView.from_wire(SCHEMA, answer)
