"""API keys: each case holds in a file of the state directory and in Redis."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from redis import Redis

from odooport.errors import InvalidRequest
from odooport_security import KeyStore, KeyStoreError, RedisKeyStore, SqliteKeyStore
from odooport_security.keys import claimed_id

from .redis_server import (  # noqa: F401  # the fixtures are asked for by name
    RedisServer,
    empty,
    mortal,
    running,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

type Another = Callable[[], KeyStore]
"""Opens the same keys once more, as another process has them."""


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["file", "redis"])
async def another(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Another]:
    opened: list[KeyStore] = []

    def file() -> KeyStore:
        opened.append(SqliteKeyStore(tmp_path / "keys.db", clock=clock))
        return opened[-1]

    def redis() -> KeyStore:
        url = request.getfixturevalue("redis").url
        opened.append(RedisKeyStore(url, clock=clock))
        return opened[-1]

    yield file if request.param == "file" else redis
    for store in opened:
        await store.aclose()


@pytest.fixture
def store(another: Another) -> KeyStore:
    return another()


def secret_of(token: str) -> str:
    return token.split("_", 2)[2]


# Making and proving


async def test_a_token_shows_the_keys_id_and_proves_the_key(store: KeyStore):
    key, token = store.create("shop", "reader")

    assert re.fullmatch(rf"odp_{key.id}_[A-Za-z0-9_-]{{43}}", token)
    assert await store.verify(token) == key == store.find(key.id)
    assert claimed_id(token) == key.id


def test_two_keys_never_share_id_or_secret(store: KeyStore):
    tokens = [store.create("shop", "reader")[1] for _ in range(20)]

    assert len({claimed_id(token) for token in tokens}) == 20
    assert len({secret_of(token) for token in tokens}) == 20


def test_all_that_a_key_is_given_is_kept(store: KeyStore, another: Another):
    key, _ = store.create(
        "shop",
        "seller",
        NOW + DAY,
        networks=["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
        rate_limit="60/minute",
        concurrency=3,
        identities={"default": "ana", "shop": "ana at shop"},
        instances=["default", "shop"],
    )

    other = another()
    assert other.find(key.id) == key
    other.close()
    assert key.networks == tuple(
        map(ip_network, ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"))
    )
    assert (key.rate_limit, key.concurrency) == ("60/minute", 3)
    assert key.identities == {"default": "ana", "shop": "ana at shop"}
    assert key.instances == ("default", "shop")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.upper(),
        lambda token: "odp_aaaaaaaa_" + secret_of(token),
        lambda token: token + "\n",
        lambda token: token.replace("odp_", "odp__", 1),
        lambda token: "",
        lambda token: "odp__",
        lambda token: "Bearer " + token,
        lambda token: token + "\x00",
        lambda token: "odp_" + "\u0430" * 8 + "_" + "é" * 43,
    ],
)
async def test_a_token_that_is_not_exact_proves_nothing(
    store: KeyStore, change: Callable[[str], str]
):
    _, token = store.create("shop", "reader")

    assert await store.verify(change(token)) is None


def test_keys_are_listed_oldest_first_with_their_fate(store: KeyStore, clock: Clock):
    first, _ = store.create("first", "reader")
    clock.now += timedelta(seconds=1)
    second, _ = store.create("second", "full", NOW + 90 * DAY)
    store.revoke(first.id)

    revoked, kept = store.list()
    assert (revoked.name, revoked.revoked_at) == ("first", clock.now)
    assert kept == second
    assert kept.expires_at == NOW + 90 * DAY


def test_keys_of_one_second_are_listed_by_their_ids(store: KeyStore):
    made = [store.create("shop", "reader")[0].id for _ in range(10)]

    assert [key.id for key in store.list()] == sorted(made)


def test_revoking_again_keeps_the_first_time(store: KeyStore, clock: Clock):
    key, _ = store.create("shop", "reader")
    first = store.revoke(key.id)
    clock.now += DAY

    assert store.revoke(key.id) == first


@pytest.mark.parametrize(
    "name", ["", " shop", "-shop", "a\nb", "a\x1b[31m", "x" * 65, "shop;drop", "a/b"]
)
def test_a_name_that_would_spoil_a_log_line_is_refused(store: KeyStore, name: str):
    with pytest.raises(InvalidRequest, match="name of a key"):
        store.create(name, "reader")


@pytest.mark.parametrize("name", ["shop", "Ana.s", "café 2", "a@b.c"])
def test_ordinary_names_are_taken(store: KeyStore, name: str):
    assert store.create(name, "reader")[0].name == name


@pytest.mark.parametrize("role", ["", "Reader", "a b", "r" * 33, "x\n", "-"])
def test_what_cannot_be_the_name_of_a_role_is_refused(store: KeyStore, role: str):
    with pytest.raises(InvalidRequest, match="name of a role"):
        store.create("shop", role)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"networks": ["10.0.0.1/8"]}, "no network"),
        ({"networks": ["everywhere"]}, "no network"),
        ({"networks": [""]}, "no network"),
        ({"networks": ["::ffff:10.0.0.0/104"]}, "IPv4"),
        ({"rate_limit": "60"}, "budget"),
        ({"rate_limit": "60/minute\n"}, "budget"),
        ({"rate_limit": "0/minute"}, "budget"),
        ({"concurrency": 0}, "at once"),
        ({"concurrency": 10_001}, "at once"),
    ],
)
def test_what_limits_a_key_must_be_readable(store: KeyStore, given, told: str):
    with pytest.raises(InvalidRequest, match=told):
        store.create("shop", "reader", **given)
    assert store.list() == []


def test_a_key_cannot_be_born_expired(store: KeyStore):
    with pytest.raises(InvalidRequest, match="past"):
        store.create("shop", "reader", NOW)


async def test_keys_of_another_process_are_seen_at_once(
    store: KeyStore, another: Another
):
    key, mine = store.create("mine", "reader")
    other = another()
    theirs, token = other.create("theirs", "reader")
    revoked = other.revoke(key.id)
    other.close()

    assert await store.verify(token) == theirs
    assert await store.verify(mine) == revoked


# Rotation


async def test_after_a_rotation_both_secrets_prove_the_key(
    store: KeyStore, clock: Clock
):
    key, old = store.create("shop", "reader")
    rotated, new = store.rotate(key.id, HOUR)

    assert claimed_id(new) == key.id
    assert rotated.previous_until == NOW + HOUR
    by_old, by_new = await store.verify(old), await store.verify(new)
    assert by_old is not None
    assert by_new is not None
    assert (by_old.is_outdated, by_new.is_outdated) == (True, False)
    assert not by_old.is_rotated_away(NOW)
    assert by_old.is_rotated_away(NOW + HOUR)
    assert not by_new.is_rotated_away(NOW + HOUR)


async def test_a_second_rotation_ends_the_first_secret(store: KeyStore):
    key, first = store.create("shop", "reader")
    _, second = store.rotate(key.id, DAY)
    store.rotate(key.id, DAY)

    assert await store.verify(first) is None
    assert await store.verify(second) is not None


def test_a_rotation_changes_nothing_else(store: KeyStore):
    key, _ = store.create(
        "shop", "reader", NOW + DAY, networks=["10.0.0.0/8"], rate_limit="9/minute"
    )
    rotated, _ = store.rotate(key.id, timedelta())

    assert (rotated.expires_at, rotated.networks, rotated.rate_limit) == (
        key.expires_at,
        key.networks,
        key.rate_limit,
    )


def test_only_a_valid_key_can_be_rotated(store: KeyStore, clock: Clock):
    revoked = store.revoke(store.create("old", "reader")[0].id)
    expired, _ = store.create("short", "reader", NOW + HOUR)
    clock.now += HOUR

    for key in (revoked, expired):
        with pytest.raises(InvalidRequest, match="not valid any more"):
            store.rotate(key.id, HOUR)
    with pytest.raises(InvalidRequest, match="'nope'"):
        store.rotate("nope", HOUR)


async def test_a_key_that_is_revoked_meanwhile_gets_no_new_secret(
    another: Another, clock: Clock
):
    rotating, other = another(), another()
    key, token = other.create("shop", "reader")

    def revoking(count: int) -> bytes:
        other.revoke(key.id)
        return bytes(count)

    rotating._token_bytes = revoking
    with pytest.raises(InvalidRequest, match="not valid any more"):
        rotating.rotate(key.id, HOUR)
    found = await other.verify(token)
    assert found is not None
    assert (found.is_outdated, found.previous_until) == (False, None)


@pytest.mark.parametrize("grace", [-HOUR, 1000 * DAY])
def test_a_grace_time_has_bounds(store: KeyStore, grace: timedelta):
    key, _ = store.create("shop", "reader")

    with pytest.raises(InvalidRequest, match="grace time"):
        store.rotate(key.id, grace)


# The last use


def last_use(store: KeyStore, key_id: str) -> datetime | None:
    """When a key was last used, once the store has written everything."""
    store.close()
    key = store.find(key_id)
    assert key is not None
    return key.last_used_at


def test_the_last_use_is_kept(store: KeyStore, clock: Clock):
    key, _ = store.create("shop", "reader")
    assert key.last_used_at is None
    clock.now += HOUR
    store.used(key.id)

    assert last_use(store, key.id) == NOW + HOUR


def test_a_key_that_is_used_all_the_time_is_written_once_a_minute(
    store: KeyStore, clock: Clock, another: Another
):
    key, _ = store.create("shop", "reader")
    other = another()
    store.used(key.id)
    assert last_use(store, key.id) == NOW
    for _ in range(59):
        clock.now += timedelta(seconds=1)
        store.used(key.id)
        other.used(key.id)
    other.close()
    assert last_use(store, key.id) == NOW

    clock.now += timedelta(seconds=1)
    store.used(key.id)
    assert last_use(store, key.id) == NOW + timedelta(minutes=1)


# Taking the keys of one store over into another


@pytest.fixture
def old(tmp_path: Path, clock: Clock) -> Iterator[KeyStore]:
    store = SqliteKeyStore(tmp_path / "old" / "keys.db", clock=clock)
    yield store
    store.close()


async def test_keys_go_on_working_where_they_are_taken_over(
    store: KeyStore, old: KeyStore, clock: Clock
):
    key, first = old.create(
        "shop",
        "seller",
        NOW + DAY,
        networks=["10.0.0.0/8"],
        rate_limit="60/minute",
        concurrency=3,
        identities={"default": "ana"},
        instances=["default"],
    )
    _, second = old.rotate(key.id, HOUR)
    old.used(key.id)
    clock.now += timedelta(seconds=1)
    revoked, gone = old.create("gone", "reader")
    old.revoke(revoked.id)
    old.close()

    assert store.adopt(old) == (2, 0)
    assert store.list() == old.list()
    outdated, current = await store.verify(first), await store.verify(second)
    assert outdated is not None
    assert outdated.is_outdated
    assert current == old.find(key.id)
    found = await store.verify(gone)
    assert found is not None
    assert found.revoked_at is not None


async def test_taking_over_again_adds_what_is_new_and_revokes_what_was_revoked(
    store: KeyStore, old: KeyStore, clock: Clock
):
    rotated, before = old.create("rotated", "reader")
    revoked, _ = old.create("revoked", "reader")
    store.adopt(old)
    _, after = store.rotate(rotated.id, timedelta())
    clock.now += HOUR
    old.revoke(revoked.id)
    new, _ = old.create("new", "reader")

    assert store.adopt(old) == (1, 2)
    assert store.find(new.id) == new
    assert store.find(revoked.id) == old.find(revoked.id)
    key, outdated = await store.verify(after), await store.verify(before)
    assert key is not None
    assert key.revoked_at is None
    assert outdated is not None
    assert outdated.is_rotated_away(clock.now)


def test_taking_nothing_over_makes_nothing(store: KeyStore, old: KeyStore):
    assert store.adopt(old) == (0, 0)
    assert store.list() == []


# A Redis on a bad day


@pytest.fixture
async def frail(mortal_redis: RedisServer, clock: Clock) -> AsyncIterator[KeyStore]:
    store = RedisKeyStore(mortal_redis.url, clock=clock)
    yield store
    await store.aclose()


async def test_without_redis_no_key_is_proven_and_none_is_lost_silently(
    frail: KeyStore, mortal_redis: RedisServer
):
    key, token = frail.create("shop", "reader")
    assert await frail.verify(token) == key
    mortal_redis.stop()

    for _ in range(3):
        with pytest.raises(KeyStoreError, match="Redis cannot be read") as caught:
            await frail.verify(token)
        assert "127.0.0.1" not in caught.value.message
    for ask in (frail.list, lambda: frail.find(key.id)):
        with pytest.raises(KeyStoreError, match="cannot be read"):
            ask()
    for change in (
        lambda: frail.create("new", "reader"),
        lambda: frail.revoke(key.id),
    ):
        with pytest.raises(KeyStoreError, match="did not say that it was") as caught:
            change()
        assert "127.0.0.1" not in caught.value.message
    frail.used(key.id)
    frail.close()


async def test_a_redis_that_forgot_its_keys_lets_nobody_in(
    frail: KeyStore, mortal_redis: RedisServer
):
    _, token = frail.create("shop", "reader")
    mortal_redis.stop()
    mortal_redis.start()

    assert frail.list() == []
    assert await frail.verify(token) is None


def test_redis_holds_no_secret(redis: RedisServer):
    store = RedisKeyStore(redis.url)
    key, first = store.create("shop", "reader")
    _, second = store.rotate(key.id, HOUR)
    store.close()

    with Redis.from_url(redis.url) as client:
        (name,) = client.keys("odooport:key:*")
        kept = repr(client.hgetall(name))
    assert "shop" in kept
    for token in (first, second):
        assert secret_of(token) not in kept


def test_what_happens_to_an_unknown_key_leaves_nothing_in_redis(redis: RedisServer):
    store = RedisKeyStore(redis.url)
    with pytest.raises(InvalidRequest, match="'nope'"):
        store.revoke("nope")
    store.used("nope")
    store.close()

    with redis.client() as client:
        assert client.keys() == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("networks", "10.0.0.0/8"),
        ("identities", "[1]"),
        ("expires_at", "soon"),
        ("concurrency", "many"),
        ("name", None),
        ("role", None),
        ("created_at", None),
    ],
)
async def test_what_cannot_be_understood_in_redis_is_an_error_that_names_the_key(
    redis: RedisServer, column: str, value: str | None
):
    store = RedisKeyStore(redis.url)
    key, token = store.create("shop", "reader", concurrency=3)
    with redis.client() as client:
        if value is None:
            client.hdel(f"odooport:key:{key.id}", column)
        else:
            client.hset(f"odooport:key:{key.id}", column, value)

    with pytest.raises(KeyStoreError, match=key.id):
        await store.verify(token)
    with pytest.raises(KeyStoreError, match=key.id):
        store.list()
    await store.aclose()


async def test_a_key_without_its_digest_proves_nothing(redis: RedisServer):
    store = RedisKeyStore(redis.url)
    key, token = store.create("shop", "reader")
    with redis.client() as client:
        client.hdel(f"odooport:key:{key.id}", "digest")

    assert await store.verify(token) is None
    await store.aclose()


def test_an_address_that_cannot_be_read_is_refused_before_it_is_used():
    with pytest.raises(InvalidRequest, match="ODOOPORT_REDIS_URL"):
        RedisKeyStore("localhost:6379")
