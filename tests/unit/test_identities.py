"""Odoo identities: how their secrets are kept, and to which Odoo they may go."""

import logging
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from odooport.errors import InvalidRequest, OdooportError
from odooport.model import Credentials
from odooport_security.identities import Identity, IdentityError, IdentityStore, Place
from odooport_security.secrets import Sealed, SecretCipher, SecretKeyError, new_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "canary-Pässword"
FIRST, SECOND = b"1" * 32, b"2" * 32
ODOO = Place("https://odoo.example.com", "prod")
SHOP = Place("https://shop.example.com:8443/erp", "shop")


@dataclass
class Settings:
    """What an identity store is told about, to be changed by a test."""

    path: Path
    keys: list[bytes] = field(default_factory=lambda: [FIRST])
    places: dict[str, Place] = field(
        default_factory=lambda: {"default": ODOO, "shop": SHOP}
    )
    variables: dict[str, str] = field(default_factory=dict)
    opened: list[IdentityStore] = field(default_factory=list)

    def open(self) -> IdentityStore:
        """A store as a process has it that starts now."""
        store = IdentityStore(
            self.path,
            SecretCipher(self.keys),
            lambda: self.places,
            variable=self.variables.get,
            clock=lambda: NOW,
        )
        self.opened.append(store)
        return store


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(tmp_path / "state" / "identities.db")
    yield settings
    for store in settings.opened:
        store.close()


@pytest.fixture
def store(settings: Settings) -> IdentityStore:
    return settings.open()


def execute(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path, autocommit=True)) as connection:
        connection.execute(sql, values)


# Secrets


def test_what_was_encrypted_can_be_decrypted_for_the_same_thing():
    cipher = SecretCipher([FIRST])

    assert cipher.decrypt(cipher.encrypt(SECRET, "a", "b"), "a", "b") == SECRET


@pytest.mark.parametrize("other", [("a",), ("a", "c"), ("ab",), ("a", "b", ""), ()])
def test_a_secret_cannot_be_decrypted_for_something_else(other: tuple[str, ...]):
    cipher = SecretCipher([FIRST])
    sealed = cipher.encrypt(SECRET, "a", "b")

    with pytest.raises(SecretKeyError, match="not what was encrypted"):
        cipher.decrypt(sealed, *other)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda box: b"",
        lambda box: box[:5],
        lambda box: box[:-1],
        lambda box: box + b"\x00",
        lambda box: box[:-1] + bytes([box[-1] ^ 1]),
        lambda box: bytes([box[0] ^ 1]) + box[1:],
    ],
)
def test_a_secret_that_was_changed_cannot_be_decrypted(
    spoil: Callable[[bytes], bytes],
):
    cipher = SecretCipher([FIRST])
    sealed = cipher.encrypt(SECRET)

    with pytest.raises(SecretKeyError, match="not what was encrypted"):
        cipher.decrypt(Sealed(sealed.key_id, spoil(sealed.box)))


def test_the_first_key_encrypts_and_all_decrypt():
    old = SecretCipher([FIRST]).encrypt(SECRET)
    both = SecretCipher([SECOND, FIRST])

    assert both.decrypt(old) == SECRET
    assert both.encrypt(SECRET).key_id == SecretCipher([SECOND]).key_id != old.key_id
    with pytest.raises(SecretKeyError, match=old.key_id):
        SecretCipher([SECOND]).decrypt(old)


def test_the_same_secret_never_looks_the_same():
    cipher = SecretCipher([FIRST])

    assert len({cipher.encrypt(SECRET).box for _ in range(20)}) == 20


def test_without_a_key_nothing_can_be_encrypted():
    with pytest.raises(SecretKeyError, match="ODOOPORT_SECRET_KEY"):
        SecretCipher([]).encrypt(SECRET)


def test_a_new_key_can_be_read_alone_or_with_others():
    one, two = new_key(), new_key()
    for text in (f"{one},{two}", f" {one} , {two}\n", f"{one}\n{two}\n"):
        cipher = SecretCipher.parse(text)
        assert cipher.key_id == SecretCipher.parse(one).key_id
        assert cipher.decrypt(SecretCipher.parse(two).encrypt(SECRET)) == SECRET
    assert SecretCipher.parse(one.rstrip("=")).key_id == SecretCipher.parse(one).key_id
    assert SecretCipher.parse("").key_id is None


