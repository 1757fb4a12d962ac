"""`q1lab gate`: proposals one after the other, with a real command, and what one must not get by."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import paths
from q1lab.index.store import Store
from q1lab.plugins.gate import gate_proposal, gate_rule
from q1lab.plugins.gate.gate_rule import GateRules
from q1lab.runner import launch
from q1lab.study import studies
from q1lab.study.studies import Study
from tests.commands.test_command_arms import (  # noqa: F401  (the fixture)
    COMMAND,
    LOOP,
    PYTHON,
    folder,
)
from tests.kit.commands import q1lab
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

BASE = ("gate", "--command", COMMAND, "--metric", "val/loss", "--arm", "baseline=--lr=0.1")
NOTHING, BETTER = "same=--lr=0.1001", "better=--lr=0.02"


def propose(arm: str, *more: str, code: int) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(
        q1lab(*BASE, "--arm", arm, *more, "--json", code=code).stdout
    )
    return outcome


@pytest.fixture(autouse=True)
def same_seeds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The seeds that are drawn are the same in each run of these tests."""
    monkeypatch.setattr(gate_proposal.secrets, "randbelow", random.Random(3).randrange)
    yield
    for study_id in studies.ids():
        launch.stop_study(studies.load(study_id))


def test_what_helps_is_kept_and_is_the_next_ones_baseline() -> None:
    first = propose(NOTHING, code=10)
    assert first["decision"] == "discard"
    assert (first["runs"], first["looks"]) == (5, {"used": 0, "of": 30})
    second = propose(BETTER, code=0)
    assert second["decision"] == "keep"
    assert second["bound"] < 0
    assert second["difference"] == pytest.approx(-0.08, abs=0.03)
    assert (second["name"], second["baseline"]) == ("better", "better")
    assert second["baseline_args"] == "--lr=0.02"
    third = propose("worse=--lr=0.05", code=10)
    study = studies.load(third["study"])
    assert study.baseline == "better"
    assert third["runs"] == 5  # the new baseline begins with runs of its own
    assert "1 of 3 kept" in q1lab("status").stdout
    assert "DISCARDED" not in q1lab("status").stdout
    assert q1lab("status", "--verbose").stdout.count("DISCARDED") == 2
    error = q1lab(*BASE, "--arm", BETTER, code=2).stderr
    assert "is the baseline" in error


def test_losses_are_shown_once_a_look_has_decided() -> None:
    name = propose(NOTHING, code=10)["study"]
    with Store() as store:
        rows = store.db.execute("SELECT train_loss, eval_loss, val_loss FROM runs").fetchall()
        assert {tuple(row) for row in rows} == {(None, None, None)}
        assert all(row["value"] is None for row in store.db.execute("SELECT value FROM metrics"))
    shown = q1lab("compare", name).stdout + q1lab("status").stdout
    assert "A gate judges" in " ".join(shown.split())
    losses = {f"{event['val_loss']:.3f}" for event in events(name) if "val_loss" in event}
    assert losses
    assert not any(loss in shown + q1lab("compare", name, "--json").stdout for loss in losses)
    better = propose(BETTER, code=0)["study"]
    assert "seed" in q1lab("compare", better).stdout
    outcome = json.loads(q1lab("compare", better, "--json").stdout)
    assert outcome["verdict"] == "no verdict"
    assert outcome["difference"]["mean"] < 0


def test_a_study_toml_has_the_baseline_alone(folder: Path) -> None:  # noqa: F811
    (folder / "study.toml").write_text(
        f"[command]\nrun = '''{COMMAND}'''\nmetric = 'val/loss'\n[arm.baseline]\n"
    )
    words = ("gate", "study.toml", "--arm", BETTER, "--json")
    assert json.loads(q1lab(*words).stdout)["decision"] == "keep"


def test_a_look_that_costs_too_much_waits_and_is_not_paid_for() -> None:
    outcome = propose(BETTER, "--max-cost", "6", code=11)
    assert outcome["decision"] == "more"
    assert outcome["needs"] >= 6
    assert outcome["looks"]["used"] == 0
    assert propose(BETTER, code=0)["study"] == outcome["study"]


