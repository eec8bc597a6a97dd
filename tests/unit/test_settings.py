"""Where settings come from, which one wins, and what a wrong one says."""

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
import structlog

from odooport.model import Credentials
from odooport_runtime.logging import configure_logging
from odooport_runtime.settings import (
    Connection,
    InstanceSettings,
    Settings,
    SettingsError,
    demo_settings,
    load_settings,
    settings_reference,
    variables_of,
)

ROOT = Path(__file__).parents[2]
ODOO = {
    "ODOO_URL": "https://odoo.example.com",
    "ODOO_DB": "prod",
    "ODOO_USER": "bridge",
    "ODOO_PASSWORD": "pa55word",
}


def write(directory: Path, **files: str) -> None:
    names = {"dotenv": ".env", "toml": "odooport.toml"}
    for name, text in files.items():
        (directory / names[name]).write_text(text)


def fails(environ: Mapping[str, str], directory: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, directory)
    return caught.value.message


def test_without_any_setting_the_defaults_hold(tmp_path: Path):
    settings = load_settings({}, tmp_path)

    assert (settings.host, settings.port) == ("127.0.0.1", 8770)
    assert (settings.role, settings.transport) == ("reader", "auto")
    assert settings.state.name == "odooport"
    assert settings.sources == ()


def test_one_odoo_is_the_default_instance(tmp_path: Path):
    settings = load_settings(ODOO, tmp_path)

    assert settings.credentials() == {
        "default": Credentials("prod", "bridge", "pa55word")
    }


def test_the_api_key_is_taken_before_the_password(tmp_path: Path):
    settings = load_settings({**ODOO, "ODOO_API_KEY": "k3y"}, tmp_path)

    assert settings.credentials()["default"].secret == "k3y"


def test_the_user_has_two_names(tmp_path: Path):
    assert load_settings({"ODOO_USERNAME": "ana"}, tmp_path).user == "ana"
    both = {"ODOO_USERNAME": "ana", "ODOO_USER": "bob"}
    assert load_settings(both, tmp_path).user == "bob"


def test_an_empty_variable_counts_as_none(tmp_path: Path):
    assert load_settings({"ODOO_URL": "", "ODOOPORT_PORT": ""}, tmp_path).port == 8770


def test_what_is_missing_is_named_all_at_once(tmp_path: Path):
    settings = load_settings({"ODOO_URL": "https://odoo.example.com"}, tmp_path)

    with pytest.raises(SettingsError) as caught:
        settings.credentials()
    for name in ("ODOO_DB", "ODOO_USER", "ODOO_API_KEY (or ODOO_PASSWORD)"):
        assert name in caught.value.message
    assert "ODOO_URL" not in caught.value.message


def test_the_demo_knows_of_no_real_odoo():
    environ = {**ODOO, "ODOOPORT_PORT": "1234", "ODOOPORT_TRANSPORT": "xmlrpc"}

    settings = demo_settings(environ, host="localhost")

    assert (settings.host, settings.port) == ("localhost", 1234)
    assert settings.transport == "memory"
    assert settings.url is settings.user is settings.password is None


def test_an_option_that_is_not_given_is_none(tmp_path: Path):
    assert load_settings({"ODOOPORT_PORT": "3333"}, tmp_path, port=None).port == 3333


# Files


DOTENV = "ODOO_URL=https://dotenv.example.com\nODOOPORT_PORT=1111\nOTHER=thing\n"
TOML = """
port = 2222
host = "0.0.0.0"

[instances.default]
url = "https://toml.example.com"
db = "tomldb"
"""


def test_a_variable_beats_dotenv_and_dotenv_beats_the_file(tmp_path: Path):
    write(tmp_path, dotenv=DOTENV, toml=TOML)

    settings = load_settings({"ODOOPORT_LOG_LEVEL": "debug"}, tmp_path)
    assert settings.log_level == "debug"
    assert (settings.url, settings.port) == ("https://dotenv.example.com", 1111)
    assert (settings.db, settings.host) == ("tomldb", "0.0.0.0")
    assert load_settings({"ODOOPORT_PORT": "3333"}, tmp_path).port == 3333


def test_an_option_beats_everything(tmp_path: Path):
    write(tmp_path, dotenv=DOTENV)

    assert load_settings({"ODOOPORT_PORT": "3333"}, tmp_path, port=4444).port == 4444


