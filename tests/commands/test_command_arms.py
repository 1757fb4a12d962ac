"""`q1lab run study.toml`: somebody's own training loop, from a clean folder to a verdict."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands import _following
from q1lab.compare import comparison_cache, result_rows
from q1lab.compare.progress_figure import figure_lines, progress_lines, row_lines
from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.journal.study_view import read_view
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.picture import draw_comparison
from q1lab.study import studies
from q1lab.study.command_arms import CommandSpec, token_note
from q1lab.train import begin_study, launch, study_plan
from tests.kit import lab_home
from tests.kit.bundles import kept_folder
from tests.kit.commands import q1lab, study_toml
from tests.kit.comparisons import told
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.sample

LOOP = "any_loop.py"
PYTHON = shlex.quote(sys.executable)
COMMAND = f"{PYTHON} {LOOP} --seed={{seed}} --out={{out}} {{args}}"
FAST = ("run", "study.toml")


def fast(
    run: str = COMMAND, *, metric: str = "val/loss", better: str = "lower", **arms: str
) -> tuple[str, ...]:
    """Write a study.toml of the loop with one arm that is faster; returns the words that train
    it."""
    arms = arms or {"baseline": "", "fast": "--lr=0.05"}
    return study_toml(run, metric=metric, better=better, **arms)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the learner's loop; commands are typed there."""
    work = tmp_path / "theirs"
    work.mkdir()
    shutil.copy(Path(__file__).parents[1] / "kit" / LOOP, work)
    monkeypatch.chdir(work)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    fast()
    return work


