"""API keys: their store, and whom they let in."""

import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odooport.errors import InvalidRequest
from odooport.model import Credentials, Principal, Refusal
from odooport_security.identities import IdentityStore, Place
from odooport_security.keys import KeyStore, KeyStoreError
from odooport_security.lockout import FREE_FAILURES, Lockout
from odooport_security.policy import KeyPolicy, principal_of
from odooport_security.roles import Roles
from odooport_security.secrets import SecretCipher
from odooport_security.sqlite_keys import SqliteKeyStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WRONG = "x" * 43
OFFICE = "192.0.2.7"
LOGINS = {
    "default": Credentials("demo", "admin", "admin"),
    "shop": Credentials("shop", "bridge", "b3", "shop"),
}
PLACES = {
    "default": Place("https://odoo.example.com", "demo"),
    "shop": Place("https://shop.example.com", "shop"),
}
SELLER = {
    "inherits": "editor",
    "max_rows": 7,
    "rate_limit": "30/minute",
    "concurrency": 2,
    "instances": ["default"],
}


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """The same, as what never goes back."""
        return (self.now - NOW).total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "keys.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[KeyStore]:
    store = SqliteKeyStore(path, clock=clock)
    yield store
    store.close()


def other_process(path: Path) -> KeyStore:
    """A second store over the same file, as another process has one."""
    return SqliteKeyStore(path, clock=lambda: NOW)


def secret_of(token: str) -> str:
    return token.split("_", 2)[2]


# The store


def test_the_file_holds_no_secret_neither_the_first_nor_a_later_one(
    store: KeyStore, path: Path
):
    key, first = store.create("shop", "reader")
    _, second = store.rotate(key.id, HOUR)

    for file in path.parent.iterdir():
        for token in (first, second):
            assert secret_of(token).encode() not in file.read_bytes()


def test_file_and_directory_are_closed_to_other_users(store: KeyStore, path: Path):
    mask = os.umask(0)
    try:
        store.create("shop", "reader")
    finally:
        os.umask(mask)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_asking_makes_no_file(store: KeyStore, path: Path):
    assert store.list() == []
    assert store.find("abc") is None
    assert await store.verify(f"odp_abc_{WRONG}") is None
    with pytest.raises(InvalidRequest, match="'abc'"):
        store.revoke("abc")
    assert not path.exists()


async def test_a_deleted_file_takes_its_keys_along(store: KeyStore, path: Path):
    _, token = store.create("shop", "reader")
    for file in path.parent.iterdir():
        file.unlink()

    assert await store.verify(token) is None
    assert store.list() == []


async def test_a_file_that_took_the_place_of_another_is_the_one_that_counts(
    store: KeyStore, path: Path, tmp_path: Path
):
    _, token = store.create("old", "reader")
    other = other_process(tmp_path / "new" / "keys.db")
    key, new = other.create("new", "reader")
    other.close()
    for file in path.parent.iterdir():
        file.unlink()
    (tmp_path / "new" / "keys.db").rename(path)

    assert await store.verify(token) is None
    assert await store.verify(new) == key


def in_processes(count: int, code: str, *arguments: object) -> list[str]:
    """Run code in so many processes at once, and answer what each says."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    return [process.communicate()[0].strip() for process in running]


MAKE_A_KEY = (
    "import sys; from pathlib import Path;"
    "from odooport_security import SqliteKeyStore as K;"
    "print(K(Path(sys.argv[1])).create('shop', 'reader')[1])"
)


async def test_many_processes_can_make_the_first_key_together(path: Path):
    tokens = in_processes(4, MAKE_A_KEY, path)

    store = other_process(path)
    assert all([await store.verify(token) for token in tokens])
    store.close()


async def test_a_file_that_is_no_key_store_is_an_error_without_its_path(
    store: KeyStore, path: Path
):
    path.parent.mkdir()
    path.write_text("these are not the keys that you are looking for " * 100)

    with pytest.raises(KeyStoreError, match="cannot be read") as caught:
        await store.verify(f"odp_abc_{WRONG}")
    assert str(path) not in str(caught.value)


def execute(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path, autocommit=True)) as connection:
        connection.execute(sql, values)


def test_a_store_of_a_newer_version_is_left_alone(store: KeyStore, path: Path):
    store.create("shop", "reader")
    store.close()
    execute(path, "PRAGMA user_version = 99")

    with pytest.raises(KeyStoreError, match="newer Odooport"):
        store.list()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("networks", "10.0.0.0/8"),
        ("networks", '["10.0.0.1/8"]'),
        ("networks", "7"),
        ("identities", "[1]"),
        ("expires_at", "soon"),
    ],
)
async def test_what_cannot_be_understood_of_a_key_is_an_error(
    store: KeyStore, path: Path, column: str, value: str
):
    key, token = store.create("shop", "reader", networks=["10.0.0.0/8"])
    execute(path, f"UPDATE keys SET {column} = ?", value)

    with pytest.raises(KeyStoreError, match=key.id):
        await store.verify(token)


VERSION_1 = """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        digest BLOB NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT
    ) WITHOUT ROWID
