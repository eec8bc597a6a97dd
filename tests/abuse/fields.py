"""Hidden fields, by every channel that could show or change them."""

from collections.abc import Iterator

from odooport import Call, Context
from tests.abuse.abuses import (
    REQUEST,
    ROLE,
    SIGHT,
    Abuse,
    Refusal,
    at_gate,
    everywhere,
)

PARTNER = "res.partner"
ANY = "a@example.com"


def fields() -> Iterator[Abuse]:
    """Answer every abuse of this kind."""
    yield from by_domain()
    yield from by_order()
    yield from by_group()
    yield from by_path()
    yield from by_export()
    yield from by_method()
    yield from by_default()
    yield from by_arguments()
    yield from sensitive()


def _search(
    kind: str,
    route: str,
    refusal: Refusal = SIGHT,
    *,
    model: str = PARTNER,
    **more: object,
) -> list[Abuse]:
    return everywhere(
        kind, route, "clerk", "search_records", refusal, model=model, **more
    )


def _groups(
    kind: str,
    route: str,
    refusal: Refusal = SIGHT,
    *,
    model: str = PARTNER,
    **more: object,
) -> list[Abuse]:
    return everywhere(
        kind, route, "clerk", "aggregate_records", refusal, model=model, **more
    )


def _call(
    kind: str, route: str, method: str, refusal: Refusal = ROLE, **more: object
) -> list[Abuse]:
    return everywhere(
        kind,
        route,
        "clerk",
        "call_method",
        refusal,
        model=PARTNER,
        method=method,
        **more,
    )


def _gate(
    kind: str,
    route: str,
    method: str,
    *args: object,
    model: str = PARTNER,
    **kw: object,
) -> list[Abuse]:
    return at_gate(
        kind, route, "clerk", ROLE, lambda world: Call(model, method, args, kw)
    )


def by_domain() -> Iterator[Abuse]:
    """Answer domains that guess."""
    kind = "hidden field by domain"
    yield from _search(kind, "a term", domain=[["email", "=like", "a%"]])
    yield from _search(
        kind,
        "behind operators",
        domain=["|", ["id", "=", 0], "!", ["email", "=", False]],
    )
    yield from _search(
        kind, "in a sub-domain", domain=[["child_ids", "any", [["email", "=", ANY]]]]
    )
    yield from _search(kind, "as JSON text", domain='[["email","ilike","example"]]')
    yield from _search(
        kind, "a field that copies it", domain=[["email_normalized", "=", ANY]]
    )
    yield from _search(kind, "a masked field", SIGHT, domain=[["phone", "like", "+32"]])
    yield from _groups(kind, "in a count", domain=[["email", "=", ANY]])
    yield from _gate(kind, "past the doors", "search_count", [["email", "=", ANY]])
    yield from _gate(
        kind,
        "past the doors, in a sub-domain",
        "search",
        [["child_ids", "any", [["email", "=", ANY]]]],
    )
    yield from _gate(
        kind,
        "past the doors, in a search by name",
        "name_search",
        "",
        [["email", "=", ANY]],
    )


def by_order() -> Iterator[Abuse]:
    """Answer orders that tell which value is larger."""
    kind = "hidden field by order"
    yield from _search(kind, "alone", order="email")
    yield from _search(kind, "behind another", order="name, email desc")
    yield from _search(kind, "a masked field", SIGHT, order="phone")
    yield from _search(
        kind, "a model that is sorted by it", ROLE, model="crm.lead", order="partner_id"
    )
    yield from _gate(kind, "past the doors", "search", [], order="email desc")
    yield from _gate(
        kind,
        "past the doors, of groups",
        "read_group",
        [],
        ["n:count(email)"],
        ["country_id"],
        orderby="n",
    )


def by_group() -> Iterator[Abuse]:
    """Answer groups that show each value."""
    kind = "hidden field by group"
    yield from _groups(kind, "grouped by", groupby=["email"])
    yield from _groups(
        kind, "aggregated", groupby=["country_id"], aggregates=["email:count_distinct"]
    )
    yield from _groups(kind, "by what copies it", groupby=["email_normalized"])
    yield from _groups(kind, "by a masked field", SIGHT, groupby=["phone"])
    yield from _gate(kind, "past the doors", "read_group", [], [], ["email"])
    yield from _gate(
        kind, "past the doors, aggregated", "read_group", [], ["email:max"], []
    )
    yield from _gate(
        kind,
        "past the doors, a bar of progress",
        "read_progress_bar",
        [],
        "country_id",
        {"field": "email"},
    )