def test_the_files_that_were_read_are_named(tmp_path: Path):
    write(tmp_path, dotenv=DOTENV, toml=TOML)

    assert load_settings({}, tmp_path).sources == (
        str(tmp_path / ".env"),
        str(tmp_path / "odooport.toml"),
    )


@pytest.mark.parametrize(
    "variable",
    [
        "ODOO_URL",
        "ODOO_DB",
        "ODOO_USER",
        "ODOO_USERNAME",
        "ODOO_PASSWORD",
        "ODOO_API_KEY",
    ],
)
def test_files_lying_around_do_not_bend_a_connection_that_is_set(
    tmp_path: Path, variable: str
):
    write(tmp_path, dotenv=DOTENV, toml=TOML)

    settings = load_settings({variable: "https://mine.example.com"}, tmp_path)

    assert (settings.port, settings.host, settings.sources) == (8770, "127.0.0.1", ())


def test_a_file_that_is_named_is_read_in_any_case(tmp_path: Path):
    named = tmp_path / "etc" / "ours.toml"
    named.parent.mkdir()
    named.write_text(TOML)
    write(tmp_path, dotenv=DOTENV, toml="port = 9999")

    settings = load_settings({**ODOO, "ODOOPORT_CONFIG": str(named)}, tmp_path)

    assert (settings.port, settings.url) == (2222, "https://odoo.example.com")
    assert settings.sources == (str(named),)


def test_a_password_nearby_beats_a_key_from_the_file(tmp_path: Path):
    write(tmp_path, toml='[instances.default]\napi_key = "old"\ndb = "d"')
    environ = {**ODOO, "ODOOPORT_CONFIG": "odooport.toml"}

    settings = load_settings(environ, tmp_path)

    assert settings.credentials()["default"].secret == "pa55word"


def test_paths_in_the_file_start_from_the_file(tmp_path: Path):
    named = tmp_path / "etc" / "ours.toml"
    named.parent.mkdir()
    named.write_text('state = "state"\nca_bundle = "/ca.pem"')

    settings = load_settings({"ODOOPORT_CONFIG": str(named)}, tmp_path)

    assert settings.state == named.parent / "state"
    assert settings.ca_bundle == Path("/ca.pem")


def test_a_dollar_in_a_dotenv_password_stays(tmp_path: Path):
    write(tmp_path, dotenv="ODOO_PASSWORD='a${HOME}b'\n")

    password = load_settings({"HOME": "/root"}, tmp_path).password
    assert password is not None
    assert password.get_secret_value() == "a${HOME}b"


# Several instances


SHOP = """
transport = "jsonrpc"
timeout = 60

[instances.shop]
url = "https://shop.example.com/"
db = "shop"
user = "bridge"
api_key_env = "ODOO_SHOP_KEY"
transport = "xmlrpc"
timeout = 5
odoo_concurrency = 8
ca_bundle = "shop.pem"
"""
SHOP_KEY = {"ODOO_SHOP_KEY": "sh0pk3y"}
OFFICE = """
[instances.office]
url = "https://office.example.com"
db = "office"
user = "clerk"
password = "0ff1ce"
"""


def test_each_instance_has_its_own_login_and_way(tmp_path: Path):
    write(tmp_path, toml=SHOP + OFFICE)

    connections = load_settings(SHOP_KEY, tmp_path).connections()

    assert connections == {
        "office": Connection(
            Credentials("office", "clerk", "0ff1ce", "office"),
            "https://office.example.com",
            "jsonrpc",
            None,
            60,
            32,
        ),
        "shop": Connection(
            Credentials("shop", "bridge", "sh0pk3y", "shop"),
            "https://shop.example.com",
            "xmlrpc",
            tmp_path / "shop.pem",
            5,
            8,
        ),
    }
    assert "sh0pk3y" not in repr(connections)


def test_the_variables_set_the_default_beside_the_others(tmp_path: Path):
    write(tmp_path, toml=SHOP)
    environ = {**ODOO, **SHOP_KEY, "ODOOPORT_CONFIG": "odooport.toml"}

    logins = load_settings(environ, tmp_path).credentials()

    assert list(logins) == ["default", "shop"]
    assert logins["default"] == Credentials("prod", "bridge", "pa55word")


def test_without_a_default_there_is_none(tmp_path: Path):
    write(tmp_path, toml=SHOP)

    assert list(load_settings(SHOP_KEY, tmp_path).credentials()) == ["shop"]


