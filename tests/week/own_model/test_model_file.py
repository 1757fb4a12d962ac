"""The learner's own files: new, hint, merge, with real files and a real git."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from q1lab.commands._week import current_week
from q1lab.commands.hint import hint
from q1lab.commands.merge import merge
from q1lab.commands.new import new
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.study.own_model import origin_line
from q1lab.week.own_model import model_file
from tests.kit.changes import CHANGES
from tests.kit.commands import q1lab
from tests.kit.faults import killed_at
from tests.kit.places import MODELS, ROOT
from tests.kit.repos import begun, git, of_its_own

pytestmark = pytest.mark.sample


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("Q1LAB_HOME", str(folder))
    for name in ("Q1LAB_REPO", "Q1LAB_CONTENT"):
        monkeypatch.delenv(name, raising=False)
    of_its_own(tmp_path, monkeypatch)
    return folder


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"model.py": baseline(), "notes.md": "mine\n"}
    folder = begun(tmp_path / "transformer-from-scratch", files)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("Q1LAB_ASK_BEFORE_COMMIT", "false")
    return folder


def baseline() -> bytes:
    return (MODELS / "baseline.py").read_bytes()


def reference(variant: str) -> str:
    return (MODELS / f"{variant}.py").read_text(encoding="utf-8")


def call(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


def ok(command: Any, *arguments: str) -> Result:
    result = call(command, *arguments)
    assert result.exception is None, result.exception
    assert result.return_value == 0, result.output
    return result


def refused(command: Any, *arguments: str) -> str:
    result = call(command, *arguments)
    assert isinstance(result.exception, Problem), result.output
    return str(result.exception)


def implement(repo: Path, variant: str) -> Path:
    """Write the reference's code into the learner's copy, under its header line."""
    path = repo / f"{variant}.py"
    header = path.read_text().splitlines(keepends=True)[0]
    path.write_text(header + reference(variant))
    return path


# ── new


def test_new_copies_the_learners_model_under_a_header(repo: Path) -> None:
    (repo / "model.py").write_bytes(b"# mine\n" + baseline())
    ok(new, "rope")
    new_text = (repo / "rope.py").read_bytes()
    header, rest = new_text.split(b"\n", 1)
    assert header.startswith(b"# q1lab: rope, made from model.py, sha256 ")
    assert rest == b"# mine\n" + baseline()
    assert origin_line.strip_marker(new_text) == rest
    assert git(repo, "status", "--short").split() == [
        "M",
        "model.py",
        "??",
        "rope.py",
    ]  # nothing was committed


@pytest.mark.parametrize("start", [b"#!/usr/bin/env python\n", b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_first_lines_and_line_ends_survive(repo: Path, start: bytes, newline: bytes) -> None:
    text = start + b'"""Mine."""\nx = 1\n'.replace(b"\n", newline)
    (repo / "odd.py").write_bytes(text)
    ok(new, "rope", "--from", "odd.py")
    new_text = (repo / "rope.py").read_bytes()
    assert new_text.startswith(start)
    assert new_text.count(b"\n") == new_text.count(newline) or start.startswith(b"#!")
    assert origin_line.strip_marker(new_text) == text


def test_new_never_overwrites(repo: Path) -> None:
    (repo / "rope.py").write_text("precious\n")
    assert "already there" in refused(new, "rope")
    assert (repo / "rope.py").read_text() == "precious\n"
    ok(new, "rope", "--name", "rope2.py")
    output = ok(new, "--baseline").output  # the first thing that the week offers: one may have it
    assert "your model" in output
    assert "`q1lab check model.py --for base" in output
    assert "already there" in refused(new, "--baseline", "--name", "rope2.py")
    assert (repo / "model.py").read_bytes() == baseline()


def test_new_that_was_killed_is_finished_by_the_second_call(repo: Path) -> None:
    step, killed = 0, True
    while killed:
        step += 1
        (repo / "rope.py").unlink(missing_ok=True)
        with Store() as store:
            store.add(
                "file", week=current_week().label, variant="rope", file="elsewhere", base="baseline"
            )
        killed = killed_at(step, lambda: call(new, "rope"))
        if killed and (repo / "rope.py").is_file():
            (repo / "rope.py").write_bytes((repo / "rope.py").read_bytes() + b"# mine\n")
        noted = chosen_file() == repo / "rope.py"
        if noted:
            assert "already there" in refused(new, "rope")
        else:
            assert "rope.py: a copy of" in ok(new, "rope").output
        assert chosen_file() == repo / "rope.py"
    assert step > 4
    assert "already there" in refused(new, "rope")


def test_a_call_that_is_killed_at_its_first_byte_leaves_no_empty_file(repo: Path) -> None:
    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            model_file.new_baseline(repo, "mine.py")
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGXFSZ
    ok(new, "--baseline", "--name", "mine.py")
    assert (repo / "mine.py").read_bytes() == baseline()


def chosen_file() -> Path:
    with Store() as store:
        row = learner_tables.modification_row(store, current_week().label)
    assert row is not None
    return Path(row["file"])


def test_new_without_git_makes_the_folder(tmp_path: Path) -> None:
    def made(folder: str) -> str:
        words = [sys.executable, "-m", "q1lab", "new", "--baseline", "--repo", folder]
        env = {**os.environ, "PATH": str(tmp_path)}
        return subprocess.run(
            words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        ).stderr

    without = "fresh: a new folder. Without git, which is not installed, it is not a repository"
    assert without in made("fresh")
    assert (tmp_path / "fresh" / "model.py").read_bytes() == baseline()
    assert made("a/b").startswith("q1lab: cannot make")


def test_new_makes_the_repository_and_a_first_model(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    ok(new, "--repo", str(folder))
    assert (folder / "model.py").read_bytes() == baseline()
    assert (folder / ".git").is_dir()
    ok(new, "swiglu", "--repo", str(folder), "--json")
    assert (folder / "swiglu.py").is_file()


def test_new_refuses_what_makes_no_sense(repo: Path) -> None:
    assert "rmsnorm, rope" in refused(new, "rpoe")
    assert "what to make" in refused(new)
    assert "nothing.py" in refused(new, "rope", "--from", "nothing.py")
    assert "without folders" in refused(new, "rope", "--name", "../rope.py")
    assert "choose one" in refused(new, "--baseline", "--from", "model.py")
    assert sorted(p.name for p in repo.iterdir()) == [".git", "model.py", "notes.md"]


# ── hints


@pytest.mark.parametrize("variant", CHANGES)
def test_each_variant_has_five_stages_and_words_for_later(variant: str) -> None:
    ladder = model_file.hints_for(variant)
    assert [stage.stage for stage in ladder] == [1, 2, 3, 4, 5]
    assert "?" in ladder[0].text
    assert "```" in ladder[2].text
    assert ladder[4].text.startswith("--- baseline.py\n+++ ")
    assert "+" not in ladder[0].text  # the first stages give no code away
    assert model_file.notes_after_passing(variant)


@pytest.mark.parametrize("variant", CHANGES)
def test_each_check_of_a_modification_has_its_hint(variant: str) -> None:
    source = (ROOT / "labs" / "checks" / f"{variant}.py").read_text()
    check_names = set(re.findall(r'^@check\(\n    "([^"]+)"', source, re.MULTILINE))
    hinted_names = {name for stage in model_file.hints_for(variant) for name in stage.checks}
    assert check_names
    assert hinted_names == check_names
    assert not any("checks:" in stage.text for stage in model_file.hints_for(variant)[:3])


@pytest.mark.parametrize("variant", CHANGES)
def test_the_outline_has_the_signatures_of_the_reference_without_its_bodies(variant: str) -> None:
    def signatures(code: str) -> set[tuple[str, ...]]:
        functions = [
            node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)
        ]
        return {(f.name, *(argument.arg for argument in f.args.args)) for f in functions}

    (text,) = (hint.text for hint in model_file.hints_for(variant) if hint.title == "Outline")
    assert "return " not in text
    heads = re.findall(r"(?m)^ *(def .+:)$", text)
    assert heads
    for head in heads:
        assert signatures(f"{head} ...") <= signatures(reference(variant)), head


def test_hints_come_one_after_the_other_and_are_noted(repo: Path) -> None:
    outputs = [ok(hint, "rope").output for _ in range(6)]
    for stage, output in enumerate(outputs[:5], 1):
        assert f"hint {stage} of 5" in output
    assert outputs[5].splitlines()[0] == outputs[4].splitlines()[0]
    assert "+def apply_rotary_emb" in outputs[4]
    assert "apply_rotary_emb" not in "".join(outputs[:3])
    with Store() as store:
        assert [r["stage"] for r in store.db.execute("SELECT stage FROM hints ORDER BY stage")] == [
            1,
            2,
            3,
            4,
            5,
        ]
    record = json.loads(ok(hint, "rope", "--stage", "2", "--json").output)
    assert (record["stage"], record["used"]) == (2, [1, 2, 3, 4, 5])


def test_hint_knows_the_chosen_variant(repo: Path) -> None:
    assert "say for which" in refused(hint)
    ok(new, "gqa")
    assert "gqa, hint 1 of 5" in ok(hint).output
    assert "'nothing'" in refused(hint, "nothing")


def test_the_reference_beside_a_file_that_passes(repo: Path) -> None:
    ok(new, "swiglu")
    assert "not pass yet" in refused(hint, "swiglu", "--compare", "swiglu.py")
    path = implement(repo, "swiglu")
    path.write_text(path.read_text().replace("c_gate", "w_gate"))
    output = ok(hint, "swiglu", "--compare", "swiglu.py").output
    assert "+        self.w_gate" in output
    assert "multiple of 64" in output
    with Store() as store:
        assert store.db.execute("SELECT COUNT(*) FROM hints").fetchone()[0] == 0


def test_beside_a_file_from_other_code_comes_what_the_reference_changes(repo: Path) -> None:
    """nanoGPT's own model.py shares few lines with the reference: their diff is all of both."""
    other = repo / "rope.py"
    other.write_text("".join(f"line_{n} = {n}\n" for n in range(300)))
    reference_view = model_file.compare_with_reference("rope", other)
    assert (reference_view.diff, reference_view.of_file) == (
        model_file.reference_diff("rope"),
        False,
    )
    other.write_text(reference("rope").replace("rotations", "turned"))
    reference_view = model_file.compare_with_reference("rope", other)
    assert reference_view.of_file
    assert "+    turned = " in reference_view.diff


