"""Tables as people keep them, judged: a run that crashed, one that ended early, several arms, columns
that are no arms, and what can't be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.cli import run_command_line
from q1lab.ground import paths
from q1lab.judgment.intervals import power_of
from q1lab.study import studies
from tests.app.test_terminal import Terminal, start
from tests.commands.judge.test_judge import BASE, LONG, MODIFIED

__all__ = ["start"]
Out = pytest.CaptureFixture[str]
SEEDS = range(4)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def said(capsys: Out, *options: str, text: str, name: str = "runs.csv", code: int = 0) -> str:
    """What judge says of a file with this text; a refusal in one line."""
    file = paths.home().parent / name
    file.write_text(text)
    assert run_command_line(["judge", str(file), *options]) == code
    out, err = capsys.readouterr()
    assert code == 0 or len(err.splitlines()) == 1
    return out if code == 0 else err


def record(capsys: Out, *options: str, text: str, name: str = "runs.csv") -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(said(capsys, *options, "--json", text=text, name=name))
    return facts


# ── a run without its number


def wandb_table(state: str, cell: str) -> str:
    """A runs table as W&B exports it: of lion, seed 3 has this state and this number."""
    rows = [
        f'"{arm}-{seed}","{state if (arm, seed) == ("lion", 3) else "finished"}","{arm}","{seed}",'
        f'"{cell if (arm, seed) == ("lion", 3) else base + seed / 1000 + seed**2 / 9000}"'
        for arm, base in (("adamw", 0.90), ("lion", 0.91))
        for seed in SEEDS
    ]
    return "\n".join(['"Name","State","optimizer","seed","val/acc"', *rows]) + "\n"


@pytest.mark.parametrize(
    ("state", "cell", "why"),
    [
        ("crashed", "", "crashed"),
        ("finished", "", "no val/acc"),
        ("Killed by OOM", "0.95", "Killed by OOM"),
        ("failed", "0.000000", "failed"),
        ("finished", "NA", "no val/acc"),
        ("running", "0.93", "running"),
    ],
)
def test_a_run_without_its_number_is_not_left_out(
    state: str, cell: str, why: str, capsys: Out
) -> None:
    text = wandb_table(state, cell)
    short = said(capsys, "--baseline", "adamw", text=text)
    assert "NO VERDICT" in short
    assert f"1 of 8 runs has no result (lion, seed 3 ({why}))" in " ".join(short.split())
    assert "HELPS" not in short
    full = said(capsys, "--baseline", "adamw", "--full", text=text)
    assert re.search(r"^seed 3 +0\.\d+ +no number$", full, re.MULTILINE)
    assert "ran in one arm only" not in full


def test_a_run_without_its_number_is_named_in_json_lists_too(capsys: Out) -> None:
    text = json.dumps({"baseline": [*BASE, 1.9], "rope": [*MODIFIED, None]})
    lower = ["--better", "lower"]
    assert "rope, run 4 (no value)" in said(capsys, *lower, text=text, name="a.json")
    rows = [{"arm": a, "seed": s, "acc": None if s == 2 else s} for a in "ab" for s in range(3)]
    facts = record(capsys, "--baseline", "a", text=json.dumps(rows), name="a.json")
    assert facts["reason"] == "incomplete"
    assert facts["found"]["unfinished"] == ["a, seed 2 (no acc)", "b, seed 2 (no acc)"]


def test_a_crashed_run_that_was_trained_again_counts_once_and_is_said(capsys: Out) -> None:
    text = wandb_table("crashed", "") + '"lion-3b","finished","lion","3","0.915"\n'
    short = said(capsys, "--baseline", "adamw", text=text)
    assert "NO VERDICT" not in short
    assert "note: lion, seed 3, appears twice: one is not used (crashed)" in short


def test_a_column_of_states_may_say_diverged(capsys: Out) -> None:
    facts = record(capsys, "--baseline", "adamw", text=wandb_table("diverged", ""))
    assert (facts["reason"], facts["diverged"]["modified"]) == ("diverged", [3])


def test_names_in_brackets_are_printed_as_they_stand(capsys: Out) -> None:
    text = "arm,seed,[red]acc\n" + "".join(
        f"{a},{s},{s + (a > 'a')}\n" for a in "ab" for s in (1, 3, 4)
    )
    short = said(capsys, "--baseline", "a", "--better", "higher", text=text)
    assert "Metric: [red]acc, higher is better" in short


def test_a_blank_cell_in_a_column_of_an_arm_is_a_run_without_its_number(capsys: Out) -> None:
    arms = ["--baseline", "a", "--modified", "b", "--better", "lower"]
    rows = "seed,a,b\n0,1,2\n1,1.1,\n2,1.2,2.2\n3,1.1,2.1\n"
    assert "b, seed 1 (no value)" in said(capsys, *arms, text=rows)
    # the shorter of two lists has blanks at its end
    lists = record(capsys, *arms, text="a,b\n1,2\n1.1,2.1\n1.2,2.2\n1.3,\n")
    assert [len(arm["values"]) for arm in lists["arms"].values()] == [4, 3]
    assert "b, run 2 (no value)" in said(capsys, *arms, text="a,b\n1,2\n1.1,\n1.2,2.2\n")


# ── a run that ended early


def curves(arm: str, step: str, *, until: int = 19, extra: str = "") -> str:
    """Curves of two arms with a val loss at every tenth step; b, seed 2 ends early."""
    rows = [
        f"{name},{seed},{n // 10},{n},{3 - n / 25 + seed / 50},"
        f"{f'{3.1 - n / 25 + gain + seed**2 / 50}' if n % 10 == 9 else ''}{extra}"
        for name, gain in (("a", 0), ("b", -0.05))
        for seed in range(3)
        for n in range(50)
        if (name, seed) != ("b", 2) or n <= until
    ]
    return "\n".join([f"{arm},seed,epoch,{step},train_loss,val_loss", *rows]) + "\n"


@pytest.mark.parametrize(
    ("arm", "step"), [("arm", "step"), ("cfg", "iter"), ("optimizer", "Step"), ("model", "other")]
)
def test_a_run_that_ended_early_is_named_whatever_its_columns_are_called(
    arm: str, step: str, capsys: Out
) -> None:
    text = curves(arm, step)
    early, last = ("1", "4") if step == "other" else ("19", "49")
    options = ["--baseline", "a"]
    short = said(capsys, *options, text=text)
    assert f"The runs differ in last step ({early} in b, seed 2, {last} in 5 runs)" in short


def test_a_run_that_died_between_two_numbers_is_named(capsys: Out) -> None:
    short = said(capsys, "--baseline", "a", text=curves("arm", "step", until=45))
    assert "last step (39 in b, seed 2, 49 in 5 runs)" in short
    assert "last step" not in said(capsys, "--baseline", "a", text=curves("arm", "step", until=49))


def test_one_curve_an_arm_is_no_row_a_run(capsys: Out) -> None:
    rows = "".join(f"{arm},{n},{3 - n / 10}\n" for arm in "ab" for n in range(9))
    message = said(capsys, "--baseline", "a", text=f"arm,step,loss\n{rows}", code=2)
    assert "no column says which run a row is of" in message


def test_two_runs_under_one_seed_are_not_one_curve(capsys: Out) -> None:
    rows = "".join(f"{arm},0,9,{loss}\n" for arm, loss in (("a", 1), ("a", 2), ("b", 1)))
    message = said(capsys, "--baseline", "a", text=f"arm,seed,step,loss\n{rows}", code=2)
    assert "a, seed 0, ends at step 9 with two numbers" in message


def test_settings_that_differ_are_named(capsys: Out) -> None:
    rows = [
        f"{arm},{s},{rate},{1 + s**rate / 9}" for arm, rate in (("a", 1), ("b", 3)) for s in SEEDS
    ]
    text = "\n".join(["arm,seed,lr,loss", *rows])
    short = said(capsys, "--baseline", "a", text=text)
    assert "The runs differ in lr (1 in 4 runs, 3 in 4 runs)" in short


# ── several arms


ARMS = {"adamw": (0.90, 1), "lion": (0.904, 3), "muon": (0.93, 2), "sgd": (0.87, 4)}
MANY = "arm,seed,val_acc\n" + "".join(
    f"{arm},{seed},{mean + step * seed**2 % 7 / 1000}\n"
    for arm, (mean, step) in ARMS.items()
    for seed in range(5)
)


def test_several_arms_are_judged_in_one_table_at_a_shared_level(capsys: Out) -> None:
    text = said(capsys, "--baseline", "adamw", text=MANY)
    assert "3 modifications against adamw, 5 pairs each" in text
    assert [re.search(rf"^\d  {arm} +\w+", text, re.MULTILINE) for arm in ("muon", "lion", "sgd")]
    assert "Corrected for 3 comparisons (Bonferroni)" in text
    assert "98.33%" in text
    assert "Exploratory" in text
    facts = record(capsys, "--baseline", "adamw", text=MANY)
    assert facts["members"][0]["name"] == "muon"
    assert facts["correction"]["total"] == pytest.approx(0.05)
    for member in facts["members"]:
        assert member["comparison"]["alpha"] == pytest.approx(0.05 / 3)
    full = said(capsys, "--baseline", "adamw", "--full", text=MANY)
    assert full.count("interval (paired t)") == 3


def test_one_arm_chosen_out_of_several_is_judged_at_their_level(capsys: Out) -> None:
    chosen = ["--baseline", "adamw", "--modified", "muon"]
    text = said(capsys, *chosen, text=MANY)
    assert "3 arms are compared with one baseline and share one 5% error rate." in text
    assert "95% interval" not in said(capsys, *chosen, "--full", text=MANY)


def test_more_arms_than_a_level_is_shared_by_are_refused(capsys: Out) -> None:
    text = "arm,seed,loss\n" + "".join(f"a{n},0,{n}\n" for n in range(26))
    assert "25 arms besides a0" in said(capsys, "--baseline", "a0", text=text, code=2)


# ── columns that are no arms

RESULTS = """\
commit\tval_bpb\tmemory_gb\tstatus\tdescription
a1b2c3d\t0.997900\t44.0\tkeep\tbaseline
b2c3d4e\t0.993200\t44.2\tkeep\tincrease LR to 0.04
c3d4e5f\t1.005000\t44.0\tdiscard\tswitch to GeLU activation
d4e5f6g\t0.000000\t0.0\tcrash\tdouble model width (OOM)
"""


@pytest.mark.parametrize("options", [[], ["--baseline", "val_bpb"]])
def test_two_columns_of_numbers_are_no_arms(options: list[str], capsys: Out) -> None:
    message = said(capsys, *options, text=RESULTS, name="results.tsv", code=2)
    assert "no column says which arm a row is of" in message
    assert "--arm-key COLUMN" in message
    assert "--baseline COLUMN --modified COLUMN" in message
    assert "say --baseline NAME" not in message


# ── words


def test_unequal_arms_are_said_to_claim_more_often(capsys: Out) -> None:
    many = ",".join(f"{8 + k % 5 / 50}" for k in range(16))
    lists = ["--better", "lower", "--baseline", "9.1,9.3,9.2", "--modified"]
    assert run_command_line(["judge", *lists, many]) == 0
    out = capsys.readouterr().out
    rate = 100 * power_of(0.0, 3, 16, "welch", 0.05)
    assert 7 < rate < 7.5
    assert f"With no true difference, up to {rate:.3g} in 100 such studies would claim" in out
    assert run_command_line(["judge", *lists, "8.01,8.0,8.02"]) == 0
    assert "With no true difference, up to 5 in 100" in capsys.readouterr().out


def test_a_table_of_unequal_arms_names_the_smallest_and_the_largest(capsys: Out) -> None:
    rows = ["arm,mean,std,n", "baseline,1.5,0.01,5", "new,1.4,0.01,3", "third,1.42,0.02,8"]
    options, text = ("--better", "lower"), "\n".join(rows)
    out = said(capsys, *options, text=text)
    assert "2 modifications against baseline, 3 to 8 runs each" in out, (
        "the smaller arm stood for both"
    )
    members = record(capsys, *options, text=text)["members"]
    sizes = [[arm["n"] for arm in each["comparison"]["arms"].values()] for each in members]
    assert sizes == [[5, 3], [5, 8]]


def test_lists_have_no_pairs(capsys: Out) -> None:
    for modified in ("9.1,9.25,9.2", "9.1,9.3,9.2"):
        words = ["judge", "--better", "lower", "--baseline", "9.1,9.3,9.2", "--modified", modified]
        for form in ([], ["--full"]):
            assert run_command_line([*words, *form]) == 0
            assert "pair" not in capsys.readouterr().out.replace("paired", "")


# ── tables that can't be read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arm,seed,val_loss\na,0,1.9\na,1,1.8\n", ("one arm", "a")),
        ("arm,seed,val_loss\nbaseline,0,1.9\nb,0,fast\n", (":3", "'fast'")),
        ("arm,seed,val_loss\nbaseline,0,=cmd|' /C calc'!A0\nb,0,1\n", (":2", "=cmd")),
        ("arm,seed,val_loss\nbaseline,0,1.9\nbaseline,0,1.8\nb,0,1\n", (":3", "seed 0 twice")),
        ("arm,seed,val_loss\nbaseline,0,1.9\nb,zero,1\n", (":3", "'zero'")),
        ("arm,seed,quux\nbaseline,0,1.9\nb,0,1\n", ("quux", "--better lower")),
        ("arm,seed,x,y\nbaseline,0,1.9,1\nb,0,1,1\n", ("x, y", "--metric")),
        ("arm,seed,val_loss\na,0,1\nb,0,1\nc,0,1\n", ("a, b, c", "--baseline")),
        ("arm,seed,val_loss\nbaseline,0\n", (":2", "2 cells")),
        ("arm,seed,val_loss\n", ("no rows",)),
        ('{"baseline": [1, 2', ("not complete JSON",)),
        ("", ("empty",)),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), ("no",)),
        (LONG[: LONG.rindex(",")], (":7", "2 cells where the header has 3", "whole")),
        (LONG.replace("1.85", '"1.85'), (":7", "end of data")),
        (LONG.replace("1.85", "1.85 nats"), (":7", "'1.85 nats' is not a number", "1234.5")),
        (LONG.replace("1.85", "1.85%"), (":7", "'1.85%' is not a number", "1234.5")),
        (LONG.replace("1.85", "1,234.5"), (":7", "4 cells", "quoted")),
        (LONG.replace("\n", "\ncfg,seed,val_loss\n", 1), (":2", "the header again")),
        (LONG.replace("\n", "\n,,nats\n", 1), (":2", "cfg is empty")),
        (",,val_loss,val_loss\n" + LONG, ("two columns have the same name", "one header row")),
        (LONG.replace("rope", "x" * 5000), (":5", "5,000 characters", "200")),
        (LONG.replace("rope", "\u200b\u2060"), (":5", "cfg is not printable")),
        (LONG.replace("rope,1", "rope\u200b,0"), ("rope has seed 0 twice",)),
        (LONG.replace("rope", "baseline\u200b"), ("baseline has seed 0 twice",)),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_line(
    text: str, words: tuple[str, ...], capsys: Out
) -> None:
    message = said(capsys, text=text, code=2)
    assert all(word in message for word in words), message
    assert studies.ids() == []


@pytest.mark.parametrize(
    "name",
    ["é" * 200, "👩‍🔬" * 30, "r\u200bope", "=cmd|' /C calc'!A0"],
    ids=["accents", "emoji", "no width", "formula"],
)
def test_a_long_or_odd_name_is_a_name(name: str, capsys: Out) -> None:
    facts = record(capsys, text=LONG.replace("rope", name))
    assert facts["verdict"] == "helps"
    assert facts["variant"].startswith(name[:1])
    assert "\u200b" not in facts["variant"]


def test_a_terminal_asks_for_metric_and_direction(
    start: Callable[..., Terminal], tmp_path: Path
) -> None:
    rows = [f"{arm},{seed},{10 + seed},{seed + 2 * (arm == 'b')}" for arm in "ab" for seed in SEEDS]
    (tmp_path / "runs.csv").write_text("\n".join(["arm,seed,quux,blip", *rows]))
    terminal = start("judge", str(tmp_path / "runs.csv"), "--baseline", "a", columns=80, lines=24)
    terminal.sees("which column is the metric?", "quux  10, 11, 12", "blip  0, 1, 2")
    terminal.press("\x1b[B\r")
    terminal.sees("blip: is lower better, as of a loss, or higher")
    terminal.press("\r")  # says neither
    terminal.press("higher\r")
    terminal.sees("Metric: blip, higher is better (--metric, --better).")


@pytest.mark.parametrize(
    ("difference", "below"),
    [
        ("Δ loss", "| **mean** | 1.91 ± 0.01 | **1.81 ± 0.03** | −0.10 |\n"),
        ("Delta", "| mean | 1.91 | 1.81 | −0.10 |\n| std | 0.01 | 0.03 | 0.04 |\n"),
        ("diff", "| all 3 | 1.91 | 1.81 | p = 0.03 |\n"),
        ("Differenz", "| Mittelwert | 1.91 | 1.81 | 0 |\n| Écart-type | 0.01 | 0.03 | 0 |\n"),
    ],
)
def test_rows_that_sum_up_and_a_column_of_differences_are_no_runs(
    difference: str, below: str, capsys: Out
) -> None:
    table = f"| seed | baseline | new | {difference} |\n|---|---|---|---|\n"
    table += (
        "| 1 | 1.91 | 1.79 | −0.12 |\n| 2 | 1.90 | 1.80 | −0.10 |\n| 3 | 1.92 | 1.85 | −0.07 |\n"
    )
    out = said(capsys, "--better", "lower", text=table + below, name="runs.md")
    assert "baseline (3 runs), new (3 runs)" in out, "a summary or a difference was taken for runs"
    assert f"the columns' names without {difference} (" in out, "a column was left out in silence"
    assert "(lower is better; 3 pairs)" in out, "the rows of one seed were not read as pairs"
    assert "from column seed without " in out, "rows were left out in silence"


def test_a_constant_difference_does_not_blame_a_seed_that_reaches_the_runs(capsys: Out) -> None:
    text = "seed,baseline,new\n1,1.50,1.75\n2,1.25,1.50\n3,1.00,1.25\n"
    out = said(capsys, "--better", "lower", text=text)
    assert "NO VERDICT" in out, "a difference without any spread got a verdict"
    assert "Check that the seed reaches" not in out, "runs that differ by seed were said not to"


def test_several_arms_that_only_their_means_are_known_of_are_ranked(capsys: Out) -> None:
    rows = "baseline,6.76,2.42,6\na,9.03,4.12,6\nb,6.97,0.83,6\n"
    out = said(capsys, "--better", "lower", text=f"arm,mean,sd,n\n{rows}")
    assert "2 modifications against baseline" in out, "means with sd and n were called single runs"
