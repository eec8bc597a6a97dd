"""Two Odoos behind each door: chosen call by call, never mixed, never guessed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from odooport import Caller, Credentials, Gate, Odoo, OdooportError
from odooport.gate import Unaudited, Unlimited
from odooport.usecases import Identity
from odooport_adapters import InstanceGateway, MemoryGateway, wire_app
from odooport_mcp.client import OdooportClient
from odooport_mcp.server import build_server
from odooport_rest.app import build_app
from odooport_runtime.serving import listen
from odooport_security import (
    IdentityStore,
    KeyPolicy,
    LocalPolicy,
    Lockout,
    Roles,
    SecretCipher,
    SqliteKeyStore,
    principal_of,
)

PARTNER = "res.partner"
PATIENCE = 60
LOGINS = {
    name: Credentials("demo", "admin", "admin", name) for name in ("office", "shop")
}


class Refused(Exception):
    """What a door answered in place of an answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Door(Protocol):
    """What the tests ask at every door; ``how`` is instance, company, lang and tz."""

    async def names(self, **how: Any) -> list[str]: ...

    async def create(self, name: str, **how: Any) -> None: ...

    async def me(self, **how: Any) -> Mapping[str, Any]: ...


class PythonDoor:
    def __init__(self, odoo: Odoo) -> None:
        self._odoo = odoo

    async def names(self, **how: Any) -> list[str]:
        page = await self._odoo.acting_as(**how).search_read(PARTNER, fields=["name"])
        return [record["name"] for record in page.records]

    async def create(self, name: str, **how: Any) -> None:
        await self._odoo.acting_as(**how).create(PARTNER, {"name": name})

    async def me(self, **how: Any) -> Mapping[str, Any]:
        return _plain(await self._odoo.acting_as(**how).whoami())


class McpDoor:
    def __init__(self, client: Client) -> None:
        self._client = OdooportClient(client)

    async def names(self, **how: Any) -> list[str]:
        client = self._client.acting_as(**how)
        page = await client.search_records(PARTNER, fields=["name"])
        return [record["name"] for record in page.records]

    async def create(self, name: str, **how: Any) -> None:
        await self._client.acting_as(**how).create_records(PARTNER, [{"name": name}])

    async def me(self, **how: Any) -> Mapping[str, Any]:
        return _plain(await self._client.acting_as(**how).whoami())


class RestDoor:
    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def names(self, **how: Any) -> list[str]:
        told = await self._ask("GET", f"models/{PARTNER}/records", how, fields="name")
        return [record["name"] for record in told["records"]]

    async def create(self, name: str, **how: Any) -> None:
        path = f"models/{PARTNER}/records"
        await self._ask("POST", path, how, json={"name": name})

    async def me(self, **how: Any) -> Mapping[str, Any]:
        return await self._ask("GET", "me", how)

    async def _ask(
        self,
        method: str,
        path: str,
        how: dict[str, Any],
        json: Any = None,
        **query: str,
    ) -> Any:
        answer = await self._http.request(
            method, f"/v1/{path}", params={**how, **query}, json=json
        )
        if answer.is_error:
            raise Refused(answer.json()["code"], answer.json()["detail"])
        return answer.json()


def _plain(me: Identity) -> Mapping[str, Any]:
    return {"instance": me.instance, "instances": me.instances}


# In this process


@pytest.fixture
def odoos() -> dict[str, MemoryGateway]:
    """Answer two Odoos that have a contact each that the other has not."""
    made = {name: MemoryGateway() for name in LOGINS}
    for name, gateway in made.items():
        gateway.add(PARTNER, {"name": f"Known to the {name}"})
    return made


@asynccontextmanager
async def opened(
    kind: str, gateway: InstanceGateway, state: Path
) -> AsyncIterator[Door]:
    """Open one kind of door in front of a gateway."""
    if kind == "python":
        yield PythonDoor(Odoo.connect(gateway, *LOGINS.values()))
    elif kind == "mcp":
        gate = Gate(gateway, LocalPolicy(Roles()), Unlimited(), Unaudited())
        principal = principal_of("local", "local user", "full", LOGINS, Roles())
        server = build_server(gate, lambda _: Caller(principal, "mcp-stdio", "r1"))
        async with Client(server) as client:
            yield McpDoor(client)
    else:
        keys = SqliteKeyStore(state / "keys.db")
        identities = IdentityStore(
            state / "identities.db", SecretCipher([]), dict, variable=lambda _: None
        )
        policy = KeyPolicy(keys, Roles(), identities, LOGINS, lockout=Lockout())
        gate = Gate(gateway, policy, Unlimited(), Unaudited())
        app = build_app(gate, ready=lambda: gateway.version("shop"))
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {keys.create('a', 'full')[1]}"},
        ) as http:
            yield RestDoor(http)
        keys.close()


