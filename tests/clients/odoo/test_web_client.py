"""The routes of Odoo's web client that other clients call, on the wire itself.

What they answer was compared with a real Odoo 18.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from odooport_adapters.testing import FakeOdoo

type Post = Callable[..., dict[str, Any]]


@pytest.fixture
def post(fake_odoo: FakeOdoo) -> Iterator[Post]:
    with httpx2.Client(base_url=fake_odoo.address) as client:

        def post(path: str, **params: Any) -> dict[str, Any]:
            body = {"jsonrpc": "2.0", "method": "call", "id": 7, "params": params}
            return client.post(path, json=body).raise_for_status().json()

        yield post


@pytest.fixture
def logged_in(fake_odoo: FakeOdoo, post: Post) -> Post:
    post(
        "/web/session/authenticate",
        db=fake_odoo.database,
        login="demo",
        password=fake_odoo.users["demo"],
    )
    return post


def call(model: str, method: str, *args: Any, **named: Any) -> dict[str, Any]:
    return {"model": model, "method": method, "args": args, "kwargs": named}


def test_a_login_tells_who_is_logged_in(fake_odoo: FakeOdoo, post: Post):
    who = {"db": fake_odoo.database, "login": "demo", "password": "demo"}
    info = post("/web/session/authenticate", **who)["result"]
    assert (info["uid"], info["username"], info["is_system"]) == (6, "demo", False)
    assert info["user_context"]["uid"] == 6
    assert info["user_companies"]["current_company"] == 1
    assert post("/web/session/get_session_info")["result"] == info


@pytest.mark.parametrize(
    ("change", "name", "text"),
    [
        ({"password": "wrong"}, "odoo.exceptions.AccessDenied", "Access Denied"),
        ({"db": "nope"}, "odoo.exceptions.AccessError", "Database not found."),
    ],
)
def test_a_wrong_login_is_an_error(
    fake_odoo: FakeOdoo, post: Post, change: dict[str, str], name: str, text: str
):
    who = {"db": fake_odoo.database, "login": "demo", "password": "demo", **change}
    error = post("/web/session/authenticate", **who)["error"]
    assert (error["code"], error["data"]["name"]) == (200, name)
    assert error["data"]["message"] == text


def test_a_login_without_password_crashes(post: Post):
    error = post("/web/session/authenticate", db="demo", login="demo")["error"]
    assert error["data"]["message"] == (
        "Session.authenticate() missing 1 required positional argument: 'password'"
    )


@pytest.mark.parametrize("path", ["/web/dataset/call_kw", "/web/session/check"])
def test_without_a_login_the_session_is_expired(post: Post, path: str):
    answer = post(path, **call("res.partner", "search_count", []))
    assert (answer["id"], answer["error"]["code"]) == (None, 100)
    assert answer["error"]["message"] == "Odoo Session Expired"


def test_a_method_runs_as_the_user_of_the_session(logged_in: Post):
    path = "/web/dataset/call_kw/res.users/context_get"
    assert logged_in(path, **call("res.users", "context_get"))["result"]["uid"] == 6
    closed = call("ir.config_parameter", "search_count", [])
    error = logged_in("/web/dataset/call_kw", **closed)["error"]
    assert error["data"]["name"] == "odoo.exceptions.AccessError"


def test_an_unknown_model_is_not_found(logged_in: Post):
    answer = logged_in("/web/dataset/call_kw", **call("no.such", "search", []))
    assert (answer["id"], answer["error"]["code"]) == (None, 404)


def test_a_button_answers_an_action_or_false(fake_odoo: FakeOdoo, logged_in: Post):
    action = {"type": "ir.actions.act_window"}
    fake_odoo.gateway.on("res.partner", "open_it", lambda _ids: action)
    fake_odoo.gateway.on("res.partner", "do_it", lambda _ids: True)
    for method, answer in ("open_it", action), ("do_it", False):
        pressed = call("res.partner", method, [1])
        assert logged_in("/web/dataset/call_button", **pressed)["result"] == answer


def test_a_session_ends(logged_in: Post):
    assert "error" not in logged_in("/web/session/check")
    assert "error" not in logged_in("/web/session/destroy")
    assert logged_in("/web/session/check")["error"]["code"] == 100


def test_the_database_and_the_version_are_told_to_anybody(
    fake_odoo: FakeOdoo, post: Post
):
    assert post("/web/database/list")["result"] == [fake_odoo.database]
    version = post("/web/webclient/version_info")["result"]
    assert version["server_version_info"] == [18, 0, 0, "final", 0, ""]
