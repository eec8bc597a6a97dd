"""JSON-2, what Odoo 19 does differently, and the choice between the wires.

The answers are those of a real Odoo 19.0; its tracebacks are cut to what is looked at.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest

from odooport import errors
from odooport.model import (
    Call,
    Context,
    Credentials,
    Operation,
    ServerVersion,
    Session,
)
from odooport_adapters.documentation import first_sentence
from odooport_adapters.http import OdooHttp
from odooport_adapters.instances import InstanceGateway
from odooport_adapters.json2 import Json2Gateway
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.memory import MemoryGateway
from odooport_adapters.routing import AutoGateway
from odooport_adapters.versions import answered, by_position, translated
from odooport_adapters.wire_server import wire_app
from odooport_adapters.xmlrpc import XmlRpcGateway

KEY = "0b43d636edc5db42ce9d1233d39859a8d6b0e692"
SESSION = Session("company", 2, KEY)
LOGIN = Credentials("company", "admin", KEY)
PARTNER = "res.partner"
READ = Call(PARTNER, "read", ([1], ["name"]))
WRITE = Call(PARTNER, "write", ([1], {"name": "Azure"}))
VERSION = {"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}
PAGE = (
    404,
    {"Content-Type": "text/html; charset=utf-8"},
    b"<title>404 Not Found</title>",
)

type Answer = tuple[int, Mapping[str, str], bytes]


def said(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return status, kind, json.dumps(value).encode()


def refusal(status: int, name: str, message: str, debug: str = "Traceback") -> Answer:
    """An answer that is an exception of Odoo's."""
    arguments = [message]
    told = {"name": name, "message": message, "arguments": arguments, "context": {}}
    return said({**told, "debug": debug}, status)


UNAUTHORIZED = refusal(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")


class Server:
    """Answers each path with what it was told to, and keeps what it was sent."""

    def __init__(self, answers: Mapping[str, Answer | Exception]) -> None:
        self.answers = {"/json/version": said(VERSION), **answers}
        self.requests: list[httpx2.Request] = []
        self.http = OdooHttp(
            "http://odoo.test", transport=httpx2.MockTransport(self._answer)
        )
        self.gateway = Json2Gateway(self.http)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.path, PAGE)
        if isinstance(answer, Exception):
            raise answer
        status, headers, body = answer
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]

    @property
    def sent(self) -> list[Any]:
        return [json.loads(request.content or b"null") for request in self.requests]


def answering(call: Call, answer: Answer | Exception) -> Server:
    """A server that has one answer to one call."""
    return Server({f"/json/2/{call.model}/{call.method}": answer})


async def outcome(call: Call, answer: Answer | Exception) -> Any:
    """What becomes of a call that is answered so."""
    return await answering(call, answer).gateway.execute(SESSION, call)


# Requests


async def test_a_call_goes_by_names_with_the_key_and_the_database_in_the_header():
    call = Call(
        PARTNER, "write", ([1, 2], {"name": "A"}), context=Context(lang="fr_FR")
    )
    server = answering(call, said(True))

    assert await server.gateway.execute(SESSION, call) is True

    (request,) = server.requests
    assert request.method == "POST"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["X-Odoo-Database"] == "company"
    assert request.headers["Content-Type"] == "application/json"
    assert server.sent == [
        {"ids": [1, 2], "vals": {"name": "A"}, "context": {"lang": "fr_FR"}}
    ]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (
            Call(PARTNER, "search_read", ([], ["name"]), {"limit": 3}),
            {"domain": [], "fields": ["name"], "limit": 3},
        ),
        (Call(PARTNER, "read", (7, ["name"])), {"ids": [7], "fields": ["name"]}),
        (
            Call(PARTNER, "name_search", ("A", [["id", ">", 1]])),
            {"name": "A", "domain": [["id", ">", 1]]},
        ),
        (
            Call(PARTNER, "name_search", (), {"name": "A", "args": [], "limit": 1}),
            {"name": "A", "domain": [], "limit": 1},
        ),
        (Call(PARTNER, "name_search", (), {"args": []}), {"name": "", "domain": []}),
        (Call(PARTNER, "default_get", (["lang"],)), {"fields": ["lang"]}),
        (
            Call(PARTNER, "default_get", (), {"fields_list": ["lang"]}),
            {"fields": ["lang"]},
        ),
        (
            Call(PARTNER, "has_access", ([], "read")),
            {"ids": [], "operation": "read"},
        ),
        (Call("sale.order", "action_confirm", ([5],)), {"ids": [5]}),
        (
            Call(PARTNER, "message_post", ([5],), {"body": "a"}),
            {"ids": [5], "body": "a"},
        ),
        (Call("ir.model", "get_available_models"), {}),
        (Call("x.y", "own_method", (), {"size": 1}), {"size": 1}),
    ],
    ids=lambda value: value.method if isinstance(value, Call) else "",
)
async def test_arguments_by_position_get_the_names_of_odoo_19(call, named):
    server = answering(call, said([]))

    await server.gateway.execute(SESSION, call)

    assert server.sent == [named]


