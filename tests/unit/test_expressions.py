"""The conditions in views: understood, judged as the web client does, never run."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odooport.expressions import MAX_DEPTH, MAX_LENGTH, Expression, seen
from odooport.schema import Field

VALUES = {
    "id": 7,
    "uid": 2,
    "state": "draft",
    "locked": False,
    "name": "",
    "note": False,
    "partner_id": 15,
    "order_line": [3, 4],
    "tag_ids": [],
    "amount": 12.5,
    "date_order": "2026-11-22 16:29:54",
    "context": {"default_type": "lead", "empty": False},
    "parent": {"state": "sale"},
}


def judged(text, values=VALUES):
    return Expression.parse(text).evaluate(values)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "True",
        "true",
        "state == 'draft'",
        "state != 'sent' and not locked",
        "state in ('draft', 'sent')",
        "state not in ['sale', 'cancel'] or not id or locked",
        "'raf' in state",
        "partner_id",
        "order_line",
        "not tag_ids",
        "order_line.length == 2",
        "amount > 12 and amount <= 12.5",
        "0 < amount < 100",
        "amount - 2.5 == 10",
        "amount * 2 / 5 == 5",
        "-amount < +1",
        "+amount == 12.5",
        "(state == 'draft') == True",
        "(not locked) in [True]",
        "(locked or state) == 'draft'",
        "(state and id) == 7",
        "date_order >= '2026-01-01'",
        "context.get('default_type') == 'lead'",
        "context.get('nothing', True)",
        "parent.state == 'sale'",
        "uid == 2",
        "bool(order_line)",
        "(name or 'No').lower() == 'no'",
        "state.upper() == 'DRAFT'",
        "(locked if state == 'sale' else not locked)",
        "\n    state == 'draft'\n    and not locked\n",
    ],
)
def test_what_forms_say_is_understood(text):
    assert judged(text) is True
    assert judged(f"not ({text.strip()})") is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("note == ''", False),  # an empty text is false there, not ''
        ("note == False", True),
        ("locked == 0", True),
        ("locked in [0]", False),  # a list is searched without such kindness
        ("context.get('nothing') == False", False),  # it is null
        ("context.get('nothing', False) == False", False),  # null again
        ("context.get('nothing', []) == None", False),
        ("tag_ids == []", False),  # a list equals only itself
        ("tag_ids == tag_ids", True),
        ("note < date_order", True),  # false counts as 0, and numbers before texts
        ("None < locked", True),
        ("'\U0001f600' < '\uff00'", True),  # by UTF-16 units
        ("'x' in locked", False),
        ("'default_type' in context", True),
    ],
)
def test_comparisons_are_the_web_clients(text, expected):
    assert judged(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secret", None),
        ("not secret", None),
        ("secret == 'x'", None),
        ("secret in [1]", None),
        ("secret < 1", None),
        ("secret - 1", None),
        ("(secret == 1) == True", None),
        ("secret.length", None),
        ("secret.get('x')", None),
        ("bool(secret)", None),
        ("secret and locked", False),
        ("secret or partner_id", True),
        ("secret or locked", None),
        ("secret and partner_id", None),
        ("locked if secret else tag_ids", False),
        ("locked if secret else id", None),
        ("(secret or 1) == 1", None),
        ("(1 if secret else 1) == 1", None),
        ("id in [secret, 7]", True),
        ("id in [secret, 8]", None),
        ("id > secret > 9", None),
        ("id > 9 > secret", False),
        ("parent.secret", None),
        ("partner_id.name", None),
        ("name.length", None),
        ("id / 0", None),
        ("'a' * 3", None),
        ("context.get(7)", None),
        ("id in None", None),
        ("7 in context", None),
        ("tag_ids < 1", None),
        ("id.lower()", None),
        ("today", None),  # it depends on the clock of a browser
    ],
)
def test_what_is_not_known_matters_only_where_it_decides(text, expected):
    assert Expression.parse(text).problem is None
    assert judged(text) is expected


def test_a_value_of_no_known_kind_is_unknown():
    assert judged("state", {"state": object()}) is None


def test_an_expression_names_what_it_needs():
    text = "state != 'x' or parent.y or context.get('z') or bool(id) or true"
    assert Expression.parse(text).names == {"state", "parent", "context", "id"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("9**9**9", "'BinOp' is not known here"),
        ("'a' * 10**9", "'BinOp' is not known here"),
        ("1 << 99999", "'BinOp' is not known here"),
        ("9" * 400, "'Constant' is not known here"),
        ("1e999", "'Constant' is not known here"),
        ("1j", "'Constant' is not known here"),
        ("b'x'", "'Constant' is not known here"),
        ("...", "'Constant' is not known here"),
        ("~1", "'UnaryOp' is not known here"),
        ("x is None", "'Compare' is not known here"),
        ("__import__('os')", "'Call' is not known here"),
        ("len(x)", "'Call' is not known here"),
        ("context_today()", "'Call' is not known here"),
        ("bool(x, y)", "'Call' is not known here"),
        ("bool(x=1)", "'Call' is not known here"),
        ("x.get()", "'Call' is not known here"),
        ("x.get(*y)", "'Starred' is not known here"),
        ("x.lower(1)", "'Call' is not known here"),
        ("x.format(y)", "'Call' is not known here"),
        ("x[0]", "'Subscript' is not known here"),
        ("{}", "'Dict' is not known here"),
        ("f'{x}'", "'JoinedStr' is not known here"),
        ("x := 1", "'NamedExpr' is not known here"),
        ("lambda: x", "'Lambda' is not known here"),
        ("[x for x in y]", "'ListComp' is not known here"),
        ("'\\x'", "it has a backslash"),
        ("state ==", "it is no Python expression"),
        ("import os", "it is no Python expression"),
        ("x\x00", "it is no Python expression"),
        ("country_id != %(base.hu)d", "it is no Python expression"),
        ("(" * 1_900, "it is no Python expression"),
        ("[" * 300 + "]" * 300, "it is no Python expression"),
        ("not " * 400 + "x", f"it nests deeper than {MAX_DEPTH}"),
        ("-" * 1_990 + "1", f"it nests deeper than {MAX_DEPTH}"),
        ("x" + ".y" * 900, f"it nests deeper than {MAX_DEPTH}"),
        ("1+" * 900 + "1", f"it nests deeper than {MAX_DEPTH}"),
        ("x or " * 1_000 + "y", f"it is longer than {MAX_LENGTH} characters"),
    ],
)
def test_anything_else_is_refused_and_never_run(text, problem):
    refused = Expression.parse(text)
    assert refused.problem == problem
    assert refused.evaluate({"x": True, "y": True}) is None


def test_an_attribute_reaches_no_python_object():
    assert judged("state.__class__") is None
    assert judged("context.get.__globals__") is None
    assert judged("order_line.append") is None


def test_nothing_at_all_is_false():
    assert judged("  ") is False


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text):
    assert Expression.parse(text).evaluate({}) in (True, False, None)


SCALARS = st.sampled_from(["a", "b", "c", "1", "0", "2.5", "'x'", "''", "True", "None"])
TRUTHS = st.recursive(
    SCALARS,
    lambda part: st.one_of(
        st.builds("({} and {})".format, part, part),
        st.builds("({} or {})".format, part, part),
        st.builds("(not {})".format, part),
        st.builds("({} if {} else {})".format, part, part, part),
    ),
    max_leaves=12,
)


@given(TRUTHS, st.tuples(*[st.sampled_from([0, 1, "", "x", False, None])] * 3))
def test_logic_is_pythons_where_all_is_known(text, values):
    known = dict(zip("abc", values, strict=True))
    code = compile(ast.parse(text, mode="eval"), "", "eval")
    assert judged(text, known) is bool(eval(code, {}, known))


@given(TRUTHS, st.sampled_from([0, 1, "", "x", False, None]))
def test_an_answer_holds_whatever_the_unknown_turns_out_to_be(text, value):
    unsure = judged(text, {"a": 1, "b": ""})
    if unsure is not None:
        assert judged(text, {"a": 1, "b": "", "c": value}) is unsure


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("many2one", 15, 15),
        ("many2one", [15, "Azure"], 15),
        ("many2one", False, False),
        ("one2many", [3, 4], [3, 4]),
        ("many2many", False, []),
        ("many2one_reference", 0, False),
        ("many2one_reference", 5, {"resId": 5}),
        ("char", False, False),
        ("datetime", "2026-11-22 16:29:54", "2026-11-22 16:29:54"),
        ("reference", "res.partner,3", "res.partner,3"),
    ],
)
def test_values_are_seen_as_the_web_client_sees_them(kind, value, expected):
    assert seen(Field("x", kind), value) == expected
