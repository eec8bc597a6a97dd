"""What roles say of calls: each channel by which a field or a record can be named."""

import tomllib
from typing import Any

import pytest

from odooport.domain import Domain
from odooport.model import (
    Call,
    Context,
    Credentials,
    Decision,
    Masking,
    Operation,
    Principal,
    Requirement,
    Session,
)
from odooport.schema import ATTRIBUTES, ModelSchema
from odooport_adapters import MemoryGateway
from odooport_security.deciding import decided
from odooport_security.roles import PROTECTED_MODELS, SENSITIVE_MODELS, Roles

LOGIN = {"default": Credentials("demo", "demo", "demo")}
ADMIN = Credentials("demo", "admin", "admin")

FILE = """
[roles.seller]
inherits = "editor"

[[roles.seller.rules]]
name = "own-leads"
models = ["crm.lead"]
allow = ["read", "write", "create", "unlink"]
methods = ["action_set_won", "message_*", "export_data", "load", "web_save"]
domain = [["user_id", "=", {me = true}]]
changes = true

[roles.blind]
companies = [1]
context = ["mail_create_nolog", "default_*"]
instances = ["default"]

[[roles.blind.rules]]
name = "partners"
models = ["res.partner"]
allow = ["read", "write", "create"]
methods = [
    "export_data", "web_read", "web_search_read", "web_save", "load",
    "web_read_group", "read_progress_bar", "frobnicate", "formatted_read_group",
]
hide = ["email", "comment"]
mask = ["phone"]

[[roles.blind.rules]]
models = ["*"]
allow = ["read", "write", "create"]
methods = ["*"]

[roles.nameless]

[[roles.nameless.rules]]
name = "no-names"
models = ["res.partner"]
allow = ["read"]
methods = ["export_data", "web_read"]
hide = ["name"]

[[roles.nameless.rules]]
models = ["*"]
allow = ["read", "write"]
methods = ["web_read", "export_data"]

[roles.named]

[[roles.named.rules]]
models = ["res.partner"]
allow = ["read"]
hide = ["name"]
show = ["display_name"]

[roles.keeper]
context = ["*"]

[[roles.keeper.rules]]
models = ["ir.config_parameter", "res.users", "*"]
allow = ["read", "write", "create"]
methods = ["*"]
show = ["password"]

[roles.own]

[[roles.own.rules]]
models = ["res.partner"]
allow = ["read", "write", "create", "unlink"]
methods = ["*", "tidy"]
domain = [
    ["user_id", "=", {me = true}],
    "|", ["type", "=", "contact"], ["active", "=", true],
]

[[roles.own.rules]]
models = ["*"]
allow = ["read", "write", "create", "unlink"]
"""
FILE += """
[roles.shy]

[[roles.shy.rules]]
models = ["res.partner"]
allow = ["read"]
methods = ["web_save", "load", "web_override_translations"]
hide = ["parent_id"]

[[roles.shy.rules]]
models = ["res.country"]
allow = ["write"]

[[roles.shy.rules]]
models = ["x.*"]
allow = ["read"]
methods = ["web_read"]

[roles.loader]

[[roles.loader.rules]]
models = ["crm.lead"]
allow = ["read", "write", "create", "unlink"]
domain = [["user_id", "=", {me = true}]]

[[roles.loader.rules]]
models = ["sale.order"]
allow = ["read"]

[[roles.loader.rules]]
models = ["*"]
allow = ["read", "write", "create"]
methods = ["load", "export_data", "web_read", "web_save"]

[roles.unnamed]

[[roles.unnamed.rules]]
models = ["res.partner"]
allow = ["read"]
hide = ["display_name", "ref"]

[[roles.unnamed.rules]]
models = ["*"]
allow = ["read"]
"""
ROLES = Roles.parse(tomllib.loads(FILE)["roles"], text=FILE)


class Knowledge:
    """What the in-memory Odoo tells of itself; remembers what it was asked."""

    def __init__(self, gateway: MemoryGateway, session: Session) -> None:
        self.gateway = gateway
        self.session = session
        self.asked: list[str] = []

    async def schema(self, model: str) -> ModelSchema:
        self.asked.append(model)
        call = Call(model, "fields_get", kwargs={"attributes": list(ATTRIBUTES)})
        wire = await self.gateway.execute(self.session, call)
        return ModelSchema.from_wire(model, wire)

    async def uid(self) -> int:
        return self.session.uid


GATEWAY = MemoryGateway.demo()


@pytest.fixture
async def odoo() -> Knowledge:
    return Knowledge(GATEWAY, await GATEWAY.authenticate(ADMIN))


def principal(role: str, max_rows: int = 1000) -> Principal:
    return Principal("k1", "shop", role, LOGIN, max_rows=max_rows)


async def judged(
    odoo: Knowledge, role: str, model: str, method: str, *args: Any, **kwargs: Any
) -> Decision:
    call = Call(model, method, args, kwargs)
    return await ROLES.judge(principal(role), call, odoo)


def partner(*args: Any, **kwargs: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    method, *rest = args
    return method, tuple(rest), kwargs


# The built-in roles

READ = Call("res.partner", "read", ([1], ["name"]))
WRITE = Call("res.partner", "write", ([1], {"name": "x"}))
CREATE = Call("res.partner", "create", ({"name": "x"},))
UNLINK = Call("res.partner", "unlink", ([1],))
ACTION = Call("sale.order", "action_confirm", ([1],))


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("reader", [READ]),
        ("editor", [READ, WRITE, CREATE]),
        ("full", [READ, WRITE, CREATE, UNLINK, ACTION]),
        ("admin", []),
        ("", []),
    ],
)
async def test_a_role_allows_what_it_names_and_nothing_else(
    odoo: Knowledge, role: str, allowed: list[Call]
):
    calls = [READ, WRITE, CREATE, UNLINK, ACTION]

    decisions = [await ROLES.judge(principal(role), call, odoo) for call in calls]
    assert [each.call for each in decisions if each.allowed] == allowed
    assert odoo.asked == []


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            WRITE,
            (
                "The role 'reader' may not write 'res.partner'; "
                "a key with the role 'editor' may."
            ),
        ),
        (
            UNLINK,
            (
                "The role 'reader' may not delete 'res.partner'; "
                "a key with the role 'full' may."
            ),
        ),
        (
            ACTION,
            (
                "The role 'reader' may not call 'action_confirm' on 'sale.order'; "
                "a key with the role 'full' may."
            ),
        ),
    ],
)
async def test_a_refusal_names_the_least_role_that_may(
    odoo: Knowledge, call: Call, reason: str
):
    assert await ROLES.judge(principal("reader"), call, odoo) == Decision(
        False, reason, "role-reader", call
    )


@pytest.mark.parametrize(
    "method",
    [
        "_write",
        "__class__",
        "__init__",
        "_",
        "",
        "wri\u0442e",  # a Cyrillic letter
        "\uff57rite",  # a full-width letter
        "write ",
        "write\n",
        "write.sudo",
        "write()",
        "1write",
        "x" * 129,
    ],
)
@pytest.mark.parametrize("role", ["reader", "full", "keeper"])
async def test_no_role_calls_what_is_not_a_public_method(
    odoo: Knowledge, role: str, method: str
):
    decision = await judged(odoo, role, "res.partner", method, [1])

    assert (decision.allowed, decision.rule) == (False, "private-method")