def json_of(*words: str, code: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(q1lab(*words, "--json", code=code).stdout)
    return record


def loop_of(record: dict[str, Any]) -> dict[str, Any]:
    """The command, as the plan of a comparison's study has it."""
    loop: dict[str, Any] = studies.load(record["study"]).to_dict()["loop"]
    return loop


def test_from_a_clean_folder_to_a_verdict(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    record = json_of(*FAST, "--seeds", "4")
    assert record["verdict"] == "helps"
    assert record["metric"]["name"] == "val/loss"
    assert record["difference"]["headline"] == "paired"
    assert -0.1 < record["difference"]["mean"] < 0
    loop = loop_of(record)
    assert list(loop["inputs"]) == [LOOP]
    text = q1lab("compare", "fast-1", "--full").stdout
    assert "nats" not in text
    assert "fast's val/loss is" in text
    assert "did not check" in " ".join(text.split())
    # the same command again trains nothing, and neither does the study's name
    second = json_of(*FAST, "--seeds", "4")
    assert second == record == json_of("run", "fast-1")
    assert studies.ids() == ["fast-1"]
    refused = q1lab("run", "fast-1", "--preset", "gpu", code=2).stderr
    assert "fast-1" in refused
    assert "but --seeds" in refused


def test_a_metric_that_is_better_when_it_is_higher() -> None:
    words = COMMAND.replace("{args}", "--rising {args}")
    record = json_of(*fast(words, better="higher", baseline="", more="--lr=0.2"), "--seeds", "4")
    assert record["verdict"] == "helps"
    assert record["difference"]["mean"] > 0
    low, high = record["difference"]["paired"].values()
    assert 0 < low < record["difference"]["mean"] < high
    text = q1lab("compare", "more-1", "--full").stdout
    assert "above the baseline's" in " ".join(text.split())
    assert "higher is better" in text


def test_another_metric_of_the_same_command_is_another_look() -> None:
    first = json_of(*FAST, "--seeds", "3")
    second = json_of(*fast(metric="train/loss"), "--seeds", "3")
    assert (first["alpha"], second["alpha"]) == (0.05, 0.025)
    assert "half as often" in q1lab("compare", second["study"]).stdout


def test_every_place_names_the_metric_s_own_direction_and_no_unit(folder: Path) -> None:
    """An accuracy that its program calls ``val_loss``, in all that shows a study."""
    words = COMMAND.replace("{args}", "--rising --metric=val_loss {args}")
    arms = {"baseline": "", "more": "--lr=0.2", "most": "--lr=0.3"}
    record = json_of(*fast(words, metric="val_loss", better="higher", **arms), "--seeds", "4")
    names = [member["name"] for member in record["members"]]
    assert names == ["most", "more"], "the best of a series comes first"
    assert record["members"][1]["comparison"]["metric"] == {
        "name": "val_loss",
        "unit": "",
        "better": "higher",
    }
    q1lab("export", "more-1", "page.html")
    q1lab("compare", "more-1", "--plot", "figure.svg")
    q1lab("export", "more-1", "runs.csv")
    with Store() as store:
        lines = [line for line in result_rows.read_result_rows(store) if line.id == "more-1"]
        study = studies.load("more-1")
        comparison, view = comparison_cache.compare(store, study), read_view(store, study)
        svg = draw_comparison(
            comparison, comparison_cache.read_curves(store, study), "svg"
        ).decode()
    plots = (
        figure_lines(comparison, 80),
        row_lines(lines[0], 80),
        progress_lines(study, view.runs, 80),
    )
    places = {
        "series": q1lab("compare", record["series"]).stdout,
        "compare": q1lab("compare", "more-1", "--full").stdout,
        "page": Path("page.html").read_text().split("<svg")[0],
        "picture": " ".join(re.findall(">([^<]+)</text>", svg)),
        **{f"plot {n}": " ".join(plain_lines(plot)) for n, plot in enumerate(plots)},
    }
    for where, text in places.items():
        flat = " ".join(text.split())
        assert "nats" not in flat, where
        assert "lower is better" not in flat, where
        assert "faster start" not in flat, where
    assert all("higher is better" in places[where] for where in ("compare", "plot 0", "picture"))
    assert "more's val_loss is" in told(comparison)["answer"]
    rows = list(csv.DictReader(Path("runs.csv").read_text().splitlines()))
    assert {(row["metric"], row["unit"], row["better"]) for row in rows} == {
        ("val_loss", "", "higher")
    }
    assert all(float(row["value"]) > 0 for row in rows)


def test_a_range_of_a_command_stops_when_it_is_known() -> None:
    record = json_of(*FAST, "--seeds", "3..6")
    listed = q1lab("status").stdout
    assert "HELPS" in listed, "a range that stopped early is listed with its verdict"
    listing = json_of("status")
    assert listing["studies"][0]["verdict"] == "helps"
    assert listing["next"] == "q1lab compare fast-1"
    assert record["plan"]["pairs"] == [3, 6]
    assert record["difference"]["headline"] == "paired"
    assert record["verdict"] == "helps"


def test_several_arms_are_a_sweep() -> None:
    record = json_of(*fast(baseline="", fast="--lr=0.05", slow="--lr=0.3"), "--seeds", "3")
    assert [member["name"] for member in record["members"]] == ["fast", "slow"]


def test_a_study_toml_says_the_same(folder: Path) -> None:
    (folder / "data.txt").write_text("data")
    (folder / "study.toml").write_text(
        f"""[command]
run = '''{COMMAND}'''
resume = "--resume"
inputs = ["data.txt"]
metric = "val/loss"

[arm.baseline]
[arm.fast]
args = "--lr=0.05"
"""
    )
    record = json_of("run", "study.toml", "--seeds", "3")
    assert record["verdict"] in ("helps", "cannot tell")
    assert "data.txt" in loop_of(record)["inputs"]
    (folder / "data.txt").write_text("other data")
    other = json_of("run", "study.toml", "--seeds", "3")
    assert other["study"] == "fast-2"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
def test_what_a_command_starts_in_a_session_of_its_own_ends_with_it(folder: Path) -> None:
    (folder / "leaving.sh").write_text('setsid sleep 600 & echo $! >> pids\nexec "$@"\n')
    q1lab(*fast(f"sh leaving.sh {COMMAND}"))
    pids = [int(line) for line in (folder / "pids").read_text().split()]
    assert len(pids) >= 6
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_link_that_the_program_makes_in_its_own_folder_is_no_hindrance() -> None:
    """W&B makes one in each folder that it is given."""
    linking = (
        f"sh -c 'ln -sfn . \"$1/latest-run\"; exec {COMMAND.replace('{out}', '$1')}' sh {{out}}"
    )
    words = fast(linking)
    json_of(*words, "--seeds", "2")
    assert json_of(*words, "--seeds", "3")["study"] == "fast-1"


def test_killed_in_the_middle_it_goes_on(folder: Path) -> None:
    words = fast(COMMAND.replace("{args}", "--pause=0.2 {args}"))
    q1lab(*words, "--detach")
    wait_for(lambda: events("fast-1", "baseline-seed0").exists())
    q1lab("stop", "fast-1")
    assert not launch.is_alive(studies.load("fast-1").files)
    assert json_of("run", "fast-1")["complete"]


async def test_stopping_it_promises_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is stopped begins at its first step, unless it was said how it goes on."""
    says = "begins again"
    words = fast(COMMAND.replace("{args}", "--pause=0.2 {args}"))
    q1lab(*words, "--detach")
    study = studies.load("fast-1")
    resumable = replace(study.trainer.loop, resume="--resume")
    assert "keeps its folder" in replace(study.trainer, loop=resumable).when_stopped
    wait_for(lambda: events("fast-1", "baseline-seed0").exists())
    async with lab_home.app().run_test(size=(120, 40)) as pilot:
        screen = await lab_home.open_lab(pilot)
        await lab_home.until(pilot, lambda: screen.view is not None and screen.view.alive)
        await pilot.press("s")
        await lab_home.until(pilot, lambda: "fast-1 stopped" in lab_home.notices(pilot.app))
        assert "checkpoint" not in lab_home.notices(pilot.app)
        assert says in lab_home.notices(pilot.app)
    assert not launch.is_alive(study.files)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_following, "watch_study", interrupted)
    said = q1lab(*words, code=None).stderr
    assert says in said
    assert "checkpoint" not in said


def test_arguments_that_do_nothing_are_said_by_the_verdict() -> None:
    """The default, spelled out."""
    record = json_of(*fast(baseline="", same="--lr=0.1"), "--seeds", "4")
    assert (record["verdict"], record["reason"]) == ("no verdict", "equal")
    assert record["facts"][0]["key"] == "answer"


def test_a_command_names_its_seed() -> None:
    command = f"{PYTHON} {LOOP} {{args}}"
    assert "put {seed} where the seed goes" in q1lab(*fast(command), code=2).stderr
    assert studies.ids() == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("rope", "--metric", "m"), "--metric can only go with two commands"),
        (("rope", "--metric", "seconds"), "`q1lab compare STUDY --full` has their speed"),
        ((), "a VARIANT, "),
        (("study.toml", "--baseline", "x"), "leave --baseline out"),
        (("study.toml", "--metric", "m"), "leave --metric out"),
        (("study.toml", "rope"), "no arm called rope"),
        (("study.toml", "fast", "baseline"), "only one arm at a time"),
        (("study.toml", "--preset", "cpu"), "--preset is for"),
        (("study.toml", "--max-iters", "3"), "--max-iters is for"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], line: str) -> None:
    shown = q1lab("run", *words, code=2).stderr
    assert line in shown
    assert len(shown.strip().splitlines()) <= 2
    assert studies.ids() == []


TABLE, TWO = "[command]\nrun='true {seed}'\nmetric='loss'\n", "[arm.a]\n[arm.b]\nargs='x'"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[command", "Expected"),
        ("[comand]\nrun='x'", "'command'"),
        ("[command]\nrunn='x'\n[arm.a]\n[arm.b]", "'run'"),
        (f"{TABLE}[arm]\na=3\nb=4", "takes args"),
        (f"{TABLE}inputs='x'\n{TWO}", "is a list of files"),
        (f"{TABLE}better='up'\n{TWO}", "lower, higher"),
        (f"{TABLE}inputs=['no']\n{TWO}", "no: No such file"),
        (f"[command]\nrun=''\nmetric='loss'\n{TWO}", "the command is empty"),
        (f"[command]\nrun='no-such x'\nmetric='loss'\n{TWO}", "no-such: no such command"),
        (f"[command]\nrun='true'\n{TWO}", "say which number counts"),
        (f"{TABLE}[arm.a]", "two arms are compared"),
        (f"{TABLE}[arm.a]\n[arm.b]\nargs=' '", "the same command"),
        (f"{TABLE}[arm.a]\n[arm.'b c']", "an arm's name"),
        (
            f"{TABLE}[arm.a]\n[arm.{'b' * 90}]",
            "at most 40 letters, and 'bbbbbbbbbbbbbbbbbbbb'… has",
        ),
        (f"{TABLE}[arm.a]\n[arm.'速い']", "A to Z, digits"),
        (f"{TABLE}pattern='('\n{TWO}", "the metric's pattern '('"),
        (f"{TABLE}pattern='(x*)'\n{TWO}", "matches everything"),
        (f"{TABLE}pattern='x'\n{TWO}", "has no group for the number"),
    ],
)
def test_a_study_toml_with_senseless_values(folder: Path, text: str, line: str) -> None:
    (folder / "study.toml").write_text(text)
    shown = q1lab("run", "study.toml", code=2).stderr
    assert line in shown
    assert len(shown.strip().splitlines()) <= 2
    assert studies.ids() == []


def events(study: str, run: str) -> Path:
    return paths.study_dir(study) / "runs" / run / "events.jsonl"


def test_a_kept_study_trains_again_from_its_folder(folder: Path) -> None:
    for words in ("init -q", "config user.email a@example.org", "config user.name a"):
        subprocess.run(["git", *words.split()], check=True)
    first = json_of(*FAST)
    kept_folder("fast-1")
    kept_plan = (folder / "studies" / "fast-1" / "study.json").read_text()
    assert str(folder) not in kept_plan
    shutil.rmtree(paths.home())
    again = q1lab("run", "studies/fast-1", "--yes", "--json")
    second = json.loads(again.stdout)
    assert second["difference"]["pairs"] == first["difference"]["pairs"]
    assert "losses are equal" in again.stderr, "it says whether the study repeats"


def test_modification_md_says_how_its_runs_were_trained(folder: Path) -> None:
    """By two commands, and not by files that ship with q1lab."""
    subprocess.run(["git", "init", "-q"], check=True)
    json_of(*FAST, "--seeds", "3")
    q1lab("modification", "--no-commit")
    text = (folder / "MODIFICATION.md").read_text()
    baseline, fast = (f"`{arm.title}`" for arm in studies.load("fast-1").arms.values())
    commands = f"one of two commands, with its seed in place of {{seed}}: {baseline} and {fast}."
    assert commands in text
    assert "\nq1lab run studies/fast-1\n" in text
    assert "the folder `studies/fast-1` and, beside `studies`, the program that it names." in text
    assert "transformer" not in text.split("## The choice")[0]
    for false in (
        "ship with q1lab",
        "own implementation",
        "q1lab's file",
        "--data",
        "q1lab run fast",
    ):
        assert false not in text
    kept_folder("fast-1", commit=False)
    q1lab("modification", "--no-commit")
    text = (folder / "MODIFICATION.md").read_text()
    assert "\nq1lab run studies/fast-1\n" in text
    assert commands in text
    assert "model files" not in text


def test_a_stranger_verifies_it(folder: Path) -> None:
    for words in ("init -q", "config user.email a@example.org", "config user.name a"):
        subprocess.run(["git", *words.split()], check=True)
    json_of(*FAST)
    kept_folder("fast-1")
    shutil.rmtree(paths.home())
    record = json_of("verify", "studies/fast-1", "--all", "--yes")
    assert any("3 pairs" in words for words in record["done"])
    assert any("differ in lr: none, 0.05" in words for words in record["done"])
    assert len(record["trained"]) == 6
    assert "last bit" in record["done"][-1]
    loop = (folder / LOOP).read_text()
    (folder / LOOP).write_text(loop + "\n")
    record = json_of("verify", "studies/fast-1", "--yes", code=21)
    assert f"{LOOP} changed since" in record["unchecked"][0]
    (folder / LOOP).write_text(loop)
    json_of("run", "studies/fast-1", "--yes")
    file = events("fast-1", "modified-seed1")
    file_text = file.read_text()
    value = json.loads(file_text.splitlines()[-1])["val_loss"]
    file.write_text(file_text.replace(str(value), str(value - 0.001)))
    paths.database_file().unlink()  # the index follows what was written, not what was rewritten
    q1lab("export", "fast-1", "fast-1.zip")
    record = json_of("verify", "fast-1.zip", "--all", "--yes", code=21)
    assert "modified-seed1, trained again, ends at" in record["unchecked"][0]
    assert "whether its command repeats is not known" in record["unchecked"][0]


PROBE = """import json, os, sys
with open("seen.json", "w") as out:
    json.dump({"environment": dict(os.environ), "words": sys.argv[1:]}, out)
print("METRIC step=1 val/loss=" + sys.argv[1])
"""


def of_a_stranger(folder: Path, start: str | None = None) -> Path:
    """A kept study of a command that writes down what it is given; with ``start``, of one that starts
    elsewhere."""
    (folder / "probe.py").write_text(PROBE)
    command = f"{PYTHON} probe.py {{seed}} {{args}}"
    json_of(*fast(command), "--seeds", "2")
    subprocess.run(["git", "init", "-q"], check=True)
    kept_folder("fast-1", commit=False)
    (folder / "seen.json").unlink()
    place = folder / "studies" / "fast-1"
    if start is not None:
        plan = json.loads((place / "study.json").read_text())
        plan["loop"]["folder"] = start
        (place / "study.json").write_text(json.dumps(plan))
        record = json.loads((place / "bundle.json").read_text())
        sha256 = hashlib.sha256((place / "study.json").read_bytes()).hexdigest()
        record["files"]["study.json"] = sha256
        (place / "bundle.json").write_text(json.dumps(record))
    return place


@pytest.mark.parametrize("answer", ["", "no\n", "yes\n", "--yes"])
def test_a_strangers_command_is_shown_and_asked_about(
    folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = of_a_stranger(folder)
    for name in ("WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "GH_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    words = ("verify", str(place), "--all", *("--yes",) * (answer == "--yes"))
    done = q1lab(*words, code={"": 2, "no\n": 21}.get(answer, 0))
    assert f"starts in {folder}" in done.stderr
    assert f"modified-seed1: {PYTHON} probe.py 1 --lr=0.05" in done.stderr
    if "yes" not in answer:
        assert not (folder / "seen.json").exists()
        return
    seen = json.loads((folder / "seen.json").read_text())
    assert "secret" not in seen["environment"].values()
    assert {"PATH", "HOME", "CUDA_VISIBLE_DEVICES", "Q1LAB_SEED"} <= seen["environment"].keys()


@pytest.mark.parametrize("answer", ["", "no\n", "yes\n", "--yes"])
@pytest.mark.parametrize("location", ["studies/fast-1", "fast-1"])
def test_a_strangers_command_is_asked_about_before_it_trains(
    folder: Path, location: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_a_stranger(folder)
    q1lab("export", "fast-1", "fast-1.zip")
    shutil.rmtree(paths.home())
    if location == "fast-1":
        q1lab("restore", "fast-1.zip")
        events("fast-1", "modified-seed1").unlink()
        paths.database_file().unlink()  # the index would still know how the run ended
        with Store() as store, pytest.raises(study_plan.UnseenCommand):  # what `g` in the app does
            begin_study.resume_study("fast-1", store)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    words = ("run", location, *("--yes",) * (answer == "--yes"))
    done = q1lab(*words, code=0 if "yes" in answer else 2)
    assert (folder / "seen.json").exists() == ("yes" in answer)
    if answer != "--yes":
        assert f"starts in {folder}" in done.stderr
        assert f"modified-seed0: {PYTHON} probe.py 0 --lr=0.05" in done.stderr
    if "yes" in answer:  # it ran here now, and is not asked about again
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        q1lab("run", location)


@pytest.mark.parametrize("start", ["/", "..", "studies/../../away", "link"])
def test_a_strangers_command_starts_inside_its_repository(
    folder: Path, start: str, tmp_path: Path
) -> None:
    (tmp_path / "away").mkdir()
    (folder / "link").symlink_to(tmp_path / "away")
    record = json_of("verify", str(of_a_stranger(folder, start)), "--yes", code=21)
    assert "outside its repository" in record["unchecked"][-1]
    assert (record["trained"], record["refused"]) == ([], [])


def test_an_arm_is_predicted_and_the_prediction_scored() -> None:
    q1lab(
        *("predict", "fast", "--direction", "lower", "--size", "0.05", "--matters", "0.01"),
        *("--sure", "80%"),
    )
    record = json_of("run", "study.toml", "--seeds", "4")
    assert record["prediction"]["direction"] == "lower"
    text = " ".join(q1lab("compare", "fast-1", "--full").stdout.split())
    assert re.search(r"Predicted, 80% sure: .*val/loss.* 0\.05", text)
    assert "Right about the direction" in text
    assert "'slow'" in q1lab("predict", "slow", code=2).stderr


RESUMES = """
import pathlib, random, sys
seed, rate = int(sys.argv[1]), float(sys.argv[2])
state = pathlib.Path("checkpoints/last.txt")
value = 2.0
if state.exists():
    value = float(state.read_text())
    print("loaded checkpoints/last.txt")
for step in range(1, 4):
    value *= 0.98 + random.Random(f"{seed} {step}").gauss(0, 0.001)
    print(f"step {step} loss {value}")
state.parent.mkdir(exist_ok=True)
state.write_text(str(value))
"""
SILENT = (
    RESUMES.replace('print("loaded checkpoints/last.txt")', "pass")
    .replace("read_text()", "read_bytes()[1:]")
    .replace("write_text(str(value))", "write_bytes(bytes(1) + str(value).encode())")
)
BEST = (
    RESUMES.replace("if state.exists():", "if False:")
    + """
print("loading best from checkpoints/last.txt")
print(f"loss {float(state.read_text())}")
"""
)
SEEDLESS = """
import random, sys
draw = random.Random(0)
for step in range(1, 4):
    print(f"step {step} loss {2 / step + float(sys.argv[2]) * draw.random()}")
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (RESUMES, "it loaded checkpoints/last.txt, which another run of the study wrote"),
        (SILENT, "it read, and then wrote over, checkpoints/last.txt"),
        (SEEDLESS, "the seed does not reach the run"),
    ],
)
def test_runs_that_are_not_independent_end_the_study_without_a_verdict(
    folder: Path, program: str, said: str
) -> None:
    (folder / "train.py").write_text(program)
    words = (f"{PYTHON} train.py {{seed}} 1e-4", f"{PYTHON} train.py {{seed}} 1.0e-4")
    done = q1lab("run", *words, "--seeds", "8", "--name", "mine", code=None)
    assert "HELPS" not in done.stdout + done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
    (study,) = studies.ids()
    begun = [
        run
        for run in studies.load(study).runs
        if studies.load(study).files.run(run.name).events.exists()
    ]
    assert len(begun) <= 4, "it went on after its second pair"
    again = " ".join(q1lab("run", study, code=None).stderr.split())
    assert said in again, "typed again, it passes"
    assert "go on with" not in again, "it is said to go on as it is"


