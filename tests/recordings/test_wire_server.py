"""Our server of Odoo's wire, held against the recorded exchanges with a real Odoo 18.

Each recorded call is made on ``wire_server`` over an Odoo in memory, whose users have
the same ids and passwords. The answer must be the recorded one: the same fault with the
same text, or a value of the same kind.
"""

import json
import xmlrpc.client
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayUnavailable,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    RecordMissing,
)
from odooport_adapters.memory import MemoryGateway
from odooport_adapters.wire_server import wire_app

NOT_IN_MEMORY = {
    "016-read-all-fields",
    "017-read-binary",
    "018-read-html-and-date",
    "024-fields-get-account.move",
    "026-fields-get-project.task",
    "027-ir-model-list",
    "028-ir-model-fields",
    "029-ir-model-access",
    "037-web-search-read",
    "043-export-data",
    "044-load-ok",
    "045-load-again-updates",
    "046-load-error",
    "075-method-action-cancel-wizard",
    "090-module-list",
}
"""Calls for models, fields and methods that the Odoo in memory does not have."""

SECOND_TIME = {("048-unlink", "jsonrpc"), ("074-method-action-confirm", "jsonrpc")}
"""The same call was made before on the other wire, so its answer is another."""

OWN_WORDS = {
    "005-authenticate-unknown-db",
    "059-fault-missing-argument",
    "071-fault-unknown-db",
    "085-big-int",
    "086-control-characters",
}
"""Crashes whose text depends on Odoo or PostgreSQL: only the class counts."""

AFTER_CREATE = {
    "040-write",
    "041-read-back",
    "042-copy",
    "047-get-metadata",
    "048-unlink",
}
"""Calls on the partner that an earlier call had made."""