@pytest.mark.parametrize(
    "model",
    ["", "res partner", "res.partner\n", "Res.Partner", "res..partner", ".res", "../x"],
)
async def test_what_is_no_models_name_is_refused(odoo: Knowledge, model: str):
    decision = await judged(odoo, "full", model, "read", [1])

    assert (decision.allowed, decision.rule) == (False, "model-name")


@pytest.mark.parametrize("model", sorted(SENSITIVE_MODELS))
@pytest.mark.parametrize("role", ["reader", "editor", "full"])
async def test_no_built_in_role_reaches_a_sensitive_model(
    odoo: Knowledge, role: str, model: str
):
    for method in ("read", "write", "unlink", "run", "execute"):
        args = ([1], {}) if method == "write" else ([1],)
        assert not (await judged(odoo, role, model, method, *args)).allowed


async def test_a_rule_that_names_a_sensitive_model_opens_it(odoo: Knowledge):
    model = "ir.config_parameter"

    assert (await judged(odoo, "keeper", model, "read", [1], ["key"])).allowed
    decision = await judged(odoo, "keeper", "ir.rule", "read", [1], ["name"])
    assert decision.rule == "sensitive-model"


@pytest.mark.parametrize("model", sorted(PROTECTED_MODELS))
async def test_protected_models_are_for_reading_only(odoo: Knowledge, model: str):
    assert (await judged(odoo, "full", model, "read", [1], ["id"])).allowed
    for method in ("write", "unlink", "change_password", "button_immediate_install"):
        args = ([1], {}) if method == "write" else ([1],)
        decision = await judged(odoo, "full", model, method, *args)
        assert decision.rule == "protected-model"


async def test_a_rule_that_names_a_protected_model_changes_it(odoo: Knowledge):
    values = {"login": "x"}

    assert (await judged(odoo, "keeper", "res.users", "write", [7], values)).allowed
    decision = await judged(odoo, "keeper", "res.groups", "write", [7], {"name": "x"})
    assert decision.rule == "protected-model"


async def test_arguments_that_hide_their_meaning_are_refused(odoo: Knowledge):
    decision = await judged(odoo, "full", "res.partner", "search_read", [], domian=[])

    assert decision.rule == "shape"


@pytest.mark.parametrize("limit", [None, False, 0, 7, 1_000_000])
@pytest.mark.parametrize("by", ["position", "keyword"])
async def test_a_search_gets_no_more_rows_than_its_role_may_have(
    odoo: Knowledge, by: str, limit: object
):
    if by == "position":
        call = Call("res.partner", "search_read", ([], ["name"], 0, limit))
        sent = Call("res.partner", "search_read", ([], ["name"], 0, 5))
    else:
        call = Call("res.partner", "search_read", ([], ["name"]), {"limit": limit})
        sent = Call("res.partner", "search_read", ([], ["name"]), {"limit": 5})

    decision = await ROLES.judge(principal("reader", max_rows=5), call, odoo)
    assert (decision.allowed, decision.call) == (True, sent)


@pytest.mark.parametrize("limit", [4, 6])
async def test_a_smaller_limit_and_one_row_more_stay(odoo: Knowledge, limit: int):
    call = Call("res.partner", "search", ([],), {"limit": limit})

    decision = await ROLES.judge(principal("reader", max_rows=5), call, odoo)
    assert decision.call == call


async def test_a_name_search_without_a_limit_keeps_odoos_hundred(odoo: Knowledge):
    decision = await judged(odoo, "reader", "res.partner", "name_search", "a")

    assert decision.call.kwargs == {"limit": 100}


@pytest.mark.parametrize("limit", [-1, "5", 5.0, True, [5]])
async def test_a_limit_that_is_no_number_above_zero_is_refused(
    odoo: Knowledge, limit: object
):
    decision = await judged(odoo, "reader", "res.partner", "search", [], limit=limit)

    assert decision.rule == "shape"


async def test_reading_by_id_is_bounded_too(odoo: Knowledge):
    reader = principal("reader", max_rows=3)
    few = Call("res.partner", "read", ([1, 2, 3], ["name"]))
    many = Call("res.partner", "read", ([1, 2, 3, 4], ["name"]))

    assert (await ROLES.judge(reader, few, odoo)).allowed
    assert (await ROLES.judge(reader, many, odoo)).rule == "max-rows"


NESTED = {"child_ids": [[0, 0, {"name": "x", "child_ids": [[2, 51, 0]]}]]}
DELETING: dict[str, dict[str, Any]] = {
    "command": {"child_ids": [[2, 50, 0]]},
    "tuples": {"child_ids": ((2, 50, 0),)},
    "short": {"child_ids": [[2, 50]]},
    "a number with a point": {"child_ids": [[2.0, 50, 0]]},
    "after another": {"child_ids": [[4, 3, 0], [2, 50, 0]]},
    "in a new record": NESTED,
    "in a changed record": {"child_ids": [[1, 5, {"child_ids": [[2, 51]]}]]},
    "two records deep": {"child_ids": [[1, 5, NESTED]]},
    "lines that need their order": {"sale_order_ids": [[1, 5, {"order_line": [[5]]}]]},
}
ODD: dict[str, dict[str, Any]] = {
    "in values in a list": {"child_ids": [[0, 0, [{"child_ids": [[2, 51]]}]]]},
    "in values where none belong": {"child_ids": [[4, NESTED, 0]]},
    "in values in place of a list": {"parent_id": {"child_ids": [[2, 51]]}},
    "in a field that is not there": {"nothing": [[2, 51]]},
    "deep in a field that is not there": {"nothing": {"a": {"b": [[2, 51]]}}},
    "in a field that takes none": {"name": [[2, 51]]},
    "an unknown command": {"child_ids": [[7, 1, 0]]},
    "a word for a command": {"child_ids": [["2", 50, 0]]},
    "true for a command": {"child_ids": [[True, 50, {}]]},
}


async def writing(odoo: Knowledge, role: str, values: dict[str, Any]) -> list[Decision]:
    return [
        await ROLES.judge(principal(role), call, odoo)
        for call in (
            Call("res.partner", "write", ([1], values)),
            Call("res.partner", "write", ([1],), {"vals": values}),
            Call("res.partner", "create", (values,)),
            Call("res.partner", "create", ([{"name": "x"}, values],)),
            Call("res.partner", "copy", ([1], values)),
            Call("res.partner", "copy", ([1],), {"default": values}),
            Call("res.partner", "web_save", ([1], values, {})),
        )
    ]


@pytest.mark.parametrize("values", DELETING.values(), ids=DELETING.keys())
async def test_who_may_not_delete_does_not_delete_through_a_list_either(
    odoo: Knowledge, values: dict[str, Any]
):
    assert not any(each.allowed for each in await writing(odoo, "editor", values))
    assert all(each.allowed for each in await writing(odoo, "full", values))


