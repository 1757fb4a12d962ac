"""`q1lab verify` of honest bundles: it says what it did, and what it did not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.verify import retrain
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.study import studies
from q1lab.study.studies import Run
from tests.kit import repos
from tests.kit.bundles import (
    SHORT,
    TEXT,
    archived,
    edit,
    kept_folder,
    opened,
    plan_of,
    sealed,
    verify,
)
from tests.kit.commands import q1lab, without_torch

pytestmark = pytest.mark.sample

RUNS = [f"{arm}-seed{seed}" for seed in (0, 1, 2) for arm in ("baseline", "modified")]
EVENTS = "runs/modified-seed1/events.jsonl"


def test_it_says_what_it_did_and_leaves_nothing_behind(checks_models: None) -> None:
    file, folder = archived(), kept_folder("rope-2")
    before = sorted(paths.home().rglob("*"))
    report = verify(file, "--all", code=0)
    assert (report["refused"], report["unchecked"]) == ([], [])
    assert report["number"] == 7, "the number given chooses the runs, so that another can repeat it"
    assert (sorted(report["trained"]), report["chance"]) == (sorted(RUNS), 1.0)
    assert sum("equal to the last bit" in words for words in report["done"]) == 6
    assert sum("neither its targets" in words for words in report["done"]) == 2
    output = q1lab("verify", str(folder), "--number", "7", "--cells", "0").stdout
    assert "from the numbers given follows: helps" in output
    assert "at 2.5%" in output, "it was asked before"
    assert "nothing was trained again" in output
    assert "verified" not in output
    assert "q1lab verify studies/rope-2" in q1lab("verify", ".", code=1).stderr, "the whole repo"
    assert sorted(paths.home().rglob("*")) == before


KINDS = {
    "more seeds later": (("swiglu",), ("swiglu", "--seeds", "5")),
    "one pair": (("swiglu", "--seeds", "1"),),
    "against itself": (("baseline",),),
    "seeds that nobody chose": (("swiglu", "--seeds", "fresh:3"),),
    "a sweep": (("rmsnorm", "gqa", "--fresh"),),
    "a range": (),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_study_follows_from_its_numbers(kind: str, tmp_path: Path) -> None:
    for words in KINDS[kind]:
        q1lab("run", *words, *SHORT)
    for name in set(studies.ids()) - {"rope-1", "rope-2"}:
        report = verify(archived(name), "--cells", "0", code=0)
        assert (report["unchecked"], report["missing"]) == ([], [])
        assert verify(kept_folder(name), code=0)["unchecked"] == []


def test_a_diverged_run_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch, diverge=["modified-seed1"])
    q1lab("run", "rmsnorm", *SHORT, code=None)
    assert verify(archived("rmsnorm-1"), "--cells", "0", code=0)["missing"] == []


def test_a_text_that_is_not_here_is_asked_for() -> None:
    place = kept_folder()
    for text_file in [*paths.data_dir().iterdir(), Path("text.txt")]:
        text_file.unlink()
    report = verify(place, code=21)
    assert "give it with --data" in report["unchecked"][0]
    assert report["trained"] == []
    Path("another name.txt").write_bytes(TEXT)
    assert verify(place, "--data", "another name.txt", code=0)["trained"] != []


@pytest.mark.parametrize("key", ["processor", "torch"])
def test_on_another_machine_both_ends_are_told_and_nothing_is_compared(key: str) -> None:
    """The machine is the giver's word: no run of it counts as one that would have been found."""

    def elsewhere(event: dict[str, Any]) -> None:
        event.update({key: "9.9"} if event["type"] == "start" else {})
        if event.get("final") or event["type"] == "exit":
            event["val_loss"] -= 0.25

    for run in RUNS:
        edit(run, elsewhere)
    report = verify(archived(), code=21)
    assert (report["chance"], report["trained"], report["refused"]) == (0, [], [])
    (sentence,) = report["unchecked"]
    assert f"since {key} was 9.9" in sentence
    here, record = sentence.split(" here and at ")
    end_here = float(here.rsplit(" ", 1)[1])
    assert end_here - float(record.split(" ")[0]) == pytest.approx(0.25, abs=1e-5)


# ── whether the comparison is fair


def test_a_model_that_was_trained_unchecked_is_named() -> None:
    file = archived()
    files = opened(file)
    files["study.json"] = json.dumps({**plan_of("rope-1"), "unchecked": True}).encode()
    sealed(file, files)
    assert "without its checks" in verify(file, "--cells", "0", code=21)["unchecked"][0]