def test_a_budget_that_is_spent_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = GateRules(looks=1, alpha=0.002)
    monkeypatch.setitem(gate_rule.RULES_BY_NUMBER, gate_rule.NEWEST, rules)
    assert propose(BETTER, code=0)["looks"] == {"used": 1, "of": 1}
    refused = propose("more=--lr=0.001", code=12)
    assert refused["decision"] == "refused"
    assert refused["runs"] == 0
    assert propose("more=--lr=0.001", "--budget", "other", code=0)["budget"] == "other"


def test_a_budget_keeps_the_rules_that_it_was_begun_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(gate_rule, "NEWEST", 1)
        name = propose(BETTER, code=0)["study"]
    assert "rule" not in json.loads((paths.study_dir(name) / "study.json").read_text())["gate"]
    first = propose("best=--lr=-0.06", code=0)
    assert first["level"] == pytest.approx(1 - 0.05 / 30)
    other = propose(BETTER, "--budget", "other", code=0)
    assert other["level"] == pytest.approx(1 - 0.04 / 30)


def test_nothing_is_given_back_by_deleting_a_study() -> None:
    name = propose(BETTER, code=0)["study"]
    q1lab("delete", name, "--yes")
    outcome = propose("last=--lr=0.0201", code=10)
    assert outcome["looks"]["used"] == 1
    assert outcome["baseline"] == "better"


def test_a_loop_that_is_killed_goes_on_and_pays_once(folder: Path) -> None:  # noqa: F811
    slow = BASE[2].replace("{args}", "--pause=0.05 {args}")
    words = [*BASE[:2], slow, *BASE[3:], "--arm", BETTER, "--json"]
    child = subprocess.Popen([sys.executable, "-m", "q1lab", *words], stdout=subprocess.PIPE)
    wait_for(lambda: used() == 1)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    outcome = json.loads(q1lab(*words).stdout)
    assert outcome["decision"] == "keep"
    assert outcome["looks"]["used"] == 1
    assert studies.ids() == ["better-1"]


def test_a_loop_that_is_killed_while_its_last_run_trains_waits_for_that() -> None:
    words = [*BASE, "--arm", f"{NOTHING} --pause=1", "--json"]
    child = subprocess.Popen([sys.executable, "-m", "q1lab", *words], stdout=subprocess.PIPE)
    wait_for(lambda: [*paths.studies_dir().glob("*/runs/modified-*/events.jsonl")])
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert json.loads(q1lab(*words, code=10).stdout)["decision"] == "discard"


def test_a_loop_that_is_killed_between_the_record_of_a_look_and_its_plan_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    save = studies.save

    def killed(study: Study) -> None:
        if len(study.design.batches) > 1:
            raise Killed
        save(study)

    words = [*BASE, "--arm", BETTER, "--json"]
    monkeypatch.setattr(studies, "save", killed)
    with pytest.raises(Killed):
        q1lab(*words)
    monkeypatch.setattr(studies, "save", save)
    assert used() == 1, "the look is paid for"
    assert json.loads(q1lab(*words).stdout)["decision"] == "keep"
    assert used() == 1


def used() -> int:
    with Store() as store:
        return gate_proposal.read_budget(store, "home").looks


def test_two_loops_do_not_spend_one_budget_at_once() -> None:
    slow = BASE[2].replace("{args}", "--pause=0.05 {args}")
    words = [*BASE[:2], slow, *BASE[3:], "--arm", BETTER, "--json"]
    other = (*words[:-2], NOTHING)
    child = subprocess.Popen([sys.executable, "-m", "q1lab", *words], stdout=subprocess.PIPE)
    wait_for(lambda: used() == 1)
    said = q1lab(*other, code=3).stderr.splitlines()
    assert len(said) == 1
    assert "another proposal to" in said[0]
    printed, _ = child.communicate()
    assert json.loads(printed)["looks"]["used"] == 1
    assert used() == 1
    assert studies.ids() == ["better-1"]


