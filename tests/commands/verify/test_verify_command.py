"""`q1lab verify`: honest bundles are verified, and forged ones are refused by name, also where the
forger has made every hash anew."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.verify import bundle_check, foreign_commits, retrain
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.record.declarations import declared_name
from q1lab.study import bundle, studies
from q1lab.study.bundle import DECLARATIONS
from q1lab.study.studies import Run
from q1lab.verdict.claim import Claim
from tests.kit import lab_home, repos, traps
from tests.kit.bundles import (
    archived,
    edit,
    kept_folder,
    opened,
    reasons,
    redeclared,
    remade,
    sealed,
    verify,
)
from tests.kit.commands import q1lab, without_torch

pytestmark = pytest.mark.sample

TEXT = b"To be, or not to be, that is the question.\n" * 200
HELD_ONCE = "commits here that hold it: 1, all with these results"
RUNS = [f"{arm}-seed{seed}" for seed in (0, 1, 2) for arm in ("baseline", "modified")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two studies of one question, and a repository of the learner's."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        without_torch(patch)
        repos.prepare(folder, {"text.txt": TEXT}, patch)
        for more in ((), ("--fresh",)):
            q1lab("run", "rope", "--data", "text.txt", "--set", "max_iters=40", *more)
    return folder


@pytest.fixture(autouse=True)
def trained(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them; returns the repository."""
    without_torch(monkeypatch)
    return repos.copied(prepared, tmp_path, monkeypatch)


# ── honest


def test_an_honest_bundle_is_verified_and_leaves_nothing_behind() -> None:
    file, folder = archived(), kept_folder("rope-2")
    before = sorted(paths.home().rglob("*"))
    first = verify(file, "--all", code=0)
    assert (first["refused"], first["unchecked"], first["chance"]) == ([], [], 1.0)
    assert sorted(first["trained"]) == sorted(RUNS)
    assert sum("last bit" in words for words in first["passed"]) == 6
    output = q1lab("verify", str(folder), "--number", "7").stdout
    assert "after 1 earlier look" in output
    assert HELD_ONCE in output
    assert "found in 17%" in output
    assert output.endswith("rope-2: verified\n")
    assert q1lab("verify", "studies/rope-2", "--cells", "0").stdout.endswith("without training\n")
    assert "q1lab verify studies/rope-2" in q1lab("verify", ".", code=1).stderr, "the whole repo"
    assert sorted(paths.home().rglob("*")) == before


def test_a_series_and_a_range_that_was_over_early_are_verified() -> None:
    """Those of a series share their 5%, and none is a later look of another."""
    q1lab("run", "swiglu", "--data", "text.txt", "--over", "max_iters=20,40")
    q1lab("run", "rope", "--data", "text.txt", "--seeds", "3..5", "--set", "max_iters=30")
    for name in ("swiglu-1", "swiglu-2", "rope-3"):
        assert verify(archived(name), "--cells", "0", code=0)["unchecked"] == []
        assert verify(kept_folder(name), "--cells", "0", code=0)["unchecked"] == []