"""


@pytest.fixture
def old_token(path: Path) -> str:
    """A key in a file as the first version of Odooport wrote it."""
    path.parent.mkdir()
    digest = "cc0b1c2c66f3bb9fd1a081c626ba1bef62f6f96441a43be15268523776ac26a1"
    token = f"odp_abcd2345_{WRONG}"
    with closing(sqlite3.connect(path, autocommit=True)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(VERSION_1)
        connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                "abcd2345",
                "shop",
                "editor",
                bytes.fromhex(digest),
                "2026-02-01T08:00:00Z",
                "2026-05-02T08:00:00Z",
                None,
            ),
        )
        connection.execute("PRAGMA user_version = 1")
    return token


async def test_keys_of_the_first_version_go_on_working(store: KeyStore, old_token: str):
    key = await store.verify(old_token)

    assert key is not None
    assert (key.name, key.role) == ("shop", "editor")
    assert key.created_at == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert key.expires_at == datetime(2026, 5, 2, 8, tzinfo=UTC)
    assert (key.networks, key.instances, dict(key.identities)) == ((), (), {})
    rotated, token = store.rotate(key.id, HOUR)
    assert await store.verify(token) == rotated


async def test_many_processes_can_bring_the_store_up_to_date_together(
    path: Path, old_token: str
):
    tokens = in_processes(4, MAKE_A_KEY, path)

    store = other_process(path)
    assert all([await store.verify(token) for token in [old_token, *tokens]])
    store.close()


# Rotation


# The last use


def last_use(store: KeyStore, key_id: str) -> datetime | None:
    """When a key was last used, once the store has written everything."""
    store.close()
    key = store.find(key_id)
    assert key is not None
    return key.last_used_at


def test_a_use_that_cannot_be_kept_is_logged_and_hurts_nobody(
    store: KeyStore, path: Path, caplog: pytest.LogCaptureFixture
):
    key, token = store.create("shop", "reader")
    for file in path.parent.iterdir():
        file.unlink()
    with caplog.at_level(logging.WARNING):
        store.used(key.id)
        store.close()

    (logged,) = caplog.records
    assert (logged.getMessage(), logged.__dict__["key"]) == (
        "the last use of a key cannot be kept",
        key.id,
    )
    assert not path.exists()
    assert secret_of(token) not in str(logged.__dict__)


async def test_a_use_waits_for_no_other_writer(store: KeyStore, path: Path):
    key, token = store.create("shop", "reader")
    with closing(sqlite3.connect(path, autocommit=True)) as blocking:
        blocking.execute("BEGIN IMMEDIATE")
        store.used(key.id)  # would wait for seconds
        assert await store.verify(token) == key
        blocking.execute("ROLLBACK")

    assert last_use(store, key.id) == NOW


# Who it is


@pytest.fixture
def identities(tmp_path: Path) -> Iterator[IdentityStore]:
    store = IdentityStore(
        tmp_path / "state" / "identities.db",
        SecretCipher([b"k" * 32]),
        lambda: PLACES,
        variable={"ODOO_BEN": "b3n"}.get,
    )
    yield store
    store.close()


@pytest.fixture
def roles() -> Roles:
    return Roles.parse({"seller": SELLER})


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(clock=clock.seconds)


@pytest.fixture
def policy(
    store: KeyStore,
    roles: Roles,
    identities: IdentityStore,
    lockout: Lockout,
    clock: Clock,
) -> KeyPolicy:
    return KeyPolicy(store, roles, identities, LOGINS, lockout=lockout, clock=clock)


async def principal(policy: KeyPolicy, token: str) -> Principal:
    answer = await policy.authenticate(token, OFFICE)
    assert isinstance(answer, Principal)
    return answer


async def refusal(
    policy: KeyPolicy, token: str, address: str | None = OFFICE
) -> Refusal:
    answer = await policy.authenticate(token, address)
    assert isinstance(answer, Refusal)
    return answer


async def test_a_key_answers_a_principal_with_its_role(
    policy: KeyPolicy, store: KeyStore
):
    key, token = store.create("shop", "editor")

    assert await principal(policy, token) == Principal(
        key.id, "shop", "editor", LOGINS, max_rows=1000
    )


async def test_a_role_gives_its_limits_to_the_key(policy: KeyPolicy, store: KeyStore):
    _, token = store.create("shop", "seller")
    who = await principal(policy, token)

    assert (who.max_rows, who.concurrency) == (7, 2)
    assert who.rate_limit is None  # all keys of the role share it: see the limiter
    assert set(who.credentials) == {"default"}


async def test_the_keys_own_limits_come_before_those_of_its_role(
    policy: KeyPolicy, store: KeyStore
):
    _, token = store.create("shop", "seller", rate_limit="5/hour", concurrency=1)
    who = await principal(policy, token)

    assert (who.rate_limit, who.concurrency) == ("5/hour", 1)


async def test_a_key_reaches_only_its_instances(policy: KeyPolicy, store: KeyStore):
    _, token = store.create("shop", "reader", instances=["shop"])

    assert (await principal(policy, token)).credentials == {"shop": LOGINS["shop"]}


async def test_no_instance_of_a_key_widens_its_role(policy: KeyPolicy, store: KeyStore):
    _, token = store.create("shop", "seller", instances=["shop"])

    assert (await principal(policy, token)).credentials == {}


async def test_a_key_acts_as_its_identities_and_reaches_nothing_else(
    policy: KeyPolicy, store: KeyStore, identities: IdentityStore
):
    identities.add("ana", "ana@example.com", secret="4na")
    _, token = store.create("shop", "reader", identities={"default": "ana"})

    assert (await principal(policy, token)).credentials == {
        "default": Credentials("demo", "ana@example.com", "4na")
    }


async def test_an_identity_in_an_instance_that_the_role_lacks_is_not_asked_for(
    policy: KeyPolicy, store: KeyStore, identities: IdentityStore
):
    identities.add("ben", "ben", variable="ODOO_BEN")
    wanted = {"default": "ben", "shop": "nobody"}
    _, token = store.create("shop", "seller", identities=wanted)

    assert (await principal(policy, token)).credentials == {
        "default": Credentials("demo", "ben", "b3n")
    }


async def test_an_identity_that_cannot_be_used_lets_nobody_in(
    policy: KeyPolicy,
    store: KeyStore,
    identities: IdentityStore,
    caplog: pytest.LogCaptureFixture,
):
    identities.add("ana", "ana@example.com", secret="4na")
    key, token = store.create("shop", "reader", identities={"default": "ana"})
    identities.remove("ana")
    answer = await refusal(policy, token)

    assert (answer.rule, answer.subject) == ("identity", key.id)
    assert "the log says why" in answer.reason
    assert "no Odoo identity 'ana'" in caplog.records[-1].__dict__["why"]


async def test_nonsense_unknown_and_wrong_secrets_get_the_same_answer(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    key, _ = store.create("shop", "reader", networks=["10.0.0.0/8"])
    old = store.revoke(store.create("old", "reader")[0].id)
    wrong = [
        "",
        "nonsense",
        "odp_",
        f"odp_unknown_{WRONG}",
        f"odp_{key.id}_{WRONG}",
        f"odp_{old.id}_{WRONG}",
        f"odp_{key.id}_" + "é" * 43,
    ]

    answers = []
    for token in wrong:
        answers.append(await refusal(policy, token))
        clock.now += DAY
    assert len(set(answers)) == 1
    assert (answers[0].rule, answers[0].subject) == ("unknown-key", None)
    assert WRONG not in answers[0].reason


async def test_who_has_the_secret_learns_that_the_key_expired(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    key, token = store.create("shop", "reader", NOW + DAY)
    await principal(policy, token)
    clock.now += DAY

    answer = await refusal(policy, token)
    assert (answer.rule, answer.subject) == ("expired-key", key.id)


async def test_a_revocation_counts_from_the_next_request(
    policy: KeyPolicy, store: KeyStore, path: Path
):
    key, token = store.create("shop", "reader")
    await principal(policy, token)
    other = other_process(path)
    other.revoke(key.id)
    other.close()

    answer = await refusal(policy, token)
    assert (answer.rule, answer.subject) == ("revoked-key", key.id)
    assert key.id in answer.reason


async def test_a_revocation_ends_an_older_secret_within_its_grace_time_too(
    policy: KeyPolicy, store: KeyStore
):
    key, old = store.create("shop", "reader")
    _, new = store.rotate(key.id, DAY)
    store.revoke(key.id)

    assert (await refusal(policy, old)).rule == "revoked-key"
    assert (await refusal(policy, new)).rule == "revoked-key"


async def test_an_older_secret_lets_in_until_its_grace_time_is_over(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    key, old = store.create("shop", "reader")
    _, new = store.rotate(key.id, HOUR)
    assert (await principal(policy, old)).subject == key.id
    clock.now += HOUR

    answer = await refusal(policy, old)
    assert (answer.rule, answer.subject) == ("rotated-key", key.id)
    assert (await principal(policy, new)).subject == key.id


async def test_without_a_grace_time_an_older_secret_ends_at_once(
    policy: KeyPolicy, store: KeyStore
):
    key, old = store.create("shop", "reader")
    store.rotate(key.id, timedelta())

    assert (await refusal(policy, old)).rule == "rotated-key"


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("11.1.2.3", False),
        ("2001:db9::7", False),
        ("::ffff:11.1.2.3", False),
        ("", False),
        ("localhost", False),
        ("10.1.2.3, 11.0.0.1", False),
        ("10.1.2.3 ", False),
        (None, False),
    ],
)
async def test_a_key_with_networks_works_from_these_alone(
    policy: KeyPolicy, store: KeyStore, address: str | None, inside: bool
):
    key, token = store.create("a", "reader", networks=["10.0.0.0/8", "2001:db8::/32"])
    answer = await policy.authenticate(token, address)

    if inside:
        assert isinstance(answer, Principal)
    else:
        assert isinstance(answer, Refusal)
        assert (answer.rule, answer.subject) == ("network", key.id)


async def test_a_role_that_is_gone_lets_nobody_in(policy: KeyPolicy, store: KeyStore):
    key, token = store.create("shop", "driver")
    answer = await refusal(policy, token)

    assert (answer.rule, answer.subject) == ("unknown-role", key.id)
    assert "'driver'" in answer.reason


async def test_a_store_that_cannot_be_read_lets_nobody_in(
    policy: KeyPolicy, store: KeyStore, path: Path, lockout: Lockout
):
    _, token = store.create("shop", "reader")
    store.close()
    path.write_text("broken " * 1000)

    for _ in range(2 * FREE_FAILURES):
        assert (await refusal(policy, token)).rule == "key-store"
    assert await lockout.waiting(OFFICE) == 0


async def test_only_who_is_let_in_counts_as_a_use(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    key, token = store.create("shop", "reader", networks=[OFFICE])
    await refusal(policy, token, "192.0.2.8")
    assert last_use(store, key.id) is None

    await principal(policy, token)
    assert last_use(store, key.id) == NOW


# Who tries again and again


async def fail(policy: KeyPolicy, token: str, times: int = FREE_FAILURES) -> None:
    for _ in range(times):
        await refusal(policy, token)


async def test_after_too_many_failures_even_a_right_key_waits(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    _, token = store.create("shop", "reader")
    await fail(policy, f"odp_nobody_{WRONG}")

    for tried in (token, "nonsense", f"odp_nobody_{WRONG}"):
        answer = await refusal(policy, tried)
        assert (answer.rule, answer.subject) == ("lockout", None)
        assert answer.retry_after == 1.0
        assert "Try again in 1 seconds" in answer.reason
    clock.now += timedelta(seconds=1)
    await principal(policy, token)


async def test_another_address_does_not_wait(policy: KeyPolicy, store: KeyStore):
    _, token = store.create("shop", "reader")
    await fail(policy, "nonsense")

    assert isinstance(await policy.authenticate(token, "192.0.2.8"), Principal)


async def test_guesses_do_not_hold_up_a_key_that_works_at_the_same_address(
    policy: KeyPolicy, store: KeyStore
):
    _, token = store.create("shop", "reader")
    await principal(policy, token)
    await fail(policy, "nonsense")

    await principal(policy, token)


async def test_a_right_key_does_not_help_to_guess_at_another(
    policy: KeyPolicy, store: KeyStore
):
    _, token = store.create("mine", "reader")
    theirs, _ = store.create("theirs", "full")
    for _ in range(FREE_FAILURES):
        assert (await refusal(policy, f"odp_{theirs.id}_{WRONG}")).rule != "lockout"
        await principal(policy, token)

    assert (await refusal(policy, f"odp_{theirs.id}_{WRONG}")).rule == "lockout"


async def test_guesses_at_a_key_that_works_at_the_same_address_wait(
    policy: KeyPolicy, store: KeyStore
):
    key, token = store.create("shop", "reader")
    await principal(policy, token)
    await fail(policy, f"odp_{key.id}_{WRONG}")

    assert (await refusal(policy, token)).rule == "lockout"


class Uncounted(Lockout):
    """Cannot count, as without its Redis."""

    @property
    def counts(self) -> bool:
        return False

    async def waiting(self, address: str | None, *, key: str | None = None) -> float:
        return 1.0


async def test_where_failures_cannot_be_counted_nobody_is_said_to_have_failed(
    store: KeyStore, roles: Roles, identities: IdentityStore
):
    _, token = store.create("shop", "reader")
    policy = KeyPolicy(store, roles, identities, LOGINS, lockout=Uncounted())

    told = await refusal(policy, token)
    assert (told.rule, told.retry_after) == ("lockout-store", 1.0)
    assert "cannot be checked at the moment" in told.reason


async def test_who_goes_on_with_a_key_that_is_no_good_any_more_holds_up_nobody(
    policy: KeyPolicy, store: KeyStore
):
    key, token = store.create("shop", "reader")
    _, other = store.create("till", "reader")
    store.revoke(key.id)
    await fail(policy, token)

    assert (await refusal(policy, token)).rule == "revoked-key"
    await principal(policy, other)


# What the local user may


def test_a_principal_of_a_role_that_there_is_not_gets_no_rows(roles: Roles):
    who = principal_of("local", "local user", "nope", LOGINS, roles)

    assert (who.role, who.max_rows) == ("nope", 0)


def test_a_principal_has_the_limits_of_its_role(roles: Roles):
    who = principal_of("local", "local user", "seller", LOGINS, roles)

    assert (who.max_rows, who.concurrency) == (7, 2)
    assert set(who.credentials) == {"default"}


# Canary


async def test_no_secret_shows_in_what_is_answered_or_logged(
    policy: KeyPolicy,
    store: KeyStore,
    identities: IdentityStore,
    path: Path,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    identities.add("ana", "ana@example.com", secret="canary-odoo")
    key, token = store.create("shop", "reader", identities={"default": "ana"})
    shown = [repr(key), repr(store), repr(policy), repr(await store.verify(token))]
    shown.append(repr(await policy.authenticate(token, OFFICE)))
    store.revoke(key.id)
    shown.append(repr(await policy.authenticate(token, OFFICE)))
    shown.append(repr(await policy.authenticate(token[:-1] + "?", OFFICE)))
    store.close()
    path.write_text("broken " * 1000)
    with pytest.raises(KeyStoreError) as caught:
        await store.verify(token)
    shown += [repr(caught.value), repr(await policy.authenticate(token, OFFICE))]
    shown += [json.dumps(record.__dict__, default=repr) for record in caplog.records]

    for secret in (secret_of(token)[:-1], "canary-odoo", "k" * 32):
        assert not [text for text in shown if secret in text]
