"""Clients of Odoo that others wrote, on the Odoo in memory and its wire.

Each logs in, searches, creates, reads, counts, changes and deletes, and is told what
goes wrong in its own way.
"""

import xmlrpc.client
from collections.abc import Iterator
from typing import Any, Self

import odooly
import odoorpc
import pytest

from odooport_adapters.testing import FakeOdoo

PARTNER = "res.partner"
COMPANIES = [["is_company", "=", True], ["customer_rank", ">", 0]]


# Python's own


class XmlRpc:
    """How Odoo's documentation calls it with Python's own library."""

    def __init__(self, odoo: FakeOdoo, login: str = "admin") -> None:
        url, secret = f"{odoo.address}/xmlrpc/2", odoo.users[login]
        with xmlrpc.client.ServerProxy(f"{url}/common") as common:
            self.version: Any = common.version()
            self.uid: Any = common.authenticate(odoo.database, login, secret, {})
        self._object = xmlrpc.client.ServerProxy(f"{url}/object")
        self._who = (odoo.database, self.uid, secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._object("close")()

    def __call__(self, model: str, method: str, *args: Any, **named: Any) -> Any:
        return self._object.execute_kw(*self._who, model, method, args, named)


def test_pythons_xmlrpc_logs_in_searches_creates_reads_and_counts(fake_odoo: FakeOdoo):
    with XmlRpc(fake_odoo) as call:
        assert (call.uid, call.version["server_serie"]) == (2, "18.0")
        assert call(PARTNER, "search_count", COMPANIES) == 12
        one, two = call(PARTNER, "create", [{"name": "Kim"}, {"name": "Lee"}])
        assert call(PARTNER, "search", [["name", "in", ["Kim", "Lee"]]]) == [one, two]
        call(PARTNER, "write", [one], {"city": "Gent"})
        (read,) = call(PARTNER, "read", [one], fields=["name", "city"])
        assert read == {"id": one, "name": "Kim", "city": "Gent"}
        assert call(PARTNER, "unlink", [one, two]) is True
        with pytest.raises(xmlrpc.client.Fault) as caught:
            call(PARTNER, "write", [one], {"city": "Luik"})
    assert caught.value.faultCode == 2
    assert "does not exist" in caught.value.faultString


def test_pythons_xmlrpc_lists_the_database_and_may_not_drop_it(fake_odoo: FakeOdoo):
    with xmlrpc.client.ServerProxy(f"{fake_odoo.address}/xmlrpc/2/db") as db:
        assert db.list() == [fake_odoo.database]
        with pytest.raises(xmlrpc.client.Fault, match="Access Denied"):
            db.drop("password", fake_odoo.database)


def test_pythons_xmlrpc_is_told_of_a_wrong_password(fake_odoo: FakeOdoo):
    with xmlrpc.client.ServerProxy(f"{fake_odoo.address}/xmlrpc/2/common") as common:
        assert common.authenticate(fake_odoo.database, "admin", "wrong", {}) is False
        assert common.login(fake_odoo.database, "demo", "demo") == 6


# OdooRPC


@pytest.fixture
def rpc(fake_odoo: FakeOdoo) -> odoorpc.ODOO:
    client = odoorpc.ODOO(fake_odoo.host, port=fake_odoo.port)
    client.login(fake_odoo.database, "admin", fake_odoo.users["admin"])
    return client


def test_odoorpc_logs_in_searches_creates_reads_and_counts(rpc: odoorpc.ODOO):
    assert (rpc.version, rpc.env.uid) == ("18.0-20250702", 2)
    assert rpc.db.list() == ["demo"]
    partners = rpc.env[PARTNER]
    assert partners.search_count(COMPANIES) == 12
    one = partners.create({"name": "Kim", "country_id": 20})
    assert partners.search([("name", "=", "Kim")]) == [one]
    (read,) = partners.read([one], ["name", "country_id"])
    assert read == {"id": one, "name": "Kim", "country_id": [20, "Belgium"]}


def test_odoorpc_browses_records_and_writes_them(rpc: odoorpc.ODOO):
    partners = rpc.env[PARTNER]
    one = partners.browse(partners.create({"name": "Kim", "country_id": 20}))
    assert one.country_id.name == "Belgium"
    one.name = "Kai"
    assert partners.read([one.id], ["name"])[0]["name"] == "Kai"
    assert rpc.env.ref("base.be").code == "BE"
    assert rpc.env.user.login == "admin"
    one.unlink()
    assert not partners.search([("name", "=", "Kai")])


def test_odoorpc_is_told_of_a_wrong_password_and_of_a_refusal(
    fake_odoo: FakeOdoo, rpc: odoorpc.ODOO
):
    stranger = odoorpc.ODOO(fake_odoo.host, port=fake_odoo.port)
    with pytest.raises(odoorpc.error.RPCError, match="Wrong login"):
        stranger.login(fake_odoo.database, "admin", "wrong")
    with pytest.raises(odoorpc.error.RPCError, match="Contacts require a name"):
        rpc.env[PARTNER].create({})


# odooly


@pytest.fixture(params=["web", "jsonrpc"])
def ly(request: pytest.FixtureRequest, fake_odoo: FakeOdoo) -> Iterator[odooly.Client]:
    """A client over the web client's routes, and one over JSON-RPC."""
    suffix = {"web": "", "jsonrpc": "/jsonrpc"}[request.param]
    server = f"{fake_odoo.address}{suffix}"
    yield odooly.Client(
        server, fake_odoo.database, "admin", password=fake_odoo.users["admin"]
    )
    odooly.Env._cache.clear()  # it keeps what it knows of a server for ever


def test_odooly_logs_in_searches_creates_reads_and_counts(ly: odooly.Client):
    env = ly.env
    assert (env.uid, ly.server_version) == (2, "18.0-20250702")
    partners = env[PARTNER]
    assert partners.search_count(COMPANIES) == 12
    one = partners.create({"name": "Kim", "country_id": 20})
    assert partners.search([f"id = {one.id}"]).ids == [one.id]
    assert one.read("name") == "Kim"
    assert one.country_id.code == "BE"
    one.write({"name": "Kai"})
    assert env[PARTNER].read([one.id], "name") == ["Kai"]
    one.unlink()
    assert not partners.search([f"id = {one.id}"])


def test_odooly_finds_models_modules_fields_and_external_ids(ly: odooly.Client):
    env = ly.env
    assert "res.partner.category" in env.models("partner")
    assert "crm" in env.modules(installed=True)["installed"]
    assert env[PARTNER].field("country_id")["relation"] == "res.country"
    assert env.ref("base.be").code == "BE"
    (known,) = env["res.country"].search(["code = BE"])._external_id
    assert known == "base.be"


def test_odooly_is_told_of_a_wrong_password_and_of_a_refusal(
    fake_odoo: FakeOdoo, ly: odooly.Client
):
    with pytest.raises(odooly.Error, match="Invalid username or password"):
        ly.login("demo", password="wrong")
    with pytest.raises(odooly.ServerError, match="Contacts require a name"):
        ly.env[PARTNER].create({})


# The fixture itself


def test_a_test_adds_records_and_lets_a_function_stand_in_for_a_method(
    fake_odoo: FakeOdoo,
):
    (one,) = fake_odoo.gateway.add(PARTNER, {"name": "Kim"})
    fake_odoo.gateway.on("sale.order", "action_send_by_pigeon", lambda ids: len(ids))
    with XmlRpc(fake_odoo) as call:
        assert call(PARTNER, "search", [["name", "=", "Kim"]]) == [one]
        assert call("sale.order", "action_send_by_pigeon", [1, 2]) == 2


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_memory_of_its_own(fake_odoo: FakeOdoo, number: int):
    with XmlRpc(fake_odoo, "demo") as call:
        assert call(PARTNER, "search", [["name", "=", "left over"]]) == []
        call(PARTNER, "create", {"name": "left over"})
