"""What people are told when they are wrong: every mistake with its exact message.

The messages are in ``docs/mistakes.md``, to be read by a person. A change shows here
first.
Where it is meant, write the table anew::

    python -m tests.snapshots.test_mistakes
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from odooport import (
    Caller,
    Credentials,
    Gate,
    Odoo,
    OdooDecides,
    OdooportError,
    Principal,
    Unaudited,
    Unlimited,
)
from odooport_adapters import MemoryGateway
from odooport_mcp.failures import ERROR_KEY
from odooport_mcp.server import build_server
from odooport_rest.app import build_app
from odooport_security import Roles, principal_of

TABLE = Path(__file__).parents[2] / "docs" / "mistakes.md"
MODEL = "x_everything"
LOGIN = Credentials("demo", "demo", "demo")
"""An ordinary user, who lacks some rights."""


FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "char", "string": "Name", "required": True, "translate": True},
    "code": {"type": "char", "string": "Code", "size": 5},
    "notes": {"type": "text", "string": "Notes"},
    "page": {"type": "html", "string": "Page"},
    "done": {"type": "boolean", "string": "Done"},
    "age": {"type": "integer", "string": "Age"},
    "weight": {"type": "float", "string": "Weight", "digits": [16, 2]},
    "price": {"type": "monetary", "string": "Price", "currency_field": "currency_id"},
    "born": {"type": "date", "string": "Born"},
    "seen": {"type": "datetime", "string": "Seen"},
    "state": {
        "type": "selection",
        "string": "Status",
        "selection": [["draft", "New"], ["open", "In Progress"], ["done", "Done"]],
    },
    "photo": {"type": "binary", "string": "Photo"},
    "country_id": {
        "type": "many2one",
        "string": "Country",
        "relation": "res.country",
        "required": True,
    },
    "currency_id": {
        "type": "many2one",
        "string": "Currency",
        "relation": "res.currency",
    },
    "line_ids": {
        "type": "one2many",
        "string": "Contacts",
        "relation": "res.partner",
        "relation_field": "parent_id",
        "sortable": False,
        "groupable": False,
    },
    "tag_ids": {
        "type": "many2many",
        "string": "Tags",
        "relation": "res.partner.category",
        "sortable": False,
    },
    "about": {
        "type": "reference",
        "string": "About",
        "selection": [["res.partner", "Contact"], ["crm.lead", "Lead"]],
    },
    "res_id": {"type": "many2one_reference", "string": "Record"},
    "extra": {"type": "json", "string": "Extra"},
    "traits": {
        "type": "properties",
        "string": "Traits",
        "definition_record": "country_id",
        "definition_record_field": "trait_definition",
    },
    "total": {
        "type": "monetary",
        "string": "Total",
        "readonly": True,
        "depends": ["line_ids.price", "currency_id"],
    },
    "email": {
        "type": "char",
        "string": "Email",
        "readonly": True,
        "depends": ["country_id.email"],
        "related": "country_id.email",
    },
    "shadow": {
        "type": "char",
        "string": "Shadow",
        "store": False,
        "searchable": False,
        "sortable": False,
        "groupable": False,
    },
}


@dataclass(frozen=True)
class Way:
    """One thing that can be asked for, at each door.

    Attributes:
        python: Asks the domain library.
        verb: REST's method.
        path: REST's path below the model's.
        tool: The MCP tool.
    """

    python: Callable[[Odoo, dict[str, Any]], Awaitable[object]]
    verb: str
    path: str
    tool: str


def _write(odoo: Odoo, given: dict[str, Any]) -> Awaitable[object]:
    return odoo.write(given["model"], given["ids"], given["values"])


WAYS = {
    "update": Way(_write, "PATCH", "/records/{id}", "update_records"),
    "search": Way(
        lambda odoo, given: odoo.search_read(**given),
        "POST",
        "/search",
        "search_records",
    ),
    "aggregate": Way(
        lambda odoo, given: odoo.aggregate(**given),
        "POST",
        "/aggregate",
        "aggregate_records",
    ),
    "call": Way(
        lambda odoo, given: odoo.call(
            given["model"], given["method"], given.get("ids"), args=()
        ),
        "POST",
        "/methods/{method}",
        "call_method",
    ),
    "describe": Way(
        lambda odoo, given: odoo.describe(**given), "GET", "", "describe_model"
    ),
    "read": Way(
        lambda odoo, given: odoo.read(**given), "GET", "/records/{id}", "read_records"
    ),
    "preview": Way(
        lambda odoo, given: odoo.onchange(**given),
        "POST",
        "/onchange",
        "preview_values",
    ),
    "relations": Way(
        lambda odoo, given: odoo.relations(**given),
        "GET",
        "/relations",
        "model_relations",
    ),
}
"""The use cases that take everything that can be wrong."""


@dataclass(frozen=True)
class Mistake:
    """Something wrong to ask for.

    Attributes:
        subject: What kind of field or argument it is about.
        way: Which of the ways.
        given: The arguments, model included.
        shown: What the table shows of them.
    """

    subject: str
    way: str
    given: dict[str, Any]
    shown: Any


def of_field(name: str, *values: Any) -> list[Mistake]:
    """Answer wrong values for a field."""
    kind = FIELDS[name]["type"]
    return [
        Mistake(
            f"A {kind} field",
            "update",
            {"model": MODEL, "ids": [1], "values": {name: value}},
            {name: value},
        )
        for value in values
    ]


def of_argument(
    subject: str, way: str, *argument: Mapping[str, Any], model: str = MODEL
) -> list[Mistake]:
    """Answer wrong arguments."""
    return [
        Mistake(subject, way, {"model": model, **given}, given) for given in argument
    ]


HUGE = 2**40
MISTAKES = [
    *of_field("name", 7, None, "", "a\x00b", "\ud800"),
    *of_field("code", "longer", True, ["x"]),
    *of_field("notes", 7, {"text": "x"}, "a\x00b"),
    *of_field("page", 7, ["<p>"], "a\x00b"),
    *of_field("done", "true", 1, "no"),
    *of_field("age", "7", 7.5, True, HUGE),
    *of_field("weight", "7.5", True, "heavy", [1.0]),
    *of_field("price", "lots", "12,50", True, {"amount": 12.5}),
    *of_field("born", "22/11/2026", "2026-02-30", 20261122, "2026-11-22T10:00:00Z"),
    *of_field("seen", "yesterday", "2026-11-22 25:00:00", "2026-11-22", 1_700_000_000),
    *of_field("state", "opened", "In Progress", 1, ["open"]),
    *of_field("photo", "data:image/png;base64,AAAA", "not base64!", 7),
    *of_field("country_id", "Belgum", 0, HUGE, 2.5, {"code": "BE"}, None),
    *of_field("currency_id", "base.NOPE", {"external_id": "base.be"}, [1, 2], True),
    *of_field(
        "line_ids",
        7,
        "all",
        [[9, 1, 0]],
        [[0, 0, {"nmae": "x"}]],
        {"append": [1]},
        {"create": [{"name": 7}]},
        {"set": [1], "add": [2]},
    ),
    *of_argument(
        "Records of other lists",
        "update",
        {"ids": [1], "values": {"line_ids": {"update": [{"id": 50, "name": "x"}]}}},
        {"ids": [1], "values": {"line_ids": {"delete": [3, 50]}}},
        {"ids": [1], "values": {"line_ids": [[2, 50, 0]]}},
    ),
    *of_argument(
        "Fields that Odoo computes",
        "update",
        {"ids": [1], "values": {"total": 5}},
        {"ids": [1], "values": {"email": "a@example.com"}},
        {"ids": [1], "values": {"total": 5, "email": None}},
    ),
    *of_field("tag_ids", ["No Such Tag"], [0], {"add": "VIP"}, [[4, "x", 0]]),
    *of_field("about", "res.partner", {"model": "res.users", "id": 1}, 3),
    *of_field("res_id", "7", 1.5, True),
    *of_field("extra", "\ud800", {"x": "a\x00b"}, {"x": ["\udc00"]}),
    *of_field("traits", 7, "big", [1], {"Color": "x"}, {"Size": "xl"}, {"Colour": 7}),
    *of_argument(
        "Texts in several languages",
        "update",
        {"ids": [1], "values": {"name": {"fr_FR": "Nom"}}},
        {"ids": [1], "values": {"name": {"en_US": 7}}},
        {"ids": [1, 2], "values": {"name": {"en_US": "Name"}}},
        {"ids": [1], "values": {"name": {"en_US": "Name"}, "age": 7}},
        {"ids": [1], "values": {"age": {"en_US": 7}}},
    ),
    *of_argument(
        "Languages to read",
        "read",
        {"ids": [1], "languages": ["xx_XX"]},
        {"ids": [1], "languages": []},
        {"ids": [1], "languages": ["en_US", "french"]},
    ),
    *of_argument(
        "Ids",
        "read",
        {"ids": [0]},
        {"ids": []},
        {"ids": ["x"]},
        {"ids": [999_999]},
        model="res.partner",
    ),
    *of_argument(
        "Forms to preview",
        "preview",
        {"values": {"nmae": "x"}},
        {"values": {"age": "x"}},
        {"values": {"age": 7}, "changed": ["agee"]},
    ),
    *of_argument(
        "Relations", "relations", {"depth": 0}, {"depth": 9}, {"depth": "far"}
    ),
    *of_argument(
        "Rights in Odoo",
        "update",
        {"ids": [1], "values": {"name": "x"}},
        model="res.company",
    ),
    *of_argument("Rights in Odoo", "search", {}, model="ir.config_parameter"),
    *of_argument("Rights in Odoo", "search", {}, model="ir.model"),
    *of_argument(
        "Names of fields to write",
        "update",
        {"ids": [1], "values": {"nmae": "x"}},
        {"ids": [1], "values": {"id": 7}},
        {"ids": [1], "values": {"create_date": "2026-11-22T10:00:00Z", "age": "x"}},
    ),
    *of_argument("Names of models", "search", {}, model="x_everythin"),
    *of_argument("Names of models", "search", {}, model="sale.ordr"),
    *of_argument("Names of models", "search", {}, model="Sale Order"),
    *of_argument(
        "Fields to answer",
        "search",
        {"fields": ["nmae"]},
        {"fields": ["country_id.name"]},
        {"fields": []},
        {"fields": ["name", "agee", "borm"]},
    ),
    *of_argument(
        "Domains",
        "search",
        {"domain": ["name", "=", "x"]},
        {"domain": [["name", "similar", "x"]]},
        {"domain": [["nmae", "=", "x"]]},
        {"domain": [["country_id.nmae", "=", "x"]]},
        {"domain": [["shadow", "=", "x"]]},
        {"domain": [["age", "=", "x"]]},
        {"domain": [["state", "=", "opened"]]},
        {"domain": [["born", ">", "tomorrow"]]},
        {"domain": [["done", "ilike", "x"]]},
        {"domain": ["&", ["age", "=", 1]]},
        {"domain": [["age", "in", 3]]},
        {"domain": "[('age', '=', 3"},
        {"domain": {"age": 3}},
    ),
    *of_argument(
        "Orders",
        "search",
        {"order": "nmae"},
        {"order": "shadow desc"},
        {"order": "name downwards"},
        {"order": "country_id.name"},
    ),
    *of_argument(
        "Limits",
        "search",
        {"limit": 0},
        {"limit": -1},
        {"limit": "ten"},
        {"limit": 2.5},
    ),
    *of_argument(
        "Cursors", "search", {"cursor": "x"}, {"cursor": "e30"}, {"cursor": "AAAA"}
    ),
    *of_argument(
        "Groups",
        "aggregate",
        {"groupby": ["nmae"]},
        {"groupby": ["born:fortnight"]},
        {"groupby": ["country_id.name"]},
        {"groupby": ["line_ids"]},
    ),
    *of_argument(
        "Aggregates",
        "aggregate",
        {"aggregates": ["agee:sum"]},
        {"aggregates": ["age:total"]},
        {"aggregates": ["name:sum"]},
        {"aggregates": ["age"]},
    ),
    *of_argument(
        "Methods",
        "call",
        {"method": "_compute_total"},
        {"method": "write", "ids": [1]},
        {"method": "do-it"},
    ),
    *of_argument(
        "Fields to describe",
        "describe",
        {"fields": ["nmae"]},
        {"fields": ["state", "stat"]},
        {"fields": ["country_id.name"]},
    ),
]


def odoo_with_everything() -> MemoryGateway:
    """Answer Odoo with a model that has a field of every kind."""
    gateway = MemoryGateway.demo()
    form = {"arch": "<form><field name='age'/></form>", "id": 1, "model": MODEL}
    traits = [
        {"name": "a1", "string": "Colour", "type": "char", "value": "red"},
        {
            "name": "b2",
            "string": "Size",
            "type": "selection",
            "selection": [["s", "Small"], ["l", "Large"]],
            "value": False,
        },
    ]
    record = {"id": 1, "country_id": [20, "Belgium"], "traits": traits}
    record["line_ids"] = [3, 4]
    answers: dict[str, Any] = {
        "read": [record],
        "fields_get": FIELDS,
        "get_views": {"views": {"form": form}, "models": {MODEL: {}}},
        "get_field_translations": [[], {"translation_show_source": False}],
    }
    for method, answer in answers.items():
        gateway.on(MODEL, method, lambda *args, _told=answer, **kwargs: _told)
    return gateway


class Knows(OdooDecides):
    """Lets every key in."""

    async def authenticate(self, token: str, address: str | None) -> Principal:
        return principal_of("k1", "k1", "full", {"default": LOGIN}, Roles())


@dataclass
class Doors:
    """The three doors over one Odoo."""

    odoo: Odoo
    http: httpx2.AsyncClient
    mcp: Client

    async def python(self, mistake: Mistake) -> str:
        """Answer what the domain library says."""
        try:
            await WAYS[mistake.way].python(self.odoo, mistake.given)
        except OdooportError as error:
            return error.message
        raise AssertionError(f"{mistake.shown} is taken for right")

    async def rest(self, mistake: Mistake) -> str | None:
        """Answer what REST says, or None if it takes one record at a time."""
        way, given = WAYS[mistake.way], dict(mistake.given)
        ids = given.pop("ids", None)
        if ids is not None and len(ids) != 1:
            return None
        path = f"/v1/models/{given.pop('model')}{way.path}"
        path = path.format(id=ids and ids[0], method=given.pop("method", None))
        if way.verb == "GET":
            texts = {
                name: ",".join(value) if isinstance(value, list) else str(value)
                for name, value in given.items()
            }
            answer = await self.http.get(path, params=texts)
        else:
            sent = given["values"] if way.verb == "PATCH" else given
            answer = await self.http.request(
                way.verb,
                path,
                content=json.dumps(sent).encode(),
                headers={"Content-Type": "application/json"},
            )
        told = answer.json()
        assert answer.status_code >= 400, f"{mistake.shown} is taken for right"
        return str(told["detail"])

    async def tool(self, mistake: Mistake) -> str:
        """Answer what MCP says."""
        result = await self.mcp.call_tool(WAYS[mistake.way].tool, mistake.given)
        assert result.is_error, f"{mistake.shown} is taken for right"
        assert result.meta is not None
        return str(result.meta[ERROR_KEY]["message"])


@asynccontextmanager
async def doors() -> AsyncGenerator[Doors]:
    """Open the three doors."""
    gate = Gate(odoo_with_everything(), Knows(), Unlimited(), Unaudited())
    principal = await Knows().authenticate("", None)
    odoo = Odoo(gate, Caller(principal, door="python", request_id="r"))
    transport = httpx2.ASGITransport(build_app(gate, ready=lambda: asyncio.sleep(0)))

    def who(context: object) -> Caller:
        return Caller(principal, door="mcp", request_id="r")

    server = build_server(gate, who)
    async with (
        httpx2.AsyncClient(
            transport=transport,
            base_url="http://127.0.0.1",
            headers={"Authorization": "Bearer odp_k1_x"},
        ) as http,
        Client(server) as mcp,
    ):
        yield Doors(odoo, http, mcp)


def shown(value: Any) -> str:
    """Show what was given, on one line."""
    return json.dumps(value) if value else "(the model alone)"


HEAD = (
    "# What you are told when you are wrong",
    "",
    "Each wrong input with the exact message. All doors say the same; where a door",
    "checks the form of an argument by itself, its own words are added. This page is",
    "written by `python -m tests.snapshots.test_mistakes`.",
)


async def table() -> str:
    """Write the table."""
    lines = list(HEAD)
    subject = ""
    async with doors() as open_doors:
        for mistake in MISTAKES:
            if mistake.subject != subject:
                subject = mistake.subject
                lines += ["", f"## {subject}", ""]
            said = await open_doors.python(mistake)
            given = mistake.given
            name = "" if given["model"] == MODEL else f"on `{given['model']}` "
            lines += [f"- {name}`{shown(mistake.shown)}`"]
            lines += [f"  - {said.replace("\n", "<br>")}"]
            for door, ask in {"REST": open_doors.rest, "MCP": open_doors.tool}.items():
                if (other := await ask(mistake)) not in (None, said):
                    lines += [f"  - {door}: {other}"]
        lines += [""]
    return "\n".join(lines)


async def test_the_table_of_mistakes_is_what_everybody_is_told() -> None:
    assert (await table()).split("\n") == TABLE.read_text(encoding="utf-8").split("\n")


def test_every_kind_of_mistake_is_made_three_times() -> None:
    made: dict[str, int] = {}
    for mistake in MISTAKES:
        made[mistake.subject] = made.get(mistake.subject, 0) + 1
    kinds = {f"A {entry['type']} field" for entry in FIELDS.values()}
    assert kinds <= made.keys()
    assert min(made.values()) >= 3


@pytest.mark.parametrize(
    "field", [name for name, entry in FIELDS.items() if "depends" not in entry]
)
async def test_a_wrong_type_is_answered_with_an_example(field: str) -> None:
    """The reader learns what would have been right, not only what was wrong."""
    async with doors() as open_doors:
        odoo = open_doors.odoo
        with pytest.raises(OdooportError) as caught:
            await odoo.write(MODEL, [1], {field: object()})
    ways = ("such as", "send true or false", "Its values are")
    assert any(way in caught.value.message for way in ways)


if __name__ == "__main__":
    TABLE.write_text(asyncio.run(table()), encoding="utf-8")
