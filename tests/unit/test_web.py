"""Odoo over the routes of its web client: sessions, and what happens without them."""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import httpx2
import pytest

from odooport import errors
from odooport.model import Call, Credentials
from odooport_adapters import (
    AutoGateway,
    JsonRpcGateway,
    MemoryGateway,
    OdooHttp,
    WebGateway,
    wire_app,
)

ADMIN = Credentials("demo", "admin", "admin")
COUNT = Call("res.partner", "search_count", ([],))
MAKE = Call("res.partner", "create", ({"name": "Made once"},))
LOGIN, CHECK, LEAVE = (
    f"/web/session/{name}" for name in ("authenticate", "check", "destroy")
)
CALL = "/web/dataset/call_kw"

type Answer = Callable[[httpx2.Request], httpx2.Response | None]


def nothing(_: httpx2.Request) -> None:
    """Let the server answer by itself."""


def json_error(request: httpx2.Request, code: int, **data: str) -> httpx2.Response:
    number = json.loads(request.content)["id"]
    error = {"code": code, "message": "Odoo Server Error", "data": data}
    answer = {"jsonrpc": "2.0", "id": number, "error": error}
    return httpx2.Response(200, json=answer)


def json_result(request: httpx2.Request, result: Any) -> httpx2.Response:
    number = json.loads(request.content)["id"]
    return httpx2.Response(200, json={"jsonrpc": "2.0", "id": number, "result": result})


class Place:
    """A company in memory behind Odoo's routes; it counts what it is asked.

    Attributes:
        asked: The paths, in order.
        cookies: The cookie of each request.
        forgets: How many more requests find their session forgotten.
        instead: What answers in the server's place.
    """

    def __init__(self, instead: Answer = nothing) -> None:
        self.asked: list[str] = []
        self.cookies: list[str] = []
        self.forgets = 0
        self.instead = instead
        self.memory = MemoryGateway.demo()
        self._app = httpx2.ASGITransport(app=wire_app(self.memory))
        self.http = OdooHttp(
            "http://odoo.test", transport=httpx2.MockTransport(self._handle)
        )
        self.web = WebGateway(self.http)
        self.json = JsonRpcGateway(self.http)
        self.auto = AutoGateway((self.json,), by_password=self.web)

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        self.cookies.append(request.headers.get("Cookie", ""))
        if (answer := self.instead(request)) is not None:
            return httpx2.Response(
                answer.status_code,
                headers=answer.headers,
                stream=httpx2.ByteStream(answer.content),
            )
        if self.forgets and request.headers.get("Cookie"):
            self.forgets -= 1
            request.headers["Cookie"] = "session_id=forgotten"
        return await self._app.handle_async_request(request)

    async def made(self) -> int:
        """Answer how many records ``MAKE`` has made."""
        session = await self.memory.authenticate(ADMIN)
        domain = [["name", "=", "Made once"]]
        return await self.memory.execute(
            session, Call("res.partner", "search_count", (domain,))
        )


async def test_one_login_serves_many_calls():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    for _ in range(3):
        assert await place.web.execute(session, COUNT)

    assert place.asked == [LOGIN, CALL, CALL, CALL]
    assert place.cookies[0] == ""
    assert len({*place.cookies[1:]}) == 1
    assert place.cookies[1].startswith("session_id=")


async def test_over_every_wire_a_password_goes_by_the_web_and_the_session_ends():
    place = Place()
    async with aclosing(AutoGateway.over(place.http)) as auto:
        session = await auto.authenticate(ADMIN)
        assert await auto.execute(session, COUNT)

    assert place.asked[-3:] == [LOGIN, CALL, LEAVE]


async def test_a_login_that_holds_is_not_made_again():
    place = Place()
    first = await place.web.authenticate(ADMIN)
    assert await place.web.authenticate(ADMIN) == first

    assert place.asked == [LOGIN, CHECK]


async def test_a_login_that_does_not_hold_is_made_again():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    place.forgets = 1
    assert await place.web.authenticate(ADMIN) == session
    assert await place.web.execute(session, COUNT)

    assert place.asked == [LOGIN, CHECK, LOGIN, CALL]
    assert place.cookies[3] != place.cookies[1]


async def test_a_write_into_a_forgotten_session_is_done_once():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    place.forgets = 1
    assert await place.web.execute(session, MAKE)

    assert place.asked == [LOGIN, CALL, LOGIN, CALL]
    assert await place.made() == 1