METHODS = {
    "methods": {
        "address_get": {"parameters": {"adr_pref": {"default": None}, "more": {}}},
        "of_model": {"parameters": {"first": {}}, "api": ["model"]},
        "posted": {"parameters": {"body": {"kind": "KEYWORD_ONLY"}, "late": {}}},
        "clashing": {"parameters": {"context": {}}},
    }
}


def describing(method: str, described: Answer) -> Server:
    answers = {f"/json/2/{PARTNER}/{method}": said({"done": 1})}
    return Server({**answers, f"/doc-bearer/{PARTNER}.json": described})


@pytest.mark.parametrize(
    ("method", "args", "named"),
    [
        ("address_get", ([1], ["invoice"]), {"ids": [1], "adr_pref": ["invoice"]}),
        ("of_model", ("a",), {"first": "a"}),
        ("of_model", ([1, 2], 3), None),
        ("posted", ([1], "a"), None),
        ("clashing", ([1], {}), None),
        ("nowhere", ([1], "a"), None),
        ("address_get", ("no ids", "a"), None),
    ],
)
async def test_an_unknown_methods_names_are_those_that_the_server_tells(
    method, args, named
):
    server = describing(method, said(METHODS))
    call = Call(PARTNER, method, args)

    if named is None:
        with pytest.raises(errors.InvalidRequest):
            await server.gateway.execute(SESSION, call)
        assert server.paths == [f"/doc-bearer/{PARTNER}.json"]
    else:
        assert await server.gateway.execute(SESSION, call) == {"done": 1}
        assert server.sent[1:] == [named]


async def test_an_argument_given_by_position_and_by_name_is_refused_unsent():
    server = describing("address_get", said(METHODS))
    call = Call(PARTNER, "address_get", ([1], ["invoice"]), {"adr_pref": ["delivery"]})
    with pytest.raises(errors.InvalidRequest, match="'adr_pref' twice"):
        await server.gateway.execute(SESSION, call)
    assert server.paths == [f"/doc-bearer/{PARTNER}.json"]


async def test_methods_are_described_once():
    server = describing("address_get", said(METHODS))

    for _ in range(3):
        call = Call(PARTNER, "address_get", ([1], ["invoice"]))
        await server.gateway.execute(SESSION, call)

    assert server.paths.count(f"/doc-bearer/{PARTNER}.json") == 1


TOLD = {
    "model": PARTNER,
    "methods": {
        "address_get": {
            "signature": "(adr_pref=None)",
            "parameters": {"adr_pref": {}},
            "doc": '<div class="document">\n\n<p>Find addresses of the right '
            "type(s), e.g. <tt>invoice</tt>.\nDefaults to &lt;self&gt;.</p></div>",
            "model": PARTNER,
            "module": "base",
        },
        "message_post": {
            "parameters": {
                "body": {
                    "kind": "KEYWORD_ONLY",
                    "default": "",
                    "annotation": "str|Markup",
                    "doc": "<p>body of the message, str content will be escaped</p>",
                },
                "kwargs": {"kind": "VAR_KEYWORD"},
            },
            "model": "mail.thread",
            "module": "mail",
        },
        "name_search": {
            "parameters": {"name": {"default": ""}, "domain": {"default": None}},
            "api": ["model", "readonly"],
            "model": "core",
            "module": "core",
        },
        "own_question": {"parameters": {"*": {}}, "api": ["readonly"]},
    },
}
DENIED = refusal(403, "odoo.exceptions.AccessError", "Technical Documentation users.")
DOCUMENT = f"/doc-bearer/{PARTNER}.json"


async def test_the_server_tells_of_its_methods():
    server = Server({DOCUMENT: said(TOLD)})

    told = await server.gateway.methods(SESSION, PARTNER)

    assert told is not None
    address, post, search, own = told
    assert address.signature == "address_get(adr_pref=…)"
    assert address.summary == "Find addresses of the right type(s), e.g. invoice."
    assert (address.model, address.module, address.source) == (
        PARTNER,
        "base",
        "server",
    )
    assert post.signature == "message_post(*, body=…, **kwargs)"
    assert post.parameters[0].type == "str|Markup"
    assert post.parameters[0].summary.endswith("will be escaped.")
    assert post.on_records
    assert not search.on_records
    assert (search.model, search.operation) == ("base", Operation.READ)
    assert (own.model, own.operation) == (PARTNER, Operation.READ)
    (request,) = server.requests
    assert request.method == "GET"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["X-Odoo-Database"] == "company"