def test_another_command_is_another_budget() -> None:
    propose(NOTHING, code=10)
    words = (*BASE[:2], BASE[2] + " --rising", *BASE[3:], "--arm", BETTER)
    assert "opened with another" in q1lab(*words, code=2).stderr


def test_a_run_that_fails_is_tried_again(folder: Path) -> None:  # noqa: F811
    arm = "broken=--lr=0.02 --trouble=exit"
    shown = q1lab(*BASE, "--arm", arm, code=1).stderr
    assert "out of cheese" in shown
    assert "repeat the same command" in shown
    assert propose("lost=--trouble=nan", code=10)["decision"] == "discard"


def test_a_baseline_that_diverges_now_and_then_ends_no_night() -> None:
    """Those of its runs are left out; the others decide."""
    words = (*BASE[:5], "--arm", "baseline=--lr=0.1 --trouble=nan-at-some-seeds", "--arm", BETTER)
    outcome = json.loads(q1lab(*words, "--json").stdout)
    assert outcome["decision"] == "keep"
    runs = studies.load(outcome["study"]).files.root.glob("runs/baseline-*/events.jsonl")
    assert {json.loads(file.read_text().splitlines()[-1])["state"] for file in runs} == {
        *("finished", "diverged")
    }


FILES = ("gate", "--command", f"{PYTHON} {{args}} --seed={{seed}} --out={{out}}", *BASE[3:5])


def test_a_baseline_whose_file_was_edited_is_refused(folder: Path) -> None:  # noqa: F811
    base = (*FILES, "--arm", f"baseline={LOOP}", "--arm")
    q1lab(*base, f"same={LOOP} --lr=0.1001", code=10)
    as_judged = (folder / LOOP).read_text()
    better = as_judged.replace("default=0.1", "default=0.02")
    for edited in (better, None):
        if edited is None:
            (folder / LOOP).unlink()
        else:
            (folder / LOOP).write_text(edited)
        before = studies.ids()
        refused = q1lab(*base, f"better={LOOP} --pause=0", code=2).stderr
        assert f"{LOOP} has changed" in refused
        assert (studies.ids(), used()) == (before, 0)
    (folder / LOOP).write_text(as_judged)
    (folder / "idea.py").write_text(better)
    q1lab(*base, "better=idea.py")
    (folder / "idea.py").write_text(as_judged)
    refused = q1lab(*base, f"back={LOOP}", code=2).stderr
    assert "idea.py has changed" in refused
    assert "better was judged" in refused
    assert used() == 1


def test_a_baseline_with_other_arguments_is_refused() -> None:
    propose(NOTHING, code=10)
    words = (*BASE[:5], "--arm", "baseline=--lr=0.2", "--arm", BETTER)
    assert "with --lr=0.1" in q1lab(*words, code=2).stderr
    assert used() == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "study.toml: no such file"),
        ((*BASE[1:],), "two arms are compared"),
        ((*BASE[1:], "--arm", "a=--lr=1", "--arm", "b=--lr=2"), "one proposal"),
        (("--metric", "m"), "can only go with --command"),
        (
            (*BASE[1:], "--arm", BETTER, "--engine", "notebook"),
            "a command trains with --engine local",
        ),
        ((*BASE[1:], "--arm", BETTER, "--max-cost", "0"), "--max-cost"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], line: str) -> None:
    shown = q1lab("gate", *words, code=2).stderr
    assert line in shown
    assert len(shown.strip().splitlines()) == 1


def test_a_proposal_is_no_study_to_run_by_name() -> None:
    name = propose(NOTHING, code=10)["study"]
    assert "the `q1lab gate` that proposed same" in q1lab("run", name, code=2).stderr


def events(study: str) -> list[dict[str, Any]]:
    files = studies.load(study).files
    lines = [
        line
        for run in studies.load(study).runs
        for line in files.run(run.name).events.read_text().splitlines()
    ]
    return [json.loads(line) for line in lines]