def by_path() -> Iterator[Abuse]:
    """Answer paths that lead to it through other records."""
    kind = "hidden field by dotted path"
    yield from _search(kind, "in a domain", domain=[["parent_id.email", "=", ANY]])
    yield from _search(
        kind,
        "from another model",
        model="crm.lead",
        domain=[["partner_id.email", "=", ANY]],
    )
    yield from _search(
        kind,
        "of two steps, in a sub-domain",
        model="sale.order",
        domain=[["partner_id", "any", [["parent_id.email", "=", ANY]]]],
    )
    yield from _search(
        kind, "among the fields", REQUEST, model="crm.lead", fields=["partner_id.email"]
    )
    yield from _gate(
        kind,
        "past the doors, in a domain",
        "search_count",
        [["partner_id.parent_id.email", "!=", False]],
        model="crm.lead",
    )
    yield from _groups(kind, "in a group", REQUEST, groupby=["parent_id.email"])
    yield from _call(
        kind,
        "in a group, by a method that takes one",
        "formatted_read_group",
        args=[[], ["parent_id.email"], ["__count"]],
    )
    yield from _call(
        kind,
        "in an aggregate, by a method that takes one",
        "formatted_read_group",
        kwargs={"groupby": ["country_id"], "aggregates": ["parent_id.email:max"]},
    )
    yield from _gate(
        kind, "past the doors, in a group", "read_group", [], [], ["parent_id.email"]
    )
    yield from _gate(
        kind, "past the doors, in a part of it", "read_group", [], [], ["email.domain"]
    )


def by_export() -> Iterator[Abuse]:
    """Answer exports and imports that name it."""
    kind = "hidden field by export"
    method = "export_data"
    yield from _call(kind, "alone", method, ids=[1], args=[["id", "email"]])
    yield from _call(
        kind, "through a parent", method, ids=[1], args=[["parent_id/email"]]
    )
    yield from _call(
        kind, "through children", method, ids=[1], args=[["name", "child_ids/email"]]
    )
    yield from _call(
        kind, "the other way, an import", "load", args=[["id", "email"], [["x", ANY]]]
    )
    yield from _call(
        kind,
        "an import through children",
        "load",
        args=[["name", "child_ids/email"], [["x", ANY]]],
    )
    yield from _gate(kind, "past the doors", method, [1], ["parent_id/parent_id/email"])


def by_method() -> Iterator[Abuse]:
    """Answer methods that read, write or return it."""
    kind = "hidden field by method"
    yield from _call(
        kind, "one that nobody has named", "message_get_suggested_recipients", ids=[1]
    )
    yield from _call(
        kind,
        "one that has a tool of its own",
        "read",
        REQUEST,
        ids=[1],
        args=[["email"]],
    )
    yield from everywhere(
        kind,
        "one that only a glob names",
        "clerk",
        "call_method",
        ROLE,
        model="crm.lead",
        method="action_set_won",
        ids=[1],
    )
    yield from _call(
        kind,
        "a named one, with the field among its arguments",
        "message_post",
        ids=[1],
        kwargs={"body": "x", "context_fields": ["email"]},
    )
    yield from _call(
        kind,
        "a named one, with a path among its arguments",
        "message_post",
        ids=[1],
        kwargs={"body": "x", "model_field": {"partner": ["parent_id.email"]}},
    )
    yield from _call(
        kind,
        "overriding translations",
        "web_override_translations",
        ids=[1],
        args=[{"email": ANY}],
    )
    yield from _gate(
        kind, "past the doors, a specification", "web_read", [1], {"email": {}}
    )
    yield from _gate(
        kind,
        "past the doors, a form",
        "onchange",
        [],
        {},
        [],
        {"parent_id": {"fields": {"email": {}}}},
    )
    yield from everywhere(
        kind,
        "a form that fills it in",
        "clerk",
        "preview_values",
        SIGHT,
        model=PARTNER,
        values={"email": ANY},
    )
    yield from everywhere(
        kind,
        "a copy with another value",
        "clerk",
        "copy_record",
        SIGHT,
        model=PARTNER,
        id=1,
        values={"email": ANY},
    )