async def test_what_the_server_tells_is_kept():
    server = Server({DOCUMENT: said(TOLD), "/doc-bearer/x.y.json": DENIED})
    for _ in range(3):
        assert await server.gateway.methods(SESSION, PARTNER)
        assert await server.gateway.methods(SESSION, "x.y") is None
    assert sorted(server.paths) == [DOCUMENT, "/doc-bearer/x.y.json"]


@pytest.mark.parametrize(
    "answer",
    [DENIED, PAGE, refusal(404, "werkzeug.exceptions.NotFound", "No such URL.")],
    ids=["not-in-the-group", "no-such-app", "no-such-model"],
)
@pytest.mark.parametrize("wire", [Json2Gateway, JsonRpcGateway, XmlRpcGateway])
async def test_a_server_that_tells_nothing_says_none(wire, answer):
    server = Server({DOCUMENT: answer})
    assert await wire(server.http).methods(SESSION, PARTNER) is None


@pytest.mark.parametrize("model", ["res.partner/../x", "a?b", "", "a b"])
async def test_what_is_no_model_is_not_asked_for(model):
    server = Server({})
    assert await server.gateway.methods(SESSION, model) is None
    assert server.requests == []


@pytest.mark.parametrize("wire", [JsonRpcGateway, XmlRpcGateway])
async def test_the_older_wires_show_a_key_but_never_a_password(wire):
    server = Server({DOCUMENT: said(TOLD)})
    gateway = wire(server.http)
    assert await gateway.methods(Session("company", 2, "secret"), PARTNER) is None
    assert server.requests == []
    assert await gateway.methods(SESSION, PARTNER)


async def test_a_key_that_is_refused_is_a_login_problem_on_its_own_wire_only():
    server = Server({DOCUMENT: UNAUTHORIZED})
    with pytest.raises(errors.AuthenticationFailed):
        await server.gateway.methods(SESSION, PARTNER)
    assert await JsonRpcGateway(server.http).methods(SESSION, PARTNER) is None
    with pytest.raises(errors.AuthenticationFailed):
        await server.gateway.methods(Session("company", 2, "pass word"), PARTNER)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said({"methods": 3}), errors.GatewayProtocolError),
        (said({"methods": {"a": {"parameters": {"b": None}}}}), None),
        (said({"methods": {"a": {"parameters": {}, "api": 3}}}), None),
        (said({"methods": {"a" * 201: {"parameters": {}}}}), None),
        (said({"methods": {f"m{n}": {} for n in range(2001)}}), None),
        (
            said({"methods": {"m": {"parameters": {f"p{n}": {} for n in range(101)}}}}),
            None,
        ),
        (said([]), None),
        ((200, {"Content-Type": "application/json"}, b"{"), None),
        (refusal(500, "builtins.ValueError", "docutils"), errors.OdooFailed),
        ((503, {"Content-Type": "text/html"}, b""), errors.GatewayUnavailable),
        ((500, {"Content-Type": "text/html"}, b""), errors.GatewayProtocolError),
        (httpx2.ConnectError("refused"), errors.GatewayUnavailable),
    ],
)
async def test_a_document_that_cannot_be_read_is_an_error(answer, error):
    server = Server({DOCUMENT: answer})
    with pytest.raises(error or errors.GatewayProtocolError):
        await server.gateway.methods(SESSION, PARTNER)


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        (None, ""),
        ("", ""),
        (3, ""),
        ("<p>One. Two.</p><p>Three.</p>", "One."),
        ("<p>Without an end</p>", "Without an end."),
        ("<p>As follows:</p><pre>x</pre>", "As follows."),
        ("<p>A <b>bold</b>\n&amp; new  one!</p>", "A bold & new one!"),
        ('<div class="system-message"><p>Broken.</p></div>', ""),
        ("<p>" + "long " * 100 + "</p>", "long " * 59 + "long…"),
    ],
)
def test_of_a_docstring_the_first_sentence_is_shown(doc, sentence):
    assert first_sentence(doc) == sentence


async def test_a_played_odoo_19_tells_administrators_of_its_methods():
    memory = MemoryGateway.demo(database="company")
    keys = {KEY: "admin", "admin": "admin", "demo": "demo"}
    app = wire_app(memory, database="company", json2_keys=keys)
    http = OdooHttp("http://odoo.test", transport=httpx2.ASGITransport(app))
    gateway = Json2Gateway(http)
    admin = await gateway.authenticate(Credentials("company", "admin", "admin"))
    demo = await gateway.authenticate(Credentials("company", "demo", "demo"))

    told = await gateway.methods(admin, PARTNER)

    assert told is not None
    by_name = {method.name: method for method in told}
    in_memory = await memory.methods(admin, PARTNER) or []
    assert set(by_name) == {method.name for method in in_memory}
    assert by_name["name_search"].signature == (
        "name_search(name=…, domain=…, operator=…, limit=…)"
    )
    assert by_name["read"].on_records
    assert not by_name["search"].on_records
    assert await gateway.methods(demo, PARTNER) is None
    assert await gateway.methods(admin, "no.model") is None


