"""The performance suite: every benchmark, one report, and the budget.

Runs the benchmarks one after the other, each as a process of its own, holds their
figures against ``perf/budget.toml``, and writes ``build/perf/report.json`` and
``report.html``. Ends with 1 if a benchmark failed, a figure is not within its budget,
or one that the budget names is missing.

The real Odoo is the one that ``ODOO_URL`` names, else one in containers, as the tests
start it. It gets 20,000 partners, which stay. Without one, what needs it is skipped,
and the report says so.

Usage: ``python perf/suite.py [--short]``
"""

import html
import json
import os
import platform
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from xmlrpc.client import ServerProxy

import figures
import targets
from budget import RED, Row, Verdict, judge, read_budget
from figures import Figure

ROOT = Path(__file__).parent.parent
BUDGET = Path(__file__).with_name("budget.toml")
REPORTS = ROOT / "build" / "perf"
ROWS = 20_000
BENCHMARK_SECONDS = 1800
SHORT_BENCHMARK_SECONDS = 90
LOAD_HTML = "load.html"
"""Locust's own report, beside ours."""

_ODOO = ("ODOO_URL", "ODOO_DB", "ODOO_USER", "ODOO_PASSWORD")
_TAIL = 3000


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One module in ``perf/`` that measures.

    Attributes:
        name: The module's name.
        short: What the short form tells it; None leaves it out of the short form.
        more: What every form tells it.
    """

    name: str
    short: Sequence[str] | None = None
    more: Sequence[str] = ()


BENCHMARKS = (
    Benchmark("gateways", ("--rounds=15",)),
    Benchmark("concurrency"),
    Benchmark("doors", ("--rounds=30",)),
    Benchmark("guards", ("--rounds=300",)),
    Benchmark("describe", ("--rounds=25",)),
    Benchmark("startup"),
    Benchmark("memory"),
    Benchmark("export"),
    Benchmark("scaling"),
    Benchmark(
        "load",
        ("--target=memory", "--users=50", "--seconds=20"),
        (f"--html={REPORTS / LOAD_HTML}",),
    ),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the suite has come to.

    Attributes:
        rows: The figures, and what was made of them.
        machine: What it ran on, by name.
        errors: What went wrong, one line or more each.
        notes: What was skipped, and why.
    """

    rows: Sequence[Row]
    machine: dict[str, str]
    errors: Sequence[str]
    notes: Sequence[str]

    @property
    def is_red(self) -> bool:
        """Whether the run fails."""
        return bool(self.errors) or any(row.verdict in RED for row in self.rows)


def measured(
    benchmark: Benchmark, *, short: bool, environment: dict[str, str]
) -> list[Figure]:
    """Run one benchmark, and answer its figures.

    Args:
        benchmark: What to run.
        short: Whether to run its short form.
        environment: The whole environment of the process.

    Raises:
        RuntimeError: It failed, took too long, or has measured nothing.
    """
    written = REPORTS / f"{benchmark.name}.json"
    written.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).with_name(f"{benchmark.name}.py"))]
    told = [*benchmark.more, *((benchmark.short or ()) if short else ())]
    limit = SHORT_BENCHMARK_SECONDS if short else BENCHMARK_SECONDS
    try:
        done = subprocess.run(
            [*command, *told, f"--json={written}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{benchmark.name}: not done within {limit} s") from error
    if done.returncode:
        raise RuntimeError(f"{benchmark.name} failed:\n{done.stdout[-_TAIL:]}")
    found = figures.read(written) if written.exists() else []
    if not found:
        raise RuntimeError(f"{benchmark.name} has measured nothing.")
    return found


def measure_all(
    *, short: bool, environment: dict[str, str]
) -> tuple[list[Figure], list[str]]:
    """Run the benchmarks in turn; one that fails does not stop the others.

    Returns:
        The figures, and what went wrong.
    """
    found: list[Figure] = []
    errors: list[str] = []
    for benchmark in BENCHMARKS:
        if short and benchmark.short is None:
            continue
        began = time.monotonic()
        try:
            found += measured(benchmark, short=short, environment=environment)
        except RuntimeError as error:
            errors.append(str(error))
        took = time.monotonic() - began
        print(f"{benchmark.name}: {took:.0f} s", file=sys.stderr, flush=True)
    return found, errors


def start_odoo(stack: ExitStack) -> str | None:
    """Have a real Odoo in the environment, and answer None, or why there is none."""
    if "ODOO_URL" in os.environ:
        return None
    # Only here: the rest of the suite does without the tests and their libraries.
    sys.path.append(str(ROOT))
    from tests.integration.odoo_containers import Unavailable, odoo_in_containers

    try:
        server = stack.enter_context(odoo_in_containers(None))
    except Unavailable as error:
        return str(error)
    login = (server.url, server.database, server.admin.login, server.admin.password)
    os.environ.update(zip(_ODOO, login, strict=True))
    return None


def machine(url: str | None) -> dict[str, str]:
    """Answer what the figures were measured on.

    Args:
        url: The address of the real Odoo; None if there is none.
    """
    odoo = "in memory only"
    if url is not None:
        with ServerProxy(f"{url}/xmlrpc/2/common", allow_none=True) as proxy:
            version = proxy.version()
        assert isinstance(version, dict)
        odoo = str(version["server_version"])
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Odoo": odoo,
    }