@pytest.mark.parametrize("values", ODD.values(), ids=ODD.keys())
async def test_values_that_cannot_be_judged_are_refused(
    odoo: Knowledge, values: dict[str, Any]
):
    assert not any(each.allowed for each in await writing(odoo, "full", values))


async def test_a_refusal_to_delete_through_a_list_names_the_list(odoo: Knowledge):
    values = DELETING["in a new record"]
    decision = await judged(odoo, "editor", "res.partner", "write", [1], values)

    assert (decision.rule, decision.reason) == (
        "role-editor",
        "The role 'editor' may not delete 'res.partner'. 'child_ids' would do that.",
    )


@pytest.mark.parametrize(
    "values",
    [
        {"category_id": [[6, 0, [2, 3]]]},
        {"category_id": [2, 3]},
        {"category_id": [[3, 2, 0], [4, 2, 0], [5, 0, 0], []]},
        {"child_ids": [[0, 0, {"category_id": [[6, 0, [2]]]}], [1, 2, {"color": 2}]]},
        {"child_ids": [[3, 5, 0], [4, 6, 0]]},
        {"name": "2", "color": 2, "comment": False, "ref": None},
        {"parent_id": 3, "user_id": False},
    ],
)
async def test_other_commands_are_not_taken_for_a_deletion(
    odoo: Knowledge, values: dict[str, Any]
):
    for method, args in (("write", ([1], values)), ("create", (values,))):
        decision = await judged(odoo, "editor", "res.partner", method, *args)
        assert decision.allowed, decision.reason


async def test_a_form_that_deletes_a_line_saves_nothing_and_is_let_through(
    odoo: Knowledge,
):
    values = {"order_line": [[2, 5, 0], [0, "virtual_1", {"name": "x"}]]}

    decision = await judged(
        odoo, "reader", "sale.order", "onchange", [1], values, ["order_line"], {}
    )
    assert decision.allowed, decision.reason


@pytest.mark.parametrize(
    "values",
    [
        {"user_ids": [[1, 2, {"login": "x"}]]},
        {"user_ids": [[0, 0, {"login": "x"}]]},
        {"child_ids": [[1, 5, {"user_ids": [[1, 2, {"groups_id": [[4, 1]]}]]}]]},
        {"user_ids": [[6, 0, [2]]]},
        {"user_ids": [[4, 2]]},
    ],
)
async def test_a_protected_model_is_not_changed_through_another(
    odoo: Knowledge, values: dict[str, Any]
):
    for each in await writing(odoo, "full", values):
        assert each.rule == "protected-model"


async def test_secrets_cannot_be_named_nor_come_along(odoo: Knowledge):
    for method, args in (
        ("read", ([1], ["login", "password"])),
        ("search", ([["password", "=", "x"]],)),
        ("search_read", ([], ["login"], 0, 5, "password")),
        ("read_group", ([], ["login"], ["password"])),
    ):
        decision = await judged(odoo, "full", "res.users", method, *args)
        assert decision.rule == "sensitive-field", method
    decision = await judged(
        odoo, "full", "crm.lead", "search", [["user_id.password", "=", "x"]]
    )
    assert decision.rule == "sensitive-field"
    decision = await judged(odoo, "full", "res.users", "read", [1])
    assert "password" not in decision.call.kwargs["fields"]
    assert decision.mask == {"password": Masking.DROP}
    decision = await judged(odoo, "full", "res.users", "fields_get")
    assert decision.mask == {"password": Masking.DROP}


async def test_a_secret_is_shown_where_a_rule_names_model_and_field(odoo: Knowledge):
    fields = ["password"]

    assert (await judged(odoo, "keeper", "res.users", "read", [1], fields)).allowed
    assert not (await judged(odoo, "keeper", "x.model", "read", [1], fields)).allowed


async def test_a_path_into_a_sensitive_model_is_refused():
    gateway = MemoryGateway(
        fields={
            "res.partner": {
                "x_param": {"type": "many2one", "relation": "ir.config_parameter"}
            }
        }
    )
    odoo = Knowledge(gateway, await gateway.authenticate(ADMIN))

    for domain in (
        [["x_param.value", "like", "s%"]],
        [["x_param", "any", [["value", "like", "s%"]]]],
        [["parent_id", "any", [["x_param", "not any", [["id", "=", 1]]]]]],
    ):
        decision = await judged(odoo, "full", "res.partner", "search_count", domain)
        assert decision.rule == "sensitive-model"


async def test_instances_and_companies_bind_a_role(odoo: Knowledge):
    other = Call("res.partner", "read", ([1], ["name"]), instance="other")
    foreign = Call(
        "res.partner", "read", ([1], ["name"]), context=Context(companies=(2,))
    )

    assert (await ROLES.judge(principal("blind"), other, odoo)).rule == "instance"
    assert (await ROLES.judge(principal("blind"), foreign, odoo)).rule == "companies"
    decision = await ROLES.judge(principal("blind"), READ, odoo)
    assert decision.call.context.companies == (1,)


async def test_context_keys_need_a_name_in_the_role(odoo: Knowledge):
    def call(key: str, value: Any = True) -> Call:
        return Call(
            "res.partner",
            "create",
            ({"name": "x"},),
            {},
            Context(extra=((key, value),)),
        )

    async def rule(role: str, *given: Any) -> str | None:
        decision = await ROLES.judge(principal(role), call(*given), odoo)
        return None if decision.allowed else decision.rule

    assert await rule("blind", "mail_create_nolog") is None
    assert await rule("blind", "show_email") == "context"
    assert await rule("full", "mail_create_nolog") == "context"
    assert await rule("keeper", "allowed_company_ids", (2,)) == "context"
    assert await rule("keeper", "tracking_disable") is None
    assert await rule("blind", "default_ref", "x") is None
    assert await rule("blind", "default_email", "x") == "blind/partners"
    assert await rule("blind", "default_phone", "x") == "blind/partners"
    assert await rule("blind", "default_user_ids", [[0, 0, {}]]) == "protected-model"


# Hidden fields

