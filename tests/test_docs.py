"""The docs that commands make are as the commands would make them now, and links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from q1lab.judgment.intervals import (
    ALPHA,
    LOGNORMAL_FIXED,
    LOGNORMAL_RANGE,
    detectable_in_sd,
)
from tests.kit.places import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "content" / "README.md"]


@pytest.mark.needs_plugin
@pytest.mark.parametrize("name", ["keys", "commands"])
def test_a_generated_page_is_as_it_would_be_made_now(name: str) -> None:
    """In a process of its own: other tests leave commands imported and settings changed."""
    code = f"import make; print(make.{name}_text())"
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tools" / "docs"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert done.stdout.strip() in page, f"run: python tools/docs/make.py {name}"


def test_the_page_of_looks_is_as_its_results_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    looks = importlib.import_module("looks")
    for name, made in (("looks", looks.texts()), ("statistics", looks.statistics_texts())):
        page = (ROOT / "docs" / f"{name}.md").read_text()
        for block, text in made.items():
            generated = f"<!-- made: {block} -->\n{text}\n<!-- /made -->"
            assert generated in page, "run: python tools/docs/make.py looks"


def test_no_way_of_looking_claims_more_than_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apart from three standard errors of the simulation."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = importlib.import_module("looks")
    for group, printed in page.PRINTED.items():
        for row in page.rows(group):
            rate, bound = page.share(row["answers"]) / 100, row[printed]
            assert rate <= bound + 3 * (bound * (1 - bound) / row["weeks"]) ** 0.5, row["what"]


def test_pairs_correlate_between_budgets_as_the_simulation_says() -> None:
    losses: dict[tuple[str, int], dict[int, float]] = {}
    for line in (ROOT / "docs" / "results" / "card.jsonl").read_text().splitlines():
        if (run := json.loads(line))["kind"] == "run":
            losses.setdefault((run["model"], run["iters"]), {})[run["seed"]] = run["val_loss"]

    def differences(model: str, iters: int) -> list[float]:
        base = losses["baseline", iters]
        return [loss - base[seed] for seed, loss in sorted(losses[model, iters].items())]

    found = [
        statistics.correlation(differences(model, iters), differences(model, 2 * iters))
        for model, iters in losses
        if model != "baseline" and iters < 2000
    ]
    assert (len(found), round(statistics.fmean(found), 2), round(max(found), 2)) == (10, 0.26, 0.79)
    page = (ROOT / "docs" / "statistics.md").read_text()
    assert "correlate by 0.26" in page
    assert "correlate by 0.79" in page


def test_a_replication_finds_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = importlib.import_module("looks")
    words = " ".join((ROOT / "docs" / "statistics.md").read_text().split())
    first, second = (100 * page.claim_chance(2.0, alpha) for alpha in (0.05, page.SECOND_LOOK))
    assert f"three fresh pairs claim something in {first:.0f} of 100" in words
    assert f"not in the {second:.0f} of a second look" in words


def test_all_four_are_held_against_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    table = importlib.import_module("together").text()
    assert table in (ROOT / "docs" / "card.md").read_text(), (
        "run: python tools/docs/make.py together"
    )
    week = (ROOT / "content" / "session-b.md").read_text()
    for row in table.splitlines():
        assert row in week


def test_the_rates_of_broken_assumptions_are_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = importlib.import_module("assumed")
    assert page.text() in (ROOT / "docs" / "statistics.md").read_text(), (
        "run: python tools/docs/make.py assumed"
    )
    for rate, claims in ((LOGNORMAL_FIXED, (3, 5, 8, 12)), (LOGNORMAL_RANGE, (8, 12))):
        for most in claims:
            first = most if rate == LOGNORMAL_FIXED else 3
            assert page.claim_rate(
                "differences are lognormal, σ 0.5", first, most
            ) == pytest.approx(rate, abs=0.006)


def test_the_factors_of_an_estimated_spread_are_computed_again() -> None:
    page = " ".join((ROOT / "docs" / "statistics.md").read_text().split())
    factors = [
        detectable_in_sd(n, n, "paired", ALPHA, n - 1) / detectable_in_sd(n, n, "paired", ALPHA)
        for n in (3, 5, 8, 12)
    ]
    *others, last = (f"{factor:.2f}" for factor in factors)
    assert f"at 3, 5, 8 and 12 pairs that makes the figure {', '.join(others)} and {last}" in page


def test_what_a_page_says_was_measured_has_date_and_commit() -> None:
    """Its figures are of then; the script that made them may be gone since."""
    for name in (
        "card",
        "cost",
        "engines",
        "floor",
        "pairing",
        "performance",
        "reliability",
        "sample",
    ):
        page = (ROOT / "docs" / f"{name}.md").read_text()
        assert re.search(r"on\s20\d\d-\d\d-\d\d\sat\scommit\s[0-9a-f]{7}", page), name


def test_no_file_holds_the_marks_of_a_conflict() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", "^(<<<<<<<|>>>>>>>) "], cwd=ROOT, capture_output=True, text=True
    )
    assert not found.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_was_made(page: Path) -> None:
    for name, text in re.findall(
        r"<!-- made: (\w+) -->\n(.*?)<!-- /made -->", page.read_text(), re.DOTALL
    ):
        assert text.strip(), f"{page.name}: {name} was never made"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_example_names_a_number_that_the_giver_of_a_bundle_would_know(page: Path) -> None:
    """commands.md holds the examples of `q1lab verify --help`, too."""
    assert not re.search(r"--number[ =][0-9]", page.read_text())


def test_contributing_says_of_each_room_what_the_room_says_of_itself() -> None:
    rooms = dict(
        re.findall(r"^\| `(q1lab/\w+)` \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    )
    assert rooms == {
        f"q1lab/{file.parent.name}": (
            ast.get_docstring(ast.parse(file.read_text())) or ""
        ).partition("\n\n")[0]
        for file in (ROOT / "q1lab").glob("*/__init__.py")
    }
    lying = sorted(file.name for file in (ROOT / "q1lab").glob("*.py"))
    assert lying == ["__init__.py", "__main__.py"], "nothing but the entry point is in no room"
