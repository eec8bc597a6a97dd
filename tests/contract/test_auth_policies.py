"""What the gate counts on in an auth policy: each case holds for every implementation.

``keys`` and ``local`` guard; ``odoo-decides`` lets everything through to Odoo. How the
guarding ones judge is in ``tests/unit/test_judgement.py``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from odooport.errors import InvalidRequest
from odooport.gate import OdooDecides
from odooport.model import Call, Context, Credentials, Principal, Refusal
from odooport.ports import AuthPolicy
from odooport.schema import ModelSchema
from odooport_security.identities import IdentityStore, Place
from odooport_security.lockout import Lockout
from odooport_security.policy import KeyPolicy, LocalPolicy
from odooport_security.roles import Roles
from odooport_security.secrets import SecretCipher
from odooport_security.sqlite_keys import SqliteKeyStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LOGIN = {"default": Credentials("demo", "admin", "s3cr3t")}
PRINCIPAL = Principal("k1", "shop", "full", LOGIN)
READ = Call("res.partner", "read", ([1], ["name"]))
ADDRESS = "192.0.2.7"


class NothingKnown:
    """An Odoo that cannot be asked anything."""

    async def schema(self, model: str) -> ModelSchema:
        raise InvalidRequest(f"Nobody should have asked for {model!r}.")

    async def uid(self) -> int:
        raise InvalidRequest("Nobody should have asked who it is.")


@pytest.fixture
def policies(tmp_path: Path) -> Iterator[dict[str, AuthPolicy]]:
    store = SqliteKeyStore(tmp_path / "keys.db", clock=lambda: NOW)
    store.create("shop", "full")
    identities = IdentityStore(
        tmp_path / "identities.db",
        SecretCipher([]),
        lambda: {"default": Place("", "demo")},
        variable={}.get,
    )
    roles, lockout = Roles(), Lockout(clock=lambda: 0.0)
    yield {
        "keys": KeyPolicy(
            store, roles, identities, LOGIN, lockout=lockout, clock=lambda: NOW
        ),
        "local": LocalPolicy(roles),
        "odoo-decides": OdooDecides(),
    }
    identities.close()
    store.close()


@pytest.fixture(params=["keys", "local", "odoo-decides"])
def policy(
    request: pytest.FixtureRequest, policies: dict[str, AuthPolicy]
) -> AuthPolicy:
    return policies[request.param]


@pytest.fixture(params=["keys", "local"])
def guarding(
    request: pytest.FixtureRequest, policies: dict[str, AuthPolicy]
) -> AuthPolicy:
    return policies[request.param]


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "odp_k1_" + "x" * 43, "\x00", "é", "\ud800", "x" * 1_000_000],
)
@pytest.mark.parametrize("address", [ADDRESS, "::1", "nowhere", None])
async def test_a_token_that_nobody_was_given_is_refused_with_reason_and_rule(
    policy: AuthPolicy, token: str, address: str | None
):
    answer = await policy.authenticate(token, address)

    assert isinstance(answer, Refusal)
    assert answer.reason
    assert answer.rule
    assert answer.subject is None


async def test_a_refusal_quotes_nothing_of_the_token(policy: AuthPolicy):
    answer = await policy.authenticate("odp_canary_" + "c4nary" * 7 + "x", ADDRESS)

    assert "canary" not in repr(answer)
    assert "c4nary" not in repr(answer)


async def test_trying_again_and_again_never_raises_and_never_lets_in(
    policy: AuthPolicy,
):
    for _ in range(20):
        assert isinstance(await policy.authenticate("nonsense", ADDRESS), Refusal)


async def test_an_allowed_call_says_which_rule_and_what_to_send(policy: AuthPolicy):
    decision = await policy.authorize(PRINCIPAL, READ, NothingKnown())

    assert (decision.allowed, decision.reason) == (True, "")
    assert (decision.call.model, decision.call.method) == ("res.partner", "read")
    assert decision.rule


@pytest.mark.parametrize(
    "call",
    [
        Call("res.partner", "_private", ([1],)),
        Call("res.partner", "wri\u0442e", ([1], {})),
        Call("ir.config_parameter", "read", ([1],)),
        Call("res.partner\n", "read", ([1],)),
        Call("res.partner", "search", ([],), {"limit": "all"}),
        Call("res.partner", "read", ("not ids",)),
        Call("res.partner", "search", ([],), context=Context(extra=(("x", 1),))),
    ],
)
async def test_a_refused_call_is_a_decision_with_reason_and_never_an_error(
    guarding: AuthPolicy, call: Call
):
    decision = await guarding.authorize(PRINCIPAL, call, NothingKnown())

    assert not decision.allowed
    assert decision.reason
    assert decision.rule
    assert decision.call == call


@pytest.mark.parametrize("role", ["no-such-role", "admin", "none", ""])
async def test_a_role_that_does_not_exist_allows_nothing(
    guarding: AuthPolicy, role: str
):
    nobody = Principal("k2", "old", role, LOGIN)
    decision = await guarding.authorize(nobody, READ, NothingKnown())

    assert not decision.allowed
    assert decision.rule == "unknown-role"


async def test_each_refusal_names_what_this_door_can_change(
    policies: dict[str, AuthPolicy],
):
    reader = Principal("k1", "shop", "reader", LOGIN)
    stranger = Principal("k1", "shop", "driver", LOGIN)
    write = Call("res.partner", "write", ([1], {"name": "x"}))
    told = {
        (name, who.role): (
            await policies[name].authorize(who, write, NothingKnown())
        ).reason
        for name in ("keys", "local")
        for who in (reader, stranger)
    }

    assert "a key with the role 'editor'" in told["keys", "reader"]
    assert "a service whose ODOOPORT_ROLE is 'editor'" in told["local", "reader"]
    assert "make a key with" in told["keys", "driver"]
    assert "set ODOOPORT_ROLE to" in told["local", "driver"]
    assert "key" not in told["local", "reader"] + told["local", "driver"]
