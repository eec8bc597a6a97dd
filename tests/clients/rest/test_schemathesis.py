"""Schemathesis sends what the description allows, and what it does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Service

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SEED = 1


@pytest.mark.parametrize(
    ("examples", "fewest", "seconds"),
    [
        pytest.param(30, 2000, 300, id="quick"),
        pytest.param(500, 10_000, 3600, id="long", marks=pytest.mark.long),
    ],
)
def test_whatever_is_sent_the_answer_is_as_described(
    service: Service,
    summary: list[str],
    tmp_path: Path,
    examples: int,
    fewest: int,
    seconds: float,
) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            f"--config-file={HERE / 'schemathesis.toml'}",
            *("run", f"{service.address}/openapi.json", "--checks=all", "--no-color"),
            *(f"--seed={SEED}", "--generation-deterministic"),
            f"--max-examples={examples}",
            *("--report=json", f"--report-json-path={report}"),
        ],
        cwd=ROOT,
        env={**os.environ, "ODOOPORT_KEY": service.key},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(report.read_text())
    assert (told["stop_reason"], told["failures"], told["errors"]) == (
        "completed",
        [],
        [],
    )
    assert {phase["status"] for phase in told["phases"].values()} == {"success"}
    operations, cases = told["operations"], told["test_cases"]
    assert operations["tested"] == operations["total"] == len(told["valid_rates"])
    assert cases["generated"] >= fewest
    never_done = [
        name
        for name, phases in told["valid_rates"].items()
        if not any(phase["accepted"] for phase in phases.values())
    ]
    assert never_done == []
    assert "internal" not in service.events
    summary.append(
        f"schemathesis {told['schemathesis_version']}: {cases['generated']} cases over "
        f"{operations['tested']} operations in {told['running_time']:.0f} s"
    )