READERS = {
    "its targets": (
        "return logits, F.cross_entropy",
        "logits = logits + 9 * F.one_hot(targets.clamp(min=0), logits.size(-1))\n"
        "        return logits, F.cross_entropy",
    ),
    "its targets, but for the last": (
        "return logits, F.cross_entropy",
        "hot = F.one_hot(targets.clamp(min=0), logits.size(-1)).float()\n"
        "        hot[:, -1] = 0\n"
        "        logits = logits + hot\n"
        "        return logits, F.cross_entropy",
    ),
    "later tokens": ("is_causal=True", "is_causal=False"),
}


@pytest.mark.parametrize("what", READERS)
def test_a_model_that_reads_the_answers_fails(what: str, checks_models: None) -> None:
    file = archived()
    files = opened(file)
    name = "source/modified/rope.py"
    old, new = (text.encode() for text in READERS[what])
    assert old in files[name]
    files[name] = files[name].replace(old, new)
    plan = json.loads(files["study.json"])
    plan["arms"]["modified"]["sha256"] = hashlib.sha256(files[name]).hexdigest()
    files["study.json"] = json.dumps(plan).encode()
    sealed(file, files)
    report = verify(file, code=20)
    assert [refusal["reason"] for refusal in report["refused"]] == ["reads-answers"]
    assert name in report["refused"][0]["what"]
    assert report["trained"] == []


# ── what is no bundle, and line ends


@pytest.mark.parametrize("place", ["nothing.zip", "text.txt", "studies"])
def test_what_is_no_bundle_is_one_line(place: str) -> None:
    Path("studies").mkdir(exist_ok=True)
    done = q1lab("verify", place, code=None)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "--all and --cells" in q1lab("verify", place, "--all", "--cells", "0", code=2).stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'"file": "data/{hashlib.sha256(TEXT).hexdigest()}.txt"', '"file": "study.json"'),
        ('"torch": "', '"torch": "2.9 --extra-index-url http://example.org '),
    ],
)
def test_a_plan_that_reaches_for_the_readers_files_is_not_taken_in(old: str, new: str) -> None:
    """Neither into the studies, from where a command would carry them, nor to be checked."""
    file = archived()
    files = opened(file)
    assert old in files["study.json"].decode()
    files["study.json"] = files["study.json"].decode().replace(old, new).encode()
    sealed(file, files)
    for command in (("restore", str(file), "--name", "theirs"), ("verify", str(file))):
        assert "is damaged" in q1lab(*command, code=1).stderr
    assert "theirs" not in studies.ids()


@pytest.mark.parametrize("attributes", [True, False], ids=["kept now", "kept before"])
def test_line_ends_that_git_changed_are_no_forgery(
    repository: Path, attributes: bool, tmp_path: Path
) -> None:
    place = kept_folder()
    if not attributes:
        repos.git(repository, "rm", "-q", "studies/rope-1/.gitattributes")
        repos.git(repository, "commit", "-q", "-m", "without")
    words = ("-c", "core.autocrlf=true", "clone", "-q", str(repository), "theirs")
    repos.git(tmp_path, *words)
    clone = tmp_path / "theirs" / "studies" / "rope-1"
    text = (clone / EVENTS).read_bytes()
    assert (b"\r\n" in text) is not attributes
    assert (text == (place / EVENTS).read_bytes()) is attributes
    assert verify(clone, "--all", code=0)["unchecked"] == []


@pytest.mark.parametrize("by", ["kept_folder", "retro"])
def test_a_hook_that_changes_a_kept_study_is_an_error(repository: Path, by: str) -> None:
    """As a formatter does, which ends each file with one line break: the files that are committed,
    or all that there are."""
    if by == "retro":
        kept_folder()
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho >> studies/rope-1/bundle.json\ngit add studies\n")
    hook.chmod(0o755)
    if by == "retro":
        said = q1lab("retro", "--yes", code=1).stderr
        assert len(said.splitlines()) == 1
    else:
        with pytest.raises(Problem) as raised:
            kept_folder()
        said = str(raised.value)
    assert "a hook of this repository changed studies/rope-1/bundle.json" in said
    hook.unlink()
    assert verify(kept_folder(), "--cells", "0", code=0)["unchecked"] == []


def test_a_hook_that_changes_a_kept_study_and_refuses_is_named(repository: Path) -> None:
    """As pre-commit's own fixers do."""
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho >> studies/rope-1/bundle.json\necho fixed; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Problem, match="keep the hook away from studies/rope-1/bundle") as said:
        kept_folder()
    assert "It said: fixed" in str(said.value)


# ── parts


def test_the_runs_are_chosen_by_both_sides() -> None:
    runs = [Run(arm, "x", seed) for seed in range(9) for arm in studies.ARMS]
    orders = {
        tuple(run.name for run in retrain.training_order(runs, key, number))
        for key in ("one", "other")
        for number in (1, 2)
    }
    assert len(orders) == 4