PREDICT = (
    *("predict", "swiglu", "--direction", "lower", "--size", "0.02", "--matters", "0.01"),
    *("--sure", "80%"),
)
KINDS = {
    "predicted": (PREDICT, ("run", "swiglu")),
    "predicted, and again": (("run", "swiglu"), PREDICT, ("run", "swiglu", "--seeds", "5")),
    "more seeds later": (
        (
            "run",
            "swiglu",
        ),
        ("run", "swiglu", "--seeds", "5"),
    ),
    "one pair, then more": (("run", "swiglu", "--seeds", "1"), ("run", "swiglu", "--seeds", "4")),
    "one pair": (("run", "swiglu", "--seeds", "1"),),
    "against itself": (
        (
            "run",
            "baseline",
        ),
    ),
    "welch": (("run", "swiglu", "--headline", "welch"),),
    "seeds that were picked": (("run", "rope", "--seeds", "1,2,5"),),
    "seeds that nobody chose": (("run", "swiglu", "--seeds", "fresh:3"),),
    "a sweep": (("run", "rmsnorm", "gqa"),),
    "a question that was tuned": (("run", "swiglu", "--tune", "learning_rate"),),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_study_is_verified(kind: str) -> None:
    for words in KINDS[kind]:
        more = ("--data", "text.txt", "--set", "max_iters=20") if words[0] == "run" else ()
        q1lab(*words, *more, code=None)
    q1lab("delete", "rope-2", "--yes")
    for name in set(studies.ids()) - {"rope-1"}:
        report = verify(archived(name), "--cells", "0", code=0)
        assert report["unchecked"] == []
    assert verify(kept_folder(name), code=0)["unchecked"] == []


def test_the_declarations_lie_in_the_folder_and_no_commit_names_them(trained: Path) -> None:
    folder = kept_folder("rope-2")
    lines = (folder / DECLARATIONS).read_text().splitlines()
    declared = [json.loads(line)["study"] for line in lines]
    plans = [studies.load(name) for name in ("rope-1", "rope-2")]
    assert declared == [declared_name(plan.id, plan.created) for plan in plans]
    q1lab("modification", "rope", "--yes")
    text = (trained / "MODIFICATION.md").read_text()
    assert "`q1lab verify studies/rope-2`" in text
    assert "ournal" not in text
    assert not re.search("[0-9a-f]{64}|ournal", repos.git(trained, "log", "--format=%B"))


@pytest.mark.parametrize("by", ["kept_folder", "retro"])
def test_a_hook_that_changes_a_kept_study_is_an_error(trained: Path, by: str) -> None:
    """As a formatter does, which ends each file with one line break: the files that are committed,
    or all that there are."""
    if by == "retro":
        kept_folder()
    hook = trained / ".git" / "hooks" / "pre-commit"
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


def test_a_hook_that_changes_a_kept_study_and_refuses_is_named(trained: Path) -> None:
    """As pre-commit's own fixers do."""
    hook = trained / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho >> studies/rope-1/bundle.json\necho fixed; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Problem, match="keep the hook away from studies/rope-1/bundle") as said:
        kept_folder()
    assert "It said: fixed" in str(said.value)


def test_what_cannot_be_checked_is_said() -> None:
    file = archived()
    files = opened(file)
    del files[DECLARATIONS]
    sealed(file, files)
    assert "no declarations" in verify(file, "--cells", "0", code=21)["unchecked"][0]
    place = kept_folder()
    for text_file in [*paths.data_dir().iterdir(), Path("text.txt")]:
        text_file.unlink()
    report = verify(place, code=21)
    assert "give it with --data" in report["unchecked"][0]
    assert report["trained"] == []


@pytest.mark.parametrize("place", ["nothing.zip", "text.txt", "studies"])
def test_what_is_no_bundle_is_one_line(place: str) -> None:
    Path("studies").mkdir()
    done = q1lab("verify", place, code=None)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "--all and --cells" in q1lab("verify", place, "--all", "--cells", "0", code=2).stderr


def test_a_claim_without_an_interval_shows_none() -> None:
    study = lab_home.make_study("equal-1")
    equal = Claim("no verdict", "paired", 3, 0.05, mean=0.0)
    assert bundle_check._describe_claim(equal, study) == "no verdict, +0.00000, 3 pairs"
    wide = Claim("cannot tell", "paired", 3, 0.05, mean=0.0, ends=(-1.0, 1.0))
    said = "cannot tell, +0.00000 (-1.00000 to +1.00000), 3 pairs"
    assert bundle_check._describe_claim(wide, study) == said


def test_the_runs_are_chosen_by_both_sides() -> None:
    runs = [Run("baseline", "", seed) for seed in range(6)]
    firsts = [retrain.training_order(runs, "key", number)[0].seed for number in range(6000)]
    shares = [firsts.count(seed) / 6000 for seed in range(6)]
    assert all(abs(share - 1 / 6) < 0.02 for share in shares)
    assert retrain.training_order(runs, "key", 1) != retrain.training_order(runs, "other", 1)


# ── repositories of others


@pytest.mark.parametrize("kind", traps.TRAPS)
def test_no_setting_of_a_foreign_repository_starts_a_program(
    trained: Path, kind: str, tmp_path: Path
) -> None:
    place, trap = kept_folder(), traps.TRAPS[kind]
    sprung = traps.armed(trained, trap, tmp_path)
    report = verify(place, "--cells", "0", code=21 if trap.partial else 0)
    assert not sprung.exists()
    if trap.partial:
        assert "git cannot read" in report["unchecked"][0]
    else:
        assert HELD_ONCE in report["passed"]