def test_the_default_may_have_a_way_of_its_own(tmp_path: Path):
    write(
        tmp_path,
        toml='[instances.default]\ntransport = "xmlrpc"\nurl = "https://old.example"',
    )
    environ = {
        **ODOO,
        "ODOOPORT_CONFIG": "odooport.toml",
        "ODOOPORT_TRANSPORT": "jsonrpc",
    }

    default = load_settings(environ, tmp_path).connections()["default"]

    assert (default.transport, default.url) == ("xmlrpc", "https://odoo.example.com")


def test_a_secret_is_taken_from_the_variable_that_the_file_names(tmp_path: Path):
    default = SHOP.replace("instances.shop", "instances.default")
    write(tmp_path, toml=default, dotenv="ODOO_SHOP_KEY=from-dotenv\n")

    assert load_settings({}, tmp_path).credentials()["default"].secret == "from-dotenv"
    process = load_settings(SHOP_KEY, tmp_path).credentials()
    assert process["default"].secret == "sh0pk3y"


def test_a_secret_that_is_not_there_yet_matters_only_where_it_is_needed(tmp_path: Path):
    write(tmp_path, toml=SHOP)

    settings = load_settings({}, tmp_path)

    with pytest.raises(SettingsError) as caught:
        settings.credentials()
    assert caught.value.message == (
        "[instances.shop] is not complete: set the variable ODOO_SHOP_KEY, which "
        "'api_key_env' names."
    )


def test_an_instance_that_lacks_something_says_what(tmp_path: Path):
    write(tmp_path, toml='[instances.shop]\nurl = "https://shop.example.com"')

    with pytest.raises(SettingsError, match=r"\[instances.shop\].*db, user, api_key"):
        load_settings(
            ODOO | {"ODOOPORT_CONFIG": "odooport.toml"}, tmp_path
        ).credentials()


def test_an_instance_in_memory_needs_nothing_else(tmp_path: Path):
    write(tmp_path, toml='[instances.trial]\ntransport = "memory"')

    connections = load_settings({}, tmp_path).connections()

    assert connections["trial"].credentials == Credentials(
        "demo", "admin", "admin", "trial"
    )
    assert list(connections) == ["trial"]


