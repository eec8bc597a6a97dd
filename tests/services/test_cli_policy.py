"""The commands ``odooport policy``, over the demo company in memory."""

import os
from pathlib import Path

import pytest

from odooport_cli.main import main

GOOD = """
[roles.clerk]
description = "Keeps addresses"

[[roles.clerk.rules]]
name = "partners"
models = ["res.partner"]
allow = ["read", "write"]
hide = ["phone"]
domain = [["user_id", "=", {me = true}]]
"""


class Command:
    """Runs ``odooport policy`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], config: Path) -> None:
        self.capsys = capsys
        self.config = config

    def __call__(self, roles: str, *arguments: str) -> tuple[int, str, str]:
        self.config.write_text(roles)
        with pytest.raises(SystemExit) as ended:
            main(["policy", *arguments])
        said = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err


@pytest.fixture
def policy(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Command:
    for name in list(os.environ):
        if name.startswith("ODOO"):
            monkeypatch.delenv(name)
    config = tmp_path / "odooport.toml"
    monkeypatch.setenv("ODOOPORT_CONFIG", str(config))
    monkeypatch.setenv("ODOOPORT_TRANSPORT", "memory")
    monkeypatch.setenv("ODOOPORT_STATE", str(tmp_path / "state"))
    return Command(capsys, config)


def test_a_check_tells_what_each_role_may_do(policy: Command):
    status, out, err = policy(GOOD, "check")

    assert (status, err) == (0, "")
    assert "clerk: Keeps addresses" in out
    assert "clerk/partners: res.partner: read, write" in out
    assert "hides phone" in out
    assert 'only records with [["user_id", "=", me]]' in out


def test_every_mistake_is_named_with_its_line_and_its_key(policy: Command):
    bad = GOOD.replace("hide =", "hyde =").replace('"write"', '"wirte"')
    status, _, err = policy(bad, "check")

    assert status == 1
    assert "odooport.toml:8: roles.clerk.rules[0].allow[1]: 'wirte'" in err
    assert "odooport.toml:9: roles.clerk.rules[0].hyde" in err
    assert "did you mean 'hide'?" in err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (('"phone"', '"phoen"'), "'res.partner' has no field 'phoen'"),
        (('"user_id"', '"usr_id"'), "'res.partner' has no field 'usr_id'"),
        (('"res.partner"', '"res.parner"'), "there is no model 'res.parner'"),
    ],
)
def test_names_that_odoo_does_not_know_are_told(
    policy: Command, wrong: tuple[str, str], told: str
):
    status, _, err = policy(GOOD.replace(*wrong), "check")

    assert status == 1
    assert f"clerk/partners: {told}" in err


def test_an_explanation_names_the_rule_that_decides(policy: Command):
    status, out, _ = policy(
        GOOD, "explain", "clerk", "res.partner.search_read", '{"fields": ["phone"]}'
    )
    assert status == 0
    assert "clerk/partners" in out
    assert "'phone' of 'res.partner' is hidden from the role 'clerk'" in out


def test_an_explanation_shows_what_would_be_sent(policy: Command):
    status, out, _ = policy(GOOD, "explain", "clerk", "res.partner.search_count")

    assert status == 0
    assert '["user_id", "=", 2]' in out


def test_a_key_that_there_is_not_is_one_line(policy: Command):
    status, _, err = policy(GOOD, "explain", "nobody", "res.partner.read")

    assert status == 2
    assert err.startswith("odooport: There is no key and no role 'nobody'")
    assert err.count("\n") == 1
