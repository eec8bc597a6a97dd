"""Every chore of the house.

``nox`` alone runs lint, types, the short benchmarks and the tests, in this order.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.sessions = ["lint", "types", "perf_short", "tests"]
nox.options.default_venv_backend = "uv"

ROOT = Path(__file__).parent
SOURCES = ["packages", "services", "tests", "perf", "examples", "noxfile.py"]
MEMBERS = sorted(
    path.parent
    for folder in ("packages", "services")
    for path in (ROOT / folder).glob("*/pyproject.toml")
)


def _sync(session: nox.Session, *groups: str) -> None:
    """Install the workspace and some dependency groups into the session's own venv."""
    session.run_install(
        "uv",
        "sync",
        "--quiet",
        *(f"--group={group}" for group in groups),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style and the architecture's import rules."""
    _sync(session, "lint")
    session.run("black", "--check", "--quiet", *SOURCES)
    session.run("ruff", "check", "--quiet", *SOURCES)
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both strict, over our code and over code that we generate."""
    _sync(session, "types", "lint")
    sources = [str(member / "src") for member in MEMBERS]
    session.run("mypy", "--no-error-summary", *sources)
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))
    session.run("python", "-m", "pytest", "-q", "tests/typing", *session.posargs)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests that end within minutes, in one process, with the lines that they run.

    Those of generated code need type checkers: they run in the session ``types``.
    """
    session.run(
        *(sys.executable, "-m", "pytest", "--cov", "-q", "--ignore=tests/typing"),
        *session.posargs,
    )


@nox.session(venv_backend="none")
def branches(session: nox.Session) -> None:
    """The same tests with branch coverage, which Python 3.12 measures slowly."""
    session.run(
        *(sys.executable, "-m", "pytest", "--cov", "--cov-branch", "-q"),
        *("--ignore=tests/typing", *session.posargs),
        env={"COVERAGE_CORE": "ctrace"},
    )


@nox.session(venv_backend="none")
def live(session: nox.Session) -> None:
    """The tests against a real Odoo alone; `tests` runs them too."""
    session.run(sys.executable, "-m", "pytest", "tests/integration", *session.posargs)


@nox.session(venv_backend="none")
def grid(session: nox.Session) -> None:
    """The gateways' contract over memory and every wire, and a grid of how it went."""
    contract = "tests/integration/test_gateway_contract.py"
    session.run(
        *(sys.executable, "-m", "pytest", "-q", "tests/contract", contract),
        *session.posargs,
    )


@nox.session(venv_backend="none")
def long(session: nox.Session) -> None:
    """The tests that take minutes."""
    session.run(sys.executable, "-m", "pytest", "-m", "long", *session.posargs)


@nox.session
def perf(session: nox.Session) -> None:
    """All benchmarks, their budget, and a report in build/perf; `-- --short` is short.

    The real Odoo is the one that ODOO_URL names, else one in containers.
    """
    _sync(session, "dev", "perf")
    session.run("python", "perf/suite.py", *session.posargs)


@nox.session
def perf_short(session: nox.Session) -> None:
    """The benchmarks that say enough within two minutes, over the Odoo in memory."""
    _sync(session, "dev", "perf")
    session.run("python", "perf/suite.py", "--short")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _sync(session, "docs")
    session.run("mkdocs", "build", "--strict", "--site-dir", "build/docs")


@nox.session
def build(session: nox.Session) -> None:
    """Build a wheel of each distribution into dist/."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", "--all-packages", "--wheel", "--quiet", external=True)


@nox.session
@nox.parametrize("member", [path.name for path in MEMBERS])
def isolated(session: nox.Session, member: str) -> None:
    """Install one distribution alone and import it: a workspace hides what it lacks."""
    session.run("uv", "build", "--all-packages", "--wheel", "--quiet", external=True)
    (folder,) = [path for path in MEMBERS if path.name == member]
    project = nox.project.load_toml(folder / "pyproject.toml")["project"]
    extras = ",".join(project.get("optional-dependencies", {}))
    session.install("--find-links", "dist", f"{project['name']}[{extras}]")
    modules = [
        ".".join(path.relative_to(folder / "src").with_suffix("").parts)
        for path in (folder / "src").rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    ]
    session.run("python", "-c", f"import {', '.join(sorted(modules))}")


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Resolve anew, and write every version into pyproject.toml.

    The lock file holds the addresses of a registry and is not tracked; the versions in
    pyproject.toml give a fresh clone the same resolution.
    """
    _pin("constraint-dependencies", [])
    _pin("build-constraint-dependencies", [])
    session.run("uv", "lock", "--upgrade", external=True)
    exported = session.run(
        *("uv", "export", "--all-groups", "--no-hashes", "--no-emit-workspace"),
        *("--no-header", "--no-annotate", "--quiet"),
        external=True,
        silent=True,
    )
    _pin("constraint-dependencies", str(exported).split("\n"))
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("hatchling\n")
        wanted.flush()
        compiled = session.run(
            *("uv", "pip", "compile", "--no-header", "--no-annotate", "--universal"),
            *("--python-version=3.12", "--quiet", wanted.name),
            external=True,
            silent=True,
        )
    _pin("build-constraint-dependencies", str(compiled).split("\n"))
    session.run("uv", "lock", external=True)


def _pin(name: str, lines: list[str]) -> None:
    """Replace one list of pins under [tool.uv] in pyproject.toml."""
    path = ROOT / "pyproject.toml"
    pins = sorted(line.strip().replace('"', "'") for line in lines if "==" in line)
    body = "".join(f'    "{pin}",\n' for pin in pins)
    pattern = rf"^{name} = \[(\]|.*?^\])"
    text, count = re.subn(
        pattern,
        lambda _: f"{name} = [\n{body}]" if body else f"{name} = []",
        path.read_text(),
        flags=re.MULTILINE | re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"pyproject.toml must have exactly one list {name!r}")
    path.write_text(text)