type OpenDoor = Callable[[], AbstractAsyncContextManager[Door]]


@pytest.fixture(params=["python", "mcp", "rest"])
def open_door(
    request: pytest.FixtureRequest, odoos: dict[str, MemoryGateway], tmp_path: Path
) -> OpenDoor:
    return lambda: opened(request.param, InstanceGateway(odoos), tmp_path)


async def settled(door: Door, **how: Any) -> tuple[str, str]:
    """Ask something that must be refused, and answer the code and the words."""
    with pytest.raises((OdooportError, Refused)) as caught:
        await door.names(**how)
    return caught.value.code, str(caught.value)


async def test_the_instance_is_chosen_with_each_call(open_door: OpenDoor):
    async with open_door() as door:
        await door.create("Made in the shop", instance="shop")

        shop = await door.names(instance="shop")
        office = await door.names(instance="office")
        assert {"Known to the shop", "Made in the shop"} <= set(shop)
        assert "Known to the office" not in shop
        assert "Known to the office" in office
        assert not {"Known to the shop", "Made in the shop"} & set(office)


async def test_calls_to_two_instances_at_once_are_never_mixed(open_door: OpenDoor):
    async with open_door() as door:
        asked = [*LOGINS] * 10

        answers = await asyncio.gather(*(door.names(instance=name) for name in asked))

        for name, names in zip(asked, answers, strict=True):
            known = [text for text in names if text.startswith("Known to")]
            assert known == [f"Known to the {name}"]


async def test_who_am_i_names_the_instances_to_choose_from(open_door: OpenDoor):
    async with open_door() as door:
        me = await door.me(instance="office")

        assert (me["instance"], me["instances"]) == ("office", ["office", "shop"])


@pytest.mark.parametrize("how", [{"instance": "shed"}, {"instance": "default"}])
async def test_a_wrong_instance_is_an_error_that_names_the_right_ones(
    open_door: OpenDoor, how: dict[str, str]
):
    async with open_door() as door:
        code, words = await settled(door, **how)

        assert code == "invalid_request"
        assert "'office', 'shop'" in words


@pytest.mark.parametrize("kind", ["mcp", "rest"])
async def test_without_a_default_a_call_has_to_name_its_instance(
    kind: str, odoos: dict[str, MemoryGateway], tmp_path: Path
):
    async with opened(kind, InstanceGateway(odoos), tmp_path) as door:
        code, words = await settled(door)
    assert code == "invalid_request"
    assert "'default' here, which is meant where none is named" in words
    assert "'office', 'shop'" in words


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"instance": ""}, "invalid_request"),
        ({"company": 999}, "odoo_access_denied"),
        ({"company": 0}, "invalid_request"),
        ({"lang": "xx_XX"}, "invalid_request"),
        ({"lang": "fr_FR"}, "invalid_request"),
        ({"lang": ""}, "invalid_request"),
        ({"tz": "Mars/Olympus"}, "invalid_request"),
        ({"tz": ""}, "invalid_request"),
    ],
)
async def test_a_wrong_choice_is_an_error_at_every_door(
    open_door: OpenDoor, how: dict[str, Any], code: str
):
    async with open_door() as door:
        assert (await settled(door, **{"instance": "shop", **how}))[0] == code


async def test_what_one_instance_has_the_other_need_not_have(
    open_door: OpenDoor, odoos: dict[str, MemoryGateway]
):
    async with open_door() as door:
        shop = Odoo.connect(odoos["shop"], Credentials("demo", "admin", "admin"))
        (partner,) = await shop.create(PARTNER, {"name": "Second", "is_company": True})
        (second,) = odoos["shop"].add(
            "res.company", {"partner_id": partner, "currency_id": 1}
        )
        await shop.write("res.users", [2], {"company_ids": [1, second]})
        french = await shop.acting_as(active_test=False).search(
            "res.lang", [["code", "=", "fr_FR"]]
        )
        await shop.write("res.lang", french, {"active": True})

        assert await door.names(instance="shop", company=second, lang="fr_FR")
        code, _ = await settled(door, instance="office", company=second)
        assert code == "odoo_access_denied"
        code, words = await settled(door, instance="office", lang="fr_FR")
        assert code == "invalid_request"
        assert "'fr_FR'" in words


