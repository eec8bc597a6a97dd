"""Records that are not theirs, writes inside of writes, and methods that are none."""

from collections.abc import Callable, Iterator
from typing import Any

from odooport import Call
from tests.abuse.abuses import (
    MCP,
    RECORDS,
    REQUEST,
    REST,
    ROLE,
    STDIO,
    Abuse,
    Refusal,
    at_gate,
    everywhere,
)
from tests.abuse.world import Answer, World, of_http, tool_call

LEAD, PARTNER, ORDER = "crm.lead", "res.partner", "sale.order"
SEVERAL = (MCP, STDIO)
"""The doors that name several records at once."""


def records() -> Iterator[Abuse]:
    """Answer every abuse of this kind."""
    yield from nested()
    yield from outside_read()
    yield from outside_write()
    yield from outside_unlink()
    yield from outside_method()
    yield from outside_create()
    yield from method_names()


def _nobodys(world: World) -> list[int]:
    return [world.leads[2]]


def _mine_and_nobodys(door_is_local: bool) -> Callable[[World], list[int]]:
    return lambda world: [world.leads[0 if door_is_local else 1], world.leads[2]]


def _among_own(kind: str, tool: str, **more: Any) -> Iterator[Abuse]:
    for door, local in ((MCP, False), (STDIO, True)):
        yield from everywhere(
            kind,
            "among own ones",
            "seller",
            tool,
            RECORDS,
            doors=(door,),
            model=LEAD,
            ids=_mine_and_nobodys(local),
            **more,
        )


def _gate(
    kind: str,
    route: str,
    role: str,
    refusal: Refusal,
    call: Callable[[World], Call],
) -> list[Abuse]:
    return at_gate(kind, f"past the doors, {route}", role, refusal, call)


# Writes inside of writes


def nested() -> Iterator[Abuse]:
    """Answer writes that hide others in their values."""
    kind = "nested x2many escalation"

    def update(route: str, refusal: Refusal = ROLE, *, model: str, **values: Any):
        return everywhere(
            kind,
            route,
            "writer",
            "update_records",
            refusal,
            model=model,
            ids=[1],
            values=values,
        )

    user = {"name": "Mallory", "login": "mallory"}
    yield from update(
        "creates a user, by a command", model=PARTNER, user_ids=[[0, 0, user]]
    )
    yield from update(
        "creates a line, in plain words",
        model=ORDER,
        order_line={"create": [{"name": "x"}]},
    )
    yield from update(
        "deletes a line, in plain words", model=ORDER, order_line={"delete": [1]}
    )
    yield from update(
        "deletes a line, by a command", model=ORDER, order_line=[[2, 1, 0]]
    )
    yield from update(
        "creates a tag to link it", model=PARTNER, category_id=[[0, 0, {"name": "x"}]]
    )
    deep: dict[str, Any] = {"user_ids": [[0, 0, user]]}
    for _ in range(3):
        deep = {"child_ids": [[0, 0, {"name": "x", **deep}]]}
    yield from update("creates a user, three records deep", model=PARTNER, **deep)
    yield from everywhere(
        kind,
        "in the values of a copy",
        "writer",
        "copy_record",
        ROLE,
        model=ORDER,
        id=1,
        values={"order_line": [[0, 0, {"name": "x"}]]},
    )
    yield from everywhere(
        kind,
        "in the columns of an import",
        "writer",
        "call_method",
        ROLE,
        model=PARTNER,
        method="load",
        args=[["name", "user_ids/login"], [["x", "mallory"]]],
    )
    yield from _gate(
        kind,
        "takes all lines out",
        "writer",
        ROLE,
        lambda world: Call(ORDER, "write", ([1], {"order_line": [[5, 0, 0]]})),
    )
    yield from _gate(
        kind,
        "replaces all lines by none",
        "writer",
        ROLE,
        lambda world: Call(ORDER, "write", ([1], {"order_line": [[6, 0, []]]})),
    )
    yield from _gate(
        kind,
        "a command whose number is 0.0",
        "writer",
        ROLE,
        lambda world: Call(PARTNER, "write", ([1], {"user_ids": [[0.0, 0, user]]})),
    )
    yield from _gate(
        kind,
        "a command in a pair",
        "writer",
        ROLE,
        lambda world: Call(PARTNER, "create", ({"user_ids": ((0, 0, user),)},)),
    )


# Records outside of what the role sees