@pytest.mark.parametrize(
    "text",
    ["canary", "c4nary!" * 6, "canary-é" * 5, "Y2FuYXJ5" * 5, "Y2FuYXJ5" * 5 + "="],
)
def test_what_is_no_key_is_refused_and_not_quoted(text: str):
    with pytest.raises(SecretKeyError, match="ODOOPORT_SECRET_KEY") as caught:
        SecretCipher.parse(f"{new_key()},{text}")
    assert text not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# The store


def test_an_identity_answers_its_login_with_the_secret(store: IdentityStore):
    made = store.add("ana", "ana@example.com", secret=SECRET)

    assert store.credentials("ana", "default") == Credentials(
        "prod", "ana@example.com", SECRET
    )
    assert (made.login, made.instance, made.variable) == (
        "ana@example.com",
        "default",
        None,
    )
    assert store.list() == [made] == [store.find("ana")]


def test_a_secret_in_a_variable_is_read_each_time(
    settings: Settings, store: IdentityStore
):
    settings.variables["ODOO_ANA"] = "one"
    store.add("ana", "ana", "shop", variable="ODOO_ANA")
    assert store.credentials("ana", "shop") == Credentials("shop", "ana", "one", "shop")

    settings.variables["ODOO_ANA"] = "two"
    assert store.credentials("ana", "shop").secret == "two"
    settings.variables.clear()
    with pytest.raises(IdentityError, match=r"'ODOO_ANA'.*not set"):
        store.credentials("ana", "shop")


@pytest.mark.parametrize(
    "variable",
    ["PATH", "HOME", "ODOOPORT_SECRET_KEY", "odoo_ana", "ODOO_", "ODOO_A\n", ""],
)
def test_no_other_variable_is_ever_read(
    settings: Settings, store: IdentityStore, variable: str
):
    with pytest.raises(InvalidRequest, match="begin with ODOO_"):
        store.add("ana", "ana", variable=variable)

    settings.variables |= {variable: SECRET, "ODOO_ANA": "4na"}
    store.add("ana", "ana", variable="ODOO_ANA")
    execute(settings.path, "UPDATE identities SET variable = ?", variable)
    with pytest.raises(IdentityError, match="not set"):
        store.credentials("ana", "default")


def test_the_files_are_closed_to_others_and_hold_no_secret(
    settings: Settings, store: IdentityStore
):
    mask = os.umask(0)
    try:
        store.add("ana", "ana", secret=SECRET)
    finally:
        os.umask(mask)

    for file in settings.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        assert SECRET.encode() not in file.read_bytes()


def test_adding_the_same_user_again_gives_it_a_new_secret(
    settings: Settings, store: IdentityStore
):
    store.add("ana", "ana", secret="old")
    store.add("ana", "ana", secret="new")
    assert store.credentials("ana", "default").secret == "new"

    settings.variables["ODOO_ANA"] = "newer"
    store.add("ana", "ana", variable="ODOO_ANA")
    assert store.credentials("ana", "default").secret == "newer"
    (found,) = store.list()
    assert (found.variable, found.key_id) == ("ODOO_ANA", None)


@pytest.mark.parametrize(("login", "instance"), [("ben", "default"), ("ana", "shop")])
def test_a_name_never_comes_to_mean_another_user(
    store: IdentityStore, login: str, instance: str
):
    store.add("ana", "ana", secret=SECRET)

    with pytest.raises(InvalidRequest, match="identities remove ana"):
        store.add("ana", login, instance, secret="other")
    assert store.credentials("ana", "default").secret == SECRET


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "a\nb"}, "name of an identity"),
        ({"login": ""}, "login"),
        ({"login": "  "}, "login"),
        ({"login": "ana\x1b[2J"}, "login"),
        ({"login": "a" * 201}, "login"),
        ({"instance": "nope"}, "only 'default', 'shop'"),
        ({"secret": None}, "either"),
        ({"variable": "ODOO_ANA"}, "either"),
        ({"secret": ""}, "no password"),
        ({"secret": " "}, "no password"),
        ({"secret": "canary\n"}, "no password"),
        ({"secret": "canary\ud800"}, "no password"),
    ],
)
def test_what_cannot_be_an_identity_is_refused(
    store: IdentityStore, settings: Settings, given: dict[str, str | None], told: str
):
    whole: dict[str, str | None] = {"name": "ana", "login": "ana", "secret": SECRET}
    with pytest.raises(InvalidRequest, match=told) as caught:
        store.add(**(whole | given))
    assert "canary" not in repr(caught.value)
    assert not settings.path.exists()