def test_a_run_that_loads_the_best_that_it_saved_is_independent(folder: Path) -> None:
    (folder / "train.py").write_text(BEST)
    words = (f"{PYTHON} train.py {{seed}} 1e-4", f"{PYTHON} train.py {{seed}} 2e-4")
    assert json_of("run", *words, "--seeds", "3")["verdict"] is not None


def test_verify_names_each_setting_in_which_commands_differ(folder: Path) -> None:
    json_of(*fast(baseline="--lr=0.1", tuned="--lr 0.05 --steps=5"), "--seeds", "3")
    q1lab("export", "tuned-1", "tuned.zip")
    record = json_of("verify", "tuned.zip", "--cells", "0", code=21)
    (said,) = [words for words in record["unchecked"] if "settings" in words]
    assert "lr: 0.1, 0.05" in said
    assert "steps: none, 5" in said, "a second change is passed over"


@pytest.mark.parametrize(
    ("word", "is_named"),
    [
        ("--metric=hf_AbCdEfGhIjKlMnOpQrSt", True),
        ("--out=https://alice:pass@example.org/x", True),
        ("--token=s3cretofmine", True),
        ("--max-token 1048576", False),
        ("--tokens=10000000000", False),
        ("--tokenizer=whitespace-a", False),
        ("--token={seed}-of-mine", False),
    ],
)
def test_what_looks_like_a_token_is_named_before_it_is_kept(word: str, is_named: bool) -> None:
    loop = CommandSpec("train {seed} {args}", {"a": "", "b": word}, "/p", "loss")
    said = token_note(loop)
    assert bool(said) == is_named, "a token is kept without a word, or no token is named"
    assert word[9:] not in said