def outside_read() -> Iterator[Abuse]:
    """Answer reads of others' records."""
    kind = "record outside the domain by read"
    yield from everywhere(
        kind, "by its id", "seller", "read_records", RECORDS, model=LEAD, ids=_nobodys
    )
    yield from _among_own(kind, "read_records")
    yield from everywhere(
        kind,
        "by a path from another model",
        "seller",
        "search_records",
        ROLE,
        model=PARTNER,
        domain=[["opportunity_ids.name", "like", "Of"]],
    )
    yield from everywhere(
        kind,
        "by a sub-domain of another model",
        "seller",
        "search_records",
        ROLE,
        model=PARTNER,
        domain=[["opportunity_ids", "any", [["name", "like", "Of"]]]],
    )
    yield from everywhere(
        kind,
        "by an export",
        "seller",
        "call_method",
        RECORDS,
        model=LEAD,
        method="export_data",
        ids=_nobodys,
        args=[["name"]],
    )
    yield from everywhere(
        kind,
        "in the words of one that is not there",
        "seller",
        "read_records",
        RECORDS,
        model=LEAD,
        ids=[999_999],
    )
    yield from _gate(
        kind,
        "its rights",
        "seller",
        RECORDS,
        lambda world: Call(LEAD, "has_access", (_nobodys(world), "read")),
    )


def outside_write() -> Iterator[Abuse]:
    """Answer writes of others' records, and those that give one's own away."""
    kind = "record outside the domain by write"
    change = {"name": "Mine"}
    yield from everywhere(
        kind,
        "by its id",
        "seller",
        "update_records",
        RECORDS,
        model=LEAD,
        ids=_nobodys,
        values=change,
    )
    yield from _among_own(kind, "update_records", values=change)
    for door, place in ((REST, 1), (MCP, 1), (STDIO, 0)):
        yield from everywhere(
            kind,
            "gives an own one away",
            "seller",
            "update_records",
            ROLE,
            doors=(door,),
            model=LEAD,
            ids=lambda world, place=place: [world.leads[place]],
            values={"user_id": None},
        )
    yield from everywhere(
        kind,
        "inside of a record of another model",
        "seller",
        "update_records",
        RECORDS,
        model=PARTNER,
        ids=[1],
        values=lambda world: {"opportunity_ids": [[1, world.leads[2], change]]},
    )
    yield from _gate(
        kind,
        "inside of a record of another model",
        "seller",
        RECORDS,
        lambda world: Call(
            PARTNER, "write", ([1], {"opportunity_ids": [[1, world.leads[2], change]]})
        ),
    )
    yield from everywhere(
        kind,
        "by an import",
        "seller",
        "call_method",
        ROLE,
        model=LEAD,
        method="load",
        args=lambda world: [[".id", "name"], [[str(world.leads[2]), "Mine"]]],
    )
    yield from _gate(
        kind,
        "archived",
        "seller",
        RECORDS,
        lambda world: Call(LEAD, "action_archive", (_nobodys(world),)),
    )


def outside_unlink() -> Iterator[Abuse]:
    """Answer deletions of others' records."""
    kind = "record outside the domain by unlink"
    yield from everywhere(
        kind, "by its id", "seller", "delete_records", RECORDS, model=LEAD, ids=_nobodys
    )
    yield from _among_own(kind, "delete_records")
    yield from everywhere(
        kind,
        "inside of a record of another model",
        "seller",
        "update_records",
        RECORDS,
        model=PARTNER,
        ids=[1],
        values=lambda world: {"opportunity_ids": [[2, world.leads[2], 0]]},
    )
    yield from everywhere(
        kind,
        "all that a record of another model has",
        "seller",
        "update_records",
        ROLE,
        model=PARTNER,
        ids=[1],
        values={"opportunity_ids": [[5, 0, 0]]},
    )
    yield from _gate(
        kind,
        "inside of a record of another model",
        "seller",
        RECORDS,
        lambda world: Call(
            PARTNER, "write", ([1], {"opportunity_ids": [[2, world.leads[2], 0]]})
        ),
    )
    yield from _gate(
        kind,
        "by a number alone",
        "seller",
        RECORDS,
        lambda world: Call(LEAD, "unlink", (world.leads[2],)),
    )