async def test_routing_asks_the_wire_that_the_session_belongs_to():
    server = Server({DOCUMENT: said(TOLD)})
    auto = AutoGateway([JsonRpcGateway(server.http)], by_key=server.gateway)
    told = await auto.methods(SESSION, PARTNER)
    every = InstanceGateway({"default": auto})
    assert told
    assert await every.methods(SESSION, PARTNER) == told
    with pytest.raises(errors.InvalidRequest, match="no instance 'other'"):
        await every.methods(Session("company", 2, KEY, "other"), PARTNER)


@pytest.mark.parametrize(
    "described",
    [
        DENIED,
        PAGE,
        said({"methods": 3}),
        said({"methods": {"address_get": 3}}),
        said({"methods": {"address_get": {"parameters": {"a": None}}}}),
        said([]),
    ],
)
async def test_a_method_that_nobody_describes_wants_keyword_arguments(described):
    server = describing("address_get", described)
    call = Call(PARTNER, "address_get", ([1], ["invoice"]))

    with pytest.raises(errors.InvalidRequest, match="keyword arguments"):
        await server.gateway.execute(SESSION, call)

    assert f"/json/2/{PARTNER}/address_get" not in server.paths


async def test_a_key_that_is_refused_while_asking_for_names_is_a_failed_login():
    server = describing("address_get", UNAUTHORIZED)
    with pytest.raises(errors.AuthenticationFailed):
        await server.gateway.execute(
            SESSION, Call(PARTNER, "address_get", ([1], ["invoice"]))
        )


@pytest.mark.parametrize(
    "call",
    [
        Call(PARTNER, "own_method", (), {"ids": [1]}),
        Call("../web", "read", ([1],)),
        Call("res.partner/read?x=", "own_method"),
        Call(PARTNER, "own/method"),
        Call(PARTNER, "write", ([1], {"name": "\ud800"})),
        Call(PARTNER, "write", ([1], {"name": "a\x00"})),
        Call(PARTNER, "write", ()),
        Call(PARTNER, "write", ([1], {}, {})),
        Call(PARTNER, "write", ([1], {}), {"vals": {}}),
    ],
)
async def test_what_cannot_be_sent_is_refused_unsent(call):
    server = Server({})
    with pytest.raises(errors.InvalidRequest):
        await server.gateway.execute(SESSION, call)
    assert server.requests == []


# Answers


@pytest.mark.parametrize(
    ("values", "answer"), [({"name": "A"}, 7), ([{"name": "A"}], [7])]
)
@pytest.mark.parametrize("named", [False, True])
async def test_create_answers_as_it_was_asked(values, answer, named):
    args, kwargs = ((), {"vals_list": values}) if named else ((values,), {})
    call = Call(PARTNER, "create", args, kwargs)
    assert await outcome(call, said([7])) == answer


async def test_a_method_that_returned_nothing_answers_none():
    call = Call(PARTNER, "action_archive", ([1],))
    assert await outcome(call, said(None)) is None


LOOKED_UP = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/python3/dist-packages/odoo/service/model.py", line 55, in '
    "get_public_method\nAttributeError: The method 'res.partner.x' does not exist\n"
)

ERRORS = [
    (401, "werkzeug.exceptions.Unauthorized", errors.AuthenticationFailed),
    (403, "odoo.exceptions.AccessDenied", errors.AuthenticationFailed),
    (403, "odoo.http.SessionExpiredException", errors.AuthenticationFailed),
    (403, "odoo.exceptions.AccessError", errors.OdooAccessError),
    (404, "odoo.exceptions.MissingError", errors.RecordMissing),
    (404, "werkzeug.exceptions.NotFound", errors.OdooRefused),
    (409, "odoo.exceptions.LockError", errors.Conflict),
    (413, "werkzeug.exceptions.RequestEntityTooLarge", errors.OdooRefused),
    (422, "odoo.exceptions.UserError", errors.OdooRefused),
    (422, "odoo.exceptions.ValidationError", errors.OdooRefused),
    (422, "werkzeug.exceptions.UnprocessableEntity", errors.InvalidRequest),
    (500, "psycopg2.errors.SerializationFailure", errors.Conflict),
    (500, "builtins.ValueError", errors.OdooFailed),
]