PROBES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "read": partner("read", [1], ["name", "email"]),
    "read by keyword": partner("read", [1], fields=["email"]),
    "search_read": partner("search_read", [], ["email"]),
    "search_read by keyword": partner("search_read", fields=["email"]),
    "domain": partner("search", [["email", "like", "a%"]]),
    "domain by keyword": partner("search_count", domain=[["email", "=", False]]),
    "domain behind operators": partner(
        "search", ["|", ["id", "=", 1], "!", ["email", "like", "a%"]]
    ),
    "dotted domain": partner("search", [["parent_id.email", "like", "a%"]]),
    "long domain": partner("search", [["child_ids.parent_id.email", "like", "a%"]]),
    "any": partner("search", [["parent_id", "any", [["email", "like", "a%"]]]]),
    "not any": partner("search", [["child_ids", "not any", [["email", "=", "a"]]]]),
    "derived in domain": partner("search", [["email_normalized", "like", "a%"]]),
    "related elsewhere": partner("search", [["user_ids.email", "like", "a%"]]),
    "order": partner("search", [], order="name, email desc"),
    "order by position": partner("search_read", [], ["name"], 0, 5, "email"),
    "groupby": partner("read_group", [], ["id:count"], ["email"]),
    "aggregate": partner("read_group", [], ["email:count_distinct"], ["type"]),
    "named aggregate": partner("read_group", [], ["n:max(email)"], ["type"]),
    "order of groups": partner(
        "read_group", [], ["n:max(id)"], ["type"], orderby="email desc"
    ),
    "name_search domain": partner("name_search", "a", [["email", "like", "a%"]]),
    "name_search domain by keyword": partner("name_search", args=[["email", "=", 1]]),
    "translations": partner("get_field_translations", [1], "email"),
    "written translations": partner(
        "update_field_translations", [1], "comment", {"en_US": "x"}
    ),
    "defaults": partner("default_get", ["email"]),
    "form values": partner("onchange", [1], {"email": "x"}, [], {"name": {}}),
    "form changed": partner("onchange", [1], {}, ["email"], {"name": {}}),
    "form fields": partner("onchange", [1], {}, [], {"email": {}}),
    "nested form fields": partner(
        "onchange", [1], {}, [], {"child_ids": {"fields": {"email": {}}}}
    ),
    "form lines": partner(
        "onchange", [1], {"child_ids": [[0, 0, {"email": "x"}]]}, [], {}
    ),
    "written": partner("write", [1], {"email": "x"}),
    "created": partner("create", {"name": "x", "email": "x"}),
    "created by keyword": partner("create", vals_list=[{"email": "x"}]),
    "copied": partner("copy", [1], {"email": "x"}),
    "written in a line": partner("write", [1], {"child_ids": [[1, 2, {"email": "x"}]]}),
    "created in a line": partner("write", [1], {"child_ids": [[0, 0, {"email": "x"}]]}),
    "export": partner("export_data", [1], ["name", "email"]),
    "export through a path": partner("export_data", [1], ["parent_id/email"]),
    "export through lines": partner("export_data", [1], ["child_ids/user_ids/email"]),
    "web_read": partner("web_read", [1], {"email": {}}),
    "web_read by keyword": partner("web_read", [1], specification={"email": {}}),
    "web_read inside": partner(
        "web_read", [1], {"parent_id": {"fields": {"email": {}}}}
    ),
    "web_read order": partner(
        "web_read", [1], {"child_ids": {"fields": {"name": {}}, "order": "email"}}
    ),
    "web_read context": partner(
        "web_read",
        [1],
        {
            "parent_id": {
                "fields": {"display_name": {}},
                "context": {"show_email": True},
            }
        },
    ),
    "web_search_read": partner("web_search_read", [], {"email": {}}),
    "web_search_read domain": partner("web_search_read", [["email", "=", "a"]], {}),
    "web_read_group": partner("web_read_group", [], [], ["email"]),
    "formatted_read_group": partner("formatted_read_group", [], ["email"], []),
    "having": partner(
        "formatted_read_group", [], [], [], having=[["email:max", "=", "a"]]
    ),
    "having by position": partner(
        "formatted_read_group", [], [], [], [["email:max", "=", "a"]]
    ),
    "read_progress_bar": partner(
        "read_progress_bar", [], "type", {"field": "email", "colors": {}}
    ),
    "web_save": partner("web_save", [1], {"email": "x"}, {}),
    "web_save answer": partner("web_save", [1], {"name": "x"}, {"email": {}}),
    "load": partner("load", ["name", "email"], [["x", "y"]]),
    "load lines": partner("load", ["name", "child_ids/email"], [["x", "y"]]),
    "unknown method": partner("frobnicate", [1], "email"),
    "unknown method, path": partner("frobnicate", [1], {"a": ["x", "parent_id.email"]}),
    "unknown method, key": partner("frobnicate", [1], x={"email": 1}),
    "unknown method, slashes": partner("frobnicate", [1], ["parent_id/email:x"]),
    "a field that is not there": partner("search", [["nothing", "=", 1]]),
    "masked in domain": partner("search", [["phone", "like", "1%"]]),
    "masked in order": partner("search", [], order="phone"),
    "masked in groups": partner("read_group", [], [], ["phone"]),
    "masked in export": partner("export_data", [1], ["phone"]),
    "masked, written": partner("write", [1], {"phone": "1"}),
    "masked through another": partner("search", [["user_ids.phone", "like", "1%"]]),
}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())
async def test_a_hidden_field_cannot_be_named_by_any_channel(
    odoo: Knowledge, probe: tuple[str, tuple[Any, ...], dict[str, Any]]
):
    method, args, kwargs = probe
    blind = await judged(odoo, "blind", "res.partner", method, *args, **kwargs)

    assert not blind.allowed


NOT_HIDDEN = {
    name: (method, args, kwargs)
    for name, (method, args, kwargs) in PROBES.items()
    if method != "frobnicate"
    and name not in ("a field that is not there", "web_read context")
}


@pytest.mark.parametrize("probe", NOT_HIDDEN.values(), ids=NOT_HIDDEN.keys())
async def test_the_same_is_allowed_where_nothing_is_hidden(
    odoo: Knowledge, probe: tuple[str, tuple[Any, ...], dict[str, Any]]
):
    method, args, kwargs = probe
    full = await judged(odoo, "full", "res.partner", method, *args, **kwargs)

    assert full.allowed, full.reason


FINE: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "read": partner("read", [1], ["name", "phone"]),
    "search": partner("search", [["parent_id.name", "like", "a%"]], order="name"),
    "groups": partner("read_group", [], ["id:count_distinct"], ["create_date:month"]),
    "ordered groups": partner(
        "read_group", [], ["n:max(id)"], ["type"], orderby="n desc, type"
    ),
    "write": partner("write", [1], {"name": "x", "child_ids": [[0, 0, {"name": "y"}]]}),
    "export": partner("export_data", [1], ["name", "parent_id/.id", "country_id"]),
    "load": partner("load", ["name", "parent_id/.id"], [["email", "1"]]),
    "web_read": partner("web_read", [1], {"parent_id": {"fields": {"name": {}}}}),
    "form": partner("onchange", [], {"name": "x"}, ["name"], {"name": {}}),
    "method": partner("frobnicate", [1], "ask for an email"),
    "names": partner("name_search", "a"),
}


@pytest.mark.parametrize("call", FINE.values(), ids=FINE.keys())
async def test_what_names_no_hidden_field_is_allowed(
    odoo: Knowledge, call: tuple[str, tuple[Any, ...], dict[str, Any]]
):
    method, args, kwargs = call
    decision = await judged(odoo, "blind", "res.partner", method, *args, **kwargs)

    assert decision.allowed, decision.reason


async def test_a_glob_allows_no_method_to_a_role_that_hides_something(odoo: Knowledge):
    decision = await judged(odoo, "blind", "crm.lead", "action_set_won", [1])
    assert "names without '*'" in decision.reason
    decision = await judged(odoo, "keeper", "crm.lead", "action_set_won", [1])
    assert decision.allowed