# What is wrong


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ODOOPORT_PORT", "http", "integer"),
        ("ODOOPORT_PORT", "70000", "65535"),
        ("ODOOPORT_TRANSPORT", "soap", "'jsonrpc'"),
        ("ODOOPORT_NETWORKS", "10.0.0.1/8", "is no network: write one"),
        ("ODOOPORT_TRUSTED_PROXIES", "proxy", "'proxy' is no network"),
        ("ODOOPORT_REDIS_GONE", "shrug", "'refuse'"),
        ("ODOOPORT_CONCURRENCY", "0", "greater than or equal to 1"),
        ("ODOOPORT_ADDRESS_RATE_LIMIT", "lots", "600/minute"),
        ("ODOOPORT_MAX_BODY", "5", "1024"),
        ("ODOOPORT_SESSION_IDLE", "0", "greater than 0"),
        ("ODOOPORT_LOG_LEVEL", "loud", "'warning'"),
        ("ODOOPORT_TIMEOUT", "0", "greater than 0"),
        ("ODOOPORT_TIMEOUT", "nan", "finite"),
        ("ODOOPORT_RATE_LIMIT", "600", "600/minute"),
        ("ODOOPORT_RATE_LIMIT", "0/minute", "600/minute"),
        ("ODOO_URL", "odoo.example.com", "https://odoo.example.com"),
        ("ODOO_URL", "ftp://odoo.example.com", "https://odoo.example.com"),
        ("ODOO_URL", "https://", "https://odoo.example.com"),
        ("ODOO_URL", "https://odoo.example.com/web#action=3", "without the page"),
        ("ODOO_URL", "https://odoo.example.com/odoo/contacts", "without the page"),
        ("ODOO_URL", "https://odoo.example.com?db=prod", "without the page"),
        ("ODOO_URL", "https://odoo.example.com:http", "port"),
        ("ODOO_URL", "https://[::1", "URL"),
        ("ODOOPORT_CONFIG", "missing.toml", "not there"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_would_be_right(
    tmp_path: Path, variable: str, value: str, told: str
):
    message = fails({variable: value}, tmp_path)

    assert message.startswith(variable)
    assert told in message


def test_lists_have_commas_in_a_variable_and_are_lists_in_the_file(tmp_path: Path):
    (tmp_path / "odooport.toml").write_text(
        'hosts = ["api.example.com"]\nnetworks = ["10.0.0.0/8", "::1"]\n'
    )
    settings = load_settings(
        {"ODOOPORT_HOSTS": "a.example.com, b.example.com"}, tmp_path
    )

    assert settings.hosts == ("a.example.com", "b.example.com")
    assert [str(network) for network in settings.networks] == ["10.0.0.0/8", "::1/128"]


def test_roles_are_kept_as_they_stand_in_the_file(tmp_path: Path):
    path = tmp_path / "odooport.toml"
    path.write_text('[roles.seller]\ninherits = "reader"\n')
    settings = load_settings({}, tmp_path)

    assert settings.roles == {"seller": {"inherits": "reader"}}
    assert settings.config_file == path


def test_all_wrong_values_are_named_together(tmp_path: Path):
    message = fails({"ODOOPORT_PORT": "x", "ODOOPORT_TIMEOUT": "y"}, tmp_path)

    assert "ODOOPORT_PORT" in message
    assert "ODOOPORT_TIMEOUT" in message


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("prot = 1", "'prot' in odooport.toml; do you mean 'port'?"),
        ("unheard_of = 1", "'unheard_of' in odooport.toml; use"),
        ('url = "https://x"', "'url' in odooport.toml"),
        ("[instances.default]\npasword = 'x'", "'pasword' in [instances.default]"),
        (
            "[instances.shop]\nurl = 'x'",
            "'url' in [instances.shop] in odooport.toml is not right: write the whole",
        ),
        ("[instances.shop]\npasword = 'x'", "'pasword' in [instances.shop]"),
        ("[instances.shop]\nport = 1", "'port' in [instances.shop]"),
        (
            "[instances.shop]\ntransport = 'soap'",
            "'transport' in [instances.shop] in odooport.toml is not right",
        ),
        (
            "[instances.shop]\ntimeout = 0",
            "'timeout' in [instances.shop] in odooport.toml is not right",
        ),
        (
            "[instances.Shop]\ndb = 'x'",
            "The name of [instances.Shop] in odooport.toml is not right: write small",
        ),
        ('[instances."a b"]', "The name of [instances.a b]"),
        ("[instances]\nshop = 3", "[instances.shop] in odooport.toml must be a table"),
        (
            "[instances.shop]\npassword = 'x'\npassword_env = 'ODOO_X'",
            "has 'password' and 'password_env': give one",
        ),
        (
            "[instances.shop]\napi_key_env = 'AWS_SECRET_ACCESS_KEY'",
            "'api_key_env' in [instances.shop] in odooport.toml is not right: name a",
        ),
        (
            "[instances.default]\napi_key_env = 'ODOOPORT_SECRET_KEY'",
            "begins with ODOO_",
        ),
        ("[instances.shop]\napi_key_env = ['x']", "'api_key_env' in [instances.shop]"),
        ("instances = 3", "[instances] in odooport.toml must be a table"),
        ("port = 'x'", "'port' in odooport.toml is not right"),
        ("port = ", "odooport.toml cannot be read"),
        (
            "[instances.default]\ndb = 5",
            "'db' in [instances.default] in odooport.toml is not right",
        ),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, toml: str, told: str):
    write(tmp_path, toml=toml)

    assert told in fails({}, tmp_path)


def test_a_wrong_value_in_dotenv_says_that_it_is_from_there(tmp_path: Path):
    write(tmp_path, dotenv="ODOOPORT_PORT=x\n")

    assert fails({}, tmp_path).startswith("ODOOPORT_PORT in .env")


def test_a_dotenv_file_that_is_no_text_is_one_message(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

    assert fails({}, tmp_path).startswith(".env cannot be read")


def test_no_message_and_no_repr_holds_a_secret(tmp_path: Path):
    login = {"ODOO_URL": "https://ana:s3cr3t@odoo.example.com"}
    assert "s3cr3t" not in fails(login, tmp_path)

    write(tmp_path, toml="[instances.default]\npassword = 53013370")
    assert "53013370" not in fails({}, tmp_path)

    assert "pa55word" not in repr(load_settings(ODOO, tmp_path))


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("https://odoo.example.com/", "https://odoo.example.com"),
        (" http://127.0.0.1:8069 ", "http://127.0.0.1:8069"),
        ("https://example.com/erp/", "https://example.com/erp"),
    ],
)
def test_an_address_loses_its_last_slash(tmp_path: Path, raw: str, kept: str):
    assert load_settings({"ODOO_URL": raw}, tmp_path).url == kept