def by_default() -> Iterator[Abuse]:
    """Answer contexts that write it."""
    kind = "hidden field by default_ context"
    extra = {"extra": {"default_email": ANY}}
    record = {"name": "Mallory"}
    yield from everywhere(
        kind,
        "of a new record",
        "clerk",
        "create_records",
        ROLE,
        context=extra,
        model=PARTNER,
        records=[record],
    )
    yield from everywhere(
        kind,
        "of a copy",
        "clerk",
        "copy_record",
        ROLE,
        context=extra,
        model=PARTNER,
        id=1,
        values={},
    )
    yield from everywhere(
        kind,
        "of a form",
        "clerk",
        "preview_values",
        ROLE,
        context=extra,
        model=PARTNER,
        values=record,
    )
    yield from everywhere(
        kind,
        "of a masked field",
        "clerk",
        "create_records",
        ROLE,
        context={"extra": {"default_phone": "+32 2 290 34 90"}},
        model=PARTNER,
        records=[record],
    )
    yield from everywhere(
        kind,
        "by a role that has no such keys",
        "full",
        "create_records",
        ROLE,
        context={"extra": {"default_comment": "x"}},
        model=PARTNER,
        records=[record],
    )
    context = Context(extra=(("default_email", ANY),))
    yield from at_gate(
        kind,
        "past the doors",
        "clerk",
        ROLE,
        lambda world: Call(PARTNER, "create", (record,), context=context),
    )
    yield from at_gate(
        kind,
        "past the doors, of defaults",
        "clerk",
        ROLE,
        lambda world: Call(PARTNER, "default_get", (["name"],), context=context),
    )


def by_arguments() -> Iterator[Abuse]:
    """Answer the same by position, by keyword and by both."""
    kind = "hidden field by position or keyword"
    method = "export_data"
    yield from _call(kind, "by position", method, ids=[1], args=[["email"]])
    yield from _call(
        kind, "by keyword", method, ids=[1], kwargs={"fields_to_export": ["email"]}
    )
    yield from _call(
        kind,
        "by both",
        method,
        REQUEST,
        ids=[1],
        args=[["name"]],
        kwargs={"fields_to_export": ["email"]},
    )
    yield from _call(
        kind,
        "by a keyword that is none",
        method,
        REQUEST,
        ids=[1],
        args=[["name"]],
        kwargs={"fields": ["email"]},
    )
    yield from _gate(kind, "past the doors, by position", "search_read", [], ["email"])
    yield from _gate(
        kind, "past the doors, by keyword", "search_read", fields=["email"]
    )
    yield from _gate(
        kind,
        "past the doors, one of each",
        "search_read",
        [["name", "=", "x"]],
        order="email",
    )


def sensitive() -> Iterator[Abuse]:
    """Answer what holds Odoo's own secrets and rights, for the role that may most."""
    kind = "secret or right of Odoo"

    def ask(route: str, tool: str, model: str, **more: object) -> list[Abuse]:
        refusal = SIGHT if "password" in route else ROLE
        return everywhere(kind, route, "full", tool, refusal, model=model, **more)

    yield from ask("a model of secrets", "search_records", "ir.config_parameter")
    yield from ask(
        "a model that runs code",
        "create_records",
        "ir.cron",
        records=[{"name": "x", "code": "x"}],
    )
    yield from ask(
        "a password, by a domain",
        "search_records",
        "res.users",
        domain=[["password", "=", "x"]],
    )
    yield from ask(
        "a password, written on a user",
        "update_records",
        "res.users",
        ids=[2],
        values={"password": "x"},
    )
    yield from ask(
        "another login, written on a user",
        "update_records",
        "res.users",
        ids=[2],
        values={"login": "mallory"},
    )
    yield from ask(
        "a group, given to a user inside of a contact",
        "update_records",
        PARTNER,
        ids=[3],
        values={"user_ids": [[0, 0, {"login": "x", "groups_id": [[4, 1, 0]]}]]},
    )
    yield from ask(
        "a method that installs code",
        "call_method",
        "ir.module.module",
        method="button_immediate_install",
        ids=[1],
    )
    yield from at_gate(
        kind,
        "past the doors, a password",
        "full",
        ROLE,
        lambda world: Call("res.users", "read", ([2], ["password"])),
    )
    yield from at_gate(
        kind,
        "past the doors, a password, by a path",
        "full",
        ROLE,
        lambda world: Call(PARTNER, "search", ([["user_ids.password", "!=", False]],)),
    )