def written_json(run: Run) -> str:
    """Write a run for programs."""
    rows = [
        {
            "name": row.name,
            "verdict": row.verdict.value,
            "figure": None if row.figure is None else asdict(row.figure),
            "budget": None if row.entry is None else asdict(row.entry),
        }
        for row in run.rows
    ]
    content = {
        "red": run.is_red,
        "machine": run.machine,
        "errors": list(run.errors),
        "notes": list(run.notes),
        "rows": rows,
    }
    return json.dumps(content, indent=1)


_PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Performance: $outcome</title><style>
body { font: 15px/1.4 sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse } td, th { padding: .3em .8em; text-align: left }
tr { border-bottom: 1px solid #ddd } .value { text-align: right }
.red { background: #fbdcdc } .missed { background: #fdf2d0 } pre { color: #a00 }
</style></head><body><h1>Performance: $outcome</h1><p>$machine</p>$notes$errors$link
<table><tr><th>figure</th><th>value</th><th>aim</th><th>budget</th><th>verdict</th>
<th>what</th><th>why</th></tr>
$rows
</table></body></html>
""")


def written_html(run: Run, link: str | None) -> str:
    """Write a run for people, as one page that needs nothing else.

    Args:
        run: What to write.
        link: The file of Locust's own report beside it, if there is one.
    """
    text = html.escape
    lines: list[str] = []
    for row in run.rows:
        kind = {Verdict.AIM_MISSED: "missed"}.get(row.verdict, "")
        cells = "".join(f"<td>{text(cell)}</td>" for cell in _cells(row)[2:])
        what = "" if row.figure is None else text(row.figure.of)
        why = "" if row.entry is None else text(row.entry.why)
        name, value = _cells(row)[:2]
        lines.append(
            f'<tr class="{"red" if row.verdict in RED else kind}"><td>{text(name)}</td>'
            f'<td class="value">{text(value)}</td>{cells}'
            f"<td>{what}</td><td>{why}</td></tr>"
        )
    return _PAGE.substitute(
        outcome="red" if run.is_red else "green",
        machine=text(", ".join(f"{name}: {is_}" for name, is_ in run.machine.items())),
        notes="".join(f"<p><b>{text(note)}</b></p>" for note in run.notes),
        errors="".join(f"<pre>{text(error)}</pre>" for error in run.errors),
        link="" if link is None else f'<p><a href="{text(link)}">Locust</a></p>',
        rows="\n".join(lines),
    )


def written_table(run: Run) -> str:
    """Write a run for the terminal."""
    lines = [["figure", "value", "aim", "budget", "verdict"]]
    lines += [_cells(row) for row in run.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    table = [
        "  ".join([*map(str.ljust, line[:4], widths), line[4]]).rstrip()
        for line in lines
    ]
    machine_line = ", ".join(f"{name}: {is_}" for name, is_ in run.machine.items())
    count = Counter(row.verdict for row in run.rows)
    counted = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
    return "\n".join(
        [*table, "", machine_line, *run.notes, *run.errors, f"figures: {counted}"]
    )


def _cells(row: Row) -> list[str]:
    """Answer what a row shows: name, value, aim, budget and verdict."""
    figure, entry = row.figure, row.entry
    value = "" if figure is None else f"{figure.value:.3f} {figure.unit}".rstrip()
    aim = "" if entry is None else entry.bound(entry.aim)
    limit = (
        ""
        if entry is None
        else entry.bound(entry.most if entry.most is not None else entry.least)
    )
    return [row.name, value, aim, limit, row.verdict.value]


def skipped(rows: Iterable[Row], reason: str) -> str:
    """Say what was not judged for want of a real Odoo."""
    names = [row.name for row in rows if row.entry is not None and row.entry.odoo]
    return (
        f"SKIPPED: {len(names)} figures need a real Odoo ({reason}); set ODOO_URL, "
        f"ODOO_DB, ODOO_USER and ODOO_PASSWORD: {', '.join(sorted(set(names)))}"
    )


def main() -> None:
    """Run the suite."""
    parser = ArgumentParser(description="The performance suite.")
    parser.add_argument(
        "--short", action="store_true", help="minutes, in memory: what CI runs"
    )
    short: bool = parser.parse_args().short
    entries = read_budget(BUDGET)
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / LOAD_HTML).unlink(missing_ok=True)
    with ExitStack() as stack:
        missing = "this is the short form" if short else start_odoo(stack)
        if missing is None:
            targets.seed(targets.target(stack), ROWS)
        environment = dict(os.environ)
        if missing is not None:
            for name in _ODOO:
                environment.pop(name, None)
        about = machine(environment.get("ODOO_URL"))
        found, errors = measure_all(short=short, environment=environment)
    rows = judge(found, entries, short=short, odoo=missing is None)
    notes = [] if missing is None else [skipped(rows, missing)]
    run = Run(rows, about, errors, notes)
    link = LOAD_HTML if (REPORTS / LOAD_HTML).exists() else None
    (REPORTS / "report.json").write_text(written_json(run))
    (REPORTS / "report.html").write_text(written_html(run, link))
    print(written_table(run))
    if run.is_red:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
