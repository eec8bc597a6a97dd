"""Generated code under the tools that its users have: type checkers, formatters, tsc.

The tools are in the dependency groups ``types`` and ``lint``, which ``nox -s types``
installs; elsewhere a test whose tool is missing is skipped, and the summary says so.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from odooport.generate import json_schema, python_source, typescript_source
from tests.clients.rest.test_typescript import EXAMPLE, installed
from tests.unit.conftest import recorded_schema
from tests.unit.test_generate import AUTHOR, BOOK, LABELS, RECORDED

USE = """\
from datetime import date
from decimal import Decimal
from typing import assert_type

from models import (
    LibraryBook,
    LibraryBookState,
    LibraryBookValues,
    Partner,
    PartnerType,
    PartnerValues,
    SaleOrder,
    SaleOrderLine,
    SaleOrderLineValues,
    SaleOrderState,
    SaleOrderValues,
)

from odooport import ExternalId, Many, Odoo, Ref


async def read(odoo: Odoo) -> None:
    partners = await odoo.search(Partner, [["is_company", "=", True]], limit=3)
    assert_type(partners, list[Partner])
    for partner in partners:
        assert_type(partner.id, int)
        assert_type(partner.name, str | None)
        assert_type(partner.parent_id, Ref[Partner] | None)
        assert_type(partner.child_ids, list[int])
        assert_type(partner.type, PartnerType | str | None)
    (order,) = await odoo.read(SaleOrder, [3])
    assert_type(order.partner_id, Ref[Partner])
    assert_type(order.partner_id.name, str | None)
    assert_type(order.amount_total, Decimal)
    if order.state == SaleOrderState.SALE:
        lines = await odoo.read(SaleOrderLine, order.order_line)
        assert_type(lines, list[SaleOrderLine])
    (book,) = await odoo.read(LibraryBook, [3])
    assert_type(book.printed, date | None)
    assert_type(book.class_, str | None)


async def write(odoo: Odoo, order: SaleOrder) -> None:
    partner = PartnerValues(name="Ann", type=PartnerType.CONTACT)
    partner.country_id = ExternalId("base.be")
    partner.category_id = ["VIP", 3]
    (made,) = await odoo.create(Partner, partner)
    values = SaleOrderValues(
        partner_id=made,
        order_line=Many(create=[SaleOrderLineValues(product_id=3)]),
    )
    await odoo.write(SaleOrder, [3], values)
    values.partner_id = order.partner_id
    LibraryBookValues(name={"en_US": "Dune"}, state=LibraryBookState.N2ND, class_="SF")


def mistakes(partner: Partner, order: SaleOrder) -> None:
    partner.nmae  # NO attr-defined reportAttributeAccessIssue,reportUnknownMemberType
    partner.name.upper()  # NO union-attr reportOptionalMemberAccess
    PartnerValues(nmae="x")  # NO call-arg reportCallIssue
    PartnerValues(type="x")  # NO arg-type reportArgumentType
    PartnerValues(color="x")  # NO arg-type reportArgumentType
    PartnerValues(child_ids=3)  # NO arg-type reportArgumentType
    SaleOrderValues(partner_id=order.currency_id)  # NO arg-type reportArgumentType
    LibraryBookValues(name=None)  # NO arg-type reportArgumentType
"""
"""A program that uses the classes.

A line marked ``NO`` must be a mistake; both checkers complain of a mark that is none.
"""

USE_TS = """\
import type { LibraryBook, Partner, PartnerValues, SaleOrderValues } from "./models.ts";

export const partner: Pick<Partner, "id" | "name" | "country_id"> = {
  id: 3,
  name: "Ann",
  country_id: { id: 20, name: "Belgium" },
};
export const city: string | undefined = partner.country_id?.name ?? undefined;
export const values: PartnerValues = {
  name: "Ann",
  type: "contact",
  country_id: { external_id: "base.be" },
  child_ids: { add: [3, "Bob"], create: [{ name: "Cid" }], update: [{ id: 3 }] },
};
export const order: SaleOrderValues = { partner_id: "Ann", order_line: [] };
export function lent(book: LibraryBook): boolean {
  return book.state === "out";
}