def git_of(where: str, origin: Path, folder: Path) -> Path:
    """A repository with the commits of another, in one of the forms that git has for it."""
    how = {"shallow": ("--depth", "1"), "shared": ("--shared",)}.get(where, ())
    clone = folder / 'with "quotes" and \\'
    repos.git(folder, "clone", "-q", *how, f"file://{origin}", clone.name)
    if where == "packed":
        repos.git(clone, "gc", "-q")
        assert not list((clone / ".git" / "refs" / "heads").iterdir())
    elif where == "detached":
        repos.git(clone, "checkout", "-q", "--detach")
        repos.git(clone, "branch", "-D", "main")
        repos.git(clone, "remote", "remove", "origin")
    elif where == "work tree":
        repos.git(clone, "worktree", "add", "-q", "--detach", "../tree")
        return folder / "tree"
    elif where == "submodule":
        outer = repos.begun(folder / "outer")
        words = ("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(clone), "inner")
        repos.git(outer, *words)
        return outer / "inner"
    return clone


@pytest.mark.parametrize(
    "where",
    ["plain", "packed", "shallow", "shared", "detached", "work tree", "submodule"],
)
def test_commits_are_read_in_every_form_of_a_repository(
    trained: Path, where: str, tmp_path: Path
) -> None:
    """Of rope-2, a commit in the middle has other results: only a shallow clone lacks it."""
    kept_folder()
    events = kept_folder("rope-2") / EVENTS
    true_text = events.read_bytes()
    for text in (true_text.replace(b'"val_loss": 1.', b'"val_loss": 0.'), true_text):
        events.write_bytes(text)
        repos.git(trained, "commit", "-q", "-a", "-m", "results")
    clone = git_of(where, trained, tmp_path)
    assert HELD_ONCE in verify(clone / "studies/rope-1", "--cells", "0", code=0)["passed"]
    is_shallow = where == "shallow"
    report = verify(clone / "studies/rope-2", "--cells", "0", code=0 if is_shallow else 20)
    assert (HELD_ONCE in report["passed"]) == is_shallow
    if not is_shallow:
        other = repos.git(trained, "rev-parse", "HEAD~").strip()
        assert [refusal["what"] for refusal in report["refused"]] == [
            f"{EVENTS}: not what commit {other[:12]} has"
        ]


def test_refs_that_cannot_be_read_are_said(trained: Path) -> None:
    place = kept_folder()
    (trained / ".git" / "reftable").mkdir()
    assert "reftable" in verify(place, "--cells", "0", code=21)["unchecked"][0]


def last_commit(repository: Path) -> Path:
    """The file of the last commit among git's objects."""
    name = repos.git(repository, "rev-parse", "HEAD").strip()
    return repository / ".git" / "objects" / name[:2] / name[2:]


def linked(place: Path, target: str) -> None:
    place.rename(place.with_name("before"))
    place.symlink_to(target)


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "a branch of no commit": lambda repository: (repository / ".git/refs/heads/broken").write_text(
        "0" * 39 + "1\n"
    ),
    "objects that are elsewhere": lambda repository: linked(repository / ".git/objects", "/proc"),
    "an endless commit": lambda repository: linked(last_commit(repository), "/dev/zero"),
    "200,000 branches of no commit": lambda repository: (
        repository / ".git/packed-refs"
    ).write_text("".join(f"{number:040x} refs/heads/{number}\n" for number in range(200_000))),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_commits_that_cannot_be_read_are_said(trained: Path, kind: str) -> None:
    place = kept_folder()
    UNREADABLE[kind](trained)
    assert "git cannot read them" in verify(place, "--cells", "0", code=21)["unchecked"][0]


def pipe(place: Path) -> None:
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    os.mkfifo(place)


def pack_indexes_as_pipes(repository: Path) -> None:
    repos.git(repository, "gc", "-q")
    for index in list((repository / ".git/objects/pack").glob("*.idx")):
        pipe(index)


PIPES: dict[str, Callable[[Path], None]] = {
    "a commit": lambda repository: pipe(last_commit(repository)),
    "info/alternates": lambda repository: pipe(repository / ".git/objects/info/alternates"),
    "info/commit-graph": lambda repository: pipe(repository / ".git/objects/info/commit-graph"),
    "the index of a pack": pack_indexes_as_pipes,
}


@pytest.mark.parametrize("kind", PIPES)
def test_a_git_that_waits_for_ever_is_ended(
    trained: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_commits, "LOOK_SECONDS", 1.0)
    place = kept_folder()
    PIPES[kind](trained)
    assert "git took too long" in verify(place, "--cells", "0", code=21)["unchecked"][0]


def committed(repository: Path, texts: dict[str, bytes]) -> None:
    """Commit these declarations, each in a folder of this name."""
    for name, text in texts.items():
        (repository / name).mkdir()
        (repository / name / DECLARATIONS).write_bytes(text)
    repos.git(repository, "add", "-A")
    repos.git(repository, "commit", "-q", "-m", "declarations")


def test_a_small_commit_of_a_large_file_is_not_read_to_its_end(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_commits, "MOST", 1 << 20)
    place = kept_folder()
    committed(trained, {"large": b"{}\n" * 1_000_000})
    report = verify(place, "--cells", "0", code=21)
    assert "git prints more than 1 MB" in report["unchecked"][0]


def test_declarations_of_another_home_say_nothing(trained: Path) -> None:
    place = kept_folder()
    committed(trained, {"other": b'{"study": "another"}\n', "damaged": b"[\n", "empty": b""})
    assert HELD_ONCE in verify(place, "--cells", "0", code=0)["passed"]


@pytest.mark.parametrize("more", [b'{"n": %d}\n', b"[" * 100_000 + b"%d"], ids=["read", "damaged"])
def test_commits_that_hold_other_declarations_of_the_home_are_one_refusal(
    trained: Path, more: bytes
) -> None:
    place = kept_folder()
    own = (place / DECLARATIONS).read_bytes()
    committed(trained, {f"other-{n}": own + more % n for n in range(20)})
    report = verify(place, "--cells", "0", code=20)
    assert [refusal["reason"] for refusal in report["refused"]] == ["trimmed-ledger"]


@pytest.mark.parametrize("attributes", [True, False], ids=["kept now", "kept before"])
def test_line_ends_that_git_changed_are_no_forgery(
    trained: Path, attributes: bool, tmp_path: Path
) -> None:
    place = kept_folder()
    if not attributes:
        repos.git(trained, "rm", "-q", "studies/rope-1/.gitattributes")
        repos.git(trained, "commit", "-q", "-m", "without")
    words = ("-c", "core.autocrlf=true", "clone", "-q", str(trained), "theirs")
    repos.git(tmp_path, *words)
    clone = tmp_path / "theirs" / "studies" / "rope-1"
    text = (clone / EVENTS).read_bytes()
    assert (b"\r\n" in text) is not attributes
    assert (text == (place / EVENTS).read_bytes()) is attributes
    assert verify(clone, "--all", code=0)["unchecked"] == []


# ── forged, without making the hashes anew


EVENTS = "runs/modified-seed1/events.jsonl"


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        (EVENTS, b'"val_loss": 1.', b'"val_loss": 0.', "edited-loss"),
        ("source/modified/rope.py", b"class", b"class ", "other-source"),
        ("study.json", b'"max_iters": 40', b'"max_iters": 400', "other-budget"),
        ("study.json", b'"threads": 1', b'"threads": 2', "other-budget"),
        ("study.json", b'"headline": "paired"', b'"headline": "welch"', "edited-verdict"),
        (DECLARATIONS, b'"budget": "', b'"budget": "0', "trimmed-ledger"),
        (EVENTS, b"", b"", "dropped-seed"),
        ("run.log", b"x", b"", "damaged"),
    ],
)
@pytest.mark.parametrize("hashes", [False, True])
def test_a_changed_file_is_refused_by_name(
    name: str, old: bytes, new: bytes, reason: str, hashes: bool
) -> None:
    file = archived()
    files = opened(file)
    if reason == "dropped-seed":
        del files[name]
    elif name == "run.log":
        if hashes:
            return  # a log may say anything
        files["runs/modified-seed1/run.log"] += b"more\n"
    else:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    sealed(file, files, hashes=hashes)
    report = verify(file, "--cells", "0", code=20)
    if hashes:  # then it is the claim that the runs don't bear out, and the plan that is another
        reason = {"edited-loss": "edited-verdict", "trimmed-ledger": "other-budget"}.get(
            reason, reason
        )
    assert reasons(report) == {reason}


