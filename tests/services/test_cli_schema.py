"""The commands ``odooport schema``, as people and CI use them."""

import json
import os
import re
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import TypeAdapter

from odooport.errors import OdooAccessError, OdooFailed, OdooRefused
from odooport.ports import OdooGateway
from odooport.schema import Field, ModelSchema
from odooport_adapters import MemoryGateway, wire_app
from odooport_cli.main import main
from odooport_runtime.serving import listen

DOCS = Path(__file__).parents[2] / "docs" / "schema.md"
FILE = Path("odoo-schema.json")


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def odooport(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Outcome]:
    """Runs a command of ``odooport schema`` where no Odoo is set, in a fresh folder."""
    for name in list(os.environ):
        if name.startswith("ODOO"):
            monkeypatch.delenv(name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("ODOOPORT_STATE", str(tmp_path / "state"))

    def run(line: str, **variables: str) -> Outcome:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main(["schema", *shlex.split(line)])
        out, err = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Outcome(left.value.code, out, err)

    return run


@pytest.fixture
def wire() -> Iterator[Callable[[OdooGateway], dict[str, str]]]:
    """Puts a gateway behind Odoo's wire, and answers the variables that lead there."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(gateway: OdooGateway) -> dict[str, str]:
        listener = listen("127.0.0.1", 0)
        app = wire_app(gateway, database="demo")
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return login(listener.getsockname()[1])

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join()


def login(port: int, user: str = "admin") -> dict[str, str]:
    return {
        "ODOO_URL": f"http://127.0.0.1:{port}",
        "ODOO_DB": "demo",
        "ODOO_USER": user,
        "ODOO_PASSWORD": user,
    }


def nobody() -> dict[str, str]:
    """Answer the variables that lead to an Odoo that does not run."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return login(gone.getsockname()[1])


def edit(change: Callable[[dict[str, Any]], Any], file: Path = FILE) -> None:
    """Change the fields of each model in a snapshot, as if it had been taken then."""
    raw = json.loads(file.read_text())
    change(models := {name: model["fields"] for name, model in raw["models"].items()})
    raw["models"] = {
        model: {"fields": fields, "fingerprint": fingerprint(model, fields)}
        for model, fields in models.items()
    }
    file.write_text(json.dumps(raw))


def fingerprint(model: str, fields: dict[str, Any]) -> str:
    """Answer what the fingerprint of fields in a snapshot must be."""
    kinds = TypeAdapter(dict[str, Field])
    named = {name: {**field, "name": name} for name, field in fields.items()}
    return ModelSchema(model, kinds.validate_python(named)).fingerprint


def let_a_field_and_a_choice_go(models: dict[str, Any]) -> None:
    models["sale.order"]["x_channel"] = {"type": "char"}
    state = models["sale.order"]["state"]
    state["selection"] = [item for item in state["selection"] if item[0] != "sent"]


def documented(beginning: str) -> list[str]:
    """Answer the lines of the documentation's shell blocks that begin like this."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    lines = "".join(blocks).splitlines()
    return [line for line in lines if line.startswith(f"odooport schema {beginning}")]


# Snapshots


def test_a_snapshot_keeps_every_model_that_the_user_can_read(odooport):
    made = odooport("snapshot --demo --out odoo-schema.json")

    raw = json.loads(FILE.read_text())
    assert made.status == 0
    assert made.out == ""
    assert made.err.startswith(f"Kept {len(raw['models'])} models with ")
    assert {"res.partner", "sale.order", "crm.lead"} <= raw["models"].keys()
    assert (raw["complete"], raw["instance"], raw["lang"]) == (True, "default", "en_US")


def test_a_snapshot_keeps_only_the_models_that_were_named(odooport):
    odooport("snapshot sale.order res.partner --demo --out odoo-schema.json")

    raw = json.loads(FILE.read_text())
    assert list(raw["models"]) == ["res.partner", "sale.order"]
    assert raw["complete"] is False


def test_a_snapshot_can_go_to_stdout(odooport):
    made = odooport("snapshot res.partner --demo --out -")

    assert list(json.loads(made.out)["models"]) == ["res.partner"]


def test_two_snapshots_of_the_same_odoo_differ_in_the_moment_only(odooport):
    odooport("snapshot --demo --out one.json")
    odooport("snapshot --demo --out two.json")

    one, two = (
        Path(name).read_text().splitlines() for name in ("one.json", "two.json")
    )
    assert [line for line in one if '"taken"' not in line] == [
        line for line in two if '"taken"' not in line
    ]


def test_models_that_do_not_exist_are_said_at_once_and_nothing_is_written(odooport):
    made = odooport("snapshot res.partnr sale.ordr --demo --out odoo-schema.json")

    assert made.status == 2
    assert "'res.partner'" in made.err
    assert "'sale.order'" in made.err
    assert len(made.err.splitlines()) == 1
    assert not FILE.exists()


def test_a_language_that_is_not_active_is_said_once(odooport):
    made = odooport("snapshot --demo --lang xx_XX --out odoo-schema.json")

    assert (made.status, made.err.count("xx_XX")) == (2, 1)


def test_an_instance_that_is_not_there_is_said(odooport):
    made = odooport("snapshot --demo --instance shop --out odoo-schema.json")

    assert made.status == 2
    assert "There is no instance 'shop'" in made.err


def broken() -> MemoryGateway:
    """Answer an Odoo that does not describe two of its models."""
    gateway = MemoryGateway.demo()

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OdooAccessError("You may not.")

    def crash(*args: Any, **kwargs: Any) -> None:
        raise OdooFailed("Odoo crashed.")

    gateway.on("crm.lead", "fields_get", refuse)
    gateway.on("sale.order", "fields_get", crash)
    return gateway


def test_a_model_that_odoo_does_not_describe_is_listed_and_kept_as_such(odooport, wire):
    made = odooport("snapshot --out odoo-schema.json", **wire(broken()))

    raw = json.loads(FILE.read_text())
    assert made.status == 0
    assert "Left out 'crm.lead': You may not." in made.err
    assert "Left out 'sale.order': " in made.err
    assert list(raw["refused"]) == ["crm.lead", "sale.order"]
    assert "crm.lead" not in raw["models"]
    assert "res.partner" in raw["models"]


def test_a_file_that_cannot_be_written_is_one_line(odooport):
    made = odooport("snapshot res.partner --demo --out missing/odoo-schema.json")

    assert made.status == 2
    assert made.err == (
        "odooport: Cannot write 'missing/odoo-schema.json': "
        "No such file or directory.\n"
    )


def test_a_snapshot_takes_the_place_of_the_old_one_and_of_nothing_else(odooport):
    FILE.write_text("old")
    FILE.chmod(0o640)
    odooport("snapshot res.partner --demo --out odoo-schema.json")

    assert json.loads(FILE.read_text())["format"] == 1
    assert FILE.stat().st_mode & 0o777 == 0o640
    assert list(Path().iterdir()) == [FILE]


def test_a_link_stays_a_link(odooport):
    Path("real.json").write_text("old")
    FILE.symlink_to("real.json")
    odooport("snapshot res.partner --demo --out odoo-schema.json")

    assert FILE.is_symlink()
    assert Path("real.json").read_text() != "old"


def test_what_is_no_file_is_written_to_and_not_replaced(odooport):
    odooport(f"snapshot res.partner --demo --out {os.devnull}")

    assert Path(os.devnull).is_char_device()


# Differences


def test_what_changed_is_shown_as_the_documentation_has_it(odooport):
    (taken,) = documented("snapshot")
    (compared,) = documented("diff")
    odooport(f"{taken.removeprefix('odooport schema ')} --demo")
    edit(let_a_field_and_a_choice_go)

    found = odooport(f"{compared.removeprefix('odooport schema ')} --demo")

    assert (found.status, found.err) == (0, "")
    assert f"```\n{found.out}```" in DOCS.read_text(encoding="utf-8")


def test_the_worst_model_comes_first(odooport):
    odooport("snapshot --demo --out odoo-schema.json")

    def change(models: dict[str, Any]) -> None:
        models["crm.lead"]["name"]["label"] = "Called"
        models["crm.team"]["x_new"] = {"type": "char", "required": True}
        models["sale.order"].pop("name")

    edit(change)
    lines = odooport("diff live odoo-schema.json --demo").out.splitlines()

    heads = [line for line in lines if line and not line.startswith(" ")]
    assert heads == [
        "sale.order",
        "crm.team",
        "crm.lead",
        "3 changes: 1 breaking, 1 risky, 1 safe.",
    ]


def test_models_that_came_and_went_are_in_one_table(odooport):
    odooport("snapshot --demo --out odoo-schema.json")
    edit(lambda models: models.update({"x.gone": models.pop("crm.lead")}))
    lines = odooport("diff odoo-schema.json live --demo").out.splitlines()

    assert lines[0] == "Models"
    assert [line.split()[:3] for line in lines[2:4]] == [
        ["safe", "safe", "crm.lead"],
        ["breaking", "breaking", "x.gone"],
    ]


def test_programs_can_read_what_changed(odooport):
    odooport("snapshot sale.order --demo --out odoo-schema.json")
    edit(let_a_field_and_a_choice_go)
    found = odooport("diff odoo-schema.json live --demo --format json")

    document = json.loads(found.out)
    assert document["new"]["instance"] == "default"
    assert [(item["field"], item["what"]) for item in document["changes"]] == [
        ("x_channel", "field_removed"),
        ("state", "choice_added"),
    ]
    assert document["changes"][1] | {"reason": ""} == {
        "model": "sale.order",
        "field": "state",
        "what": "choice_added",
        "old": None,
        "new": "sent",
        "readers": "risky",
        "writers": "safe",
        "reason": "",
        "hint": None,
    }


def test_two_files_are_compared_without_any_odoo(odooport):
    odooport("snapshot sale.order --demo --out one.json")
    odooport("snapshot sale.order res.partner --demo --out two.json")
    found = odooport("diff one.json two.json")

    assert (found.status, found.out) == (0, "0 changes: no change.\n")
    assert "not asked for them: res.partner." in found.err


def test_two_users_see_different_fields(odooport, wire):
    variables = wire(MemoryGateway.demo())
    odooport("snapshot --out odoo-schema.json", **variables)
    seller = {"ODOO_USER": "demo", "ODOO_PASSWORD": "demo"}
    found = odooport("diff odoo-schema.json live", **{**variables, **seller})

    assert found.status == 0
    assert "model removed" in found.out
    assert "ir.config_parameter" in found.out


# Checks


@pytest.fixture
def changed(odooport) -> None:
    """A snapshot that lacks a choice, which is risky for readers alone."""
    odooport("snapshot sale.order --demo --out odoo-schema.json")
    edit(lambda models: models["sale.order"]["state"]["selection"].pop())


def test_an_odoo_that_has_not_changed_fits(odooport):
    odooport("snapshot --demo --out odoo-schema.json")
    checked = odooport("check odoo-schema.json --demo")

    assert checked == Outcome(0, "Fits.\n", "")


def test_an_odoo_that_lacks_a_field_does_not_fit(odooport):
    odooport("snapshot sale.order --demo --out odoo-schema.json")
    edit(let_a_field_and_a_choice_go)
    (line,) = documented("check")
    checked = odooport(f"{line.removeprefix('odooport schema ')} --demo")

    assert checked.status == 1
    assert "field removed 'char'" in checked.out
    assert "choice added" not in checked.out
    assert checked.out.splitlines()[-1] == (
        "Does not fit: 1 breaking. Changes that do not count here: 1 risky."
    )


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ("", 0),
        ("--fail-on risky", 1),
        ("--fail-on any", 1),
        ("--fail-on risky --for readers", 1),
        ("--fail-on risky --for writers", 0),
        ("--fail-on any --for writers", 1),
    ],
)
def test_what_counts_can_be_chosen(odooport, changed, options: str, status: int):
    assert odooport(f"check odoo-schema.json --demo {options}").status == status


def test_a_model_that_is_gone_does_not_fit(odooport):
    odooport("snapshot sale.order --demo --out odoo-schema.json")
    edit(lambda models: models.update({"sale.ordr": models.pop("sale.order")}))
    checked = odooport("check odoo-schema.json --demo")

    assert checked.status == 1
    assert "model removed" in checked.out
    assert "Did you mean 'sale.order'" in checked.out


def test_a_new_model_does_not_count(odooport):
    odooport("snapshot --demo --out odoo-schema.json")
    raw = json.loads(FILE.read_text())
    del raw["models"]["sale.order"]
    FILE.write_text(json.dumps(raw))

    assert odooport("check odoo-schema.json --demo --fail-on any").status == 0


def test_a_snapshot_of_nothing_checks_nothing_and_says_so(odooport):
    odooport("snapshot res.partner --demo --out odoo-schema.json")
    edit(lambda models: models.clear())
    checked = odooport("check odoo-schema.json --demo --fail-on any")

    assert (checked.status, checked.out) == (2, "")
    assert "'odoo-schema.json' holds no models" in checked.err


def test_a_file_that_was_edited_by_hand_is_neither_fit_nor_unfit(odooport, changed):
    FILE.write_text(FILE.read_text().replace('"required": true', '"required": false'))
    checked = odooport("check odoo-schema.json --demo")

    assert (checked.status, checked.out) == (2, "")
    assert "/models/sale.order: Its fields do not have the fingerprint" in checked.err


def test_a_byte_order_mark_does_no_harm(odooport):
    odooport("snapshot res.partner --demo --out odoo-schema.json")
    FILE.write_bytes(b"\xef\xbb\xbf" + FILE.read_bytes())

    assert odooport("check odoo-schema.json --demo").out == "Fits.\n"


@pytest.mark.parametrize("part", ["model", "field", "attribute", "entry", "label"])
@pytest.mark.parametrize("text", ["\ud800", "\x1b[2Jx", "\x9b2J", "a\nb", "\u202e"])
def test_a_hostile_file_ends_in_one_line(odooport, text: str, part: str):
    odooport("snapshot res.lang --demo --out odoo-schema.json")
    raw = json.loads(FILE.read_text())
    fields = raw["models"]["res.lang"]["fields"]
    match part:
        case "model":
            raw["models"][text] = raw["models"]["res.lang"]
        case "field":
            fields[text] = {"type": "char"}
        case "attribute":
            fields["code"][text] = 1
        case "entry":
            raw[text] = 1
        case "label":
            fields["code"]["label"] = text
            fields["code"]["type"] = "text"  # and its fingerprint does not fit
    FILE.write_text(json.dumps(raw))
    checked = odooport("check odoo-schema.json --demo")

    assert (checked.status, checked.out) == (2, "")
    assert checked.err.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    "command",
    [
        "check odoo-schema.json --demo --fail-on any",
        "diff odoo-schema.json live --demo",
        "diff odoo-schema.json live --demo --format json",
        "generate res.lang --from odoo-schema.json --out -",
        "generate res.lang --from odoo-schema.json --out - --format json-schema",
        "generate res.lang --from odoo-schema.json --out - --format typescript",
    ],
)
def test_texts_of_a_file_command_no_terminal(odooport, command: str):
    odooport("snapshot res.lang --demo --out odoo-schema.json")
    label = {"label": "Bad\x1b[2J\x9b\x7f\u202e"}
    edit(lambda models: models["res.lang"]["code"].update(label))
    outcome = odooport(command)

    assert "Bad" in outcome.out
    assert (outcome.out + outcome.err).replace("\n", "").isprintable()


def test_what_odoo_says_commands_no_terminal(odooport, wire):
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OdooRefused("No!\x1b[2J")

    gateway = MemoryGateway.demo()
    gateway.on("ir.model", "get_available_models", refuse)
    made = odooport("snapshot --out odoo-schema.json", **wire(gateway))

    assert made.status == 2
    assert made.err == "odooport: No!\\u001b[2J\n"


def test_a_snapshot_with_nothing_new_leaves_the_file_as_it_is(odooport):
    odooport("snapshot res.partner --demo --out odoo-schema.json")
    old = FILE.read_text().replace('"taken": "20', '"taken": "19')
    FILE.write_text(old)
    again = odooport("snapshot res.partner --demo --out odoo-schema.json")

    assert again.status == 0
    assert again.err.startswith("Unchanged since 19")
    assert FILE.read_text() == old


def test_a_snapshot_with_a_new_label_takes_the_place_of_the_old_one(odooport):
    odooport("snapshot res.partner --demo --out odoo-schema.json")
    new = FILE.read_text()
    FILE.write_text(new.replace('"label": "Name"', '"label": "Nom"'))
    assert '"Nom"' in FILE.read_text()
    made = odooport("snapshot res.partner --demo --out odoo-schema.json")

    assert made.err.startswith("Kept 1 model with ")
    assert '"Nom"' not in FILE.read_text()


def test_an_odoo_that_cannot_be_reached_is_neither_fit_nor_unfit(odooport, changed):
    checked = odooport("check odoo-schema.json", **nobody())

    assert (checked.status, checked.out) == (2, "")
    assert checked.err.startswith("odooport: Nothing listens")
    assert len(checked.err.splitlines()) == 1


def test_a_login_that_is_refused_is_neither_fit_nor_unfit(odooport, changed, wire):
    variables = {**wire(MemoryGateway.demo()), "ODOO_PASSWORD": "s3cr3t"}
    checked = odooport("check odoo-schema.json", **variables)

    assert (checked.status, checked.out) == (2, "")
    assert "s3cr3t" not in checked.err


def test_a_model_that_odoo_crashes_on_is_neither_fit_nor_unfit(odooport, changed, wire):
    checked = odooport("check odoo-schema.json", **wire(broken()))

    assert checked.status == 2
    assert "could not describe 'sale.order'" in checked.err


def test_settings_that_are_missing_are_neither_fit_nor_unfit(odooport, changed):
    checked = odooport("check odoo-schema.json")

    assert checked.status == 2
    assert "ODOO_URL" in checked.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"nonsense", "is not JSON"),
        (b"\xff\xfe", "no UTF-8"),
        (b'{"format": 1}', "damaged"),
        (b'{"format": 99}', "format 99"),
    ],
)
def test_a_bad_file_is_neither_fit_nor_unfit(odooport, content, told: str):
    if content is not None:
        FILE.write_bytes(content)
    checked = odooport("check odoo-schema.json --demo")

    assert (checked.status, checked.out) == (2, "")
    assert checked.err.startswith("odooport: ")
    assert "odoo-schema.json" in checked.err
    assert told in checked.err
    assert len(checked.err.splitlines()) == 1


# Generated code

MODULE = Path("models.py")


def test_every_documented_way_to_generate_works(odooport):
    *made, checked = documented("generate")
    for line in made:
        outcome = odooport(f"{line.removeprefix('odooport schema ')} --demo")
        assert outcome == Outcome(0, "", "")

    assert "class" in MODULE.read_text()
    assert "$defs" in json.loads(Path("models.json").read_text())
    assert "export" in Path("models.ts").read_text()
    assert odooport(f"{checked.removeprefix('odooport schema ')} --demo").status == 0


def test_a_snapshot_and_its_odoo_give_the_same_module(odooport):
    odooport("snapshot --demo --out odoo-schema.json")
    kept = odooport("generate sale.order res.users --from odoo-schema.json --out -")
    asked = odooport("generate sale.order res.users --demo --out -")

    assert (kept.status, kept.err) == (0, "")
    assert kept.out == asked.out
    compile(kept.out, "models.py", "exec")


@pytest.mark.parametrize("content", ["", "# by hand\n"])
def test_a_module_that_is_out_of_date_is_told_and_left_alone(odooport, content):
    MODULE.write_text(content)
    checked = odooport("generate res.partner --demo --out models.py --check")

    assert (checked.status, checked.out) == (1, "")
    assert "'models.py' is out of date" in checked.err
    assert MODULE.read_text() == content


def test_a_module_that_is_missing_is_told_to_be(odooport):
    checked = odooport("generate res.partner --demo --out models.py --check")

    assert (checked.status, checked.out) == (1, "")
    assert "'models.py' does not exist yet" in checked.err
    assert not MODULE.exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("generate res.partnr --demo --out models.py", "Did you mean 'res.partner'"),
        ("generate crm.lead --from odoo-schema.json --out models.py", "'crm.lead'"),
        ("generate res.partner --demo --out - --check", "--out"),
        (
            "generate res.partner --demo --from odoo-schema.json --out models.py",
            "--demo",
        ),
        ("generate res.partner --out models.py", "ODOO_URL"),
        ("generate --demo --out models.py", "MODEL"),
    ],
)
def test_what_cannot_be_generated_is_one_line(odooport, changed, line, told: str):
    outcome = odooport(line)

    assert (outcome.status, outcome.out) == (2, "")
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not MODULE.exists()
