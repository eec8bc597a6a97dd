"""Roles as ``odooport.toml`` writes them: what is read, and what is refused."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from odooport.domain import Domain
from odooport.errors import InvalidRequest
from odooport.model import Call, Decision, Masking, Operation, Principal, Requirement
from odooport_cli.policy import explained, parse_call
from odooport_security.roles import Roles, RolesError
from odooport_security.rules import ME, matches

SELLER = """\
# Who may do what.
[roles.seller]
description = "Sells; sees only own leads"
inherits = "editor"
max_rows = 500
rate_limit = "300/minute"
concurrency = 4
companies = [1]
context = ["mail_create_nolog", "default_type"]
instances = ["default"]

[[roles.seller.rules]]
name = "own-leads"
models = ["crm.lead", "sale.*"]
allow = ["read", "write", "create"]
methods = ["action_set_won", "message_*"]
hide = ["expected_revenue"]
mask = ["phone"]
show = ["display_name"]
domain = [["user_id", "=", {me = true}]]
changes = true

[[roles.seller.rules]]
models = ["res.users"]

[roles.trainee]
inherits = "seller"
max_rows = 10
"""


def parse(text: str) -> Roles:
    document: dict[str, Any] = tomllib.loads(text)
    return Roles.parse(document.get("roles", {}), text=text)


def complaint(text: str) -> str:
    with pytest.raises(RolesError) as caught:
        parse(text)
    return caught.value.message


def test_a_role_is_read_whole():
    seller = parse(SELLER).get("seller")

    assert seller is not None
    assert (seller.description, seller.max_rows) == ("Sells; sees only own leads", 500)
    assert (seller.rate_limit, seller.concurrency) == ("300/minute", 4)
    assert (seller.companies, seller.instances) == ((1,), ("default",))
    assert seller.context == ("mail_create_nolog", "default_type")
    own, users, inherited = seller.rules
    assert (own.name, users.name, inherited.name) == (
        "seller/own-leads",
        "seller/2",
        "role-editor",
    )
    assert own.models == ("crm.lead", "sale.*")
    assert own.allow == {Operation.READ, Operation.WRITE, Operation.CREATE}
    assert own.methods == ("action_set_won", "message_*")
    assert (own.hide, own.mask, own.show) == (
        {"expected_revenue"},
        {"phone"},
        {"display_name"},
    )
    assert own.domain == Domain.of("user_id", "=", ME)
    assert own.changes
    assert users.allow == set()


def test_the_built_in_roles_are_always_there_and_come_first():
    assert parse("").names == ("reader", "editor", "full")
    assert parse(SELLER).names == ("reader", "editor", "full", "seller", "trainee")
    assert parse(SELLER).get("nobody") is None


def test_a_role_inherits_rules_after_its_own_and_limits_unless_it_has_its_own():
    roles = parse(SELLER)
    seller, trainee = roles.get("seller"), roles.get("trainee")

    assert seller is not None
    assert trainee is not None
    assert trainee.rules == seller.rules
    assert trainee.max_rows == 10
    assert (trainee.rate_limit, trainee.concurrency) == ("300/minute", 4)
    assert (trainee.companies, trainee.instances) == ((1,), ("default",))
    assert trainee.description == ""


def test_a_role_may_inherit_from_one_that_comes_later():
    roles = parse('[roles.a]\ninherits = "b"\n[roles.b]\ninherits = "full"\n')
    first = roles.get("a")

    assert first is not None
    assert first.operations == set(Operation)


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("sale.*", "sale.order", True),
        ("sale.*", "sale", False),
        ("sale.*", "xsale.order", False),
        ("sale.*", "salexorder", False),
        ("*", "res.partner", True),
        ("*.line", "sale.order.line", True),
        ("res.partner", "res.partner", True),
        ("res.partner", "res.partner.bank", False),
        ("res.partner", "resxpartner", False),
        ("message_*", "message_post\n", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
    ],
)
def test_a_glob_knows_the_star_alone(glob: str, name: str, *, fits: bool):
    assert matches(glob, name) is fits


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[roles.a]\ninherit = "editor"',
            (
                "odooport.toml:2: roles.a.inherit: 'inherit' is not known here; "
                "did you mean 'inherits'?"
            ),
        ),
        (
            "[roles.a]\n\n[[roles.a.rules]]\nmodels = ['x.y']\nallow = ['wirte']",
            (
                "odooport.toml:5: roles.a.rules[0].allow[0]: 'wirte' is not known "
                "here; did you mean 'write'?"
            ),
        ),
        (
            (
                "[roles.a]\n[[roles.a.rules]]\nmodels = ['x']\n"
                "[[roles.a.rules]]\nmodels = ['X Y']"
            ),
            "odooport.toml:5: roles.a.rules[1].models[0]: Write a model",
        ),
        ("[[roles.a.rules]]\nallow = ['read']", "odooport.toml:1: roles.a.rules[0]"),
        ("[[roles.a.rules]]\nmodels = []", ":2: roles.a.rules[0].models: "),
        ("[[roles.a.rules]]\nmodels = ['x']\nmodel = 1", "did you mean 'models'?"),
        ("[[roles.a.rules]]\nmodels = ['x']\nhide = ['a.b']", ":3: roles.a.rules[0]"),
        ("[[roles.a.rules]]\nmodels = ['x']\nmethods = ['_x']", "a public method"),
        (
            "[[roles.a.rules]]\nmodels = ['x']\ndomain = [['a', '==', 1]]",
            ":3: roles.a.rules[0].domain: ",
        ),
        (
            "[[roles.a.rules]]\nmodels = ['x']\ndomain = [['a', '=', {me = false}]]",
            ":3: roles.a.rules[0].domain: ",
        ),
        (
            "[[roles.a.rules]]\nmodels = ['x']\nhide = ['b']\nmask = ['b']",
            ":4: roles.a.rules[0].mask: 'b' is hidden by the same rule.",
        ),
        ("[roles.a]\nmax_rows = '5'", "odooport.toml:2: roles.a.max_rows: "),
        ("[roles.a]\nmax_rows = 0", "odooport.toml:2: roles.a.max_rows: "),
        ("[roles.a]\nmax_rows = true", "odooport.toml:2: roles.a.max_rows: "),
        ("[roles.a]\nrate_limit = 'many'", ":2: roles.a.rate_limit: Write a number"),
        ("[roles.a]\ncontext = ['a b']", ":2: roles.a.context[0]: "),
        ("[roles]\na.max_rows = 0", "odooport.toml:2: roles.a.max_rows: "),
        ("[roles.admin]", "odooport.toml:1: roles.admin: This name is reserved"),
        ("[roles.none]", "odooport.toml:1: roles.none: This name is reserved"),
        ("[roles.reader]", "odooport.toml:1: roles.reader: This role is built in"),
        ("[roles.'A b']", "odooport.toml:1: roles.A b: A role is named by"),
        ("[roles.a]\ninherits = 'edtor'", "There is no role 'edtor'. Did you mean"),
        ("[roles.a]\ninherits = 'a'", "inherits from itself: a from a."),
        (
            "[roles.a]\ninherits = 'b'\n[roles.b]\ninherits = 'a'",
            ":2: roles.a.inherits: The role inherits from itself: a from b from a.",
        ),
        ("roles = {a = 5}", "roles.a: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(text: str, message: str):
    assert message in complaint(text)


def test_everything_that_is_wrong_is_named_at_once_in_the_order_of_the_file():
    text = (
        "[roles.a]\nmax_rows = 'x'\n[[roles.a.rules]]\nmodels = ['A']\n"
        "domain = [['a', '==', 1]]\n[roles.admin]\n"
    )
    lines = [line.split(":")[1] for line in complaint(text).splitlines()]

    assert lines == ["2", "4", "5", "6"]


def test_the_file_is_called_what_it_is_called():
    with pytest.raises(RolesError, match=r"^mine.toml: roles.admin: "):
        Roles.parse({"admin": {}}, file="mine.toml")


def test_the_example_of_the_docs_can_be_used():
    page = (Path(__file__).parents[2] / "docs" / "roles.md").read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]

    assert parse(example).names == ("reader", "editor", "full", "seller")


# Explaining


def test_a_call_is_read_as_people_type_it():
    assert parse_call("res.partner.write", None) == Call("res.partner", "write", ([],))
    assert parse_call("res.partner.search", None) == Call("res.partner", "search")
    assert parse_call("res.partner.read", '{"ids": [1], "fields": ["email"]}') == Call(
        "res.partner", "read", ([1],), {"fields": ["email"]}
    )
    assert parse_call("res.partner.read [[1], []]", None) == Call(
        "res.partner", "read", ([1], [])
    )


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("partner", None), ("a.b", "{"), ("a.b", "5"), ("a.b", "[" * 100_000), ("", None)],
)
def test_what_is_no_call_is_refused(call: str, arguments: str | None):
    with pytest.raises(InvalidRequest):
        parse_call(call, arguments)


def test_a_decision_is_explained_with_what_would_be_sent():
    who = Principal("k", "shop", "seller", {})
    asked = Call("crm.lead", "read", ([1], ["phone"]))
    sent = Call("crm.lead", "read", ([1], ["phone"]), {"load": ""})
    decision = Decision(
        True,
        "",
        "seller/own-leads",
        sent,
        require=(Requirement("crm.lead", (1,), (["user_id", "=", 7],)),),
        mask={"phone": Masking.STARS, "lines": {"cost": Masking.DROP}},
        changes=True,
    )

    assert explained(who, asked, decision) == [
        "role:      seller",
        'asked:     crm.lead.read([1], ["phone"])',
        "decision:  allowed",
        "rule:      seller/own-leads",
        'sent:      crm.lead.read([1], ["phone"], load="")',
        'required:  crm.lead [1] must fit [["user_id", "=", 7]]',
        "answer:    phone is shown as ***",
        "answer:    lines/cost is left out",
        "audit:     keeps the records before and after",
    ]
    refused = Decision(False, "Because.", "no-rule", asked)
    assert explained(who, asked, refused)[2:] == [
        "decision:  refused",
        "rule:      no-rule",
        "why:       Because.",
    ]