def test_what_another_process_removes_is_gone_at_once(
    settings: Settings, store: IdentityStore
):
    made = store.add("ana", "ana", secret=SECRET)
    other = settings.open()
    assert other.remove("ana") == made

    with pytest.raises(IdentityError, match="no Odoo identity 'ana'"):
        store.credentials("ana", "default")
    assert store.list() == []
    with pytest.raises(InvalidRequest, match="'ana'"):
        store.remove("ana")


def test_what_is_removed_is_not_in_the_files_any_more(
    settings: Settings, store: IdentityStore
):
    store.add("ana", "ana-the-first", secret=SECRET)
    store.remove("ana")

    for file in settings.path.parent.iterdir():
        assert b"ana-the-first" not in file.read_bytes(), file.name


def test_asking_makes_no_file(settings: Settings, store: IdentityStore):
    assert store.list() == []
    assert store.find("ana") is None
    assert store.reencrypt() == 0
    assert not settings.path.exists()


def test_without_a_key_a_secret_is_not_kept(settings: Settings):
    settings.keys = []
    store = settings.open()

    with pytest.raises(SecretKeyError, match="ODOOPORT_SECRET_KEY"):
        store.add("ana", "ana", secret=SECRET)
    settings.variables["ODOO_ANA"] = "4na"
    store.add("ana", "ana", variable="ODOO_ANA")
    assert store.credentials("ana", "default").secret == "4na"


@pytest.mark.parametrize("keys", [[], [SECOND]])
def test_without_the_right_key_a_secret_cannot_be_had(
    settings: Settings, store: IdentityStore, keys: list[bytes]
):
    store.add("ana", "ana", secret=SECRET)
    settings.keys = keys

    with pytest.raises(IdentityError, match=r"'ana' cannot be read.*SECRET_KEY"):
        settings.open().credentials("ana", "default")


def test_a_file_that_is_no_store_is_an_error_without_its_path(
    settings: Settings, store: IdentityStore
):
    settings.path.parent.mkdir()
    settings.path.write_text("nothing of the kind " * 100)

    with pytest.raises(IdentityError, match="cannot be read") as caught:
        store.credentials("ana", "default")
    assert str(settings.path) not in str(caught.value)


# To which Odoo a secret may go


@pytest.mark.parametrize(
    "place",
    [
        Place("https://evil.example.com", "prod"),
        Place("https://odoo.example.com.evil.example", "prod"),
        Place("http://odoo.example.com", "prod"),
        Place("https://odoo.example.com:8443", "prod"),
        Place("https://odoo.example.com/evil", "prod"),
        Place("https://odoo.example.com", "test"),
        Place("", "prod"),
    ],
)
@pytest.mark.parametrize("variable", [None, "ODOO_ANA"])
def test_a_secret_never_goes_to_another_odoo(
    settings: Settings, store: IdentityStore, place: Place, variable: str | None
):
    settings.variables["ODOO_ANA"] = SECRET
    secret = SECRET if variable is None else None
    store.add("ana", "ana", secret=secret, variable=variable)
    settings.places["default"] = place

    with pytest.raises(IdentityError, match="made for another Odoo") as caught:
        settings.open().credentials("ana", "default")
    assert "evil" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["https://ODOO.example.com:443/", "https://odoo.example.com"]
)
def test_the_same_address_may_be_written_in_other_words(
    settings: Settings, store: IdentityStore, url: str
):
    store.add("ana", "ana", secret=SECRET)
    settings.places["default"] = Place(url, "prod")

    assert settings.open().credentials("ana", "default").secret == SECRET


def test_an_identity_is_for_one_instance_alone(
    settings: Settings, store: IdentityStore
):
    settings.places["twin"] = ODOO
    store.add("ana", "ana", secret=SECRET)

    with pytest.raises(IdentityError, match="made for another Odoo"):
        store.credentials("ana", "twin")


