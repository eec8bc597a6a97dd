"""The protocol's own conformance suite, against the product and against its parts."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Target
from .node_tools import NodeTool

LIST = Path(__file__).parent / "conformance.toml"

SUITES = {
    "2025-03-26": (["--suite", "all", "--spec-version", "2025-03-26"], 1),
    "2025-06-18": (["--suite", "all", "--spec-version", "2025-06-18"], 27),
    "2025-11-25": (["--requirements", "2025-11-25"], 33),
    "2026-07-28": (["--requirements", "2026-07-28"], 50),
}
"""How to ask for a version, and how many scenarios the suite then has.

The two newest have sets of their own, which hold the extensions and what came later
too. The suite knows nothing of 2024-11-05.
"""

MET = "Met by fixtures."
"""How the reason of an entry ends that is right at the other server."""

# The suite wants log lines sent to the client, which the SDK advises against.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


@dataclass(frozen=True)
class Finding:
    """What the suite did not find right."""

    scenario: str
    check: str
    status: str
    message: str

    @property
    def names(self) -> set[str]:
        """What an entry may call it."""
        return {self.scenario, f"{self.scenario}:{self.check}"}

    def __str__(self) -> str:
        return f"{self.scenario}:{self.check} {self.status} {self.message}"


def findings_in(checks: Path) -> Iterator[Finding]:
    """Answer what is not right in the results of one scenario.

    A scenario that only says why it did not run is not right.
    """
    told = json.loads(checks.read_text())
    ran = any(
        check["status"] == "SUCCESS" and not check["id"].startswith("wire-schema")
        for check in told
    )
    for check in told:
        if check["status"] not in (("SUCCESS", "INFO") if ran else ("SUCCESS",)):
            yield Finding(
                scenario_of(checks),
                check["id"],
                check["status"],
                str(check.get("errorMessage") or check.get("details") or ""),
            )


def scenario_of(checks: Path) -> str:
    """Answer the scenario of a folder such as server-ping-2026-11-22T19-26-34-320Z."""
    match = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", checks.parent.name)
    assert match is not None, checks
    return match[1]


def listed(target: str, version: str) -> dict[str, str]:
    """Answer the entries that hold for a target in a version, with their reasons."""
    groups = tomllib.loads(LIST.read_text())[target]
    return {
        entry: group["reason"]
        for group in groups
        if version in group.get("versions", SUITES)
        for entry in group["entries"]
    }


@pytest.fixture(params=["product", "fixtures"])
def target(request: pytest.FixtureRequest) -> Target:
    """Answer each of the two servers."""
    served = request.getfixturevalue(request.param)
    assert isinstance(served, Target)
    return served


@pytest.mark.parametrize("version", SUITES)
def test_the_suite_finds_right_all_but_what_is_listed_with_a_reason(
    conformance: NodeTool,
    target: Target,
    version: str,
    tmp_path: Path,
    summary: list[str],
):
    asked, count = SUITES[version]
    run = conformance.run(
        *("server", "--url", target.url, *asked, "--output-dir", "results"),
        cwd=tmp_path,
        seconds=60,
    )
    assert "=== SUMMARY ===" in run.stdout, run.stdout + run.stderr
    results = {
        scenario_of(checks): list(findings_in(checks))
        for checks in (tmp_path / "results").glob("*/checks.json")
    }
    assert len(results) == count
    findings = [finding for found in results.values() for finding in found]
    reasons = {
        entry: reason
        for entry, reason in listed(target.name, version).items()
        if entry.partition(":")[0] in results
    }
    unlisted = [
        finding
        for finding in findings
        # A message that breaks the protocol's own schema is excused by nothing.
        if not reasons.keys() & finding.names or finding.check.startswith("wire-schema")
    ]
    assert not unlisted, "\n".join(map(str, unlisted))
    stale = set(reasons).difference(*(finding.names for finding in findings))
    assert not stale, f"these are right by now: {sorted(stale)}"
    whole = reasons.keys() & results.keys()
    elsewhere = [entry for entry in whole if reasons[entry].endswith(MET)]
    parts = {entry.partition(":")[0] for entry in reasons.keys() - whole}
    summary.append(
        f"conformance {version}, {target.name}: {count} scenarios, "
        f"{count - len(whole) - len(parts)} right, {len(parts)} right in part, "
        f"{len(elsewhere)} met by fixtures, {len(whole) - len(elsewhere)} not for us"
    )


def test_every_reason_is_one_and_what_fixtures_meet_is_met():
    groups = tomllib.loads(LIST.read_text())
    assert groups.keys() == {"product", "fixtures"}
    for target in groups.values():
        assert all(group["reason"].strip() for group in target)
    promised = {
        entry
        for group in groups["product"]
        if group["reason"].endswith(MET)
        for entry in group["entries"]
    }
    unmet = {entry for group in groups["fixtures"] for entry in group["entries"]}
    assert promised
    assert not promised & unmet