async def test_fields_of_other_models_that_show_a_hidden_one_are_hidden(
    odoo: Knowledge,
):
    for model, field in (
        ("res.users", "email"),  # related
        ("crm.lead", "email_from"),  # computed from it
        ("crm.lead", "email_normalized"),  # computed from that
        ("crm.lead", "phone"),  # computed from a masked one
    ):
        decision = await judged(odoo, "blind", model, "read", [1], [field])
        assert not decision.allowed, field
        assert "It shows" in decision.reason
    decision = await judged(odoo, "blind", "crm.lead", "read", [1], ["city", "name"])
    assert decision.allowed


async def test_all_fields_means_the_visible_ones(odoo: Knowledge):
    for method, args in (("read", ([1],)), ("search_read", ([],))):
        decision = await judged(odoo, "blind", "res.partner", method, *args)
        fields = decision.call.kwargs["fields"]
        assert {"name", "phone", "display_name"} <= set(fields)
        assert {"email", "comment", "email_normalized"}.isdisjoint(fields)
        assert decision.mask["phone"] is Masking.STARS
        assert decision.mask["email"] is Masking.DROP
        assert decision.mask["email_formatted"] is Masking.DROP


async def test_a_schema_is_asked_for_with_everything_hidden_in_its_mask(
    odoo: Knowledge,
):
    decision = await judged(odoo, "blind", "res.partner", "fields_get")

    hidden = {name for name, how in decision.mask.items() if how is Masking.DROP}
    assert {"email", "comment", "email_normalized", "email_formatted"} <= hidden
    assert decision.mask["phone"] is Masking.STARS
    assert "name" not in decision.mask


async def test_without_an_order_a_model_with_hidden_fields_is_sorted_by_id(
    odoo: Knowledge,
):
    decision = await judged(odoo, "blind", "res.partner", "search", [])
    assert decision.call.kwargs["order"] == "id"
    decision = await judged(odoo, "blind", "res.country", "search", [])
    assert "order" not in decision.call.kwargs


async def test_sorting_by_a_record_of_a_model_with_hidden_fields_is_refused(
    odoo: Knowledge,
):
    decision = await judged(odoo, "blind", "crm.lead", "search", [], order="partner_id")

    assert not decision.allowed


async def test_a_search_by_name_looks_at_the_name_alone(odoo: Knowledge):
    decision = await judged(odoo, "blind", "res.partner", "name_search", "x")
    assert decision.call == Call(
        "res.partner",
        "name_search",
        ("",),
        {"args": [["name", "ilike", "x"]], "limit": 100},
        Context(companies=(1,)),
    )
    decision = await judged(
        odoo, "blind", "res.partner", "search", [["display_name", "ilike", "x"]]
    )
    assert decision.call.args == ([["name", "ilike", "x"]],)
    decision = await judged(
        odoo, "blind", "crm.lead", "search", [["partner_id", "ilike", "x"]]
    )
    assert decision.call.args == ([["partner_id.name", "ilike", "x"]],)
    decision = await judged(
        odoo, "blind", "crm.lead", "search", [["partner_id.display_name", "=", "x"]]
    )
    assert decision.call.args == ([["partner_id.name", "=", "x"]],)
    decision = await judged(
        odoo,
        "blind",
        "crm.lead",
        "search",
        [["partner_id", "any", [["display_name", "=", "x"]]]],
    )
    assert decision.call.args == ([["partner_id", "any", [["name", "=", "x"]]]],)
    call = Call("res.partner", "name_search", ("x", [], "=", 5))
    decision = await ROLES.judge(principal("blind"), call, odoo)
    assert decision.call.args == ("", [["name", "=", "x"]], "=", 5)


async def test_a_hidden_name_hides_the_display_name_and_what_shows_it(odoo: Knowledge):
    for method, args in (
        ("read", ([1], ["display_name"])),
        ("read", ([1], ["complete_name"])),
        ("search", ([["display_name", "=", "x"]],)),
        ("name_search", ("x",)),
        ("name_search", ()),
    ):
        decision = await judged(odoo, "nameless", "res.partner", method, *args)
        assert not decision.allowed, (method, args)
    for model, method, args in (
        ("crm.lead", "search", ([["partner_id", "ilike", "x"]],)),
        ("res.users", "read", ([1], ["name"])),
        ("res.users", "read", ([1], ["display_name"])),
        ("crm.lead", "export_data", ([1], ["partner_id"])),
        ("crm.lead", "web_read", ([1], {"partner_id": {"fields": {"name": {}}}})),
    ):
        decision = await judged(odoo, "nameless", model, method, *args)
        assert not decision.allowed, (model, method, args)


async def test_records_whose_names_are_hidden_are_shown_by_their_ids(odoo: Knowledge):
    fields = ["name", "partner_id", "user_id", "team_id"]
    decision = await judged(odoo, "nameless", "crm.lead", "read", [1], fields)
    assert decision.mask == {
        "partner_id": Masking.UNNAME,
        "user_id": Masking.UNNAME,
    }
    decision = await judged(odoo, "nameless", "crm.lead", "get_metadata", [1])
    assert decision.mask == {
        "create_uid": Masking.UNNAME,
        "write_uid": Masking.UNNAME,
    }
    decision = await judged(
        odoo, "nameless", "crm.lead", "read_group", [], [], ["partner_id"]
    )
    assert decision.mask["partner_id"] is Masking.UNNAME


async def test_a_rule_may_show_the_display_name_all_the_same(odoo: Knowledge):
    decision = await judged(odoo, "named", "res.partner", "read", [1], ["display_name"])
    assert decision.allowed
    decision = await judged(odoo, "named", "res.partner", "name_search", "x")
    assert not decision.allowed  # nothing that is open to search in


async def test_answers_of_forms_are_masked_inside(odoo: Knowledge):
    spec: dict[str, Any] = {
        "phone": {},
        "child_ids": {"fields": {"name": {}, "phone": {}}},
    }
    stars = {"phone": Masking.STARS, "child_ids": {"phone": Masking.STARS}}

    decision = await judged(odoo, "blind", "res.partner", "web_read", [1], spec)
    assert decision.mask == stars
    decision = await judged(odoo, "blind", "res.partner", "web_search_read", [], spec)
    assert decision.mask == {"records": stars}
    decision = await judged(odoo, "blind", "res.partner", "onchange", [1], {}, [], spec)
    assert decision.mask == {"value": stars}


async def test_attachments_of_fields_are_closed_where_fields_are_hidden(
    odoo: Knowledge,
):
    decision = await judged(odoo, "blind", "ir.attachment", "read", [1], ["datas"])
    assert decision.require == (
        Requirement("ir.attachment", (1,), (["res_field", "=", False],)),
    )
    decision = await judged(
        odoo, "blind", "ir.attachment", "search", [["res_field", "!=", False]]
    )
    assert decision.call.args[0][-1] == ["res_field", "=", False]
    assert decision.call.args[0][0] == "&"
    values = {"name": "x", "res_field": "image_1920"}
    decision = await judged(odoo, "blind", "ir.attachment", "create", values)
    assert not decision.allowed
    decision = await judged(odoo, "blind", "ir.attachment", "create", {"name": "x"})
    assert decision.allowed, decision.reason
    decision = await judged(odoo, "full", "ir.attachment", "read", [1], ["datas"])
    assert decision.require == ()