def test_no_secret_of_a_remote_or_a_server_is_in_any_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    remote = "https://alice:hidden-t0ken@127.0.0.1:9/x.git"
    subprocess.run(["git", "remote", "add", "origin", remote], check=True)
    monkeypatch.setenv("WANDB_BASE_URL", "http://alice:hidden-t0ken@127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "hidden-t0ken" * 4)
    begun = q1lab(*FAST, "--seeds", "1", "--wandb", "online")
    assert "1 pair can't show how much seeds differ" in begun.stdout.partition("finished")[0]
    said = [begun.stdout, begun.stderr]
    for words in (
        *(("export", "fast-1", str(tmp_path / name)) for name in ("a.zip", "a.html", "a.csv", "a")),
        ("modification", "--yes", "--no-commit"),
        ("status", "fast-1", "--json"),
        ("verify", str(tmp_path / "a"), "--cells", "0"),
        ("attach", "fast-1", "--log"),
        ("doctor", "--json"),
        ("sync", "fast-1"),
    ):
        done = q1lab(*words, code=None)
        said += [done.stdout, done.stderr]
    shutil.unpack_archive(tmp_path / "a.zip", tmp_path / "unpacked")
    places = [*tmp_path.rglob("*"), *paths.home().rglob("*")]
    files = [place for place in places if place.is_file() and ".git" not in place.parts]
    assert any(file.name == "relay.log" for file in files)
    said += [file.read_bytes().decode(errors="replace") for file in files]
    assert not [text for text in said if "hidden-t0ken" in text]


def test_an_arm_against_itself_shows_the_noise(folder: Path) -> None:
    floor = json_of(*FAST, "baseline", "--seeds", "4")
    study = studies.load(floor["study"])
    assert (study.id, study.variant, study.is_floor) == ("baseline-1", "baseline*", True)
    base, modified = (floor["arms"][arm]["values"] for arm in studies.ARMS)
    assert not set(base.values()) & set(modified.values()), "no two runs share a seed"
    assert q1lab("compare", study.id).stdout.split()[:2] == ["NOTHING", "CHANGED"]
    assert json_of("run", study.id) == floor
    comparison = json_of(*FAST, "--seeds", "4")
    assert comparison["floor"] is not None
    again = json_of(*FAST, "fast", "--seeds", "2")
    assert studies.load(again["study"]).variant == "fast*"
    refused = q1lab(*fast(a="", b=""), code=2).stderr
    assert "the VARIANT a compares a with itself" in refused
