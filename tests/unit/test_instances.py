"""Several Odoo databases behind one gateway, and what a user may choose in each."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from odooport import (
    Call,
    Context,
    Credentials,
    GatewayProtocolError,
    InvalidRequest,
    Odoo,
    OdooAccessError,
    ServerVersion,
    Session,
)
from odooport_adapters import InstanceGateway, MemoryGateway
from odooport_runtime.container import Container, shutdown, transport_of
from odooport_runtime.settings import Settings, SettingsError

SHOP = Credentials("demo", "admin", "admin", "shop")
OFFICE = Credentials("demo", "admin", "admin", "office")
PARTNER = "res.partner"


class Odd(MemoryGateway):
    """An Odoo of another version."""

    async def version(self, instance: str) -> ServerVersion:
        return ServerVersion("17.0", (17, 0))


@pytest.fixture
def shop() -> MemoryGateway:
    gateway = MemoryGateway()
    gateway.add(PARTNER, {"name": "A customer of the shop"})
    return gateway


@pytest.fixture
def office() -> MemoryGateway:
    return Odd()


@pytest.fixture
def both(shop: MemoryGateway, office: MemoryGateway) -> InstanceGateway:
    return InstanceGateway({"shop": shop, "office": office})


def named(text: str) -> list[list[str]]:
    return [["name", "=", text]]


# The gateway


async def test_each_call_goes_to_the_instance_that_it_names(both: InstanceGateway):
    found: dict[str, Any] = {}
    for credentials in (SHOP, OFFICE):
        session = await both.authenticate(credentials)
        call = Call(
            PARTNER,
            "search_count",
            (named("A customer of the shop"),),
            instance=credentials.instance,
        )
        found[session.instance] = await both.execute(session, call)

    assert found == {"shop": 1, "office": 0}
    assert (await both.version("shop")).series == (18, 0)
    assert (await both.version("office")).series == (17, 0)


async def test_an_unknown_instance_is_an_error_that_names_the_known(
    both: InstanceGateway,
):
    with pytest.raises(InvalidRequest, match="'shed' here, only 'office', 'shop'"):
        await both.version("shed")
    with pytest.raises(InvalidRequest, match="'default'"):
        await both.authenticate(replace(SHOP, instance="default"))
    session = Session("demo", 2, "admin", "shed")
    with pytest.raises(InvalidRequest, match="'shed'"):
        await both.execute(session, Call(PARTNER, "search", ([],), instance="shed"))


async def test_a_call_never_runs_in_the_session_of_another_instance(
    both: InstanceGateway,
):
    session = await both.authenticate(SHOP)

    with pytest.raises(InvalidRequest, match="'office' cannot run in a session"):
        await both.execute(session, Call(PARTNER, "search", ([],), instance="office"))


# A program with several logins


@pytest.fixture
def odoo(both: InstanceGateway) -> Odoo:
    return Odoo.connect(both, SHOP, OFFICE)


async def test_a_program_chooses_the_instance_for_each_call(odoo: Odoo):
    await odoo.acting_as(instance="office").create(PARTNER, {"name": "A clerk"})

    assert await odoo.count(PARTNER, named("A clerk")) == 0
    office = odoo.acting_as(instance="office")
    assert await office.count(PARTNER, named("A clerk")) == 1
    assert await office.count(PARTNER, named("A customer of the shop")) == 0
    assert await office.acting_as(lang="en_US").count(PARTNER, named("A clerk")) == 1


async def test_who_am_i_names_the_instances_and_companies_to_choose_from(
    odoo: Odoo, shop: MemoryGateway
):
    (partner,) = shop.add(PARTNER, {"name": "Second", "is_company": True})
    (second,) = shop.add("res.company", {"partner_id": partner, "currency_id": 1})
    await odoo.write("res.users", [2], {"company_ids": [1, second]})

    for me in (await odoo.whoami(), await odoo.acting_as(company=second).whoami()):
        assert (me.instance, me.instances) == ("shop", ["office", "shop"])
        assert [company.id for company in me.companies] == [1, second]
        assert me.companies[1].name == "Second"


@pytest.mark.parametrize("instance", ["shed", "default", "", "SHOP"])
async def test_a_wrong_instance_is_an_error(odoo: Odoo, instance: str):
    with pytest.raises(InvalidRequest, match="'office', 'shop'"):
        await odoo.acting_as(instance=instance).count(PARTNER)


async def test_two_logins_to_one_instance_are_refused(both: InstanceGateway):
    with pytest.raises(InvalidRequest, match="one login for each instance"):
        Odoo.connect(both, SHOP, SHOP)


# What a user may choose


class Careless:
    """An Odoo that takes no notice of companies and languages.

    The real one does so in ``fields_get``, in a count of countries, in
    ``get_available_models`` and in many methods.
    """

    def __init__(self) -> None:
        self.inner = MemoryGateway.demo()
        self.calls: list[Call] = []

    async def version(self, instance: str) -> ServerVersion:
        return await self.inner.version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        return await self.inner.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        self.calls.append(call)
        return await self.inner.execute(session, replace(call, context=Context()))


@pytest.fixture
def careless() -> Careless:
    return Careless()


USE_CASES: dict[str, Callable[[Odoo], Awaitable[Any]]] = {
    "search_read": lambda odoo: odoo.search_read("res.country"),
    "search": lambda odoo: odoo.search("res.country"),
    "read": lambda odoo: odoo.read("res.country", [20]),
    "count": lambda odoo: odoo.count("res.country"),
    "name_search": lambda odoo: odoo.name_search("res.country", "Bel"),
    "default_get": lambda odoo: odoo.default_get(PARTNER),
    "aggregate": lambda odoo: odoo.aggregate(PARTNER),
    "create": lambda odoo: odoo.create(PARTNER, {"name": "x"}),
    "write": lambda odoo: odoo.write(PARTNER, [1], {"name": "x"}),
    "unlink": lambda odoo: odoo.unlink(PARTNER, [1]),
    "copy": lambda odoo: odoo.copy(PARTNER, 1),
    "call": lambda odoo: odoo.call(PARTNER, "has_access", args=[[], "read"]),
    "fields": lambda odoo: odoo.fields("res.country"),
    "models": lambda odoo: odoo.models(),
    "version": lambda odoo: odoo.version(),
    "whoami": lambda odoo: odoo.whoami(),
}


@pytest.mark.parametrize("use_case", USE_CASES)
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"company": 999}, "may not work in company 999, only in 1"),
        ({"company": [1, 999]}, "may not work in company 999, only in 1"),
        ({"lang": "xx_XX"}, "no active language 'xx_XX' here; give one of 'en_US'"),
        ({"lang": "nl_NL"}, "no active language 'nl_NL'"),
        ({"lang": ""}, "no active language ''"),
    ],
)
async def test_a_wrong_choice_is_an_error_at_every_use_case(
    careless: Careless, use_case: str, how: dict[str, Any], told: str
):
    odoo = Odoo.connect(careless, Credentials("demo", "admin", "admin"))
    kind = OdooAccessError if "company" in how else InvalidRequest

    for _ in range(2):
        with pytest.raises(kind) as caught:
            await USE_CASES[use_case](odoo.acting_as(**how))
        assert told in caught.value.message
    assert {call.model for call in careless.calls} <= {"res.users", "res.lang"}


@pytest.mark.parametrize("use_case", USE_CASES)
async def test_a_right_choice_is_no_error_at_any_use_case(
    careless: Careless, use_case: str
):
    odoo = Odoo.connect(careless, Credentials("demo", "admin", "admin"))
    made = await odoo.create(PARTNER, {"name": "x"})
    cases = {**USE_CASES, "unlink": lambda odoo: odoo.unlink(PARTNER, made)}

    await cases[use_case](odoo.acting_as(company=1, lang="en_US", tz="Asia/Tokyo"))


async def test_odoos_own_language_is_taken_where_it_is_not_active(careless: Careless):
    odoo = Odoo.connect(careless, Credentials("demo", "admin", "admin"))
    english = await odoo.search("res.lang", [["code", "=", "en_US"]])
    await odoo.write("res.lang", english, {"active": False})

    assert await odoo.acting_as(lang="en_US").count("res.country") > 0


async def test_what_there_is_to_choose_from_is_asked_once_a_minute(careless: Careless):
    odoo = Odoo.connect(careless, Credentials("demo", "admin", "admin"))
    for _ in range(5):
        await odoo.acting_as(company=1).count("res.country")
        with pytest.raises(InvalidRequest):
            await odoo.acting_as(lang="xx_XX").count("res.country")

    asked = [call.model for call in careless.calls]
    assert (asked.count("res.users"), asked.count("res.lang")) == (1, 1)


USERS = ("res.users", "read", {"company": 1})
LANGUAGES = ("res.lang", "search_read", {"lang": "fr_FR"})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (USERS, None),
        (USERS, []),
        (USERS, [7]),
        (USERS, [{"id": 2}]),
        (LANGUAGES, None),
        (LANGUAGES, [7]),
        (LANGUAGES, [{"id": 2}]),
    ],
)
async def test_an_answer_that_tells_no_choices_lets_nothing_through(
    careless: Careless, asked: tuple[str, str, dict[str, Any]], answer: Any
):
    model, method, how = asked
    careless.inner.on(model, method, lambda *_, **__: answer)
    odoo = Odoo.connect(careless, Credentials("demo", "admin", "admin"))

    with pytest.raises(GatewayProtocolError):
        await odoo.acting_as(**how).count("res.country")


# The container


def container_of(state: Path, **instances: dict[str, Any]) -> Container:
    return Container(settings=Settings(state=state, instances=instances))


LOGIN = {"db": "demo", "user": "admin", "password": "admin"}


async def test_every_instance_is_spoken_with_in_its_own_way(tmp_path: Path):
    container = container_of(
        tmp_path,
        old={"url": "http://127.0.0.1:1", "transport": "xmlrpc", **LOGIN},
        new={"url": "http://127.0.0.1:1", "transport": "json2", **LOGIN},
        shop={"url": "http://127.0.0.1:1", "transport": "jsonrpc", **LOGIN},
        trial={"transport": "memory"},
    )
    ways = {
        name: await transport_of(container.gateway(), credentials)
        for name, credentials in container.credentials().items()
    }
    await shutdown(container)

    assert ways == {
        "old": "XML-RPC",
        "new": "JSON-2",
        "shop": "JSON-RPC",
        "trial": "memory",
    }


async def test_two_instances_in_memory_share_nothing(tmp_path: Path):
    container = container_of(
        tmp_path, one={"transport": "memory"}, two={"transport": "memory", "db": "b"}
    )
    logins = container.credentials()
    odoo = Odoo.connect(container.gateway(), logins["one"], logins["two"])
    await odoo.create(PARTNER, {"name": "Only here"})

    assert await odoo.count(PARTNER, named("Only here")) == 1
    two = odoo.acting_as(instance="two")
    assert await two.count(PARTNER, named("Only here")) == 0


def test_a_certificate_file_that_is_not_there_names_its_instance(tmp_path: Path):
    container = container_of(
        tmp_path,
        shop={"url": "https://127.0.0.1:1", "ca_bundle": tmp_path / "no.pem", **LOGIN},
    )

    with pytest.raises(SettingsError, match="'ca_bundle' of the instance 'shop'"):
        container.gateway()