async def test_what_expires_within_a_call_is_not_sent_again():
    debug = 'Traceback:\n  File "/odoo/dataset.py", line 36, in call_kw\n'
    name = "odoo.http.SessionExpiredException"

    def expired(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path == CALL:
            return json_error(request, 100, name=name, message="", debug=debug)
        return None

    place = Place(expired)
    session = await place.web.authenticate(ADMIN)
    with pytest.raises(errors.AuthenticationFailed):
        await place.web.execute(session, MAKE)
    assert place.asked == [LOGIN, CALL]


async def test_a_server_that_keeps_no_sessions_is_said_to_be_one():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    place.forgets = 2
    with pytest.raises(errors.AuthenticationFailed, match="share their sessions"):
        await place.web.execute(session, MAKE)
    assert await place.made() == 0


async def test_a_changed_password_is_tried_once_more_and_refused():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    inside = await place.memory.authenticate(ADMIN)
    new = ([inside.uid], {"password": "another"})
    await place.memory.execute(inside, Call("res.users", "write", new))
    with pytest.raises(errors.AuthenticationFailed, match="refused the login 'admin'"):
        await place.web.execute(session, COUNT)
    assert place.asked == [LOGIN, CALL, LOGIN]


async def test_another_factor_is_asked_for():
    def second_factor(request: httpx2.Request) -> httpx2.Response | None:
        return json_result(request, {"uid": None})

    with pytest.raises(errors.AuthenticationFailed, match="two-factor login only an"):
        await Place(second_factor).web.authenticate(ADMIN)


@pytest.mark.parametrize("said", [{}, [], None, {"uid": "2"}, {"uid": 0}])
async def test_what_is_no_answer_to_a_login_opens_nothing(said):
    place = Place(lambda request: json_result(request, said))
    with pytest.raises(errors.GatewayProtocolError):
        await place.web.authenticate(ADMIN)


async def test_a_login_without_a_cookie_opens_nothing():
    place = Place(lambda request: json_result(request, {"uid": 2}))
    with pytest.raises(errors.GatewayProtocolError, match="opens no session"):
        await place.web.authenticate(ADMIN)


async def test_an_unknown_database_is_named():
    with pytest.raises(errors.AuthenticationFailed, match="no database 'other'"):
        await Place().web.authenticate(Credentials("other", "admin", "admin"))


async def test_the_secret_and_the_cookie_are_not_shown():
    place = Place()
    await place.web.authenticate(ADMIN)
    assert "session_id" not in repr(place.web._logins.values())


async def test_closing_ends_the_sessions():
    place = Place()
    session = await place.web.authenticate(ADMIN)
    await place.web.aclose()
    assert place.asked == [LOGIN, LEAVE]

    def no_login(request: httpx2.Request) -> httpx2.Response | None:
        assert request.url.path != LOGIN
        return None

    place.instead = no_login
    with pytest.raises(AssertionError):  # the server does not know it any more
        await place.web.execute(session, COUNT)


async def test_closing_does_not_fail_when_odoo_is_away(caplog):
    place = Place()
    await place.web.authenticate(ADMIN)
    place.instead = lambda _: httpx2.Response(502)
    with caplog.at_level("INFO"):
        await place.web.aclose()
    assert caplog.messages == ["sessions left at Odoo"]


# Choosing it


async def test_a_password_opens_a_session():
    place = Place()
    session = await place.auto.authenticate(ADMIN)
    assert await place.auto.execute(session, COUNT)
    assert place.asked == ["/jsonrpc", LOGIN, CALL]


async def test_what_looks_like_an_api_key_is_never_given_to_the_web_client():
    place = Place()
    with pytest.raises(errors.AuthenticationFailed):
        await place.auto.authenticate(Credentials("demo", "admin", "0f" * 20))
    assert place.asked == ["/jsonrpc", "/jsonrpc"]


async def test_a_refused_password_is_tried_once():
    place = Place()
    with pytest.raises(errors.AuthenticationFailed, match="refused the login"):
        await place.auto.authenticate(Credentials("demo", "admin", "wrong"))
    assert place.asked == ["/jsonrpc", LOGIN]


@pytest.mark.parametrize("status", [403, 404])
async def test_closed_routes_leave_the_other_wires(status):
    def closed(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path.startswith("/web/"):
            return httpx2.Response(status, html="<h1>Closed</h1>")
        return None

    place = Place(closed)
    for _ in range(2):
        session = await place.auto.authenticate(ADMIN)
        assert await place.auto.execute(session, COUNT)
    assert place.asked.count(LOGIN) == 1
    assert place.asked[-1] == "/jsonrpc"


async def test_a_server_that_is_away_closes_no_route():
    place = Place()
    await place.auto.version("default")
    place.instead = lambda _: httpx2.Response(502)
    with pytest.raises(errors.GatewayUnavailable):
        await place.auto.authenticate(ADMIN)
    place.instead = nothing
    await place.auto.authenticate(ADMIN)
    assert place.asked[-1] == LOGIN


async def test_a_call_goes_over_another_wire_where_sessions_are_not_kept():
    place = Place()
    session = await place.auto.authenticate(ADMIN)
    place.forgets = 2
    assert await place.auto.execute(session, MAKE)
    assert await place.auto.execute(session, COUNT)
    assert await place.made() == 1
    assert place.asked[-2:] == ["/jsonrpc", "/jsonrpc"]
    await place.auto.authenticate(ADMIN)
    assert place.asked[-1] == "/jsonrpc"