def lowered(events: bytes) -> list[bytes]:
    """A run's events; before the exit stands one with a lower loss."""
    *before, end = events.splitlines(keepends=True)
    event = json.loads(end)
    forged = json.dumps({**event, "val_loss": event["val_loss"] - 0.5}).encode() + b"\n"
    return [*before, forged, end]


STOPPED = b'{"type": "exit", "state": "stopped"}\n'
BEHIND: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "the true exit": lambda lines: lines,
    "an exit that takes the run out of what is trained again": lambda lines: [
        *lines[:-1],
        STOPPED,
    ],
    "the rest of the run": lambda lines: [lines[-2], *lines[:-2], lines[-1]],
    "a note": lambda lines: [*lines[:-2], lines[-1], b'{"type": "note", "text": "more"}\n'],
}


@pytest.mark.parametrize("kind", BEHIND)
def test_a_run_that_goes_on_behind_its_end_is_damaged(kind: str) -> None:
    """The verdict counts the first end; a check that took the last one found what was true."""
    for run in RUNS:
        file = studies.load("rope-1").files.run(run).events
        if "modified" in run or kind == "a note":
            file.write_bytes(b"".join(BEHIND[kind](lowered(file.read_bytes()))))
    report = verify(archived(), "--all", code=20)
    assert reasons(report) == {"damaged"}
    assert "runs/modified-seed0/events.jsonl" in str(report["refused"])