@pytest.mark.parametrize("call", [READ, WRITE], ids=lambda call: call.method)
@pytest.mark.parametrize(("status", "name", "kind"), ERRORS)
async def test_odoos_exceptions_are_told_by_their_class(call, status, name, kind):
    with pytest.raises(errors.OdooportError) as caught:
        await outcome(call, refusal(status, name, "So it is", "Traceback: /usr/lib"))
    assert type(caught.value) is kind
    assert "/usr/lib" not in caught.value.message


async def test_an_unknown_method_is_told_from_an_unknown_model():
    text = "The method 'res.partner.x' does not exist"
    answer = refusal(404, "werkzeug.exceptions.NotFound", text, LOOKED_UP)
    with pytest.raises(errors.InvalidRequest, match=r"res\.partner\.x"):
        await outcome(Call(PARTNER, "x"), answer)


async def test_arguments_that_odoo_does_not_take_are_named():
    text = "missing a required argument: 'values'"
    answer = refusal(422, "werkzeug.exceptions.UnprocessableEntity", text)
    with pytest.raises(errors.InvalidRequest, match="'values'"):
        await outcome(WRITE, answer)


@pytest.mark.parametrize(
    ("answer", "for_read", "for_write"),
    [
        ((500, {"Content-Type": "text/html"}, b"x"), "protocol", "unknown"),
        ((502, {"Content-Type": "text/html"}, b"x"), "unavailable", "unknown"),
        (said({"error": "busy"}, 503), "unavailable", "unknown"),
        (said({"error": "who are you?"}, 401), "protocol", "unavailable"),
        (said({"name": 5, "message": "x"}, 500), "protocol", "unknown"),
        (said([], 500), "protocol", "unknown"),
        ((200, {"Content-Type": "text/html"}, b"x"), "protocol", "unknown"),
        ((200, {"Content-Type": "application/json"}, b"{"), "protocol", "unknown"),
        ((200, {"Content-Type": "application/json"}, b"NaN"), "protocol", "unknown"),
        ((303, {"Location": "/web/login"}, b""), "protocol", "unavailable"),
        (httpx2.ReadError("gone"), "unavailable", "unknown"),
    ],
)
async def test_what_is_no_answer_of_odoos_tells_whether_the_call_may_have_run(
    answer, for_read, for_write
):
    kinds = {
        "protocol": errors.GatewayProtocolError,
        "unavailable": errors.GatewayUnavailable,
        "unknown": errors.OutcomeUnknown,
    }
    with pytest.raises(kinds[for_read]):
        await outcome(READ, answer)
    with pytest.raises(kinds[for_write]):
        await outcome(WRITE, answer)


@pytest.mark.parametrize("call", [READ, WRITE], ids=lambda call: call.method)
async def test_no_such_page_on_an_odoo_19_means_no_such_database(call):
    with pytest.raises(errors.AuthenticationFailed, match="'company'"):
        await outcome(call, PAGE)


async def test_no_such_page_on_another_server_means_that_nothing_was_done():
    server = Server({"/json/version": PAGE})
    with pytest.raises(errors.GatewayUnavailable, match="Nothing was done"):
        await server.gateway.execute(SESSION, WRITE)
    with pytest.raises(errors.GatewayProtocolError):
        await server.gateway.execute(SESSION, READ)


# Version and login


async def test_the_version_is_asked_without_a_login():
    server = Server({})
    assert await server.gateway.version("default") == ServerVersion("19.0", (19, 0))
    (request,) = server.requests
    assert (request.method, request.url.path) == ("GET", "/json/version")
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "answer",
    [
        (303, {"Content-Type": "text/html", "Location": "/web/login"}, b"<p>"),
        PAGE,
        said({"version": "18.4", "version_info": ["saas~18", 4]}),
        said({"version": "19.0"}),
        said([19, 0]),
        said(VERSION, 403),
        (500, {"Content-Type": "text/html"}, b"x"),
    ],
)
async def test_a_server_without_json2_is_told_so(answer):
    with pytest.raises(errors.GatewayProtocolError):
        await Server({"/json/version": answer}).gateway.version("default")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_server_that_is_down_may_have_json2_or_not(status):
    server = Server({"/json/version": (status, {"Content-Type": "text/html"}, b"")})
    with pytest.raises(errors.GatewayUnavailable):
        await server.gateway.version("default")


def keys_of(login: str, *, uid: Any = 2) -> dict[str, Answer]:
    """What a server answers to who logs in with a key of that user."""
    return {
        "/json/2/res.users/context_get": said({"uid": uid, "lang": "en_US"}),
        "/json/2/res.users/read": said([{"id": uid, "login": login}]),
    }