# ── merge


def test_merge_applies_checks_and_commits_one_file(repo: Path, home: Path) -> None:
    ok(new, "rope")
    implement(repo, "rope")
    model = baseline().replace(b"The feed-forward layer: widen", b"My feed-forward layer: widen")
    (repo / "model.py").write_bytes(model)  # the learner went on with it
    git(repo, "commit", "-qam", "my words")
    (repo / "notes.md").write_text("half a thought\n")
    git(repo, "add", "notes.md")
    result = ok(merge, "rope.py", "--json")
    record = json.loads(result.stdout)
    merged = (repo / "model.py").read_text()
    assert "def apply_rotary_emb" in merged
    assert "My feed-forward layer" in merged
    assert "q1lab:" not in merged
    assert record["conflicts"] == 0
    assert record["checks"]["passed"] is True
    assert record["commit"] == git(repo, "rev-parse", "HEAD").strip()
    subject, _, *files = git(repo, "show", "--name-only", "--format=%s").splitlines()
    assert subject.startswith("feat: merge rope")
    assert files == ["model.py"]
    assert git(repo, "diff", "--cached", "--name-only").split() == ["notes.md"]
    assert Path(record["copy"]).read_bytes() == model
    assert Path(record["copy"]).is_relative_to(home)
    second_merge = ok(merge, "rope.py")
    assert "already has" in second_merge.output