def test_an_instance_that_is_gone_gets_nothing(
    settings: Settings, store: IdentityStore
):
    store.add("ana", "ana", secret=SECRET)
    del settings.places["default"]

    with pytest.raises(IdentityError, match="made for another Odoo"):
        settings.open().credentials("ana", "default")


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "ben"), ("login", "admin"), ("box", b"x" * 40), ("key_id", "0" * 16)],
)
def test_whoever_changes_the_file_gets_no_secret(
    settings: Settings, store: IdentityStore, column: str, value: object
):
    store.add("ana", "ana", secret=SECRET)
    execute(settings.path, f"UPDATE identities SET {column} = ?", value)
    name = "ben" if column == "name" else "ana"

    with pytest.raises(IdentityError, match="cannot be read"):
        store.credentials(name, "default")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("instance", "shop"),
        ("database", SHOP.database),
        ("url", SHOP.url),
    ],
)
def test_whoever_turns_an_identity_to_another_odoo_gets_no_secret(
    settings: Settings, store: IdentityStore, column: str, value: str
):
    store.add("ana", "ana", secret=SECRET)
    execute(settings.path, f"UPDATE identities SET {column} = ?", value)
    place = Place(
        value if column == "url" else ODOO.url,
        value if column == "database" else ODOO.database,
    )
    instance = value if column == "instance" else "default"
    settings.places[instance] = place

    with pytest.raises(IdentityError):
        settings.open().credentials("ana", instance)


def test_two_rows_cannot_swap_their_secrets(settings: Settings, store: IdentityStore):
    store.add("ana", "ana", secret=SECRET)
    store.add("ben", "ben", secret="b3n")
    execute(
        settings.path,
        "UPDATE identities SET box = (SELECT box FROM identities WHERE name = 'ana') "
        "WHERE name = 'ben'",
    )

    with pytest.raises(IdentityError, match="cannot be read"):
        store.credentials("ben", "default")


# A new key


def test_after_a_new_encryption_the_old_key_is_needed_no_more(
    settings: Settings, store: IdentityStore
):
    store.add("ana", "ana", secret=SECRET)
    store.add("ben", "ben", "shop", secret="b3n")
    store.add("cas", "cas", variable="ODOO_CAS")
    settings.keys = [SECOND, FIRST]
    changing = settings.open()
    assert changing.reencrypt() == 2
    assert changing.reencrypt() == 0

    settings.keys = [SECOND]
    later = settings.open()
    assert later.credentials("ana", "default").secret == SECRET
    assert later.credentials("ben", "shop").secret == "b3n"
    assert {found.key_id for found in later.list()} == {
        SecretCipher([SECOND]).key_id,
        None,
    }


def test_what_the_old_key_encrypted_is_not_in_the_files_any_more(
    settings: Settings, store: IdentityStore
):
    store.add("ana", "ana", secret=SECRET)
    with closing(sqlite3.connect(settings.path)) as connection:
        ((box,),) = connection.execute("SELECT box FROM identities").fetchall()
    store.close()
    settings.keys = [SECOND, FIRST]
    settings.open().reencrypt()

    for file in settings.path.parent.iterdir():
        assert box not in file.read_bytes(), file.name


@pytest.mark.parametrize("keys", [[], [SECOND]])
def test_a_new_encryption_is_of_all_or_of_none(
    settings: Settings, store: IdentityStore, keys: list[bytes]
):
    settings.keys = [SECOND]
    settings.open().add("aaa", "aaa", secret="first of all")
    store.add("ana", "ana", secret=SECRET)
    before = store.list()
    settings.keys = keys if not keys else [b"3" * 32, SECOND]

    with pytest.raises(SecretKeyError):
        settings.open().reencrypt()
    assert store.list() == before


# Canary


def test_no_secret_shows_in_a_repr_an_error_or_the_log(
    settings: Settings, store: IdentityStore, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    settings.variables["ODOO_BEN"] = SECRET
    cipher = SecretCipher([FIRST])
    shown: list[object] = [cipher, cipher.encrypt(SECRET), store]
    shown += [
        store.add("ana", "ana", secret=SECRET),
        store.add("ben", "ben", variable="ODOO_BEN"),
        store.credentials("ana", "default"),
        store.credentials("ben", "default"),
        store.list(),
    ]
    settings.places["default"] = SHOP
    for name in ("ana", "ben"):
        with pytest.raises(OdooportError) as caught:
            settings.open().credentials(name, "default")
        shown.append(caught.value)

    text = "".join([*map(repr, shown), caplog.text])
    assert not re.search(f"canary|{FIRST.decode()}", text)
    assert isinstance(shown[3], Identity)