async def test_a_login_finds_whose_key_it_is():
    server = Server(keys_of("admin"))
    assert await server.gateway.authenticate(LOGIN) == SESSION
    assert server.sent[1] == {"ids": [2], "fields": ["login"]}


async def test_a_key_of_somebody_else_does_not_log_in():
    server = Server(keys_of("demo", uid=6))
    with pytest.raises(errors.AuthenticationFailed, match="'admin'"):
        await server.gateway.authenticate(LOGIN)


@pytest.mark.parametrize("uid", [None, "2", 0])
async def test_a_login_that_tells_no_user_is_an_error(uid):
    with pytest.raises(errors.GatewayProtocolError):
        await Server(keys_of("admin", uid=uid)).gateway.authenticate(LOGIN)


async def test_a_refused_key_is_not_shown():
    server = Server({"/json/2/res.users/context_get": UNAUTHORIZED})
    with pytest.raises(errors.AuthenticationFailed) as caught:
        await server.gateway.authenticate(LOGIN)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "two words", "pässword", "a\r\nX-Evil: 1"])
async def test_what_can_be_no_key_is_never_sent(secret):
    server = Server({})
    with pytest.raises(errors.AuthenticationFailed, match="API key"):
        await server.gateway.authenticate(Credentials("company", "admin", secret))
    assert server.requests == []


async def test_what_can_be_no_database_is_never_sent():
    server = Server({})
    with pytest.raises(errors.AuthenticationFailed, match="no database"):
        await server.gateway.authenticate(Credentials("a\r\nb", "admin", KEY))
    assert server.requests == []


# read_group and its successor

OWN = [["name", "=", "x"]]
BY_MONTH = Call(
    "crm.lead",
    "read_group",
    (OWN, ["expected_revenue:sum", "most:max(color)"], ["date_deadline:month"]),
    {"lazy": False, "limit": 5},
)


def test_groups_are_asked_of_the_successor():
    translation = translated(BY_MONTH)
    assert translation.call.method == "formatted_read_group"
    assert translation.call.kwargs == {
        "domain": OWN,
        "groupby": ["date_deadline:month"],
        "aggregates": ["__count", "expected_revenue:sum", "color:max"],
        "limit": 5,
    }
    assert translation.otherwise is None


async def test_groups_come_back_as_odoo_18_gives_them():
    figures = {"__count": 2, "expected_revenue:sum": 9.5, "color:max": 3}
    since, until = ["date_deadline", ">=", "2026-02-01"], ["date_deadline", "<", "z"]
    rows = [
        {
            "date_deadline:month": ["2026-02-01", "February 2026"],
            "__extra_domain": ["&", since, until],
            **figures,
        },
        {
            "date_deadline:month": False,
            "__extra_domain": [["date_deadline", "=", False]],
            **figures,
        },
    ]
    path = "/json/2/crm.lead/formatted_read_group"
    server = Server({path: said(rows)})

    named = {"__count": 2, "expected_revenue": 9.5, "most": 3}
    assert await server.gateway.execute(SESSION, BY_MONTH) == [
        {
            "date_deadline:month": "February 2026",
            **named,
            "__domain": ["&", "&", *OWN, since, until],
            "__range": {"date_deadline:month": {"from": "2026-02-01", "to": "z"}},
        },
        {
            "date_deadline:month": False,
            **named,
            "__domain": ["&", *OWN, ["date_deadline", "=", False]],
            "__range": {"date_deadline:month": False},
        },
    ]


def grouped(domain: list[Any], groupby: list[str], **row: Any) -> dict[str, Any]:
    """What one group of the successor becomes."""
    call = Call(PARTNER, "read_group", (domain, [], groupby), {"lazy": False})
    (old,) = translated(call).back([{"__count": 1, **row}])
    return old


def test_two_buckets_of_one_date_keep_their_own_ends():
    extra = [["d", ">=", "a"], ["d", "<", "b"], ["d", ">=", "a"], ["d", "<", "c"]]
    old = grouped(
        [],
        ["d:month", "d:year", "d:month_number"],
        **{"d:month": ["a", "M"], "d:year": ["a", "Y"], "d:month_number": 1.0},
        __extra_domain=["&", "&", "&", *extra],
    )
    assert old["__range"] == {
        "d:month": {"from": "a", "to": "b"},
        "d:year": {"from": "a", "to": "c"},
    }
    assert old["d:month_number"] == 1.0


A, B, C, D = ([name, "=", 1] for name in "abcd")