def test_the_final_evaluation_is_compared_too() -> None:
    def lower(event: dict[str, Any]) -> None:
        if event.get("final"):
            event["val_loss"] -= 0.01

    edit("modified-seed1", lower)
    assert reasons(verify(archived(), "--cells", "0", code=20)) == {"edited-loss"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'"file": "data/{hashlib.sha256(TEXT).hexdigest()}.txt"', '"file": "declarations.jsonl"'),
        ('"torch": "', '"torch": "2.9 --extra-index-url http://example.org '),
    ],
)
def test_a_plan_that_reaches_for_the_readers_files_is_not_taken_in(old: str, new: str) -> None:
    """Neither into the studies, from where a notebook would carry them, nor to be checked."""
    file = archived()
    files = opened(file)
    assert old in files["study.json"].decode()
    files["study.json"] = files["study.json"].decode().replace(old, new).encode()
    sealed(file, files)
    for command in (("restore", str(file), "--name", "theirs"), ("verify", str(file))):
        assert "is damaged" in q1lab(*command, code=1).stderr
    assert "theirs" not in studies.ids()


def test_another_text_is_refused() -> None:
    file = archived()
    files = opened(file)
    name = next(name for name in files if name.startswith("data/"))
    other = hashlib.sha256(files[name] + b"more").hexdigest()
    files["study.json"] = files["study.json"].replace(name[5:-4].encode(), other.encode())
    files[f"data/{other}.txt"] = files.pop(name) + b"more"
    sealed(file, files)
    assert reasons(verify(file, "--cells", "0", code=20)) == {"other-data"}


def test_a_verdict_that_the_runs_do_not_bear_out_is_refused() -> None:
    file = archived("rope-2")
    files = opened(file)
    record = json.loads(files[bundle.LIST_NAME])
    assert record["claim"]["alpha"] < 0.05  # the question was asked before
    for changes in (
        {"verdict": "hurts"},
        {"alpha": 0.05},
        {"mean": -0.5},
        {"ends": [-0.2, -0.1]},
        {"n": 5},
    ):
        files[bundle.LIST_NAME] = json.dumps(
            {**record, "claim": {**record["claim"], **changes}}
        ).encode()
        sealed(file, files)
        assert reasons(verify(file, "--cells", "0", code=20)) == {"edited-verdict"}, changes