# As processes, over two Odoos on the wire


FILE = """
[instances.default]
url = "{shop}"
db = "demo"
user = "admin"
password_env = "ODOO_SHOP_PASSWORD"

[instances.office]
url = "{office}"
db = "demo"
user = "admin"
password_env = "ODOO_OFFICE_PASSWORD"
transport = "xmlrpc"
"""


@pytest.fixture
async def wired(odoos: dict[str, MemoryGateway], tmp_path: Path) -> AsyncIterator[Path]:
    """Answer a directory whose ``odooport.toml`` names two Odoos that are served."""
    async with AsyncExitStack() as stack:
        addresses: dict[str, str] = {}
        for name, gateway in odoos.items():
            listener = stack.enter_context(listen("127.0.0.1", 0))
            server = uvicorn.Server(
                uvicorn.Config(wire_app(gateway), log_config=None, lifespan="off")
            )
            running = asyncio.create_task(server.serve(sockets=[listener]))
            stack.push_async_callback(_end, server, running)
            addresses[name] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (tmp_path / "odooport.toml").write_text(FILE.format(**addresses))
        yield tmp_path


async def _end(server: uvicorn.Server, running: "asyncio.Task[None]") -> None:
    server.should_exit = True
    await running


def environment(state: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_PORT": "0",
        "ODOOPORT_ROLE": "full",
        "ODOO_SHOP_PASSWORD": "admin",
        "ODOO_OFFICE_PASSWORD": "admin",
    }


@asynccontextmanager
async def served(kind: str, state: Path) -> AsyncIterator[Door]:
    """Start a service, and connect to it with a key."""
    if kind == "odooport_mcp_stdio":
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", f"{kind}.main"],
            env=environment(state),
            cwd=state,
        )
        async with Client(parameters) as client:
            yield McpDoor(client)
        return
    keys = SqliteKeyStore(state / "keys.db")
    _, token = keys.create("a", "full")
    keys.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{kind}.main",
        cwd=state,
        env=environment(state),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        told: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE):
            while told.get("event") != "listening":
                told = json.loads(await process.stderr.readline())
        base = f"http://127.0.0.1:{told['port']}"
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            base_url=base, headers=headers, timeout=PATIENCE
        ) as http:
            if kind == "odooport_rest":
                assert (await http.get("/ready")).status_code == 200
                yield RestDoor(http)
            else:
                transport = streamable_http_client(f"{base}/mcp", http_client=http)
                async with Client(transport) as client:
                    yield McpDoor(client)
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize(
    "kind", ["odooport_rest", "odooport_mcp_http", "odooport_mcp_stdio"]
)
async def test_a_service_serves_every_instance_of_its_file(kind: str, wired: Path):
    async with served(kind, wired) as door:
        await door.create("Made in the office", instance="office")

        shop = await door.names()
        office = await door.names(instance="office")
        assert (await door.me())["instances"] == ["default", "office"]
        code, words = await settled(door, instance="shop")
    assert "Known to the shop" in shop
    assert not {"Known to the office", "Made in the office"} & set(shop)
    assert {"Known to the office", "Made in the office"} <= set(office)
    assert "Known to the shop" not in office
    assert code == "invalid_request"
    assert "'default', 'office'" in words


async def examined(state: Path) -> tuple[int, list[str]]:
    """Run the doctor, and answer how it left and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "odooport_cli.main",
        "doctor",
        cwd=state,
        env=environment(state),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode().splitlines()


async def test_the_doctor_examines_every_instance(wired: Path):
    status, lines = await examined(wired)

    assert status == 0
    assert "✓ Instances: 'default', 'office'" in lines
    for name in ("default", "office"):
        assert f"✓ {name}: Connection: Odoo answers" in lines
        assert any(line.startswith(f"✓ {name}: Login: 'admin'") for line in lines)
    assert "✓ default: Transport: sessions of the web client" in lines


async def test_the_doctor_goes_on_to_the_next_instance(wired: Path):
    file = wired / "odooport.toml"
    text = file.read_text().replace("instances.default", "instances.a-shop")
    file.write_text(text.replace('db = "demo"', 'db = "gone"', 1))

    status, lines = await examined(wired)

    assert status == 1
    assert any(line.startswith("! Instances: 'a-shop', 'office'") for line in lines)
    assert any(line.startswith("✗ a-shop: Login: ") for line in lines)
    assert any(line.startswith("✓ office: Rights: ") for line in lines)
    assert not any("API keys" in line for line in lines)