@pytest.mark.parametrize(
    ("domain", "extra", "both"),
    [
        ([], [A], [A]),
        ([A], [[1, "=", 1]], [A]),
        ([A], [B], ["&", A, B]),
        ([A, B], [C], ["&", "&", A, B, C]),
        (["|", A, B], [C], ["&", "|", A, B, C]),
        (["&", "|", A, B, C], ["&", D, A], ["&", "&", "&", "|", A, B, C, D, A]),
        (["!", A, B], [C], ["&", "&", "!", A, B, C]),
    ],
)
def test_a_groups_domain_holds_what_was_searched_for(domain, extra, both):
    assert grouped(domain, ["x"], x=1, __extra_domain=extra)["__domain"] == both


@pytest.mark.parametrize(
    ("order", "new"),
    [
        ("most desc", "color:max desc"),
        ("date_deadline desc, __count", "date_deadline:month desc, __count"),
        ("color:max desc nulls last", "color:max desc nulls last"),
    ],
)
def test_an_order_names_what_the_successor_knows(order, new):
    call = Call(*_with(BY_MONTH, orderby=order))
    assert translated(call).call.kwargs["order"] == new


def _with(call: Call, **kwargs: Any) -> tuple[Any, ...]:
    return call.model, call.method, call.args, {**call.kwargs, **kwargs}


@pytest.mark.parametrize(
    ("fields", "groupby", "more"),
    [
        ([], ["type", "stage_id"], {}),
        ([], ["type"], {"lazy": True}),
        (["color"], ["type"], {"lazy": False}),
        ([], ["properties.x"], {"lazy": False}),
    ],
)
def test_what_only_the_old_method_can_do_stays_with_it(fields, groupby, more):
    call = Call("crm.lead", "read_group", ([], fields, groupby), more)
    assert translated(call).call == call


async def test_a_date_without_a_granularity_falls_back_on_the_old_method():
    crash = refusal(500, "builtins.ValueError", "Granularity not set")
    old = [{"date_deadline": "January 2026", "__count": 1}]
    server = Server(
        {
            "/json/2/crm.lead/formatted_read_group": crash,
            "/json/2/crm.lead/read_group": said(old),
        }
    )
    call = Call("crm.lead", "read_group", ([], [], ["date_deadline"]), {"lazy": False})
    assert await server.gateway.execute(SESSION, call) == old


@pytest.mark.parametrize(
    "rows", [{}, 5, [5], [{}], [{"date_deadline:month": ["a", "b"]}]]
)
async def test_groups_in_another_shape_are_an_error_of_ours(rows):
    server = Server({"/json/2/crm.lead/formatted_read_group": said(rows)})
    if rows == {}:
        assert await server.gateway.execute(SESSION, BY_MONTH) == []
        return
    with pytest.raises(errors.GatewayProtocolError):
        await server.gateway.execute(SESSION, BY_MONTH)


# Other differences


@pytest.mark.parametrize(
    ("call", "same"),
    [
        (
            Call(PARTNER, "name_search", (), {"name": "A", "args": [], "limit": 1}),
            Call(PARTNER, "name_search", ("A", []), {"limit": 1}),
        ),
        (
            Call(PARTNER, "name_search", ("A",), {"args": []}),
            Call(PARTNER, "name_search", ("A", [])),
        ),
        (
            Call(PARTNER, "default_get", (), {"fields_list": []}),
            Call(PARTNER, "default_get", ([],)),
        ),
        (READ, READ),
    ],
)
def test_renamed_arguments_go_by_position_on_the_older_wires(call, same):
    assert by_position(call) == same


@pytest.mark.parametrize(
    ("model", "method", "answer", "old"),
    [
        (PARTNER, "message_post", [165], 165),
        (PARTNER, "message_notify", [], False),
        (PARTNER, "find_or_create", [3], 3),
        ("x.tag", "find_or_create", [3], [3]),
        (PARTNER, "message_post", 165, 165),
        (PARTNER, "copy", [4], [4]),
    ],
)
def test_one_record_is_one_id_again(model, method, answer, old):
    assert answered(Call(model, method), answer) == old


# Choosing between the wires