HOSTILE = [
    *("[]", "7", '"x"', '{"verdict": "helps"}', '{"n": 1e400}', '{"study": [], "seeds": 3}'),
    '{"verdict": "helps", "headline": "paired", "n": 9007199254740999, "alpha": NaN}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_claim_or_a_declaration_that_makes_no_sense_is_refused(text: str) -> None:
    file = archived()
    files = opened(file)
    lines = files[DECLARATIONS] + text.encode() + b"\n"
    sealed(file, {**files, DECLARATIONS: lines})
    assert reasons(verify(file, "--cells", "0", code=20)) == {"trimmed-ledger"}
    record = json.loads(files[bundle.LIST_NAME])
    whole = json.dumps({**record, "claim": "?"}).replace('"?"', text)
    files[bundle.LIST_NAME] = whole.encode()
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    done = q1lab("verify", str(file), "--cells", "0", "--json", code=None)
    if text.startswith("[["):
        assert (done.returncode, len(done.stdout.splitlines()) > 0) == (1, True)
    else:
        assert reasons(json.loads(done.stdout)) == {"edited-verdict"}


# ── forged in the forger's own home, so that q1lab itself makes every hash anew


def test_a_loss_that_was_edited_is_found_by_the_run_that_is_trained_again() -> None:
    def lower(event: dict[str, Any]) -> None:
        if event["type"] in ("eval", "exit") and event.get("val_loss"):
            event["val_loss"] -= 0.01

    edit("modified-seed1", lower)
    file = archived()
    report = verify(file, "--all", code=20)
    assert reasons(report) == {"edited-loss"}
    assert report["refused"][0]["what"].startswith("modified-seed1: ")
    key = json.loads(opened(file)[bundle.LIST_NAME])
    assert key["claim"]["verdict"] == "helps"


@pytest.mark.parametrize(
    ("runs", "reason"),
    [(RUNS, "other-data"), ([run for run in RUNS if "modified" in run], "other-source")],
)
def test_other_first_losses_are_another_text_or_another_file(runs: list[str], reason: str) -> None:
    def other(event: dict[str, Any]) -> None:
        if event.get("train_loss"):
            event["train_loss"] += 0.01

    for run in runs:
        edit(run, other)
    assert reasons(verify(archived(), "--all", code=20)) == {reason}


def test_runs_of_another_budget_are_refused() -> None:
    def rate(event: dict[str, Any]) -> None:
        if event["type"] == "iter" and event["iter"] > 8:
            event["numbers"]["lr"] *= 2

    edit("modified-seed0", rate)
    assert reasons(verify(archived(), "--all", code=20)) == {"other-budget"}


def test_a_seed_that_was_dropped_is_refused_by_the_commit() -> None:
    place = kept_folder()
    plan = json.loads((place / "study.json").read_text())
    q1lab("verify", str(place), "--cells", "0")
    redeclared("rope-1", looks=[[0, 1]])
    file = archived()
    verify(file, "--cells", "0", code=0)  # an archive comes with no commit
    for name, data in opened(file).items():
        if (place / name).is_file():
            (place / name).write_bytes(data)
    plan["looks"] = [[0, 1]]
    (place / "study.json").write_text(json.dumps(plan))
    record = json.loads((place / bundle.LIST_NAME).read_text())
    names = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    record["files"] = {
        name: hashlib.sha256((place / name).read_bytes()).hexdigest()
        for name in names - {bundle.LIST_NAME, ".gitattributes"}
    }
    (place / bundle.LIST_NAME).write_text(json.dumps(record))
    assert reasons(verify(place, "--cells", "0", code=20)) == {"dropped-seed"}


@pytest.mark.parametrize("then", [(), ("--seeds", "4")], ids=["as it was", "with more seeds"])
def test_declarations_that_lack_an_earlier_study_are_refused_by_the_commit(
    then: tuple[str, ...],
) -> None:
    kept_folder("rope-2")
    remade(lambda body: None if body.get("plan", {}).get("id") == "rope-1" else body)
    q1lab("delete", "rope-1", "--yes")
    remade(lambda body: None if body["act"] == "delete" else body)
    paths.database_file().unlink()
    if then:
        q1lab("run", "rope", "--data", "text.txt", "--set", "max_iters=40", *then)
    kept_folder("rope-2", commit=False)
    assert len(Path("studies/rope-2", DECLARATIONS).read_text().splitlines()) == (2 if then else 1)
    assert "trimmed-ledger" in reasons(verify("studies/rope-2", "--cells", "0", code=20))


@pytest.mark.parametrize("name", ["rope-1", "rope-2"])
def test_a_study_that_is_kept_from_a_second_home_too_is_verified(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, file = kept_folder(name), archived(name)
    monkeypatch.setenv("Q1LAB_HOME", str(tmp_path / "second"))
    q1lab("restore", str(file))
    kept_folder(name)
    report = verify(place, "--cells", "0", code=0)
    assert "commits here that hold it: 2, all with these results" in report["passed"]