@dataclass(frozen=True)
class Server:
    """Our server, and a client of both its wires."""

    client: httpx2.AsyncClient
    gateway: MemoryGateway

    async def post(self, path: str, body: str) -> httpx2.Response:
        """Send a body with the content type of its path."""
        kind = "application/json" if path == "/jsonrpc" else "text/xml"
        headers = {"Content-Type": kind}
        return await self.client.post(path, content=body.encode(), headers=headers)

    async def xmlrpc(self, service: str, method: str, *args: Any) -> Any:
        """Call over XML-RPC; a fault is raised."""
        request = xmlrpc.client.dumps(args, method, allow_none=True)
        answer = await self.post(f"/xmlrpc/2/{service}", request)
        return xmlrpc.client.loads(answer.content)[0][0]

    async def jsonrpc(self, service: str, method: str, *args: Any) -> dict[str, Any]:
        """Call over JSON-RPC, and answer the whole answer."""
        params = {"service": service, "method": method, "args": list(args)}
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
        answer = await self.post("/jsonrpc", json.dumps(body))
        return answer.json()

    async def ask(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Run a method as the administrator."""
        login = ("odoo18", 2, "admin")
        call = (*login, model, method, list(args), kwargs)
        return (await self.jsonrpc("object", "execute_kw", *call))["result"]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    gateway = MemoryGateway.demo(database="odoo18")
    transport = httpx2.ASGITransport(wire_app(gateway, database="odoo18"))
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://odoo", trust_env=False
    ) as client:
        yield Server(client, gateway)


async def prepare(server: Server, name: str) -> None:
    """Bring the Odoo in memory to where the recorded one was before a call."""
    if name in AFTER_CREATE:
        server.gateway._store.tables["res.partner"].next_id = 20860
        await server.ask("res.partner", "create", {"name": "Wire", "comment": "x"})
    if "073" <= name < "079":
        await server.ask("sale.order", "action_cancel", [3])
        await server.ask("sale.order", "action_draft", [3])
    if name.startswith(("076", "078")):
        await server.ask("sale.order", "action_confirm", [3])


def read(wire: str, body: str) -> dict[str, Any]:
    """Answer a body's value, or its fault as the wire tells it."""
    if wire == "jsonrpc":
        answer = json.loads(body)
        if "error" not in answer:
            return {"keys": sorted(answer), "value": answer.get("result")}
        data = answer["error"].pop("data")
        data["debug"] = last_line(data["debug"])
        return {"keys": sorted(answer), "error": answer["error"], "data": data}
    try:
        return {"value": xmlrpc.client.loads(body)[0][0]}
    except xmlrpc.client.Fault as fault:
        crashed = fault.faultCode == 1
        text = last_line(fault.faultString) if crashed else fault.faultString
        return {"code": fault.faultCode, "text": text}


def last_line(traceback: str) -> str:
    """Answer what a traceback ends in, from the exception's name on."""
    lines = traceback.splitlines()
    frames = [n for n, line in enumerate(lines) if line.startswith("  ")]
    frame = max(n for n in frames if lines[n].startswith("  File "))
    rest = [n for n in range(frame, len(lines)) if n not in frames]
    return "\n".join(lines[rest[0] :])


def name_only(answer: dict[str, Any]) -> dict[str, Any]:
    """Answer a fault without its words."""
    if "data" in answer:
        return {"name": answer["data"]["name"], "data": sorted(answer["data"])}
    return {"code": answer["code"], "name": answer["text"].partition(":")[0]}


def alike(ours: Any, theirs: Any) -> bool:
    """Whether two values are of the same kind, as far as both have one."""
    if ours is False or theirs is False:
        return True  # empty, in every type
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(
            alike(ours[key], theirs[key]) for key in ours
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return all(alike(one, other) for one, other in zip(ours, theirs, strict=False))
    return type(ours) is type(theirs)


async def test_a_recorded_call_is_answered_as_recorded(server, recording, wire):
    name = recording.name
    if name in NOT_IN_MEMORY or (name, wire) in SECOND_TIME:
        pytest.skip("the Odoo in memory does not have that")
    await prepare(server, name)
    exchange = getattr(recording, wire)

    response = await server.post(exchange.path, exchange.request)

    assert response.status_code == exchange.status
    assert response.headers["Content-Type"] == exchange.content_type
    ours, theirs = read(wire, response.text), read(wire, exchange.body)
    if "value" not in theirs:
        if name in OWN_WORDS:
            ours, theirs = name_only(ours), name_only(theirs)
        assert ours == theirs
    elif "fields-get" in name:
        fields = ours["value"]
        assert len(fields) > 20
        assert fields == {field: theirs["value"][field] for field in fields}
    else:
        assert ours.keys() == theirs.keys()
        assert alike(ours["value"], theirs["value"]), (ours, theirs)


async def test_nothing_is_an_answer_over_json_and_a_fault_over_xml(server):
    call = ("odoo18", 2, "admin", "crm.lead", "action_archive", [[1]])
    assert await server.jsonrpc("object", "execute_kw", *call) == {
        "jsonrpc": "2.0",
        "id": 1,
    }
    with pytest.raises(xmlrpc.client.Fault, match="cannot marshal None"):
        await server.xmlrpc("object", "execute_kw", *call)


async def test_control_characters_leave_xml_answers_and_stay_in_json(server):
    values = {"name": "a\x0bb\x01"}
    one = await server.ask("res.partner", "create", values)
    call = ("odoo18", 2, "admin", "res.partner", "read", [[one], ["name"]])
    over_xml = await server.xmlrpc("object", "execute_kw", *call)
    over_json = await server.jsonrpc("object", "execute_kw", *call)
    assert over_xml[0]["name"] == "ab"
    assert over_json["result"][0]["name"] == "a\x0bb\x01"


async def test_keys_that_are_numbers_are_text_in_json_and_lost_over_xml(server):
    server.gateway.on("res.partner", "get_external_id", lambda ids: {ids[0]: "x.y"})
    call = ("odoo18", 2, "admin", "res.partner", "get_external_id", [[3]])
    answer = await server.jsonrpc("object", "execute_kw", *call)
    assert answer["result"] == {"3": "x.y"}
    with pytest.raises(xmlrpc.client.Fault, match="dictionary key must be string"):
        await server.xmlrpc("object", "execute_kw", *call)


async def test_the_content_of_a_file_breaks_a_json_answer(server):
    datas = "/9j/4AAQ"  # no text
    one = await server.ask("ir.attachment", "create", {"name": "a.jpg", "datas": datas})
    params = {"service": "object", "method": "execute_kw"}
    args = ["odoo18", 2, "admin", "ir.attachment", "read", [[one], ["raw"]]]
    response = await server.post(
        "/jsonrpc", json.dumps({"id": 1, "params": {**params, "args": args}})
    )
    assert response.status_code == 500
    with pytest.raises(xmlrpc.client.Fault, match="UnicodeDecodeError"):
        await server.xmlrpc("object", "execute_kw", *args)


async def test_the_old_paths_and_methods_answer_too(server):
    request = xmlrpc.client.dumps((), "version")
    response = await server.post("/xmlrpc/common", request)
    version = xmlrpc.client.loads(response.content)[0][0]
    assert version["server_serie"] == "18.0"
    login = await server.xmlrpc("common", "login", "odoo18", "demo", "demo")
    assert login == 6
    count = await server.xmlrpc(
        "object", "execute", "odoo18", 2, "admin", "res.users", "search_count", []
    )
    assert count == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/no/such/path", 404),
        ("GET", "/xmlrpc/2/common", 405),
        ("POST", "/json/2/res.partner/search", 303),
    ],
)
async def test_other_paths_answer_as_odoos(server, method, path, status):
    response = await server.client.request(method, path)
    assert response.status_code == status
    if status == 303:
        assert response.headers["Location"].startswith("/web/login")


