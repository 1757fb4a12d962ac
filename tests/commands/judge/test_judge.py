"""A verdict on numbers from elsewhere: read from any usual table, judged like a study of one's
own, and nothing kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy import stats

import q1lab
from q1lab.commands.cli import cli
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.judgment.tables.cells import MOST_RUNS
from q1lab.judgment.tables.found_runs import TableOptions
from q1lab.judgment.tables.sources import found_in_sources
from tests.kit.places import ROOT

BASE, MODIFIED = [1.91, 1.90, 1.92], [1.79, 1.80, 1.85]
TYPED = ["--baseline", "1.91,1.90,1.92", "--modified", "1.79, 1.80 1.85", "--better", "lower"]
LONG = "cfg,seed,val_loss\n" + "".join(
    f"{arm},{seed},{value}\n"
    for arm, values in (("baseline", BASE), ("rope", MODIFIED))
    for seed, value in enumerate(values)
)


def judged(*words: str, text: str | None = None) -> dict[str, object]:
    done = CliRunner().invoke(cli, ["judge", *words, "--json"], input=text)
    assert done.exit_code == 0, done.output
    record: dict[str, object] = json.loads(done.stdout)
    return record


def said(record: dict[str, Any]) -> dict[str, str]:
    """The sentences of a record by their keys."""
    return {fact["key"]: fact["text"] for fact in record["facts"]}


@pytest.mark.parametrize(
    ("text", "options", "headline"),
    [
        (LONG, [], "paired"),
        (LONG.replace(",", "\t"), [], "paired"),
        (LONG.replace("cfg", "optimizer").replace("baseline", "adam"), ["--baseline", "adam"], "paired"),
        ("a,b\n1.91,1.79\n1.90,1.80\n1.92,1.85\n", ["--baseline", "a", "--modified", "b"], "welch"),
        ("seed,baseline,b\n7,1.91,1.79\n8,1.90,1.80\n9,1.92,1.85\n", [], "paired"),
        (json.dumps({"baseline": BASE, "rope": MODIFIED}), [], "welch"),
        (json.dumps({"baseline": {"0": 1.91, "1": 1.9, "2": 1.92}, "r": {"2": 1.85, "0": 1.79, "1": 1.8}}), [], "paired"),
        ("arm,seed,step,bpb\n" + "".join(f"{a},{s},{i},{v + 9 - i}\n" for a, vs in (("baseline", BASE), ("x", MODIFIED)) for s, v in enumerate(vs) for i in (3, 9, 6)), [], "paired"),
    ],
    ids=["long", "tabs", "named", "columns", "columns by seed", "json lists", "json seeds", "steps"],
)  # fmt: skip
def test_every_usual_table_gives_the_same_difference(
    text: str, options: list[str], headline: str
) -> None:
    difference = judged("-", *options, "--better", "lower", text=text)["difference"]
    assert isinstance(difference, dict)
    assert difference["headline"] == headline
    assert difference["mean"] == pytest.approx(sum(MODIFIED) / 3 - sum(BASE) / 3)


def test_the_interval_is_scipy_s(home: Path) -> None:
    by_seed = q1lab.judge(dict(enumerate(BASE)), dict(enumerate(MODIFIED)))
    ends = stats.ttest_rel(MODIFIED, BASE).confidence_interval(0.95)
    assert by_seed.interval == pytest.approx((ends.low, ends.high))
    lists = q1lab.judge(BASE, MODIFIED)
    ends = stats.ttest_ind(MODIFIED, BASE, equal_var=False).confidence_interval(0.95)
    assert lists.interval == pytest.approx((ends.low, ends.high))
    assert lists.verdict == "helps"
    assert repr(lists).startswith("HELPS   modified − baseline = −0.097")
    assert repr(lists).endswith(".full()"), "in Python there is no command with --full"
    assert "<svg" in lists._repr_html_()
    assert lists.to_dict()["difference"]["mean"] == lists.difference
    higher = q1lab.judge(BASE, MODIFIED, metric="accuracy", better="higher")
    assert higher.verdict == "hurts"
    assert not [*paths.home().rglob("*.*")]


def test_every_form_says_that_it_is_exploratory() -> None:
    for form in ([], ["--full"]):
        done = CliRunner().invoke(cli, ["judge", *TYPED, *form])
        assert "xploratory" in done.output, form
    assert "exploratory" in said(judged(*TYPED))


def test_an_arm_s_name_is_whole_and_equal_differences_are_said() -> None:
    done = CliRunner().invoke(cli, ["judge", "-"], input=LONG.replace("rope", "lr/3e-4"))
    assert "lr/3e-4 − baseline = " in done.output
    rows = "".join(f"baseline,{i},1.{i}\nb,{i},2.{i}\n" for i in (2, 4, 6))
    record = judged("-", text=f"arm,seed,val_loss\n{rows}")
    assert "Every pair differs by exactly the same amount" in said(record)["answer"]


def test_a_run_that_diverged_is_not_left_out() -> None:
    record = judged("-", text=LONG.replace("1.85", "nan"))
    assert (record["verdict"], record["reason"]) == ("no verdict", "diverged")


def test_arms_of_other_seeds_are_compared_as_wholes() -> None:
    record = judged("-", text=LONG.replace("rope,2", "rope,5"))
    assert record["difference"]["headline"] == "welch"  # type: ignore[index]
    assert "Seeds 2, 5" in said(record)["unpaired"]


def test_more_runs_than_anybody_trains_are_refused() -> None:
    with pytest.raises(Problem, match=f"{MOST_RUNS:,}"):
        q1lab.judge([1.0] * (MOST_RUNS + 1), [1.0, 2.0])


def test_lists_that_begin_alike_are_judged_by_all_of_their_runs() -> None:
    judged = q1lab.judge([1.9, 1.91, 1.92], [1.9, 1.91, 1.92, 1.3, 1.2, 1.4, 1.3])
    assert judged.interval is not None
    assert "exactly the same" not in repr(judged)
    assert q1lab.judge([1.9, 1.91, 1.92], [1.9, 1.91, 1.92]).verdict == "no verdict"


@pytest.mark.parametrize("lost", [float("nan"), float("inf"), float("-inf"), None])
def test_a_number_that_is_not_finite_is_a_run_that_diverged(lost: float | None) -> None:
    assert "1 of 6 runs diverged" in repr(q1lab.judge([1.9, lost, 1.92], MODIFIED))


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ([1.9, 1e308, 1.92], "baseline: 1e+308 is too large to be a metric"),
        ([1.9, 10**400, 1.92], "is not a number"),
        ([1.9, "fast", 1.92], "baseline: 'fast' is not a number"),
        ({"a": 1.9, "b": 1.91, "c": 1.92}, "baseline: seed 'a' is not a whole number"),
        ({0.1: 1.9, 0.2: 1.91, 0.3: 1.92}, "baseline: seed '0.1' is not a whole number"),
    ],
)
def test_numbers_that_can_t_be_judged_are_named(baseline: Any, message: str) -> None:
    with pytest.raises(Problem, match=re.escape(message)):
        q1lab.judge(baseline, MODIFIED)


def test_a_table_is_refused_at_the_row_that_it_is_refused_for(tmp_path: Path) -> None:
    rows = [f"baseline,{seed},3.28\n" for seed in range(MOST_RUNS + 1)]
    (tmp_path / "runs.csv").write_text("arm,seed,val_loss\n" + "".join(rows) + "not,read\n")
    with pytest.raises(Problem, match=f"runs.csv:{MOST_RUNS + 2}: baseline has more than"):
        found_in_sources([str(tmp_path / "runs.csv")], TableOptions())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_thousands_of_runs_fit_in_a_small_memory() -> None:
    code = (
        "import q1lab; runs = {i: i % 97 * .01 for i in range(2000)};"
        "print(q1lab.judge(runs, {i: x + i % 7 * .01 for i, x in runs.items()}).verdict,"
        # ru_maxrss counts the process that forked, too
        "open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    verdict, kilobytes = done.stdout.split()
    assert verdict == "hurts"
    assert int(kilobytes) < 400_000


def test_it_loads_neither_torch_nor_wandb() -> None:
    code = (
        "import sys, q1lab; shown = q1lab.judge([1.9, 1.91], [1.8, 1.81]);"
        "print(repr(shown), shown._repr_html_());"
        "print([m for m in ('torch', 'wandb', 'textual', 'resvg_py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_readme_shows_what_judge_prints() -> None:
    words = ["--baseline", "1.91,1.90,1.92", "--modified", "1.89,1.91,1.90"]
    readme = (ROOT / "README.md").read_text()
    assert f"q1lab judge {' '.join(words)}" in readme
    assert CliRunner().invoke(cli, ["judge", *words]).output in readme


def test_runs_of_lists_have_the_number_of_their_row_in_every_sentence() -> None:
    base, changed = [1.5, 1.51, 1.49, 1.505, 1.495, 1.502], [1.4, 1.41, 1.39, 1.405, 1.395, 1.9]
    rows = " ".join(q1lab.judge(base, changed).full().split())
    assert "run 6 1.502 1.900" in rows
    assert "modified's run 6 (1.9) is an outlier" in rows
    assert "(modified, runs 2, 3)" in q1lab.judge(base, [1.4, None, None]).full()