async def test_tracked_values_are_closed_where_fields_are_hidden(odoo: Knowledge):
    model = "mail.tracking.value"

    decision = await judged(odoo, "blind", model, "read", [1], ["old_value_char"])
    assert decision.rule == "sensitive-model"
    decision = await judged(odoo, "full", model, "read", [1], ["old_value_char"])
    assert decision.allowed


class Told:
    """What a few made-up models look like."""

    def __init__(self, **models: dict[str, dict[str, Any]]) -> None:
        self.models = models

    async def schema(self, model: str) -> ModelSchema:
        return ModelSchema.from_wire(model, self.models[model.replace(".", "_")])

    async def uid(self) -> int:
        return 2


def char(**more: Any) -> dict[str, Any]:
    return {"type": "char", "depends": [], **more}


def many2one(relation: str) -> dict[str, Any]:
    return {"type": "many2one", "relation": relation, "depends": []}


async def dropped(odoo: Told, role: str, model: str) -> set[str]:
    call = Call(model, "fields_get", context=Context(companies=(1,)))
    return set((await ROLES.judge(principal(role), call, odoo)).mask)


async def test_what_shows_a_hidden_field_is_hidden_as_well():
    odoo = Told(
        res_partner={"email": char(), "age": {"type": "integer"}},
        x_x={
            "partner_id": many2one("res.partner"),
            "related": char(related="partner_id.email"),
            "copied": char(depends=["partner_id.email"]),
            "again": char(depends=["copied"]),
            "count": {"type": "integer", "depends": ["partner_id.email"]},
            "other": char(depends=["partner_id.age"]),
        },
    )

    assert await dropped(odoo, "blind", "x.x") == {"related", "copied", "again"}


async def test_fields_that_show_one_another_in_a_circle_are_all_hidden():
    odoo = Told(
        res_partner={
            "one": char(depends=["another", "email"]),
            "another": char(depends=["one"]),
            "email": char(),
        }
    )

    assert await dropped(odoo, "blind", "res.partner") == {"one", "another", "email"}


async def test_a_display_name_made_from_a_hidden_one_is_hidden():
    odoo = Told(
        res_partner={"display_name": char(depends=["ref"])},
        x_x={
            "partner_id": many2one("res.partner"),
            "display_name": char(depends=["partner_id"]),
        },
        account_move={"ref": char(), "display_name": char(depends=["state"])},
    )

    assert await dropped(odoo, "unnamed", "x.x") == {"display_name"}
    hides_ref = Roles.parse(
        {
            "a": {
                "rules": [
                    {"models": ["account.move"], "allow": ["read"], "hide": ["ref"]}
                ]
            }
        }
    )
    call = Call("account.move", "fields_get")
    decision = await hides_ref.judge(principal("a"), call, odoo)
    assert set(decision.mask) == {"ref", "display_name"}


async def test_a_name_that_is_hidden_by_itself_is_not_searched(odoo: Knowledge):
    for model, term in (
        ("res.partner", ["display_name", "ilike", "x"]),
        ("crm.lead", ["partner_id", "ilike", "x"]),
    ):
        assert not (await judged(odoo, "unnamed", model, "search", [term])).allowed


async def test_a_hierarchy_is_not_walked_along_a_hidden_field(odoo: Knowledge):
    for model, path in (("res.partner", "id"), ("x.x", "partner_id")):
        told = Told(
            res_partner={"id": {"type": "integer"}, "parent_id": char()},
            x_x={"partner_id": many2one("res.partner")},
        )
        call = Call(model, "search", ([[path, "child_of", 1]],))
        assert not (await ROLES.judge(principal("shy"), call, told)).allowed


async def test_a_path_needs_the_right_to_read_each_model(odoo: Knowledge):
    domain = [["country_id.code", "=", "BE"]]
    decision = await judged(odoo, "shy", "res.partner", "search", domain)

    assert decision.reason == "The role 'shy' may not read 'res.country'."


async def test_a_method_that_writes_needs_the_right_to_write(odoo: Knowledge):
    for method, args in (
        ("web_save", ([1], {"name": "x"}, {})),
        ("web_save", ([], {"name": "x"}, {})),
        ("load", (["name"], [["x"]])),
        ("web_override_translations", ([1], {"comment": "x"})),
    ):
        decision = await judged(odoo, "shy", "res.partner", method, *args)
        assert decision.rule == "shy/1", method
        assert "no rule of it allows that" in decision.reason


async def test_what_a_reference_refers_to_is_not_read_along():
    told = Told(x_x={"ref": {"type": "reference"}})
    specification = {"ref": {"fields": {"name": {}}}}
    call = Call("x.x", "web_read", ([1], specification))

    for role in ("shy", "full"):
        assert not (await ROLES.judge(principal(role), call, told)).allowed


async def test_files_and_forms_do_not_lead_out_of_what_is_required(odoo: Knowledge):
    lines = {"opportunity_ids": {"fields": {"display_name": {}}}}
    for method, args in (
        ("load", (["name", "opportunity_ids/.id"], [["x", "1"]])),
        ("load", (["name", "opportunity_ids"], [["x", "y"]])),
        ("load", (["name", "opportunity_ids/name"], [["x", "y"]])),
        ("load", (["name", "sale_order_ids/name"], [["x", "y"]])),
        ("export_data", ([1], ["opportunity_ids/name"])),
        ("web_read", ([1], lines)),
    ):
        decision = await judged(odoo, "loader", "res.partner", method, *args)
        assert not decision.allowed, (method, args)
    columns = ["name", "category_id/.id", "child_ids/name"]
    decision = await judged(odoo, "loader", "res.partner", "load", columns, [])
    assert decision.allowed, decision.reason


# Records


async def test_a_search_is_kept_to_the_required_domain(odoo: Knowledge):
    own = ["user_id", "=", odoo.session.uid]
    other = ["name", "=", "x"]
    for method, args, kwargs, found in (
        ("search", ([other],), {}, "args"),
        ("search_read", ([other], ["name"]), {}, "args"),
        ("search_count", ([other],), {}, "args"),
        ("read_group", ([other], [], ["name"]), {}, "args"),
        ("search", (), {"domain": [other]}, "domain"),
        ("name_search", ("y",), {"args": [other]}, "args="),
    ):
        decision = await judged(odoo, "seller", "crm.lead", method, *args, **kwargs)
        sent = decision.call
        domain = (
            sent.args[0]
            if found == "args"
            else sent.kwargs["domain" if found == "domain" else "args"]
        )
        assert domain == ["&", other, own], method
    decision = await judged(odoo, "seller", "crm.lead", "search_count")
    assert decision.call.kwargs == {"domain": [own]}
    decision = await judged(odoo, "seller", "crm.lead", "name_search")
    assert decision.call.kwargs["args"] == [own]


