"""The MCP tools, in memory, in both eras of the protocol."""

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, CallToolResult

from odooport import (
    Caller,
    Credentials,
    Gate,
    InvalidRequest,
    Level,
    OdooAccessError,
    PermissionDenied,
    RecordChanged,
    RecordMissing,
)
from odooport.catalogue import OWN_OPERATIONS
from odooport.gate import Unaudited, Unlimited
from odooport_adapters import MemoryGateway
from odooport_mcp.client import OdooportClient
from odooport_mcp.failures import ERROR_KEY
from odooport_mcp.server import build_server
from odooport_rest.app import build_app
from odooport_security import LocalPolicy, Roles, principal_of

READING = [
    "whoami",
    "find_models",
    "describe_model",
    "model_relations",
    "find_methods",
    "search_records",
    "read_records",
    "count_records",
    "aggregate_records",
    "record_actions",
    "preview_values",
]
WRITING = [
    "create_records",
    "copy_record",
    "update_records",
    "delete_records",
    "call_method",
]

type Connect = Callable[..., Any]

ROLES = Roles()


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway.demo()


@pytest.fixture(params=["auto", "legacy"])
def connect(request: pytest.FixtureRequest, gateway: MemoryGateway) -> Connect:
    """Answer how to connect a client to a server of one caller."""
    gate = Gate(gateway, LocalPolicy(ROLES), Unlimited(), Unaudited())
    numbers = itertools.count(1)

    @asynccontextmanager
    async def connected(
        role: str = "full", login: str = "admin"
    ) -> AsyncIterator[Client]:
        credentials = {"default": Credentials("demo", login, login)}
        principal = principal_of("local", "local user", role, credentials, ROLES)
        server = build_server(
            gate,
            lambda context: Caller(principal, "mcp-stdio", f"req-{next(numbers)}"),
            powers=ROLES.operations_of,
        )
        async with Client(server, mode=request.param) as client:
            yield client

    return connected


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that must succeed, and answer its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def fail(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must fail, and answer its text."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    assert result.structured_content is None
    text = text_of(result)
    assert "Traceback" not in text
    assert "pydantic" not in text
    assert result.meta is not None
    error = result.meta[ERROR_KEY]
    assert text.startswith(f"{error['code']}: {error['message']}")
    assert error["request_id"].startswith("req-")
    return text


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert block.type == "text"
    return block.text


# What is listed


async def test_every_tool_says_what_it_takes_answers_and_does(connect: Connect):
    async with connect() as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == READING + WRITING
    for tool in tools:
        assert tool.title
        assert tool.description
        assert "\n " not in tool.description
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint is (tool.name in READING)
        assert hints.destructive_hint is not None
        assert hints.idempotent_hint is not None
        assert hints.open_world_hint is not None


async def test_only_what_can_be_undone_or_adds_is_not_destructive(connect: Connect):
    async with connect() as client:
        tools = (await client.list_tools()).tools
    destructive = {
        tool.name
        for tool in tools
        if tool.annotations and tool.annotations.destructive_hint
    }
    assert destructive == {"update_records", "delete_records", "call_method"}


async def test_only_what_may_be_sent_twice_is_idempotent(connect: Connect):
    async with connect() as client:
        tools = (await client.list_tools()).tools
    idempotent = {
        tool.name
        for tool in tools
        if tool.annotations and tool.annotations.idempotent_hint
    }
    assert idempotent == {*READING, "delete_records"}


async def test_a_method_with_its_own_operation_is_told_by_a_tool_that_there_is(
    connect: Connect,
):
    async with connect() as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
    for method, told in OWN_OPERATIONS.items():
        assert set(re.findall(r"\w+_\w+(?= (?:over|with))", told)) <= tools, method


async def test_a_method_with_its_own_operation_is_told_by_a_route_that_there_is(
    gateway: MemoryGateway,
):
    gate = Gate(gateway, LocalPolicy(ROLES), Unlimited(), Unaudited())
    paths = build_app(gate, ready=lambda: gateway.version("default")).openapi()["paths"]
    for method, told in OWN_OPERATIONS.items():
        routes = re.findall(r"(GET|POST|PATCH|DELETE) (/[\w/{}]+)", told)
        assert routes, method
        for verb, path in routes:
            assert verb.lower() in paths[path], (method, verb, path)


def nodes_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Answer a schema and all schemas in it."""
    yield schema
    for node in schema.get("properties", {}).values():
        yield from nodes_of(node)
    if "items" in schema:
        yield from nodes_of(schema["items"])


async def test_input_schemas_are_plain_enough_for_every_model_provider(
    connect: Connect,
):
    async with connect() as client:
        tools = (await client.list_tools()).tools
    for tool in tools:
        for node in nodes_of(tool.input_schema):
            assert isinstance(node["type"], str), (tool.name, node)
            assert not node.keys() & {"anyOf", "oneOf", "allOf", "$ref", "$defs"}
            assert ("items" in node) == (node["type"] == "array")
            known = {
                "type",
                "description",
                "default",
                "properties",
                "required",
                "items",
            }
            known |= {"additionalProperties", "minimum", "maximum"}
            known |= {"minLength", "minItems", "minProperties"}
            known |= {"enum"} if node["type"] == "string" else set()
            assert node.keys() <= known, (tool.name, node)


async def test_a_reader_is_shown_only_what_a_reader_may_use(connect: Connect):
    async with connect("reader") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == READING
    async with connect("editor") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == [*READING, "create_records", "copy_record", "update_records"]


# What the tools do


async def test_whoami_names_both_sides(connect: Connect):
    async with connect("reader", "demo") as client:
        me = await call(client, "whoami")
    assert me["role"] == "reader"
    assert me["door"] == "mcp-stdio"
    assert me["login"] == "demo"
    assert me["version"].startswith("18.0")


async def test_models_are_found_by_a_part_of_their_label(connect: Connect):
    async with connect() as client:
        found = await call(client, "find_models", query="contact")
    assert {"model": "res.partner", "label": "Contact"} in found["models"]
    assert found["total"] == len(found["models"])
    assert found["has_more"] is False


async def test_a_list_of_models_that_is_cut_off_says_so(connect: Connect):
    async with connect() as client:
        result = await client.call_tool("find_models", {"limit": 1})
    found = result.structured_content
    assert len(found["models"]) == 1
    assert found["has_more"] is True
    assert text_of(result).startswith(f"{found['total']} models; the first 1")


async def test_a_brief_description_names_every_field(connect: Connect):
    async with connect() as client:
        told = await call(client, "describe_model", model="res.partner")
    described = {field["name"]: field for field in told["fields"]}
    assert described["country_id"]["relation"] == "res.country"
    assert described["name"]["type"] == "char"
    assert "help" not in described["country_id"]
    assert len(described) + len(told["others"]) == told["total"]
    assert not described.keys() & set(told["others"])


async def test_fields_that_are_asked_for_are_described_in_detail(connect: Connect):
    async with connect() as client:
        told = await call(
            client, "describe_model", model="sale.order", fields=["state", "name"]
        )
    state, name = told["fields"]
    assert state["selection"]["sale"] == "Sales Order"
    assert state["searchable"] is True
    assert name["name"] == "name"
    assert told["others"] == []


async def test_a_description_to_create_says_what_must_be_given(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "describe_model", {"model": "sale.order", "level": "create"}
        )
    told = result.structured_content
    assert "partner_id" in told["required"]
    assert told["defaults"]["name"] == "New"
    assert "Must be given: partner_id" in text_of(result)
    assert all("example" in field for field in told["fields"])


async def test_a_list_without_models_says_what_to_try(connect: Connect):
    async with connect() as client:
        result = await client.call_tool("find_models", {"query": "qwrtzp"})
    assert result.structured_content["models"] == []
    assert text_of(result).startswith("0 models: try one other word")


async def test_relations_to_one_model_are_the_ways_that_end_there(connect: Connect):
    async with connect() as client:
        told = await call(
            client,
            "model_relations",
            model="sale.order",
            depth=2,
            to="product.product",
        )
    assert told["relations"]
    assert "product.product" in {it["to"] for it in told["relations"]}
    assert "res.country" not in {it["to"] for it in told["relations"]}


async def test_relations_lead_from_model_to_model(connect: Connect):
    async with connect() as client:
        result = await client.call_tool("model_relations", {"model": "sale.order"})
    ways = {it["field"]: it["to"] for it in result.structured_content["relations"]}
    assert ways["partner_id"] == "res.partner"
    assert "sale.order.partner_id: many2one res.partner" in text_of(result)


async def test_methods_are_found_by_what_they_do(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "find_methods", {"model": "sale.order", "query": "confirm", "limit": 1}
        )
    found = result.structured_content
    assert found["total"] > len(found["methods"]) == 1
    assert found["has_more"] is True
    assert "the first 1" in text_of(result)


@pytest.mark.parametrize(
    "query", ["confirm", "the orders confirm", "validate order", "POST"]
)
async def test_every_word_counts_to_find_a_method_whatever_it_is_called(
    connect: Connect, query: str
):
    async with connect() as client:
        result = await client.call_tool(
            "find_methods", {"model": "sale.order", "query": query}
        )
    assert "\naction_confirm() on ids: Confirm" in text_of(result)


async def test_a_list_of_methods_holds_none_that_call_method_refuses(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "find_methods", {"model": "res.partner", "limit": 500}
        )
    names = {it["name"] for it in result.structured_content["methods"]}
    assert {"has_access", "action_archive"} <= names
    assert not names & OWN_OPERATIONS.keys()
    assert "\ncheck_access_rights(operation, raise_exception=…): " in text_of(result)


async def test_a_list_without_methods_says_that_it_need_not_be_complete(
    connect: Connect,
):
    async with connect() as client:
        result = await client.call_tool(
            "find_methods", {"model": "sale.order", "query": "confirm qwrtzp"}
        )
    assert result.structured_content["methods"] == []
    assert "need not be complete" in text_of(result)


async def test_an_action_says_only_what_an_agent_can_use(connect: Connect):
    async with connect() as client:
        order = (await call(client, "search_records", model="sale.order", limit=1))[
            "records"
        ][0]["id"]
        told = await call(client, "record_actions", model="sale.order", id=order)
    kept = {"name", "kind", "label", "available", "callable"}
    assert told["actions"]
    for action in told["actions"]:
        assert kept <= action.keys() <= kept | {"reason", "confirm"}
        assert None not in (action.get("reason", ""), action.get("confirm", ""))


async def test_what_can_be_done_with_a_record_changes_with_its_state(connect: Connect):
    async with connect() as client:
        found = await call(
            client,
            "search_records",
            model="sale.order",
            domain=[["state", "=", "draft"]],
            fields=["state"],
            limit=1,
        )
        order = found["records"][0]["id"]

        async def available() -> set[str]:
            told = await call(client, "record_actions", model="sale.order", id=order)
            return {it["name"] for it in told["actions"] if it["available"]}

        before = await available()
        await call(
            client,
            "call_method",
            model="sale.order",
            method="action_confirm",
            ids=[order],
        )
        after = await available()
    assert "action_confirm" in before
    assert "action_confirm" not in after
    assert "action_cancel" in after


async def test_a_preview_fills_in_what_a_form_would_and_saves_nothing(
    connect: Connect,
):
    async with connect() as client:
        before = await call(client, "count_records", model="sale.order")
        found = await call(client, "search_records", model="res.partner", limit=1)
        partner = found["records"][0]["id"]
        told = await call(
            client,
            "preview_values",
            model="sale.order",
            values={"partner_id": partner},
        )
        after = await call(client, "count_records", model="sale.order")
    assert told["values"]["partner_invoice_id"]["id"] == partner
    assert before == after


async def test_a_country_may_be_given_by_its_name(connect: Connect):
    async with connect() as client:
        made = await call(
            client,
            "create_records",
            model="res.partner",
            records=[{"name": "Named", "country_id": "Belgium"}],
        )
        read = await call(
            client,
            "read_records",
            model="res.partner",
            ids=made["ids"],
            fields=["country_id"],
        )
    assert read["records"][0]["country_id"]["name"] == "Belgium"


async def test_translated_texts_are_read_in_the_languages_asked_for(connect: Connect):
    async with connect() as client:
        told = await call(
            client,
            "read_records",
            model="res.country",
            ids=[20],
            fields=["name"],
            languages=["en_US"],
        )
    assert told["records"][0]["name"] == {"en_US": "Belgium"}


@pytest.mark.parametrize(
    "domain",
    [
        [["is_company", "=", True]],
        '[["is_company","=",true]]',
        "[('is_company', '=', True)]",
    ],
    ids=["list", "json", "python"],
)
async def test_a_domain_may_be_a_list_or_text(connect: Connect, domain: Any):
    async with connect() as client:
        everyone = await call(client, "count_records", model="res.partner")
        companies = await call(
            client, "count_records", model="res.partner", domain=domain
        )
        found = await call(
            client,
            "search_records",
            model="res.partner",
            domain=domain,
            fields=["is_company"],
            limit=500,
        )
    assert 0 < companies["count"] < everyone["count"]
    assert found["returned"] == companies["count"]
    assert all(record["is_company"] for record in found["records"])


async def test_pages_follow_each_other_until_every_record_was_seen(connect: Connect):
    async with connect() as client:
        total = (await call(client, "count_records", model="res.partner"))["count"]
        seen: list[int] = []
        more: dict[str, Any] = {}
        while True:
            page = await call(
                client,
                "search_records",
                model="res.partner",
                fields=["name"],
                limit=7,
                count=True,
                **more,
            )
            assert page["total"] == total
            seen += [record["id"] for record in page["records"]]
            if not page["has_more"]:
                break
            more = {"cursor": page["cursor"]}
    assert len(seen) == total
    assert seen == sorted(set(seen))


async def test_the_text_of_a_search_holds_the_records_once_and_the_cursor(
    connect: Connect,
):
    async with connect() as client:
        result = await client.call_tool(
            "search_records", {"model": "res.partner", "fields": ["name"], "limit": 2}
        )
    page = result.structured_content
    head, *rows = text_of(result).splitlines()
    assert page["cursor"] in head
    assert [json.loads(row) for row in rows] == page["records"]


async def test_records_are_read_in_the_order_asked_for(connect: Connect):
    async with connect() as client:
        made = await call(
            client,
            "create_records",
            model="res.partner",
            records=[{"name": "Ada"}, {"name": "Bo"}],
        )
        ids = made["ids"][::-1]
        told = await call(
            client, "read_records", model="res.partner", ids=ids, fields=["name"]
        )
    assert [record["name"] for record in told["records"]] == ["Bo", "Ada"]


async def test_records_are_grouped_and_the_rest_is_announced(connect: Connect):
    async with connect() as client:
        everyone = await call(client, "count_records", model="res.partner")
        groups = await call(
            client, "aggregate_records", model="res.partner", groupby=["country_id"]
        )
        first = await call(
            client,
            "aggregate_records",
            model="res.partner",
            groupby=["country_id"],
            limit=1,
        )
    assert sum(group["__count"] for group in groups["groups"]) == everyone["count"]
    assert groups["has_more"] is False
    assert first["groups"] == groups["groups"][:1]
    assert first["has_more"] is True


async def test_a_record_lives_from_creation_to_deletion(connect: Connect):
    async with connect() as client:
        belgium = await call(
            client, "search_records", model="res.country", domain='[["code","=","BE"]]'
        )
        country = belgium["records"][0]["id"]
        made = await call(
            client,
            "create_records",
            model="res.partner",
            records=[{"name": "Ada", "country_id": country}],
        )
        ids = made["ids"]
        updated = await call(
            client,
            "update_records",
            model="res.partner",
            ids=ids,
            values={"name": "Ada L.", "active": False},
        )
        assert updated == {"ids": ids}
        (ada,) = (await call(client, "read_records", model="res.partner", ids=ids))[
            "records"
        ]
        assert ada["name"] == "Ada L."
        assert ada["country_id"] == {"id": country, "name": "Belgium"}
        asked = {"model": "res.partner", "domain": [["name", "=", "Ada L."]]}
        assert (await call(client, "count_records", **asked))["count"] == 0
        archived = await call(
            client, "count_records", **asked, context={"archived": True}
        )
        assert archived["count"] == 1
        deleted = await call(client, "delete_records", model="res.partner", ids=ids)
        assert deleted == {"ids": ids}
        await fail(client, "read_records", model="res.partner", ids=ids)


async def test_a_copy_differs_in_what_was_asked_for(connect: Connect):
    async with connect() as client:
        (one,) = (
            await call(
                client,
                "create_records",
                model="res.partner",
                records=[{"name": "Ada", "country_id": "Belgium"}],
            )
        )["ids"]
        result = await client.call_tool(
            "copy_record",
            {"model": "res.partner", "id": one, "values": {"name": "Bo"}},
        )
        two = result.structured_content["id"]
        assert two != one
        assert text_of(result) == f"The copy is record {two}"
        told = await call(
            client,
            "read_records",
            model="res.partner",
            ids=[one, two],
            fields=["name", "country_id"],
        )
    assert [record["name"] for record in told["records"]] == ["Ada", "Bo"]
    assert told["records"][1]["country_id"]["name"] == "Belgium"


async def test_a_button_is_pressed(connect: Connect):
    async with connect() as client:
        draft = await call(
            client,
            "search_records",
            model="sale.order",
            domain=[["state", "=", "draft"]],
            limit=1,
        )
        ids = [draft["records"][0]["id"]]
        pressed = await call(
            client, "call_method", model="sale.order", method="action_confirm", ids=ids
        )
        assert pressed == {"result": True}
        (order,) = (
            await call(
                client, "read_records", model="sale.order", ids=ids, fields=["state"]
            )
        )["records"]
    assert order["state"] == "sale"


async def test_a_method_gets_its_arguments_and_may_answer_anything(
    connect: Connect, gateway: MemoryGateway
):
    def answer(*args: Any, **kwargs: Any) -> Any:
        return {7: list(args), "more": kwargs, "blob": b"\xff", "none": None}

    gateway.on("res.partner", "echo", answer)
    async with connect() as client:
        told = await call(
            client,
            "call_method",
            model="res.partner",
            method="echo",
            ids=[1],
            args='[{"a": [1]}]',
            kwargs='{"b": null}',
        )
    assert told["result"]["7"] == [[1], {"a": [1]}]
    assert told["result"]["more"]["b"] is None
    assert told["result"]["blob"] == "_w=="


OPTIONAL = [
    ("whoami", {}),
    ("find_models", {}),
    ("describe_model", {"model": "res.partner"}),
    ("model_relations", {"model": "res.partner"}),
    ("find_methods", {"model": "res.partner"}),
    ("search_records", {"model": "res.partner"}),
    ("read_records", {"model": "res.partner", "ids": [1]}),
    ("count_records", {"model": "res.partner"}),
    ("aggregate_records", {"model": "res.partner"}),
    ("record_actions", {"model": "res.partner", "id": 1}),
    ("preview_values", {"model": "crm.lead", "values": {}}),
    ("create_records", {"model": "res.partner", "records": [{"name": "Ada"}]}),
    ("copy_record", {"model": "res.partner", "id": 1}),
    ("update_records", {"model": "res.partner", "ids": [1], "values": {"name": "A"}}),
    ("delete_records", {"model": "crm.lead", "ids": [1]}),
    ("call_method", {"model": "res.users", "method": "context_get"}),
]


@pytest.mark.parametrize(
    ("tool", "given"), OPTIONAL, ids=[tool for tool, _ in OPTIONAL]
)
async def test_null_says_the_same_as_leaving_an_argument_out(
    connect: Connect, tool: str, given: dict[str, Any]
):
    assert {name for name, _ in OPTIONAL} == {*READING, *WRITING}
    async with connect() as client:
        tools = (await client.list_tools()).tools
        (schema,) = [it.input_schema for it in tools if it.name == tool]
        await call(client, tool, **{**dict.fromkeys(schema["properties"]), **given})
        text = await fail(client, tool, **given, filter=None)
    assert text.startswith(f"invalid_request: {tool!r} does not take 'filter'")


async def test_null_is_no_value_for_what_must_be_given(connect: Connect):
    async with connect() as client:
        text = await fail(client, "count_records", model=None)
    assert text.startswith("invalid_request: The argument 'model' must be")


async def test_lists_as_text_and_numbers_with_a_point_are_understood(connect: Connect):
    async with connect() as client:
        told = await call(
            client,
            "search_records",
            model="res.partner",
            fields='["name"]',
            limit=2.0,
            cursor=None,
            context='{"company": 1.0, "lang": null}',
        )
        assert told["returned"] == 2
        ids = json.dumps([record["id"] for record in told["records"]])
        again = await call(
            client, "read_records", model="res.partner", ids=ids, fields=["name"]
        )
    assert again["records"] == told["records"]


async def test_text_that_utf_8_cannot_carry_does_not_end_the_connection(
    connect: Connect, gateway: MemoryGateway
):
    gateway.on("res.partner", "odd", lambda *_, **__: "a\ud800b")
    async with connect() as client:
        told = await call(
            client, "call_method", model="res.partner", method="odd", ids=[1]
        )
        assert told["result"] == "a?b"
        await call(client, "whoami")


# What goes wrong

BAD = {
    "unknown model": (
        "search_records",
        {"model": "res.partners"},
        "invalid_request: Odoo has no model 'res.partners'. Did you mean 'res.partner'",
    ),
    "no model name": (
        "count_records",
        {"model": "; drop table"},
        "invalid_request: '; drop table' is no model name",
    ),
    "unknown field": (
        "search_records",
        {"model": "res.partner", "fields": ["nmae"]},
        "invalid_request: fields: 'res.partner' has no field 'nmae'",
    ),
    "unknown field in a domain": (
        "count_records",
        {"model": "res.partner", "domain": [["nmae", "=", "x"]]},
        "invalid_request: ",
    ),
    "unknown field to describe": (
        "describe_model",
        {"model": "res.partner", "fields": ["nmae"]},
        "invalid_request: fields: 'res.partner' has no field 'nmae'",
    ),
    "malformed domain": (
        "count_records",
        {"model": "res.partner", "domain": '["name","="'},
        "invalid_request: ",
    ),
    "flat domain": (
        "count_records",
        {"model": "res.partner", "domain": ["name", "=", "x"]},
        "invalid_request: ",
    ),
    "a domain that is none": (
        "count_records",
        {"model": "res.partner", "domain": {"name": "x"}},
        "invalid_request: A domain is a list",
    ),
    "unknown argument": (
        "search_records",
        {"model": "res.partner", "filter": []},
        "invalid_request: 'search_records' does not take 'filter', only model, domain,",
    ),
    "unknown key in the context": (
        "count_records",
        {"model": "res.partner", "context": {"langs": "fr_FR"}},
        "invalid_request: The argument 'context' does not take 'langs', only instance,",
    ),
    "unknown time zone": (
        "count_records",
        {"model": "res.partner", "context": {"tz": "Europe/Brussel"}},
        "invalid_request: There is no time zone 'Europe/Brussel'",
    ),
    "missing argument": (
        "read_records",
        {"model": "res.partner"},
        "invalid_request: 'read_records' needs the argument 'ids'.",
    ),
    "limit of nothing": (
        "search_records",
        {"model": "res.partner", "limit": 0},
        "invalid_request: The argument 'limit' must be at least 1.",
    ),
    "limit as text": (
        "search_records",
        {"model": "res.partner", "limit": "5"},
        "invalid_request: The argument 'limit' must be a whole number, such as 7.",
    ),
    "id as text": (
        "delete_records",
        {"model": "res.partner", "ids": ["7"]},
        "invalid_request: The argument 'ids.0' must be a whole number, such as 7.",
    ),
    "id as a boolean": (
        "delete_records",
        {"model": "res.partner", "ids": [True]},
        "invalid_request: The argument 'ids.0' must be a whole number, such as 7.",
    ),
    "no ids": (
        "delete_records",
        {"model": "res.partner", "ids": []},
        "invalid_request: The argument 'ids' must not be empty.",
    ),
    "no id": (
        "delete_records",
        {"model": "res.partner", "ids": [0]},
        "invalid_request: ids: 0 is no id",
    ),
    "no values": (
        "update_records",
        {"model": "res.partner", "ids": [1], "values": {}},
        "invalid_request: The argument 'values' must not be empty.",
    ),
    "a country that is none": (
        "update_records",
        {"model": "res.partner", "ids": [1], "values": {"country_id": "Belgum"}},
        "invalid_request: ",
    ),
    "an unknown level": (
        "describe_model",
        {"model": "res.partner", "level": "all"},
        "invalid_request: The argument 'level' must be 'brief', 'read', 'create' or",
    ),
    "a boolean as text": (
        "update_records",
        {"model": "res.partner", "ids": [1], "values": {"active": "false"}},
        "invalid_request: ",
    ),
    "unknown field to write": (
        "update_records",
        {"model": "res.partner", "ids": [1], "values": {"nmae": "x"}},
        "invalid_request: ",
    ),
    "one wrong record among good ones": (
        "create_records",
        {"model": "res.partner", "records": [{"name": "A"}, {"color": "red"}]},
        "invalid_request: ",
    ),
    "records that are none": (
        "create_records",
        {"model": "res.partner", "records": ["Ada"]},
        "invalid_request: The argument 'records.0' must be an object",
    ),
    "missing record to read": (
        "read_records",
        {"model": "res.partner", "ids": [1, 99999]},
        "record_missing: 'res.partner' has no record with id 99999",
    ),
    "missing record to write": (
        "update_records",
        {"model": "res.partner", "ids": [1, 99999], "values": {"name": "x"}},
        "record_missing: 'res.partner' has no record with id 99999",
    ),
    "missing record to delete": (
        "delete_records",
        {"model": "res.partner", "ids": [99999]},
        "record_missing: 'res.partner' has no record with id 99999",
    ),
    "a cursor of our own making": (
        "search_records",
        {"model": "res.partner", "cursor": "abc"},
        "invalid_request: This is no cursor",
    ),
    "another group than there is": (
        "aggregate_records",
        {"model": "res.partner", "groupby": ["contry_id"]},
        "invalid_request: ",
    ),
    "a private method": (
        "call_method",
        {"model": "res.partner", "method": "_write", "ids": [1]},
        "invalid_request: '_write' is no public method",
    ),
    "a method with a tool of its own": (
        "call_method",
        {"model": "res.partner", "method": "unlink", "ids": [1]},
        "invalid_request: 'unlink' has its own operation: delete_records over MCP",
    ),
    "a method of records without any": (
        "call_method",
        {"model": "sale.order", "method": "action_confirm"},
        "invalid_request: 'action_confirm' is called on records: give their ids, such",
    ),
    "a record to copy that is none": (
        "copy_record",
        {"model": "res.partner", "id": 99999},
        "record_missing: 'res.partner' has no record with id 99999",
    ),
    "an instance without a login": (
        "count_records",
        {"model": "res.partner", "context": {"instance": "other"}},
        "invalid_request: There is no instance 'other' here",
    ),
}


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"), BAD.values(), ids=BAD.keys()
)
async def test_a_bad_request_is_refused_clearly_and_changes_nothing(
    connect: Connect,
    gateway: MemoryGateway,
    tool: str,
    arguments: dict[str, Any],
    expected: str,
):
    async with connect() as client:
        everything = {"model": "res.partner", "context": {"archived": True}}
        asked = {**everything, "fields": ["name", "active", "country_id"], "limit": 500}
        before = await call(client, "search_records", **asked)
        text = await fail(client, tool, **arguments)
        assert text.startswith(expected)
        assert await call(client, "search_records", **asked) == before


async def test_several_wrong_arguments_are_named_at_once(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "search_records", {"limit": -1, "filter": "hunter2"}
        )
    lines = text_of(result).splitlines()
    assert lines[0] == "invalid_request: 3 arguments of 'search_records' are wrong."
    assert sorted(line.split(":")[0] for line in lines[1:]) == [
        "/filter",
        "/limit",
        "/model",
    ]
    assert "hunter2" not in text_of(result)


async def test_every_wrong_value_is_pointed_at(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "create_records",
            {
                "model": "res.partner",
                "records": [{"name": "A"}, {"name": 7, "country_id": "Belgum"}],
            },
        )
    assert result.is_error
    assert result.meta is not None
    problems = result.meta[ERROR_KEY]["problems"]
    assert {problem["pointer"] for problem in problems} == {"/1/name", "/1/country_id"}


async def test_problems_that_the_message_holds_are_said_once(connect: Connect):
    values = {"nmae": "A", "contry_id": 1}
    async with connect() as client:
        result = await client.call_tool(
            "update_records", {"model": "res.partner", "ids": [1], "values": values}
        )
    text = text_of(result)
    assert result.meta is not None
    problems = result.meta[ERROR_KEY]["problems"]
    assert len(problems) == 2
    assert [text.count(it["message"]) for it in problems] == [1, 1]


async def test_of_many_problems_the_text_names_the_first_ten(connect: Connect):
    async with connect() as client:
        result = await client.call_tool(
            "delete_records", {"model": "res.partner", "ids": ["x"] * 13}
        )
    assert result.meta is not None
    assert len(result.meta[ERROR_KEY]["problems"]) == 13
    head, *rows = text_of(result).splitlines()
    assert head == "invalid_request: 13 arguments of 'delete_records' are wrong."
    assert [row.split(":")[0] for row in rows[:10]] == [f"/ids/{n}" for n in range(10)]
    assert rows[10:] == ["and 3 more"]


async def test_the_role_refuses_what_was_not_even_listed(
    connect: Connect, gateway: MemoryGateway
):
    async with connect("reader") as client:
        text = await fail(
            client, "create_records", model="res.partner", records=[{"name": "Nobody"}]
        )
        found = await call(
            client,
            "count_records",
            model="res.partner",
            domain=[["name", "=", "Nobody"]],
        )
    assert text.startswith("permission_denied: The role 'reader' may not create")
    assert text.endswith("a service whose ODOOPORT_ROLE is 'editor' may.")
    assert found["count"] == 0


async def test_odoos_own_refusal_comes_through(connect: Connect):
    async with connect("full", "demo") as client:
        countries = await call(client, "search_records", model="res.country", limit=1)
        ids = [countries["records"][0]["id"]]
        text = await fail(client, "delete_records", model="res.country", ids=ids)
        await call(client, "read_records", model="res.country", ids=ids)
    assert text.startswith("odoo_access_denied: ")


async def test_a_crash_shows_nothing_of_itself(
    connect: Connect, gateway: MemoryGateway, caplog: pytest.LogCaptureFixture
):
    def crash(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the password is hunter2")

    gateway.on("res.partner", "crash", crash)
    async with connect() as client:
        text = await fail(
            client, "call_method", model="res.partner", method="crash", ids=[1]
        )
        await call(client, "whoami")
    assert text.startswith("internal: Something went wrong in Odooport itself.")
    assert "hunter2" not in text
    assert "hunter2" in caplog.text


async def test_an_unknown_tool_is_an_error_of_the_protocol(connect: Connect):
    async with connect() as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("drop_records", {})
    assert caught.value.code == INVALID_PARAMS
    assert "drop_records" in caught.value.message


# The typed client


async def test_the_typed_client_answers_what_the_tools_answer(connect: Connect):
    async with connect() as client:
        odoo = OdooportClient(client)
        assert (await odoo.whoami()).login == "admin"
        assert (await odoo.find_models("contact")).models[0].model == "res.partner"
        assert (await odoo.describe_model("res.partner")).total > 10
        told = await odoo.describe_model("sale.order", level=Level.CREATE)
        assert "partner_id" in (told.required or [])
        graph = await odoo.model_relations("sale.order", depth=2, to="res.country")
        assert graph.relations[0].model == "sale.order"
        assert (await odoo.find_methods("sale.order", "confirm")).total > 0
        order, *_ = (await odoo.search_records("sale.order", limit=1)).records
        actions = await odoo.record_actions("sale.order", order["id"])
        assert "action_cancel" in {it["name"] for it in actions}
        typed = await odoo.preview_values("crm.lead", {})
        assert typed.warnings == ()
        country = await odoo.read_records(
            "res.country", [20], fields=["name"], languages=["en_US"]
        )
        assert country[0]["name"] == {"en_US": "Belgium"}
        page = await odoo.search_records("res.partner", limit=1, count=True)
        assert page.total == await odoo.count_records("res.partner")
        (groups,) = (await odoo.aggregate_records("res.partner")).groups
        assert groups == {"__count": page.total}
        ids = await odoo.create_records("res.partner", [{"name": "Ada"}])
        copy = await odoo.copy_record("res.partner", ids[0], values={"name": "Bo"})
        (bo,) = await odoo.read_records("res.partner", [copy], fields=["name"])
        assert bo == {"id": copy, "name": "Bo"}
        await odoo.delete_records("res.partner", [copy])
        await odoo.update_records("res.partner", ids, {"active": False})
        assert await odoo.count_records("res.partner", [["id", "in", ids]]) == 0
        everyone = odoo.acting_as(archived=True)
        assert await everyone.count_records("res.partner", [["id", "in", ids]]) == 1
        (ada,) = await odoo.read_records("res.partner", ids, fields=["name"])
        assert ada == {"id": ids[0], "name": "Ada"}
        answer = await odoo.call_method("res.partner", "action_unarchive", ids)
        assert answer in (True, None)
        await odoo.delete_records("res.partner", ids)


async def test_a_change_that_names_versions_overwrites_nothing_else(connect: Connect):
    async with connect("full") as client:
        odoo = OdooportClient(client)
        ids = await odoo.create_records("res.partner", [{"name": "Ada"}])
        plain = await client.call_tool(
            "read_records", {"model": "res.partner", "ids": ids}
        )
        assert "versions" not in (plain.structured_content or {})
        (seen,) = await odoo.read_versions("res.partner", ids, fields=["phone"])
        known = [seen.version]
        await odoo.update_records("res.partner", ids, {"phone": "1"}, if_match=known)
        with pytest.raises(RecordChanged) as caught:
            await odoo.update_records(
                "res.partner", ids, {"phone": "2"}, if_match=known
            )
        assert caught.value.changes[0].fields == ("phone",)
        with pytest.raises(RecordChanged):
            await odoo.delete_records("res.partner", ids, if_match=known)
        read = await client.call_tool(
            "read_records", {"model": "res.partner", "ids": ids, "versions": True}
        )
        versions = (read.structured_content or {})["versions"]
        assert versions[0] in str(read.content)
        await odoo.delete_records("res.partner", ids, if_match=versions)


async def test_the_typed_client_raises_the_error_that_the_code_names(connect: Connect):
    async with connect() as client:
        odoo = OdooportClient(client)
        with pytest.raises(RecordMissing) as missing:
            await odoo.read_records("res.partner", [99999])
        assert missing.value.ids == (99999,)
        with pytest.raises(InvalidRequest) as wrong:
            await odoo.create_records("res.partner", [{"name": 7}])
        assert wrong.value.problems[0].pointer == "/0/name"
    async with connect("reader") as client:
        with pytest.raises(PermissionDenied):
            await OdooportClient(client).delete_records("res.partner", [1])
    async with connect("full", "demo") as client:
        with pytest.raises(OdooAccessError):
            await OdooportClient(client).delete_records("res.country", [1])