def test_a_merge_that_a_hook_refused_is_committed_by_the_next_one(repo: Path) -> None:
    ok(new, "rope")
    implement(repo, "rope")
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    said = q1lab("merge", "rope.py", "--yes", code=1).stderr
    assert "nothing was committed" in said
    assert "def apply_rotary_emb" in (repo / "model.py").read_text()
    (copy,) = (paths.home() / "copies").iterdir()
    assert f"model.py as it was before: {copy}" in said
    hook.unlink()
    record = json.loads(ok(merge, "rope.py", "--json").stdout)
    assert record["commit"] == git(repo, "rev-parse", "HEAD").strip()
    assert "already has" in ok(merge, "rope.py").output


def test_conflicts_are_written_with_markers_and_nothing_is_committed(repo: Path) -> None:
    ok(new, "swiglu")
    implement(repo, "swiglu")
    model = baseline().replace(b"F.gelu(self.c_fc(x))", b"F.relu(self.c_fc(x))")
    (repo / "model.py").write_bytes(model)
    git(repo, "commit", "-qam", "relu")
    head = git(repo, "rev-parse", "HEAD")
    dry = call(merge, "swiglu.py", "--dry-run")
    assert dry.return_value == 1
    assert (repo / "model.py").read_bytes() == model
    result = call(merge, "swiglu.py", "--json")
    record = json.loads(result.stdout)
    assert result.return_value == 1
    assert record["conflicts"] >= 1
    assert b"<<<<<<< model.py" in (repo / "model.py").read_bytes()
    assert b">>>>>>> swiglu.py" in (repo / "model.py").read_bytes()
    assert Path(record["copy"]).read_bytes() == model
    assert git(repo, "rev-parse", "HEAD") == head
    open_ = (repo / "model.py").read_bytes()
    assert "settle what" in refused(merge, "swiglu.py")  # not markers in markers
    assert (repo / "model.py").read_bytes() == open_