def test_words_may_be_written_large(tmp_path: Path):
    settings = load_settings(
        {"ODOOPORT_LOG_LEVEL": "INFO", "ODOOPORT_TRANSPORT": "XMLRPC"}, tmp_path
    )

    assert (settings.log_level, settings.transport) == ("info", "xmlrpc")


# Its reference


def test_the_reference_in_the_docs_is_the_one_of_the_class():
    assert (ROOT / "docs" / "settings.md").read_text() == settings_reference()


def test_the_reference_names_every_variable():
    reference = settings_reference()

    for name in Settings.model_fields:
        if name not in ("instances", "roles", "sources", "config_file"):
            assert all(f"`{variable}`" in reference for variable in variables_of(name))
    for name in InstanceSettings.model_fields:
        assert f"`{name}`" in reference


def test_the_example_in_the_reference_works(tmp_path: Path):
    toml = settings_reference().split("```toml\n")[1].split("```")[0]
    write(tmp_path, toml=toml)
    environ = {"ODOO_PRODUCTION_API_KEY": "k1", "ODOO_SHOP_API_KEY": "k2"}

    settings = load_settings(environ, tmp_path)

    logins = settings.credentials()
    assert {name: login.secret for name, login in logins.items()} == {
        "default": "k1",
        "shop": "k2",
    }
    assert settings.connections()["shop"].timeout == 30


# The log


@pytest.fixture
def log(request: pytest.FixtureRequest):
    """Lets a test configure logging, and puts everything back after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


def crash() -> None:
    password = "s3cr" + "3t"
    raise LookupError(f"{len(password)} letters")


def test_a_record_with_context_is_one_line_of_json(log: io.StringIO):
    configure_logging("info", stream=log)
    logging.getLogger("odooport.gate").info(
        "call", extra={"request_id": "r1", "milliseconds": 1.5, "outcome": "ok"}
    )

    (line,) = log.getvalue().splitlines()
    facts = json.loads(line)
    assert facts.pop("timestamp").endswith("Z")
    assert facts == {
        "event": "call",
        "level": "info",
        "logger": "odooport.gate",
        "request_id": "r1",
        "milliseconds": 1.5,
        "outcome": "ok",
    }


def test_on_a_terminal_the_line_is_for_people(log: io.StringIO):
    configure_logging("info", stream=log, is_tty=True)
    logging.getLogger("odooport.gate").info("call", extra={"outcome": "ok"})

    assert "odooport.gate" in log.getvalue()
    assert not log.getvalue().startswith("{")


@pytest.mark.parametrize("is_tty", [True, False])
def test_a_crash_is_logged_without_the_values_of_its_variables(
    log: io.StringIO, is_tty: bool
):
    configure_logging("info", stream=log, is_tty=is_tty)
    try:
        crash()
    except LookupError:
        logging.getLogger("odooport").exception("crashed")

    assert "LookupError" in log.getvalue()
    assert "s3cr3t" not in log.getvalue()


def test_the_http_client_does_not_log_addresses(log: io.StringIO):
    configure_logging("debug", stream=log)
    logging.getLogger("httpx2").info("HTTP Request: POST http://internal")

    assert log.getvalue() == ""


def test_less_serious_records_are_left_out(log: io.StringIO):
    configure_logging("warning", stream=log)
    logging.getLogger("odooport.gate").info("call")

    assert log.getvalue() == ""


def test_nothing_goes_to_stdout(log: io.StringIO, capsys: pytest.CaptureFixture[str]):
    configure_logging("info", stream=log)
    structlog.get_logger("odooport").info("hello", a=1)
    logging.getLogger("x").warning("hello")

    assert capsys.readouterr().out == ""
    assert len(log.getvalue().splitlines()) == 2


def test_a_value_cannot_break_a_line(log: io.StringIO):
    for is_tty in (True, False):
        configure_logging("info", stream=log, is_tty=is_tty)
        logging.getLogger("odooport").info("call", extra={"method": "x\ny\x1b[31m"})

    assert len(log.getvalue().splitlines()) == 2
    assert "\x1b[31m" not in log.getvalue()
