"""Those who do not belong here: without a right key, from elsewhere, of others."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from odooport import Call
from tests.abuse.abuses import (
    FRONT,
    NO_KEY,
    REQUEST,
    REST,
    Abuse,
    Attempt,
    Refusal,
    at_gate,
    at_http,
    everywhere,
    keys,
)
from tests.abuse.world import INSIDE, OFFICE, PROXY, Answer, World

ME = "/v1/me"
SEARCH = "/v1/models/res.partner/search"


def strangers() -> Iterator[Abuse]:
    """Answer every abuse of this kind."""
    yield from no_key()
    yield from wrong_key()
    yield from malformed_key()
    yield from expired_key()
    yield from revoked_key()
    yield from rotated_key()
    yield from other_tenant()
    yield from forged_address()


def _with_headers(
    kind: str,
    route: str,
    refusal: Refusal,
    headers: Any,
    *,
    key: str = "",
    peer: Any = None,
) -> list[Abuse]:
    async def rest(world: World) -> Answer:
        given, place = _made(headers, world), _made(peer, world)
        return await world.rest(key, "GET", ME, peer=place, headers=given)

    async def mcp(world: World) -> Answer:
        given, place = _made(headers, world), _made(peer, world)
        return await world.mcp(key, peer=place, headers=given)

    return at_http(kind, route, refusal, rest, mcp)


def _made(given: Any, world: World) -> Any:
    return given(world) if callable(given) else given


def _with_key(kind: str, route: str, key: str, rule: str) -> list[Abuse]:
    return _with_headers(kind, route, keys(rule), {}, key=key)


def _at_a_write(kind: str, route: str, key: str, rule: str) -> list[Abuse]:
    async def rest(world: World) -> Answer:
        values = {"name": "Mallory"}
        return await world.rest(
            key, "POST", "/v1/models/res.partner/records", json=values
        )

    async def mcp(world: World) -> Answer:
        given = {"model": "res.partner", "records": [{"name": "Mallory"}]}
        return await world.mcp(key, "create_records", given)

    return at_http(kind, route, keys(rule), rest, mcp)


def no_key() -> Iterator[Abuse]:
    """Answer what comes without a key, or with one in the wrong place."""
    kind = "no key"
    yield from _with_headers(kind, "no header", NO_KEY, {})
    yield from _with_headers(kind, "an empty one", NO_KEY, {"Authorization": "Bearer"})
    yield from _with_headers(
        kind,
        "a right key, as a password",
        NO_KEY,
        lambda world: {
            "Authorization": "Basic "
            + base64.b64encode(f"full:{world.keys['full']}".encode()).decode()
        },
    )
    yield from _with_headers(
        kind,
        "a right key, as a cookie and in other headers",
        NO_KEY,
        lambda world: {
            "Cookie": f"key={world.keys['full']}",
            "X-Api-Key": world.keys["full"],
        },
    )

    async def rest(world: World) -> Answer:
        params = {"access_token": world.keys["full"]}
        return await world.rest("", "GET", ME, params=params)

    yield Abuse(kind, "a right key, in the address", REST, NO_KEY, rest)


def wrong_key() -> Iterator[Abuse]:
    """Answer keys that look right."""
    kind = "wrong key"

    def swapped(world: World) -> Mapping[str, str]:
        (_, mine, _), (_, _, theirs) = (
            world.keys[name].split("_", 2) for name in ("full", "reader")
        )
        return world.bearer(f"odp_{mine}_{theirs}")

    def nearly(world: World) -> Mapping[str, str]:
        token = world.keys["full"]
        return world.bearer(token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1])

    def unknown(world: World) -> Mapping[str, str]:
        return world.bearer("odp_aaaaaaaa_" + world.keys["full"].split("_", 2)[2])

    yield from _with_headers(
        kind, "an id with the secret of another", keys("unknown-key"), swapped
    )
    yield from _with_headers(
        kind, "one character of the secret is wrong", keys("unknown-key"), nearly
    )
    yield from _with_headers(
        kind, "a right secret, an unknown id", keys("unknown-key"), unknown
    )

    def digest(world: World) -> Mapping[str, str]:
        kept = world.container.key_store().find(world.keys["full"].split("_")[1])
        assert kept is not None
        return world.bearer(f"odp_{kept.id}_{'0' * 43}")

    yield from _with_headers(kind, "zeros for a secret", keys("unknown-key"), digest)


def malformed_key() -> Iterator[Abuse]:
    """Answer what is no key at all."""
    kind = "malformed key"
    yield from _with_headers(
        kind,
        "an injection into the store",
        keys("unknown-key"),
        {"Authorization": "Bearer ' OR 1=1--"},
    )
    yield from _with_headers(
        kind,
        "4,000 characters",
        keys("unknown-key"),
        {"Authorization": "Bearer odp_" + "a" * 4_000},
    )
    yield from _with_headers(
        kind,
        "bytes beyond ASCII",
        keys("unknown-key"),
        lambda world: [
            (b"Authorization", b"Bearer " + world.keys["full"].encode() + b"\xe9\xff")
        ],
    )
    yield from _with_headers(
        kind,
        "a right key and more behind it",
        keys("unknown-key"),
        lambda world: world.bearer(world.keys["full"] + " x"),
    )
    yield from _with_headers(
        kind,
        "a right key beside another",
        NO_KEY,
        lambda world: [*world.bearer("full").items(), *world.bearer("reader").items()],
    )


def expired_key() -> Iterator[Abuse]:
    """Answer keys whose time is over."""
    kind, rule = "expired key", "expired-key"
    yield from _with_key(kind, "at a read", "expired", rule)
    yield from _at_a_write(kind, "at a write", "expired", rule)
    yield from _with_key(
        kind, "with the secret of a rotation", "rotated and expired", rule
    )
    yield from _with_key(
        kind, "with the secret before that", "expired, rotated away", rule
    )


def revoked_key() -> Iterator[Abuse]:
    """Answer keys that were revoked."""
    kind, rule = "revoked key", "revoked-key"
    yield from _with_key(kind, "before the service was started", "revoked", rule)
    yield from _with_key(
        kind, "with the secret of a rotation", "revoked and rotated", rule
    )
    yield from _with_key(
        kind, "with the secret before a rotation", "revoked before rotation", rule
    )

    def used(ask: Attempt) -> Attempt:
        async def attempt(world: World) -> Answer:
            record, token = world.container.key_store().create("passing", "full")
            world.keys["passing"] = token
            first = await ask(world)
            assert first.code == "ok", first.text
            world.container.key_store().revoke(record.id)
            world.reached()  # so far it was let through, and that was right
            return await ask(world)

        return attempt

    async def rest(world: World) -> Answer:
        return await world.rest("passing", "GET", ME)

    async def mcp(world: World) -> Answer:
        return await world.mcp("passing")

    yield from at_http(kind, "between two calls", keys(rule), used(rest), used(mcp))


def rotated_key() -> Iterator[Abuse]:
    """Answer secrets that were replaced."""
    kind, rule = "rotated key", "rotated-key"
    yield from _with_key(kind, "without a grace time", "rotated", rule)
    yield from _with_key(kind, "after its grace time", "grace over", rule)
    yield from _with_key(
        kind, "within a grace time, two rotations ago", "rotated twice", "unknown-key"
    )
    yield from _at_a_write(kind, "at a write", "grace over", rule)


def other_tenant() -> Iterator[Abuse]:
    """Answer keys of one Odoo at another."""
    kind = "key of another tenant"
    partners = {"model": "res.partner"}
    yield from everywhere(
        kind,
        "asks for the other Odoo",
        "shopkeeper",
        "search_records",
        REQUEST,
        context={"instance": "default"},
        **partners,
    )
    yield from everywhere(
        kind,
        "names none, where another is meant",
        "shopkeeper",
        "create_records",
        REQUEST,
        records=[{"name": "Mallory"}],
        **partners,
    )
    yield from everywhere(
        kind,
        "asks what its models are like",
        "shopkeeper",
        "describe_model",
        REQUEST,
        **partners,
    )
    for key, route in (
        ("tenant", "a key that is bound to one Odoo"),
        ("identity", "a key that acts as a user of one Odoo"),
    ):
        yield from _tenant(kind, route, key)
    yield from at_gate(
        kind,
        "past the doors",
        "tenant",
        REQUEST,
        lambda world: Call("res.partner", "search_read", ([],)),
    )
    yield from _cursor(kind)


def _tenant(kind: str, route: str, key: str) -> list[Abuse]:
    async def rest(world: World) -> Answer:
        return await world.rest(key, "POST", SEARCH, json={})

    async def mcp(world: World) -> Answer:
        return await world.mcp(key, "search_records", {"model": "res.partner"})

    return at_http(kind, route, REQUEST, rest, mcp)


def _cursor(kind: str) -> list[Abuse]:
    async def page_of_full(world: World) -> str:
        answer = await world.rest("full", "POST", SEARCH, json={"limit": 1})
        world.reached()
        return answer.text.split('"next_cursor":"')[1].split('"')[0]

    async def rest(world: World) -> Answer:
        given = {"limit": 1, "cursor": await page_of_full(world)}
        return await world.rest("reader", "POST", SEARCH, json=given)

    async def mcp(world: World) -> Answer:
        given = {"limit": 1, "cursor": await page_of_full(world)}
        return await world.mcp(
            "reader", "search_records", {"model": "res.partner", **given}
        )

    return at_http(kind, "goes on with the cursor of another key", REQUEST, rest, mcp)


def forged_address() -> Iterator[Abuse]:
    """Answer those who say that they come from elsewhere."""
    kind = "forged X-Forwarded-For"
    yield from _with_headers(
        kind,
        "from outside, naming an inner address",
        FRONT,
        {"X-Forwarded-For": INSIDE},
        key="full",
        peer=World.outside,
    )
    yield from _with_headers(
        kind,
        "in other headers",
        FRONT,
        {"X-Real-IP": INSIDE, "Forwarded": f"for={INSIDE}", "True-Client-IP": INSIDE},
        key="full",
        peer=World.outside,
    )
    yield from _with_headers(
        kind,
        "through a proxy, which appends the truth",
        FRONT,
        lambda world: {"X-Forwarded-For": f"{INSIDE}, {world.outside()}"},
        key="full",
        peer=PROXY,
    )
    yield from _with_headers(
        kind,
        "through a proxy, in two lines",
        FRONT,
        lambda world: [
            ("X-Forwarded-For", INSIDE),
            ("X-Forwarded-For", world.outside()),
        ],
        key="full",
        peer=PROXY,
    )
    yield from _with_headers(
        kind,
        "through a proxy, with nonsense at its end",
        ("front", "invalid_request"),
        {"X-Forwarded-For": f"{INSIDE}, unknown"},
        key="full",
        peer=PROXY,
    )
    yield from _with_headers(
        kind,
        "naming the network of a key",
        keys("network"),
        {"X-Forwarded-For": OFFICE},
        key="office",
    )
    yield from _with_headers(
        kind,
        "naming the network of a key, through a proxy",
        keys("network"),
        {"X-Forwarded-For": f"{OFFICE}, {INSIDE}"},
        key="office",
        peer=PROXY,
    )