def outside_method() -> Iterator[Abuse]:
    """Answer methods that are called on others' records."""
    kind = "record outside the domain by method"

    def call(route: str, method: str, refusal: Refusal, **more: Any) -> list[Abuse]:
        return everywhere(
            kind,
            route,
            "seller",
            "call_method",
            refusal,
            model=LEAD,
            method=method,
            **more,
        )

    yield from call("by its id", "action_set_won", RECORDS, ids=_nobodys)
    yield from _among_own(kind, "call_method", method="action_set_won")
    yield from call(
        "as an argument, not as the ids",
        "action_set_won",
        RECORDS,
        args=lambda world: [_nobodys(world)],
    )
    yield from call("on no record, so maybe on all", "message_frobnicate", ROLE)
    yield from call(
        "by its id as text",
        "message_unsubscribe",
        ROLE,
        args=lambda world: [[str(world.leads[2])]],
    )
    yield from _gate(
        kind,
        "by its id as text",
        "seller",
        ROLE,
        lambda world: Call(LEAD, "action_set_won", (str(world.leads[2]),)),
    )


def outside_create() -> Iterator[Abuse]:
    """Answer new records that would be others'."""
    kind = "record outside the domain by create"

    def create(route: str, **values: Any) -> list[Abuse]:
        return everywhere(
            kind,
            route,
            "seller",
            "create_records",
            ROLE,
            model=LEAD,
            records=[{"name": "Mine", **values}],
        )

    yield from create("of another user", user_id=1)
    yield from create("of nobody", user_id=None)
    yield from create("of whom the defaults say")
    yield from everywhere(
        kind,
        "inside of a record of another model",
        "seller",
        "update_records",
        ROLE,
        model=PARTNER,
        ids=[1],
        values={"opportunity_ids": [[0, 0, {"name": "Mine", "user_id": 1}]]},
    )
    yield from everywhere(
        kind,
        "as a copy of one",
        "seller",
        "copy_record",
        RECORDS,
        model=LEAD,
        id=lambda world: world.leads[2],
        values=lambda world: {"user_id": 2},
        doors=(STDIO,),
    )
    yield from everywhere(
        kind,
        "as a copy that says nothing",
        "seller",
        "copy_record",
        ROLE,
        model=LEAD,
        id=lambda world: world.leads[1],
        values={},
    )
    yield from _gate(
        kind,
        "one of many",
        "seller",
        ROLE,
        lambda world: Call(LEAD, "create", ([{"name": "a", "user_id": False}],)),
    )


# Methods that are none

NAMES = {
    "private": "_write",
    "private, of the framework": "_compute_display_name",
    "dunder": "__init__",
    "dunder, of its class": "__class__",
    "Cyrillic that looks like Latin": "unlin\N{CYRILLIC SMALL LETTER KA}",
    "a full-width letter": "\N{FULLWIDTH LATIN SMALL LETTER U}nlink",
    "a private name in full-width letters": "\N{FULLWIDTH LOW LINE}write",
    "a character that has no width": "action_set_won\N{ZERO WIDTH SPACE}",
    "a path": "env.cr.execute",
    "a space behind it": "action_set_won ",
    "a line end behind it": "action_set_won\n",
}


def method_names() -> Iterator[Abuse]:
    """Answer names that are no public methods."""
    kinds = {"private": "private", "dunder": "dunder", "a private": "private"}
    for what, name in NAMES.items():
        begins = next((each for each in kinds if what.startswith(each)), None)
        kind = f"{kinds.get(begins or '', 'look-alike')} method name"
        yield from everywhere(
            kind, what, "full", "call_method", REQUEST, model=LEAD, method=name, ids=[1]
        )
        yield from _gate(
            kind, what, "full", ROLE, lambda world, name=name: Call(LEAD, name, ([1],))
        )
    yield from everywhere(
        "dunder method name",
        "behind a slash",
        "full",
        "call_method",
        REQUEST,
        at={REST: ("request", "not_found")},
        model=LEAD,
        method="x/__init__",
        ids=[1],
    )

    yield from tool_names()


def tool_names() -> Iterator[Abuse]:
    """Answer names of tools that there are not."""
    kind = "look-alike method name"
    name = "delete_r\N{CYRILLIC SMALL LETTER IE}cords"

    async def modern(world: World) -> Answer:
        return await world.mcp("full", name, {"model": LEAD, "ids": [1]})

    async def older(world: World) -> Answer:
        usual = tool_call(name, {"model": LEAD, "ids": [1]})
        del usual["json"]["params"]["_meta"]
        headers = {
            name: value
            for name, value in usual["headers"].items()
            if not name.startswith("Mcp-")
        }
        headers |= world.bearer("full")
        async with world.http() as http:
            return of_http(await http.post("/mcp", json=usual["json"], headers=headers))

    for route, code, attempt in (
        ("of a tool", "rpc -32020", modern),
        ("of a tool, in the older protocol", "rpc -32602", older),
    ):
        yield Abuse(kind, route, MCP, ("request", code), attempt)
