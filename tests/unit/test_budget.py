"""What the performance suite makes of figures; nothing here is timed."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

PERF = Path(__file__).parents[2] / "perf"
ENTRY = {"name": "a", "why": "because", "most": 1.0, "aim": 0.5}


@pytest.fixture
def perf(monkeypatch):
    """Answer how to import a benchmark's module, which is no part of a package."""
    monkeypatch.syspath_prepend(PERF)
    return importlib.import_module


@pytest.fixture
def budget(perf) -> ModuleType:
    return perf("budget")


@pytest.fixture
def suite(perf) -> ModuleType:
    return perf("suite")


@pytest.fixture
def judged(budget, perf):
    figure = perf("figures").Figure

    def judge(value, *, short=False, odoo=True, **entry):
        entries = [budget.Entry(**entry)]
        measured = [] if value is None else [figure(entry["name"], value, "x", "it")]
        (row,) = budget.judge(measured, entries, short=short, odoo=odoo)
        return row

    return judge


@pytest.fixture
def run(suite):
    def make(*rows, errors=()):
        return suite.Run(rows, {"cores": "2"}, errors, ["SKIPPED: <none>"])

    return make


def test_a_figure_over_its_budget_is_red(judged, run):
    row = judged(1.01, **ENTRY)
    assert row.verdict == "over its budget"
    assert run(row).is_red


def test_a_figure_under_its_budget_is_red(judged, run):
    row = judged(0.99, name="a", why="because", least=1.0)
    assert row.verdict == "under its budget"
    assert run(row).is_red


def test_a_figure_that_is_no_number_is_red(judged, run):
    assert run(judged(float("nan"), **ENTRY)).is_red
    assert run(judged(float("nan"), name="a", why="because", least=1.0)).is_red


def test_a_budgeted_figure_that_is_missing_is_red(judged, run):
    row = judged(None, **ENTRY)
    assert row.verdict == "missing"
    assert run(row).is_red


def test_a_benchmark_that_failed_is_red_whatever_was_measured(judged, run):
    assert run(judged(0.1, **ENTRY), errors=["guards failed"]).is_red


@pytest.mark.parametrize("value", [0.1, 0.5])
def test_a_figure_at_its_aim_is_green(judged, run, value):
    row = judged(value, **ENTRY)
    assert row.verdict == "ok"
    assert not run(row).is_red


@pytest.mark.parametrize("value", [0.51, 1.0])
def test_a_missed_aim_within_the_budget_is_shown_and_green(judged, run, value):
    row = judged(value, **ENTRY)
    assert row.verdict == "within its budget, misses its aim"
    assert not run(row).is_red


def test_a_missed_aim_from_below_is_shown(judged):
    row = judged(0.9, name="a", why="because", least=0.8, aim=1.0)
    assert row.verdict == "within its budget, misses its aim"


@pytest.mark.parametrize("value", [None, 9.0])
def test_the_short_form_judges_only_its_own_entries(judged, value):
    assert judged(value, short=True, **ENTRY).verdict == "not judged"


def test_the_short_form_goes_red_for_its_own_entries(judged, budget):
    entry = budget.Entry(**ENTRY | {"short": True})
    (row,) = budget.judge([], [entry], short=True, odoo=False)
    assert row.verdict in budget.RED


@pytest.mark.parametrize("value", [None, 9.0])
def test_what_needs_no_real_odoo_is_judged_without_one(judged, run, value):
    assert run(judged(value, odoo=False, **ENTRY)).is_red


def test_a_figure_for_a_real_odoo_is_not_judged_in_memory(budget, perf, suite):
    entry = budget.Entry(**ENTRY | {"odoo": True})
    measured = [perf("figures").Figure("a", 9.0, "x", "it")]
    for figures in ([], measured):
        rows = budget.judge(figures, [entry], short=False, odoo=False)
        assert [row.verdict for row in rows] == ["not judged"]
        assert "1 figures need a real Odoo" in suite.skipped(rows, "none")
    (row,) = budget.judge(measured, [entry], short=False, odoo=True)
    assert row.verdict == "over its budget"


def test_a_figure_that_was_measured_twice_is_judged_twice(budget, perf):
    figure = perf("figures").Figure
    twice = [figure("a", 9.0, "x", "it"), figure("a", 0.1, "x", "it")]
    rows = budget.judge(twice, [budget.Entry(**ENTRY)], short=False, odoo=True)
    assert [row.verdict for row in rows] == ["over its budget", "ok"]


def test_a_figure_without_a_budget_is_shown(budget, perf, run):
    measured = [perf("figures").Figure("b", 9.0, "x", "it")]
    (row,) = budget.judge(measured, [], short=False, odoo=True)
    assert row.verdict == "not judged"
    assert not run(row).is_red


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "a"\nmost = 1', "lacks why"),
        ('name = "a"\nwhy = " "\nmost = 1', "say why"),
        ('name = "a"\nwhy = "x"', "one of 'most' and 'least'"),
        ('name = "a"\nwhy = "x"\nmost = 1\nleast = 1', "one of 'most' and 'least'"),
        ('name = "a"\nwhy = "x"\nmost = 1\nmots = 2', "unknown: mots"),
        ('name = "a"\nwhy = "x"\nmost = 1\nshort = true\nodoo = true', "no real Odoo"),
    ],
)
def test_an_entry_that_is_not_whole_is_refused(budget, tmp_path, text, says):
    path = tmp_path / "budget.toml"
    path.write_text(f"[[figure]]\n{text}\n")
    with pytest.raises(ValueError, match=says):
        budget.read_budget(path)


def test_two_entries_for_one_figure_are_refused(budget, tmp_path):
    path = tmp_path / "budget.toml"
    path.write_text('[[figure]]\nname = "a"\nwhy = "x"\nmost = 1\n' * 2)
    with pytest.raises(ValueError, match="two entries"):
        budget.read_budget(path)


def test_every_figure_of_our_budget_has_a_reason_and_an_aim_within_it(budget, suite):
    entries = budget.read_budget(suite.BUDGET)
    assert any(entry.short for entry in entries)
    for entry in entries:
        assert entry.why.strip()
        if entry.aim is not None:
            assert entry.verdict(entry.aim) == "ok"


def test_the_report_for_programs_holds_what_was_judged(judged, run, suite):
    report = json.loads(suite.written_json(run(judged(2.0, **ENTRY))))
    assert report["red"] is True
    assert report["machine"] == {"cores": "2"}
    (row,) = report["rows"]
    assert row["verdict"] == "over its budget"
    assert row["figure"]["value"] == 2.0
    assert row["budget"]["why"] == "because"


def test_the_report_for_people_is_one_page_that_loads_nothing(judged, run, suite):
    missing = judged(None, **ENTRY)
    page = suite.written_html(run(missing, errors=["<b>failed"]), "load.html")
    assert "Performance: red" in page
    assert '<tr class="red"><td>a</td>' in page
    assert "&lt;b&gt;failed" in page
    assert "SKIPPED: &lt;none&gt;" in page
    assert '<a href="load.html">' in page
    assert "src=" not in page
    assert "http" not in page


def test_the_report_for_the_terminal_says_each_verdict(judged, run, suite):
    table = suite.written_table(run(judged(2.0, **ENTRY)))
    assert "2.000 x" in table
    assert "≤ 0.5" in table
    assert "over its budget" in table
    assert "figures: 1 over its budget" in table
