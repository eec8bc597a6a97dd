"""Groups of records: the question in Odoo's words, and its answer in clean values."""

import pytest

from odooport.errors import InvalidRequest
from odooport.groups import group_out, groups_in
from odooport.schema import Field, ModelSchema

MADE = ModelSchema(
    "made",
    {
        "id": Field("id", "integer"),
        "name": Field("name", "char", required=True),
        "count": Field("count", "integer", required=True),
        "ratio": Field("ratio", "float"),
        "done": Field("done", "boolean", required=True),
        "day": Field("day", "date"),
        "moment": Field("moment", "datetime"),
        "state": Field(
            "state",
            "selection",
            required=True,
            selection=(("draft", "Quotation"), ("sale", "Sales Order")),
        ),
        "country_id": Field("country_id", "many2one", relation="res.country"),
    },
)


def test_groups_are_asked_for_in_odoos_words(order):
    grouping = groups_in(
        order,
        ["date_order:month", "state"],
        [
            "__count",
            "amount_total:sum",
            "amount_total:avg",
            "partner_id:count_distinct",
        ],
        "amount_total:sum DESC, state asc nulls last, __count",
    )
    assert grouping.groupby == ("date_order:month", "state")
    assert grouping.fields == (
        "__sum__amount_total:sum(amount_total)",
        "__avg__amount_total:avg(amount_total)",
        "__count_distinct__partner_id:count_distinct(partner_id)",
    )
    assert grouping.order == "amount_total:sum DESC, state asc nulls last, __count"


@pytest.mark.parametrize(
    ("groupby", "aggregates", "order_text", "pointer", "told"),
    [
        (["stat"], [], None, "/groupby/0", "Did you mean 'state'"),
        (["state", "partner_id.name"], [], None, "/groupby/1", "is a path"),
        (["order_line"], [], None, "/groupby/0", "cannot be grouped by 'order_line'"),
        (["tax_totals"], [], None, "/groupby/0", "cannot be grouped by"),
        (["date_order"], [], None, "/groupby/0", "grouped by one of hour, day, week"),
        (["date_order:months"], [], None, "/groupby/0", "such as 'date_order:month'"),
        (["validity_date:hour"], [], None, "/groupby/0", "grouped by one of day"),
        (["state:month"], [], None, "/groupby/0", "only dates have a granularity"),
        ([3], [], None, "/groupby/0", "named by text"),
        ([], ["amount_totl:sum"], None, "/aggregates/0", "Did you mean 'amount_total'"),
        (
            [],
            ["amount_total"],
            None,
            "/aggregates/0",
            "amount_total:sum, amount_total:",
        ),
        ([], ["amount_total:median"], None, "/aggregates/0", "say what to make of"),
        ([], ["state:sum"], None, "/aggregates/0", "state:min, state:max, state:count"),
        ([], ["partner_id:max"], None, "/aggregates/0", "partner_id:count, "),
        ([], ["order_line:count"], None, "/aggregates/0", "cannot be aggregated"),
        ([], ["tax_totals:count"], None, "/aggregates/0", "cannot be aggregated"),
        ([], ["partner_id.id:count"], None, "/aggregates/0", "is a path"),
        (["state"], [], "partner_id", "/order", "use some of state, __count"),
        (["state"], [], "state down", "/order", "cannot be ordered by 'state down'"),
        (["state"], [], "", "/order", "cannot be ordered by ''"),
        (["date_order:day"], [], "date_order", "/order", "use some of date_order:day"),
    ],
)
def test_a_wrong_grouping_is_refused_and_says_what_is_right(
    order, groupby, aggregates, order_text, pointer, told
):
    with pytest.raises(InvalidRequest, match=told) as caught:
        groups_in(order, groupby, aggregates, order_text)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_asking_twice_for_one_thing_answers_it_once(order):
    grouping = groups_in(order, ["state", "state"], ["__count", "amount_total:sum"] * 2)
    assert (len(grouping.groups), len(grouping.aggregates)) == (1, 1)


def test_a_recorded_group_of_a_relation_becomes_clean(partner, answer_of):
    grouping = groups_in(partner, ["country_id"], ["__count"])
    assert group_out(grouping, answer_of("read-group")[0]) == {
        "country_id": {"id": 20, "name": "Belgium"},
        "__count": 2003,
    }


def test_a_recorded_group_of_a_month_becomes_clean(order, answer_of):
    grouping = groups_in(order, ["date_order:month", "state"], ["amount_total:sum"])
    row = answer_of("read-group-month")[0]
    row = {**row, "__sum__amount_total": row["amount_total"]}
    assert group_out(grouping, row) == {
        "date_order:month": {
            "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z",
            "label": "October 2026",
        },
        "state": "draft",
        "__count": 2,
        "amount_total:sum": 4687.5,
    }


def test_groups_of_nothing_are_null_and_numbers_stay_numbers():
    grouping = groups_in(
        MADE,
        ["day:month", "moment:hour_number", "country_id", "done", "state", "id"],
        ["count:sum", "ratio:avg", "name:count", "done:bool_or", "moment:max"],
    )
    row = {
        "day:month": False,
        "moment:hour_number": 0,
        "country_id": False,
        "done": False,
        "state": False,
        "id": [5, "five"],
        "__count": 3,
        "__sum__count": False,
        "__avg__ratio": 0.125,
        "__count__name": 0,
        "__bool_or__done": False,
        "__max__moment": "2026-11-22 16:29:54",
        "__range": {"day:month": False},
        "__domain": [],
    }
    assert group_out(grouping, row) == {
        "day:month": None,
        "moment:hour_number": 0,
        "country_id": None,
        "done": False,
        "state": None,
        "id": {"id": 5, "name": "five"},
        "__count": 3,
        "count:sum": None,
        "ratio:avg": 0.125,
        "name:count": 0,
        "done:bool_or": False,
        "moment:max": "2026-11-22T16:29:54Z",
    }