def test_a_result_that_fails_its_checks_is_not_written(repo: Path) -> None:
    ok(new, "swiglu")
    path = implement(repo, "swiglu")
    path.write_text(path.read_text().replace("F.silu", "torch.sigmoid"))
    result = call(merge, "swiglu.py", "--json")
    assert result.return_value == 1
    assert "that is GLU" in json.loads(result.stdout)["message"]
    assert (repo / "model.py").read_bytes() == baseline()
    ok(merge, "swiglu.py", "--unchecked")
    assert b"torch.sigmoid" in (repo / "model.py").read_bytes()


def test_dry_run_and_no_commit(repo: Path) -> None:
    ok(new, "rope")
    implement(repo, "rope")
    head = git(repo, "rev-parse", "HEAD")
    output = ok(merge, "rope.py", "--dry-run", "--unchecked").output
    assert "+def apply_rotary_emb" in output
    assert (repo / "model.py").read_bytes() == baseline()
    ok(merge, "rope.py", "--no-commit", "--unchecked")
    assert b"def apply_rotary_emb" in (repo / "model.py").read_bytes()
    assert git(repo, "rev-parse", "HEAD") == head


def test_merge_refuses_what_it_cannot_know(repo: Path) -> None:
    ok(new, "rope")
    assert "into itself" in refused(merge, "model.py")
    assert "no " in refused(merge, "rope.py", "--into", "gone.py")
    assert "q1lab merge rope.py" in refused(merge, "rope")
    headless = implement(repo, "rope")
    headless.write_text(reference("rope"))
    assert "--base" in refused(merge, "rope.py")
    (repo / "old.py").write_bytes(baseline())
    ok(merge, "rope.py", "--base", "old.py", "--unchecked")
    ok(new, "gqa", "--from", "old.py")
    for base in (paths.home() / "bases").iterdir():
        base.unlink()
    (repo / "old.py").unlink()
    assert "there is no copy" in refused(merge, "gqa.py")