async def test_an_or_does_not_lead_out_of_the_required_domain(odoo: Knowledge):
    domain = ["|", ["id", "=", 1], ["id", "!=", 1]]
    decision = await judged(odoo, "seller", "crm.lead", "search", domain)

    assert decision.call.args[0] == [
        "&",
        *domain,
        ["user_id", "=", odoo.session.uid],
    ]


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("read", ([3, 4], ["name"])),
        ("write", ([3, 4], {"name": "x"})),
        ("unlink", ([3, 4],)),
        ("action_archive", ([3, 4],)),
        ("copy", ([3, 4], {"user_id": 2})),
        ("get_metadata", ([3, 4],)),
        ("onchange", ([3, 4], {}, [], {})),
        ("action_set_won", ([3, 4],)),
        ("message_post", ([3, 4],)),
        ("export_data", ([3, 4], ["name"])),
        ("get_field_translations", ([3, 4], "name")),
        ("has_access", ([3, 4], "read")),
        ("web_save", ([3, 4], {"name": "x"}, {})),
    ],
)
async def test_records_named_by_id_must_fit_the_required_domain(
    odoo: Knowledge, method: str, args: tuple[Any, ...]
):
    assert odoo.session.uid == 2
    decision = await judged(odoo, "seller", "crm.lead", method, *args)

    assert decision.allowed, decision.reason
    assert decision.require == (
        Requirement("crm.lead", (3, 4), (["user_id", "=", 2],)),
    )
    assert decision.rule == "seller/own-leads"
    assert decision.changes


@pytest.mark.parametrize(
    ("method", "args", "allowed"),
    [
        ("create", ({"name": "x", "user_id": 2},), True),
        ("create", ({"name": "x"},), False),
        ("create", ({"name": "x", "user_id": 6},), False),
        ("create", ({"name": "x", "user_id": False},), False),
        ("create", ({"name": "x", "user_id": "2"},), False),
        ("create", ([{"user_id": 2}, {"user_id": 6}],), False),
        ("write", ([3], {"name": "x"}), True),
        ("write", ([3], {"user_id": 2}), True),
        ("write", ([3], {"user_id": 6}), False),
        ("write", ([3], {"user_id": None}), False),
        ("copy", ([3],), False),
        ("copy", ([3], {"name": "x"}), False),
        ("copy", ([3], {"user_id": 2}), True),
        ("name_create", ("x",), False),
        ("load", (["name"], [["x"]]), False),
        ("web_save", ([], {"name": "x"}, {}), False),
        ("web_save", ([], {"name": "x", "user_id": 2}, {}), True),
        ("message_post", (), False),
        ("message_post", (["3"],), False),
        ("message_post", ("3",), False),
        ("action_set_won", (), True),
        ("action_set_won", ("3",), False),
        ("action_set_won", (["3"],), False),
        ("action_set_won", ([3.0],), False),
        ("action_set_lost", ([3],), False),
    ],
)
async def test_records_are_made_and_changed_only_within_the_required_domain(
    odoo: Knowledge, method: str, args: tuple[Any, ...], allowed: bool
):
    decision = await judged(odoo, "seller", "crm.lead", method, *args)

    assert decision.allowed is allowed, decision.reason


async def test_a_refused_create_says_which_field_to_give(odoo: Knowledge):
    decision = await judged(odoo, "seller", "crm.lead", "create", {"name": "x"})

    assert decision.reason == (
        "The role 'seller' may only create 'crm.lead' records with user_id = 2: "
        "give 'user_id' such a value."
    )


async def test_a_value_that_may_be_right_is_not_called_wrong(odoo: Knowledge):
    roles = Roles.parse(
        {
            "r": {
                "rules": [
                    {
                        "models": ["res.partner"],
                        "allow": ["create"],
                        "domain": [["name", "ilike", "shop"]],
                    }
                ]
            }
        }
    )
    who = Principal("k", "k", "r", LOGIN)

    async def reason(values: dict[str, Any]) -> str:
        call = Call("res.partner", "create", (values,))
        return (await roles.judge(who, call, odoo)).reason

    assert await reason({"name": "My Shop"}) == ""
    assert "the values alone do not tell" in await reason({"name": "caf\u00e9"})
    assert "the values alone do not tell" not in await reason({"comment": "x"})


@pytest.mark.parametrize(
    ("role", "key", "refused"),
    [
        ("teller", "show_email", True),
        ("teller", "sale_show_partner_name", True),
        ("teller", "lang_of_x", True),
        ("teller", "mail_create_nolog", False),
        ("open", "show_email", False),
    ],
)
async def test_a_role_that_hides_may_not_set_what_makes_names_tell_more(
    odoo: Knowledge, role: str, key: str, refused: bool
):
    named = ["show_email", "sale_show_partner_name", "mail_create_nolog", "lang_*"]
    rule = {"models": ["res.partner"], "allow": ["read"]}
    roles = Roles.parse(
        {
            "teller": {"context": named, "rules": [{**rule, "hide": ["email"]}]},
            "open": {"context": named, "rules": [rule]},
        }
    )
    call = Call(
        "res.partner",
        "read",
        ([1], ["display_name"]),
        context=Context(extra=((key, True),)),
    )
    decision = await roles.judge(Principal("k", "k", role, LOGIN), call, odoo)

    assert (decision.rule == "context") is refused


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"user_id": 2, "type": "contact"}, True),
        ({"user_id": 2, "active": True}, True),
        ({"user_id": 2, "type": "other", "active": False}, False),
        ({"user_id": 2}, False),
    ],
)
async def test_each_condition_must_be_decided(
    odoo: Knowledge, values: dict[str, Any], allowed: bool
):
    decision = await judged(odoo, "own", "res.partner", "create", values)

    assert decision.allowed is allowed


async def test_archiving_counts_as_writing_active(odoo: Knowledge):
    assert not (await judged(odoo, "own", "res.partner", "action_archive", [1])).allowed
    assert (await judged(odoo, "own", "res.partner", "action_unarchive", [1])).allowed


@pytest.mark.parametrize(
    "domain",
    [
        [["opportunity_ids.name", "like", "a%"]],
        [["opportunity_ids", "any", [["id", "=", 1]]]],
        [["parent_id.opportunity_ids.name", "=", "x"]],
    ],
)
async def test_a_path_does_not_look_at_records_outside_of_what_is_required(
    odoo: Knowledge, domain: list[Any]
):
    decision = await judged(odoo, "seller", "res.partner", "search", domain)

    assert not decision.allowed
    assert decision.rule == "seller/own-leads"


async def test_records_that_values_point_to_must_fit_too(odoo: Knowledge):
    wanted = Requirement("crm.lead", (9,), (["user_id", "=", 2],))
    for values in (
        {"opportunity_id": 9},
        {"opportunity_id": [9, "x"]},
    ):
        decision = await judged(odoo, "seller", "sale.order", "write", [1], values)
        assert decision.require == (wanted,), decision.reason
    decision = await judged(
        odoo, "seller", "sale.order", "onchange", [], {"opportunity_id": 9}, [], {}
    )
    assert decision.require == (wanted,)
    for command in ([4, 9], [1, 9, {"name": "x"}], [2, 9], [3, 9]):
        decision = await judged(
            odoo, "seller", "res.partner", "write", [1], {"opportunity_ids": [command]}
        )
        assert decision.require == (wanted,), decision.reason