// @ts-expect-error It is no value of the selection.
export const type: PartnerValues = { type: "friend" };
// @ts-expect-error There is no such field.
export const field: PartnerValues = { nmae: "Ann" };
// @ts-expect-error An amount is a number.
export const pages: PartnerValues = { color: "3" };
// @ts-expect-error A line is made of the line's values.
export const nested: SaleOrderValues = { order_line: { create: [{ nmae: "x" }] } };
// @ts-expect-error It may be empty.
export const letters: number = partner.name.length;
"""

SCHEMAS = [*map(recorded_schema, RECORDED), AUTHOR, BOOK]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else, with a generated module and a program."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "models.py").write_text(python_source(SCHEMAS, labels=LABELS), "utf-8")
    (folder / "program.py").write_text(marked(USE), "utf-8")
    return folder


def marked(program: str) -> str:
    """Spell the marks as both checkers do."""
    lines: list[str] = []
    for line in program.splitlines():
        code, _, mark = line.partition("  # NO ")
        if mark:
            mypy, pyright = mark.split()
            code += f"  # type: ignore[{mypy}]  # pyright: ignore[{pyright}]"
        lines.append(code)
    return "\n".join(lines) + "\n"


def run(tool: str, folder: Path, summary: list[str], *arguments: str) -> None:
    """Run a tool in the folder; skip the test where it is not installed."""
    if importlib.util.find_spec(tool) is None:
        reason = f"{tool} is not installed; `nox -s types` installs it"
        summary.append(f"SKIPPED: {reason}")
        pytest.skip(reason)
    done = subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary.append(f"{tool}: has nothing to say")


def test_mypy_is_content_and_finds_the_mistakes(folder: Path, summary: list[str]):
    arguments = ("--strict", "--no-incremental", "models.py", "program.py")
    run("mypy", folder, summary, "--config-file=", *arguments)


def test_pyright_is_content_and_finds_the_mistakes(folder: Path, summary: list[str]):
    settings = {
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": True,
        "reportUnusedExpression": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    run("pyright", folder, summary, "--pythonpath", sys.executable)


def test_black_would_change_nothing(folder: Path, summary: list[str]):
    settings = folder / "none.toml"
    settings.write_text("")
    run("black", folder, summary, "--check", f"--config={settings}", "models.py")


def test_ruff_has_no_complaint(folder: Path, summary: list[str]):
    run("ruff", folder, summary, "check", "--isolated", "--no-cache", "models.py")


def test_typescript_compiles_and_finds_the_mistakes(
    tmp_path: Path, summary: list[str]
) -> None:
    wanted = json.loads((EXAMPLE / "package.json").read_text())["devDependencies"]
    package = {
        "type": "module",
        "devDependencies": {"typescript": wanted["typescript"]},
    }
    (tmp_path / "package.json").write_text(json.dumps(package))
    project = installed(tmp_path)
    if isinstance(project, str):
        summary.append(f"SKIPPED: TypeScript: {project}")
        pytest.skip(project)
    (tmp_path / "models.ts").write_text(typescript_source(SCHEMAS, labels=LABELS))
    (tmp_path / "program.ts").write_text(USE_TS)
    project.run(
        *("node_modules/typescript/bin/tsc", "--strict", "--noEmit"),
        *("--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
        *("--noUnusedLocals", "--noUnusedParameters", "--verbatimModuleSyntax"),
        *("--module", "nodenext", "--target", "esnext"),
        *("--allowImportingTsExtensions", "models.ts", "program.ts"),
    )
    summary.append("tsc: the types compile, and find mistakes")


def test_the_json_schema_is_json(tmp_path: Path):
    text = json.dumps(json_schema(SCHEMAS, labels=LABELS), allow_nan=False)
    assert json.loads(text) == json_schema(SCHEMAS, labels=LABELS)