class Place:
    """A company in memory whose server plays an Odoo 19, reached by each wire."""

    def __init__(
        self, *, nineteen: bool = True, without: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.asked: list[str] = []
        keys = {"admin": "admin"} if nineteen else None
        app = httpx2.ASGITransport(app=wire_app(MemoryGateway.demo(), json2_keys=keys))

        async def handle(request: httpx2.Request) -> httpx2.Response:
            self.asked.append(request.url.path)
            if without(request.url.path):
                return httpx2.Response(404, stream=httpx2.ByteStream(b""))
            return await app.handle_async_request(request)

        http = OdooHttp("http://odoo.test", transport=httpx2.MockTransport(handle))
        self.auto = AutoGateway(
            (JsonRpcGateway(http), XmlRpcGateway(http)), by_key=Json2Gateway(http)
        )


def as_user(login: str, secret: str) -> Credentials:
    return Credentials("demo", login, secret)


async def test_a_key_goes_over_json2():
    place = Place()
    session = await place.auto.authenticate(as_user("admin", "admin"))

    assert await place.auto.execute(session, Call(PARTNER, "search_count", ([],)))
    assert all(path.startswith("/json/") for path in place.asked)


async def test_a_password_goes_over_jsonrpc_and_stays_there():
    place = Place()
    session = await place.auto.authenticate(as_user("demo", "demo"))
    place.asked.clear()

    for _ in range(3):
        assert await place.auto.execute(session, Call(PARTNER, "search_count", ([],)))

    assert place.asked == ["/jsonrpc"] * 3


async def test_key_and_password_do_not_mix():
    place = Place()
    key = await place.auto.authenticate(as_user("admin", "admin"))
    password = await place.auto.authenticate(as_user("demo", "demo"))

    call = Call("res.users", "context_get")
    assert (await place.auto.execute(key, call))["uid"] == key.uid
    assert (await place.auto.execute(password, call))["uid"] == password.uid


async def test_what_is_neither_is_tried_once_on_each_wire():
    place = Place()
    with pytest.raises(errors.AuthenticationFailed):
        await place.auto.authenticate(as_user("admin", "wrong"))

    assert place.asked.count("/json/2/res.users/context_get") == 1
    # the version, and one login that counts towards the cooldown
    assert place.asked.count("/jsonrpc") == 2


async def test_a_password_on_a_server_with_json2_alone_is_a_failed_login():
    place = Place(without=lambda path: "rpc" in path)
    with pytest.raises(errors.AuthenticationFailed, match="API key"):
        await place.auto.authenticate(as_user("demo", "demo"))


async def test_an_odoo_18_is_asked_nothing_over_json2_but_its_version():
    place = Place(nineteen=False)
    await place.auto.authenticate(as_user("admin", "admin"))

    assert place.asked == ["/json/version", "/jsonrpc", "/jsonrpc"]


# A server that plays an Odoo 19


@pytest.fixture
async def played():
    transport = httpx2.ASGITransport(
        app=wire_app(MemoryGateway.demo(), json2_keys={"admin": "admin", "x": "nobody"})
    )
    async with httpx2.AsyncClient(
        transport=transport,
        base_url="http://odoo.test",
        headers={"Authorization": "bearer admin", "X-Odoo-Database": "demo"},
    ) as client:
        yield client


@pytest.mark.parametrize("path", ["/json/version", "/web/version"])
async def test_a_played_odoo_19_tells_its_version(played, path):
    assert (await played.get(path)).json() == VERSION


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        ({"Authorization": "bearer z"}, b"{}", 401, "werkzeug.exceptions.Unauthorized"),
        ({"Authorization": ""}, b"{}", 401, "werkzeug.exceptions.Unauthorized"),
        ({"Authorization": "bearer x"}, b"{}", 403, "odoo.exceptions.AccessDenied"),
        ({"X-Odoo-Database": "z"}, b"{}", 404, None),
        ({"Content-Type": "text/plain"}, b"{}", 415, None),
        ({}, b"{", 400, "werkzeug.exceptions.BadRequest"),
        ({}, b"[1]", 422, "werkzeug.exceptions.UnprocessableEntity"),
        (
            {},
            b'{"ids": [1], "domain": []}',
            422,
            "werkzeug.exceptions.UnprocessableEntity",
        ),
        ({}, b'{"domain": [["zork", "=", 1]]}', 500, "builtins.ValueError"),
    ],
)
async def test_a_played_odoo_19_refuses_as_the_real_one_does(
    played, headers, body, status, name
):
    answer = await played.post(
        "/json/2/res.partner/search",
        content=body,
        headers={"Content-Type": "application/json", **headers},
    )
    assert answer.status_code == status
    if name is None:
        assert answer.headers["Content-Type"].startswith("text/html")
    else:
        assert answer.json()["name"] == name


async def test_a_played_odoo_19_knows_no_other_page_below_json2(played):
    answer = await played.get("/json/2/res.partner/search")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Did you mean POST /json/2/<model>/<method>?"


async def test_a_played_odoo_19_answers_19_on_the_older_wires_too():
    transport = httpx2.ASGITransport(
        app=wire_app(MemoryGateway.demo(), json2_keys={"k": "admin"})
    )
    async with OdooHttp("http://odoo.test", transport=transport) as http:
        gateway = XmlRpcGateway(http)
        assert await gateway.version("default") == ServerVersion("19.0", (19, 0))
        session = await gateway.authenticate(as_user("admin", "admin"))
        call = Call(PARTNER, "name_search", (), {"name": "A", "args": [], "limit": 1})
        assert len(await gateway.execute(session, call)) == 1