@pytest.mark.parametrize("body", ["no json", "[]", '"text"'])
async def test_what_is_no_json_request_is_a_bad_request(server, body):
    response = await server.post("/jsonrpc", body)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("{}", "builtins.TypeError"),
        (
            '{"params": {"service": "x", "method": "y", "args": []}}',
            "builtins.KeyError",
        ),
        (
            '{"params": {"service": "common", "method": "y", "args": []}}',
            "builtins.Exception",
        ),
        (
            '{"params": {"service": "object", "method": "execute_kw", "args": []}}',
            "builtins.IndexError",
        ),
    ],
)
async def test_a_wrong_json_request_is_a_crash(server, body, name):
    response = await server.post("/jsonrpc", body)
    assert response.status_code == 200
    assert response.json()["error"]["data"]["name"] == name


async def test_half_a_character_breaks_the_server(server):
    params = {"service": "common", "method": "login", "args": ["odoo18", "\ud800", ""]}
    response = await server.post("/jsonrpc", json.dumps({"params": params}))
    assert response.status_code == 500


@pytest.mark.parametrize(
    "body",
    [
        "<oops",
        "<!DOCTYPE a []><methodCall><methodName>version</methodName></methodCall>",
        "<methodCall><params/></methodCall>",
    ],
)
async def test_what_is_no_xml_request_is_a_fault(server, body):
    response = await server.post("/xmlrpc/2/common", body)
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(response.content)


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (OdooRefused("no"), 2, "odoo.exceptions.UserError"),
        (RecordMissing("no"), 2, "odoo.exceptions.MissingError"),
        (AuthenticationFailed("no"), 3, "odoo.exceptions.AccessDenied"),
        (OdooAccessError("no"), 4, "odoo.exceptions.AccessError"),
        (Conflict("busy"), 1, "psycopg2.errors.SerializationFailure"),
        (AnswerLost("gone"), 1, "builtins.TypeError"),
        (OdooFailed("x", "no traceback"), 1, "builtins.Exception"),
        (
            OdooFailed("x", 'Traceback:\n  File "a", line 1, in b\nKeyError: 5\n'),
            1,
            "builtins.KeyError",
        ),
    ],
    ids=str,
)
async def test_errors_of_any_gateway_become_faults(
    server: Server, error: OdooportError, code: int, name: str
):
    def fail(*_: Any) -> None:
        raise error

    server.gateway.on("res.partner", "fail", fail)
    call = ("odoo18", 2, "admin", "res.partner", "fail", [])
    with pytest.raises(xmlrpc.client.Fault) as caught:
        await server.xmlrpc("object", "execute_kw", *call)
    assert caught.value.faultCode == code
    answer = await server.jsonrpc("object", "execute_kw", *call)
    assert answer["error"]["data"]["name"] == name


async def test_a_gateway_that_is_away_is_a_bad_gateway(server):
    def fail(*_: Any) -> None:
        raise GatewayUnavailable("gone")

    server.gateway.on("res.partner", "fail", fail)
    call = ["odoo18", 2, "admin", "res.partner", "fail", []]
    params = {"service": "object", "method": "execute_kw", "args": call}
    response = await server.post("/jsonrpc", json.dumps({"params": params}))
    assert response.status_code == 502
