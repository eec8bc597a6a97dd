"""The commands ``odooport keys`` and ``identities``, and the page about them."""

import asyncio
import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from odooport.errors import OdooportError
from odooport_cli.main import app
from odooport_security import (
    IdentityStore,
    KeyRecord,
    KeyStore,
    Place,
    RedisKeyStore,
    SecretCipher,
    SqliteKeyStore,
    new_key,
)
from tests.contract.redis_server import RedisServer, empty, running

__all__ = ["empty", "running"]  # fixtures

PATIENCE = 60
PAGE = Path(__file__).parents[2] / "docs" / "keys.md"
ODOO = {
    "ODOO_URL": "https://odoo.example.com",
    "ODOO_DB": "prod",
    "ODOO_USER": "bridge",
    "ODOO_API_KEY": "br1dge",
}
CONFIG = """
[roles.seller]
inherits = "editor"

[instances.shop]
url = "https://shop.example.com"
db = "shop"
user = "bridge"
password = "br1dge"
"""
PLACES = {
    "default": Place("https://odoo.example.com", "prod"),
    "shop": Place("https://shop.example.com", "shop"),
}
PROGRAM = (sys.executable, "-m", "odooport_cli.main")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def environ(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """An environment with two Odoos, a role, and a state directory of its own."""
    for name in list(os.environ):
        if name.startswith("ODOO"):
            monkeypatch.delenv(name)
    config = tmp_path / "odooport.toml"
    config.write_text(CONFIG)
    variables = {
        **ODOO,
        "ODOOPORT_SECRET_KEY": new_key(),
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_CONFIG": str(config),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return dict(os.environ)


@dataclass(frozen=True)
class Outcome:
    """What a command said."""

    out: str
    err: str

    @property
    def key_id(self) -> str:
        """The id of the key that it showed."""
        return self.out.split("_")[1]


type Run = Callable[..., Outcome]


@pytest.fixture
def odooport(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs a command in this process."""

    def run(*arguments: str, typed: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        app(arguments, standalone_mode=False)
        return Outcome(*capsys.readouterr())

    return run


def refused(odooport: Run, *arguments: str, typed: str = "") -> str:
    with pytest.raises((OdooportError, TyperException)) as caught:
        odooport(*arguments, typed=typed)
    if isinstance(caught.value, OdooportError):
        return caught.value.message
    return caught.value.format_message()


@contextmanager
def store_of(state: Path) -> Iterator[SqliteKeyStore]:
    store = SqliteKeyStore(state / "keys.db")
    yield store
    store.close()


def kept(state: Path, key_id: str) -> KeyRecord:
    with store_of(state) as store:
        key = store.find(key_id)
    assert key is not None
    return key


def proven(store: KeyStore, said: Outcome) -> KeyRecord | None:
    """Answer the key whose token a command said."""

    async def ask() -> KeyRecord | None:
        try:
            return await store.verify(said.out.strip())
        finally:
            await store.aclose()

    return asyncio.run(ask())


@contextmanager
def identities_of(state: Path, secret_key: str) -> Iterator[IdentityStore]:
    store = IdentityStore(
        state / "identities.db",
        SecretCipher.parse(secret_key),
        lambda: PLACES,
        variable=os.environ.get,
    )
    yield store
    store.close()


# Keys


def test_a_new_key_is_the_only_thing_on_stdout(odooport: Run, state: Path):
    made = odooport("keys", "create", "web shop", "--role", "seller")

    with store_of(state) as store:
        key = proven(store, made)
    assert key is not None
    assert (key.name, key.role) == ("web shop", "seller")
    assert key.expires_at is not None
    assert round((key.expires_at - key.created_at) / timedelta(days=1)) == 90
    assert "cannot be shown again" in made.err
    assert made.out.strip() not in made.err


def test_a_key_is_made_with_all_that_the_options_say(odooport: Run, state: Path):
    odooport("identities", "add", "ana", "--login", "ana", typed="4na\n")
    odooport("identities", "add", "shop", "--login", "ana", "--instance", "shop",
             typed="4na\n")  # fmt: skip
    made = odooport(
        *("keys", "create", "agent", "--role", "reader", "--expires", "never"),
        *("--as", "ana", "--as", "shop", "--instance", "default", "--instance", "shop"),
        *("--network", "10.0.0.0/8", "--network", "2001:db8::/32"),
        *("--rate-limit", "60/minute", "--concurrency", "2"),
    )

    key = kept(state, made.key_id)
    assert key.expires_at is None
    assert dict(key.identities) == {"default": "ana", "shop": "shop"}
    assert key.instances == ("default", "shop")
    assert key.networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert (key.rate_limit, key.concurrency) == ("60/minute", 2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", "--role"),
        ("--role boss", "'reader', 'editor', 'full', 'seller'"),
        ("--role admin", "'reader', 'editor', 'full'"),
        ("--role reader --expires soon", "'never'"),
        ("--role reader --expires 0d", "90d"),
        ("--role reader --expires 99999y", "never"),
        ("--role reader --network 10.0.0.1/8", "no network"),
        ("--role reader --rate-limit 60", "60/minute"),
        ("--role reader --concurrency 0", "at once"),
        ("--role reader --instance nope", "'default', 'shop'"),
        ("--role reader --as nobody", "'nobody'"),
        ("--role reader --as ana --as ana-too", "acts as one user"),
        ("--role reader --as ana --instance shop", "not among"),
        ("--role reader --as ana --instance default --instance shop", "'shop'"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(
    odooport: Run, state: Path, options: str, told: str
):
    for name in ("ana", "ana-too"):
        odooport("identities", "add", name, "--login", name, typed="4na")

    assert re.search(told, refused(odooport, "keys", "create", "x", *options.split()))
    assert not (state / "keys.db").exists()


def test_the_list_and_the_page_of_a_key_show_no_secret(odooport: Run, state: Path):
    made = odooport("keys", "create", "shop", "--role", "reader")
    secret = made.out.strip().split("_", 2)[2]
    with store_of(state) as store:
        store.used(made.key_id)

    heading, row = odooport("keys", "list").out.splitlines()
    assert heading.split()[:3] == ["ID", "NAME", "ROLE"]
    assert "LAST USED (UTC)" in heading
    assert row.split()[:3] == [made.key_id, "shop", "reader"]
    assert row.endswith("valid")
    assert "never" not in row
    shown = odooport("keys", "show", made.key_id).out
    for line in ("name: +shop", "networks: +everywhere", "acts as: +the users of"):
        assert re.search(f"^{line}", shown, re.MULTILINE), line
    assert secret not in heading + row + shown


def test_without_keys_the_list_says_how_to_make_one(odooport: Run):
    assert "keys create" in odooport("keys", "list").out


def test_a_rotated_key_shows_its_new_secret_on_stdout_alone(odooport: Run, state: Path):
    made = odooport("keys", "create", "shop", "--role", "reader")
    rotated = odooport("keys", "rotate", made.key_id)

    assert rotated.key_id == made.key_id
    assert rotated.out != made.out
    with store_of(state) as store:
        old = proven(store, made)
        new = proven(store, rotated)
    assert old is not None
    assert new is not None
    assert (old.is_outdated, new.is_outdated) == (True, False)
    assert rotated.out.strip() not in rotated.err
    assert "honoured until" in odooport("keys", "show", made.key_id).out


@pytest.mark.parametrize(("grace", "hours"), [("24h", 24), ("1w", 168), ("0", 0)])
def test_the_grace_time_is_as_long_as_it_says(
    odooport: Run, state: Path, grace: str, hours: int
):
    made = odooport("keys", "create", "shop", "--role", "reader")
    said = odooport("keys", "rotate", made.key_id, "--grace", grace).err

    until = kept(state, made.key_id).previous_until
    assert until is not None
    since = until - timedelta(hours=hours) - kept(state, made.key_id).created_at
    assert timedelta() <= since < timedelta(seconds=PATIENCE)
    assert ("stopped working" in said) == (hours == 0)


def test_a_revoked_key_is_listed_as_such_and_not_rotated(odooport: Run):
    key_id = odooport("keys", "create", "shop", "--role", "reader").key_id

    assert key_id in odooport("keys", "revoke", key_id).out
    assert "revoked" in odooport("keys", "list").out.splitlines()[1]
    assert "not valid any more" in refused(odooport, "keys", "rotate", key_id)


@pytest.mark.parametrize("command", ["show", "rotate", "revoke"])
def test_a_key_that_is_not_there_is_told(odooport: Run, command: str):
    assert "'nope'" in refused(odooport, "keys", command, "nope")


@pytest.mark.parametrize("grace", ["soon", "-1h", "", "0h", "9999y"])
def test_what_is_no_grace_time_is_told(odooport: Run, state: Path, grace: str):
    made = odooport("keys", "create", "shop", "--role", "reader")

    told = refused(odooport, "keys", "rotate", made.key_id, f"--grace={grace}")
    assert "--grace" in told or "grace time" in told
    assert kept(state, made.key_id).previous_until is None


# Keys in Redis


@pytest.fixture
def in_redis(
    odooport: Run, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisKeyStore]:
    """From when it is asked for, the command line keeps the keys in a Redis."""
    monkeypatch.setenv("ODOOPORT_REDIS_URL", redis.url)
    monkeypatch.setenv("ODOOPORT_KEY_STORE", "redis")
    store = RedisKeyStore(redis.url)
    yield store
    store.close()


def test_keys_that_are_kept_in_redis_are_handled_as_others_are(
    odooport: Run, in_redis: RedisKeyStore, state: Path
):
    made = odooport("keys", "create", "shop", "--role", "seller")
    rotated = odooport("keys", "rotate", made.key_id)

    key = proven(in_redis, rotated)
    assert key is not None
    assert (key.id, key.name, key.role) == (made.key_id, "shop", "seller")
    assert odooport("keys", "list").out.splitlines()[1].startswith(made.key_id)
    assert "honoured until" in odooport("keys", "show", made.key_id).out
    odooport("keys", "revoke", made.key_id)
    assert "revoked" in odooport("keys", "show", made.key_id).out
    assert not (state / "keys.db").exists()


def test_keys_are_imported_from_the_state_directory(
    odooport: Run, state: Path, request: pytest.FixtureRequest
):
    made = odooport("keys", "create", "shop", "--role", "reader")
    in_redis: RedisKeyStore = request.getfixturevalue("in_redis")
    odooport("keys", "create", "other", "--role", "reader")

    said = odooport("keys", "import").out
    assert said == "Keys taken over: 1; in Redis already: 0.\n"
    assert odooport("keys", "import").out.endswith("in Redis already: 1.\n")
    assert proven(in_redis, made) == kept(state, made.key_id)
    assert len(in_redis.list()) == 2


def test_nothing_is_imported_into_the_state_directory_itself(odooport: Run):
    assert "ODOOPORT_KEY_STORE to 'redis'" in refused(odooport, "keys", "import")


@pytest.mark.parametrize("command", ["list", "import", "create x --role reader"])
def test_keys_in_a_redis_that_is_not_named_are_refused(
    odooport: Run, monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.setenv("ODOOPORT_KEY_STORE", "redis")

    told = refused(odooport, "keys", *command.split())
    assert "ODOOPORT_REDIS_URL is not set" in told


@pytest.mark.parametrize("command", ["list", "show x", "revoke x", "import"])
def test_a_redis_that_is_away_is_one_error_without_its_address(
    odooport: Run,
    in_redis: RedisKeyStore,
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
):
    with store_of(Path(os.environ["ODOOPORT_STATE"])) as store:
        store.create("shop", "reader")
    gone = redis.url.replace("/0", "/0?protocol=3").replace("127.0.0.1", "127.0.0.2")
    monkeypatch.setenv("ODOOPORT_REDIS_URL", gone)

    told = refused(odooport, "keys", *command.split())
    assert "key store in Redis cannot be" in told
    assert "127.0.0" not in told


# Identities


@pytest.mark.parametrize("typed", ["canary", "canary\n", "canary\r\n"])
def test_a_secret_is_read_from_stdin(
    odooport: Run, environ: dict[str, str], state: Path, typed: str
):
    said = odooport("identities", "add", "ana", "--login", "a@b.c", typed=typed)

    with identities_of(state, environ["ODOOPORT_SECRET_KEY"]) as store:
        assert store.credentials("ana", "default").secret == "canary"
    listed = odooport("identities", "list").out
    assert listed.splitlines()[1].split()[:4] == ["ana", "default", "a@b.c", "prod"]
    assert "canary" not in said.out + said.err + listed


def test_a_secret_in_a_variable_is_not_asked_for(odooport: Run):
    odooport(
        *("identities", "add", "ana", "--login", "ana", "--instance", "shop"),
        *("--secret-env", "ODOO_ANA_API_KEY"),
    )

    assert "ODOO_ANA_API_KEY" in odooport("identities", "list").out


@pytest.mark.parametrize(
    ("options", "typed", "told"),
    [
        ("--login ana", "", "no password"),
        ("--login ana --instance nope", "canary", "'default', 'shop'"),
        ("--login ana --secret-env PATH", "", "ODOO_"),
        ("", "canary", "--login"),
        ("--login ana canary", "", "unexpected"),
    ],
)
def test_what_cannot_be_an_identity_is_told(
    odooport: Run, state: Path, options: str, typed: str, told: str
):
    arguments = ("identities", "add", "ana", *options.split())

    assert told in refused(odooport, *arguments, typed=typed)
    assert not (state / "identities.db").exists()


def test_removing_an_identity_names_the_keys_that_need_it(odooport: Run):
    odooport("identities", "add", "ana", "--login", "ana", typed="4na")
    used = odooport("keys", "create", "agent", "--role", "reader", "--as", "ana")
    other = odooport("keys", "create", "other", "--role", "reader")
    removed = odooport("identities", "remove", "ana")

    assert "'ana' is removed" in removed.out
    assert used.key_id in removed.err
    assert other.key_id not in removed.err
    assert "identities add" in odooport("identities", "list").out


def test_secrets_are_encrypted_anew_with_a_new_key(
    odooport: Run,
    environ: dict[str, str],
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    odooport("identities", "add", "ana", "--login", "ana", typed="4na")
    new = odooport("identities", "new-key").out.strip()
    old = environ["ODOOPORT_SECRET_KEY"]
    monkeypatch.setenv("ODOOPORT_SECRET_KEY", f"{new},{old}")

    assert "anew: 1." in odooport("identities", "reencrypt").err
    with identities_of(state, new) as store:
        assert store.credentials("ana", "default").secret == "4na"


def test_a_new_key_is_shown_whatever_is_set(
    odooport: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ODOOPORT_SECRET_KEY", "no key at all")

    made = odooport("identities", "new-key").out
    assert SecretCipher.parse(made).key_id is not None


def test_a_secret_that_is_typed_is_not_shown(environ: dict[str, str], state: Path):
    command = [*PROGRAM, "identities", "add", "ana", "--login", "ana"]
    terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))"
    running = subprocess.Popen(
        [sys.executable, "-c", terminal, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
    )
    with running:
        assert running.stdin is not None
        assert running.stdout is not None
        watch = threading.Timer(PATIENCE, running.kill)
        watch.start()
        shown = b""
        while b"API key:" not in shown:
            read = os.read(running.stdout.fileno(), 1024)
            assert read, shown
            shown += read
        running.stdin.write(b"canary\n")
        running.stdin.flush()
        while read := os.read(running.stdout.fileno(), 1024):
            shown += read
        watch.cancel()
        assert running.wait(PATIENCE) == 0, shown

    assert b"canary" not in shown
    with identities_of(state, environ["ODOOPORT_SECRET_KEY"]) as store:
        assert store.credentials("ana", "default").secret == "canary"


# The page


def test_the_commands_of_the_page_work_as_pasted(
    environ: dict[str, str], tmp_path: Path, state: Path
):
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) >= 6
    (tmp_path / "ana.secret").write_text("canary\n")
    program = tmp_path / "odooport"
    program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    program.chmod(0o700)
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(blocks)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=environ | {"PATH": f"{tmp_path}:{environ['PATH']}"},
    )

    assert done.returncode == 0, done.stderr
    assert "canary" not in done.stdout + done.stderr
    with store_of(state) as store:
        names = [key.name for key in store.list()]
    assert sorted(names) == ["agent of Ana", "agent of Ben", "report", "web shop"]


def test_the_page_explains_every_option():
    page = PAGE.read_text("utf-8")
    create = get_command(app).commands["keys"].commands["create"]

    options = [name for one in create.params for name in one.opts if name[0] == "-"]
    assert len(options) > 5
    assert not [name for name in options if f"`{name}`" not in page]