async def test_references_and_the_next_record_must_fit_too(odoo: Knowledge):
    told = Told(x_x={"ref": {"type": "reference"}, "lead_id": many2one("crm.lead")})
    call = Call("x.x", "write", ([1], {"ref": "crm.lead,9"}))
    decision = await ROLES.judge(principal("loader"), call, told)
    assert decision.require == (Requirement("crm.lead", (9,), (["user_id", "=", 2],)),)
    call = Call("x.x", "write", ([1], {"lead_id": "9"}))
    assert not (await ROLES.judge(principal("loader"), call, told)).allowed
    decision = await judged(
        odoo, "seller", "crm.lead", "web_save", [3], {"name": "x"}, {}, 9
    )
    assert [wanted.ids for wanted in decision.require] == [(3,), (9,)]


async def test_records_in_records_end_somewhere(odoo: Knowledge):
    values: dict[str, Any] = {"name": "x"}
    for _ in range(30):
        values = {"child_ids": [[0, 0, values]]}

    decision = await judged(odoo, "full", "res.partner", "create", values)
    assert decision.rule == "shape"


@pytest.mark.parametrize(
    ("domain", "values", "answer"),
    [
        ([["a", "=", 7]], {"a": 7}, True),
        ([["a", "=", 7]], {"a": 8}, False),
        ([["a", "=", 7]], {}, None),
        ([["a", "!=", 7]], {"a": "7"}, None),
        ([["a", "!=", 1]], {"a": True}, None),
        ([["a", "!=", 0]], {"a": False}, None),
        ([["a", "=", False]], {"a": None}, True),
        ([["a", "=", False]], {"a": ""}, None),
        ([["a", "!=", False]], {"a": 7}, True),
        ([["a", "in", [7, 8]]], {"a": 8}, True),
        ([["a", "in", [7, 8]]], {"a": 9}, False),
        ([["a", "not in", [7, 8]]], {"a": "8"}, None),
        ([["a", "not in", [7, 8]]], {"a": 9}, True),
        ([["a", ">", 7]], {"a": 9}, True),
        ([["a", "<=", 7]], {"a": 9}, False),
        ([["a", ">", 7]], {"a": "9"}, None),
        ([["a", "=like", "ST%"]], {"a": "STxy"}, True),
        ([["a", "=like", "ST_"]], {"a": "STxy"}, False),
        ([["a", "like", "T.x"]], {"a": "STxy"}, False),
        ([["a", "ilike", "tX"]], {"a": "STxy"}, True),
        ([["a", "ilike", "\u00e9"]], {"a": "e"}, None),
        ([["a", "not like", "x"]], {"a": "e"}, None),
        ([["a", "=", 7]], {"a": [7, "x"]}, None),
        ([["a.b", "=", 7]], {"a": 7}, None),
        (["!", ["a", "=", 7]], {"a": 8}, True),
        (["!", ["a", "=", 7]], {}, None),
        (["|", ["a", "=", 7], ["b", "=", 7]], {"b": 7}, True),
        (["|", ["a", "=", 7], ["b", "=", 7]], {"b": 8}, None),
        (["|", ["a", "=", 7], ["b", "=", 7]], {"a": 8, "b": 8}, False),
        ([["a", "=", 7], ["b", "=", 7]], {"b": 8}, False),
        ([["a", "=", 7], ["b", "=", 7]], {"b": 7}, None),
        ([], {}, True),
    ],
)
def test_values_decide_a_domain_only_where_that_is_certain(
    domain: list[Any], values: dict[str, Any], answer: object
):
    assert decided(Domain.parse(domain), values) is answer


@pytest.mark.parametrize(
    "command",
    [
        [0, 0, {"name": "x"}],
        [0, 0, {"name": "x", "user_id": 6}],
        [1, 9, {"user_id": 6}],
        [5],
        [6, 0, [9]],
    ],
)
async def test_lines_cannot_lead_out_of_what_is_required(
    odoo: Knowledge, command: list[Any]
):
    values = {"opportunity_ids": [command]}
    decision = await judged(odoo, "seller", "res.partner", "write", [1], values)

    assert not decision.allowed


async def test_the_first_rule_that_fits_decides(odoo: Knowledge):
    decision = await judged(odoo, "seller", "crm.lead", "read", [1], ["name"])
    assert decision.rule == "seller/own-leads"
    decision = await judged(odoo, "seller", "res.country", "read", [1], ["name"])
    assert decision.rule == "role-editor"
    decision = await judged(odoo, "named", "res.country", "read", [1], ["name"])
    assert decision.rule == "no-rule"


async def test_every_operation_has_a_role_that_may():
    full = ROLES.get("full")
    assert full is not None
    assert full.operations == set(Operation)
    assert ROLES.operations_of(principal("reader")) == {Operation.READ}
    assert ROLES.operations_of(principal("gone")) == set()


class Renewed:
    """An ``OdooKnowledge`` whose schemas a test changes."""

    def __init__(self, **models: dict[str, dict[str, Any]]) -> None:
        self.models = {
            name.replace("_", "."): ModelSchema.from_wire(name.replace("_", "."), wire)
            for name, wire in models.items()
        }

    async def schema(self, model: str) -> ModelSchema:
        return self.models[model]

    async def uid(self) -> int:
        return 2


async def test_what_is_hidden_by_a_schema_that_changes_is_found_out_anew():
    char = {"type": "char"}
    link = {"type": "many2one", "relation": "x.other"}
    via = {"type": "char", "related": "link.copy"}
    roles = Roles.parse(
        {"r": {"rules": [{"models": ["x.*"], "allow": ["read"], "hide": ["secret"]}]}}
    )
    who = Principal("k", "k", "r", LOGIN)
    call = Call("x.one", "read", ([1], ["shown"]))
    odoo = Renewed(
        x_one={"link": link, "shown": via},
        x_other={"copy": char, "secret": char},
    )
    assert (await roles.judge(who, call, odoo)).allowed

    other = {"copy": {"type": "char", "related": "secret"}, "secret": char}
    odoo.models["x.other"] = ModelSchema.from_wire("x.other", other)
    assert not (await roles.judge(who, call, odoo)).allowed


@pytest.mark.parametrize(("hide", "allowed"), [(["email"], False), (["phone"], True)])
async def test_an_address_that_was_copied_into_a_message_is_hidden_with_its_source(
    hide: list[str], allowed: bool
):
    char = {"type": "char"}
    roles = Roles.parse(
        {
            "r": {
                "rules": [
                    {"models": ["res.partner"], "allow": ["read"], "hide": hide},
                    {"models": ["mail.message"], "allow": ["read"]},
                ]
            }
        }
    )
    odoo = Renewed(
        mail_message={"email_from": char, "body": char},
        res_partner={"email": char, "phone": char},
    )
    who = Principal("k", "k", "r", LOGIN)
    call = Call("mail.message", "read", ([1], ["email_from"]))
    assert (await roles.judge(who, call, odoo)).allowed is allowed
