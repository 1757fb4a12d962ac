"""q1lab.ground.git_repository on real repositories with the real git: what is committed, and what
is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1lab.ground import git_command
from q1lab.ground.errors import Problem
from q1lab.ground.git_repository import (
    CommitResult,
    NeedsYes,
    NoRepository,
    Repository,
    init_repository,
)
from tests.kit.places import ROOT
from tests.kit.repos import of_its_own
from tests.kit.waiting import wait_for


@pytest.fixture(autouse=True)
def _own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git configuration of the test's own, and nothing of the caller's git in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    of_its_own(home, monkeypatch)
    for name in ("EMAIL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))


def sh(folder: Path, *args: str, check: bool = True, **env: str) -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
    )
    assert not check or done.returncode == 0, done.stderr
    return os.fsdecode(done.stdout)


def state(folder: Path) -> dict[str, object]:
    """Everything a refused act must leave as it was: what is staged, refs, status, and every
    work-tree byte."""
    git_dir = Path(sh(folder, "rev-parse", "--absolute-git-dir").strip())
    head = (git_dir / "HEAD").read_bytes()
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
    return {
        "staged": sh(folder, "ls-files", "-s", "-z"),
        "head": head,
        "refs": sh(folder, "for-each-ref"),
        "status": sh(folder, "status", "--porcelain=v2", "-z", GIT_OPTIONAL_LOCKS="0"),
        "files": files,
    }


def staged_lines(folder: Path, leave_out: set[str]) -> list[str]:
    out = sh(folder, "ls-files", "-s", "-z")
    return [line for line in out.split("\0") if line and line.split("\t", 1)[1] not in leave_out]


def hook(folder: Path, name: str, body: str) -> None:
    path = folder / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)


def commit(ours: Repository, paths: list[Any], message: str, **how: Any) -> CommitResult:
    """Commit files as they are; what git doesn't know yet is q1lab's own text."""
    tracked = [sh(ours.root, "ls-files", "--", f":(literal){path}", check=False) for path in paths]
    new = [Path(path) for path, entry in zip(paths, tracked, strict=True) if not entry]
    paths = [Path(path) for path in paths]
    ours.check(paths, ours=new, **how)
    return ours.commit(paths, message)


def refusal(ours: Repository, path: Path) -> NeedsYes:
    """The question about the learner's own edits of a file."""
    with pytest.raises(NeedsYes, match="edits of yours") as caught:
        ours.check([path])
    return caught.value


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository in which the learner is in the middle of things: staged, unstaged, and untracked
    work."""
    folder = tmp_path / "transformer-from-scratch"
    folder.mkdir()
    sh(folder, "init", "-q")
    for name in ("model.py", "train.py", "notes.md", "DOC.md"):
        (folder / name).write_text(f"{name}, first version\n")
    sh(folder, "add", ".")
    sh(folder, "commit", "-q", "-m", "begin")
    (folder / "model.py").write_text("staged\n")
    sh(folder, "add", "model.py")
    (folder / "model.py").write_text("staged, then edited again\n")
    (folder / "train.py").write_text("edited, not staged\n")
    (folder / "new_staged.py").write_text("staged new file\n")
    sh(folder, "add", "new_staged.py")
    sh(folder, "rm", "-q", "notes.md")
    (folder / "scratch.txt").write_text("untracked\n")
    return folder


def refused(folder: Path, act: Callable[[], object], *words: str) -> Problem:
    """``act`` raises one clear line that holds ``words``, and nothing at all is different
    afterwards."""
    before = state(folder)
    with pytest.raises(Problem) as caught:
        act()
    assert state(folder) == before
    message = str(caught.value)
    for word in words:
        assert word in message
    assert "\n" not in message
    assert caught.value.code in (1, 2)
    return caught.value


# ── what is committed


def test_commits_only_the_named_file_and_leaves_staged_and_unstaged_work_alone(repo: Path) -> None:
    before, index_before = state(repo), staged_lines(repo, {"NEW.md"})
    (repo / "NEW.md").write_text("ours\n")
    result = commit(Repository.discover(repo), [repo / "NEW.md"], "docs: add NEW.md")
    after = state(repo)
    assert result.committed
    assert result.files == ("NEW.md",)
    assert result.notes == ()
    assert result.branch == "main"
    assert result.sha == sh(repo, "rev-parse", "HEAD").strip()
    assert sh(repo, "show", "--name-only", "--format=%s%n%an <%ae>", "HEAD").split("\n")[:4] == [
        "docs: add NEW.md",
        "Test Learner <learner@example.org>",
        "",
        "NEW.md",
    ]
    assert after["status"] == before["status"]
    assert staged_lines(repo, {"NEW.md"}) == index_before
    assert after["files"] == {**before["files"], "NEW.md": b"ours\n"}  # type: ignore[dict-item]


def test_commits_a_tracked_file_that_q1lab_rewrote(repo: Path) -> None:
    doc = repo / "DOC.md"
    status = state(repo)["status"]
    ours = Repository.discover(repo)
    ours.check([doc])
    doc.write_text("refreshed\n")
    result = ours.commit([doc], "docs: refresh")
    assert result.committed
    assert state(repo)["status"] == status
    assert sh(repo, "show", "HEAD:DOC.md") == "refreshed\n"
    assert not ours.commit([doc], "docs: refresh").committed
    doc.write_bytes(b"refreshed\n")  # written, and as it was
    assert not ours.commit([doc], "docs: refresh").committed


def test_an_odd_name(repo: Path) -> None:
    name = 'deep/-we"ird\n\U0001f600:(x)*\\.md'
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x\n")
    ours, status = Repository.discover(repo), sh(repo, "status", "--porcelain=v2", "-z", "-uno")
    assert "+x" in refusal(ours, path).diff
    result = commit(ours, [path], f"docs: add {name}")
    assert result.files == (name,)
    assert ours.has_committed(path)
    path.write_text("y\n")
    assert not ours.has_committed(path)
    assert "+y" in refusal(ours, path).diff
    assert commit(ours, [path], "-m looks like an option", confirmed=True).files == (name,)
    assert sh(repo, "status", "--porcelain=v2", "-z", "-uno") == status


def test_unborn_head(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    ours = init_repository(folder)
    assert ours.head().sha is None
    assert ours.head().branch == "main"
    (folder / "staged.py").write_text("staged\n")
    sh(folder, "add", "staged.py")
    (folder / "DOC.md").write_text("first\n")
    assert "+first" in refusal(ours, folder / "DOC.md").diff
    result = commit(ours, [folder / "DOC.md"], "docs: first")
    assert result.files == ("DOC.md",)
    assert sh(folder, "ls-tree", "--name-only", "HEAD") == "DOC.md\n"
    assert sh(folder, "status", "--porcelain") == "A  staged.py\n"


# ── the learner's own edits


def edited(repo: Path) -> str:
    with (repo / "DOC.md").open("a") as doc:
        doc.write("my own line\n")
    return "DOC.md"


def staged_and_put_back(repo: Path) -> str:
    was = (repo / "DOC.md").read_bytes()
    edited(repo)
    sh(repo, "add", "DOC.md")
    (repo / "DOC.md").write_bytes(was)
    return "DOC.md"


def drafted(repo: Path) -> str:
    (repo / "MODIFICATION.md").write_text("my own line\n")
    return "MODIFICATION.md"


def removed_and_written_again(repo: Path) -> str:
    (repo / "notes.md").write_text("my own line\n")  # its removal is staged
    return "notes.md"


@pytest.mark.parametrize(
    ("edit", "shown"),
    [
        (edited, "+my own line"),
        (staged_and_put_back, "my own line"),
        (drafted, "+my own line"),
        (removed_and_written_again, "-notes.md, first version"),
    ],
)
def test_edits_of_the_learner_need_a_yes_and_are_shown(
    repo: Path, edit: Callable[[Path], str], shown: str
) -> None:
    name = edit(repo)
    ours = Repository.discover(repo)
    problem = refused(
        repo, lambda: ours.check([repo / name]), f"{name} holds edits of yours", "--yes"
    )
    assert isinstance(problem, NeedsYes)
    assert shown in problem.diff
    assert commit(ours, [name], "docs", confirmed=True).committed == (
        edit is not staged_and_put_back
    )


# ── hooks


@pytest.mark.parametrize(
    ("which", "name"),
    [("pre-commit", "DOC.md"), ("prepare-commit-msg", "NEW.md"), ("commit-msg", "NEW.md")],
)
def test_a_failing_hook_changes_nothing(repo: Path, which: str, name: str) -> None:
    hook(repo, which, "echo 'the line is too long' >&2; exit 1\n")
    path = repo / name
    path.write_text("ours\n")
    ours = Repository.discover(repo)
    problem = refused(
        repo,
        lambda: commit(ours, [path], "docs", confirmed=True),
        "the line is too long",
        "--no-commit",
    )
    assert problem.code == 1


def test_hooks_run_and_what_they_add_is_said_and_stays_committed(repo: Path) -> None:
    hook(repo, "pre-commit", "echo generated > extra.txt; git add extra.txt\n")
    hook(repo, "post-commit", "touch post-ran.txt\n")
    status = sh(repo, "status", "--porcelain=v2", "-z", "-uno")
    (repo / "NEW.md").write_text("ours\n")
    result = commit(Repository.discover(repo), ["NEW.md"], "docs")
    assert result.files == ("NEW.md", "extra.txt")
    assert "extra.txt" in result.notes[0]
    assert (repo / "post-ran.txt").exists()
    # Left alone, git would have the learner's next commit delete extra.txt again.
    assert sh(repo, "status", "--porcelain=v2", "-z", "-uno") == status


def test_terminated_in_a_hook_it_leaves_no_process_and_nothing_in_the_index(repo: Path) -> None:
    """As `timeout` does it: SIGTERM twice."""
    hook(repo, "pre-commit", "echo $$ > .git/hook; exec sleep 600\n")
    (repo / "NEW.md").write_text("ours\n")
    staged = sh(repo, "ls-files", "-s")
    code = (
        "from pathlib import Path\n"
        "from q1lab.commands.error_boundary import run_guarded as run\n"
        "from q1lab.ground.git_repository import Repository\n"
        "run(lambda: Repository.discover('.').commit([Path('NEW.md')], 'docs'))"
    )
    command = subprocess.Popen([sys.executable, "-c", code], cwd=repo)
    pid = repo / ".git" / "hook"
    wait_for(lambda: pid.exists() and pid.read_text().strip(), "the hook")
    command.terminate()
    command.terminate()
    assert command.wait(60) == 143
    hook_state = ["ps", "-o", "stat=", "-p", pid.read_text().strip()]
    left = subprocess.run(hook_state, capture_output=True, text=True, check=False).stdout
    assert left.strip()[:1] in ("", "Z"), "the hook lives on"
    assert sh(repo, "ls-files", "-s") == staged, "a new file was left added to the index"


def test_nothing_below_git_can_prompt(repo: Path) -> None:
    """A session of its own has no terminal to ask on, so a forgotten prompt fails instead of
    hanging."""
    hook(repo, "pre-commit", "ps -o sid= -p $$ > sid.txt; cat > got.txt; exit 0\n")
    (repo / "NEW.md").write_text("ours\n")
    commit(Repository.discover(repo), ["NEW.md"], "docs")
    assert (repo / "got.txt").read_text() == ""
    if shutil.which("ps"):
        assert int((repo / "sid.txt").read_text()) != os.getsid(0)


def test_signing_that_fails_is_reported(repo: Path) -> None:
    sh(repo, "config", "commit.gpgsign", "true")
    sh(repo, "config", "gpg.program", shutil.which("false") or "/bin/false")
    (repo / "NEW.md").write_text("ours\n")
    ours = Repository.discover(repo)
    refused(repo, lambda: commit(ours, ["NEW.md"], "docs"), "failed to sign", "--no-commit")


# ── states of the repository


def new_file(folder: Path) -> Callable[[], object]:
    (folder / "NEW.md").write_text("ours\n")
    ours = Repository.discover(folder)
    return lambda: commit(ours, [folder / "NEW.md"], "docs", confirmed=True)


@pytest.mark.parametrize("identity", ["", "[user]\n\tname = Only Name\n"])
def test_a_person_whom_git_does_not_know(repo: Path, tmp_path: Path, identity: str) -> None:
    (tmp_path / "home" / "gitconfig").write_text(identity)
    refused(repo, new_file(repo), "user.name", "user.email")


def conflict(folder: Path) -> None:
    """Two branches that disagree about one line; HEAD is main, everything is clean."""
    sh(folder, "reset", "-q", "--hard")
    sh(folder, "checkout", "-q", "-b", "side")
    (folder / "model.py").write_text("side\n")
    sh(folder, "commit", "-q", "-am", "side")
    sh(folder, "checkout", "-q", "main")
    (folder / "model.py").write_text("main\n")
    sh(folder, "commit", "-q", "-am", "main")


@pytest.mark.parametrize(
    "start",
    [
        ("merge", "side"),
        ("rebase", "side"),
        ("cherry-pick", "side"),
        ("bisect", "start"),
    ],
)
def test_an_operation_in_progress(repo: Path, start: tuple[str, ...]) -> None:
    conflict(repo)
    sh(repo, *start, check=False)
    refused(repo, new_file(repo), "in the middle of", "git status")
    (repo / "model.py").write_text("resolved\n")
    sh(repo, "add", "model.py")
    refused(repo, new_file(repo), "in the middle of", "git status")


def test_detached_head_needs_a_yes(repo: Path) -> None:
    sh(repo, "checkout", "-q", "--detach")
    (repo / "NEW.md").write_text("ours\n")
    ours = Repository.discover(repo)
    assert ours.head().branch is None
    problem = refused(repo, lambda: commit(ours, ["NEW.md"], "docs"), "HEAD is detached", "--yes")
    assert isinstance(problem, NeedsYes)
    assert commit(ours, ["NEW.md"], "docs", confirmed=True).branch is None


@pytest.mark.parametrize("name", ["index.lock", "refs/heads/main.lock"])
def test_a_lock_is_reported_and_never_deleted(repo: Path, name: str) -> None:
    act = new_file(repo)
    lock = repo / ".git" / name
    lock.write_text("held")
    problem = refused(repo, act, lock.name, "File exists")
    assert problem.code == 1
    assert lock.read_text() == "held"


def test_a_bare_repository_and_the_git_folder(repo: Path, tmp_path: Path) -> None:
    sh(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(Problem, match="must be run in a work tree"):
        Repository.discover(tmp_path / "bare.git")
    with pytest.raises(Problem, match="must be run in a work tree"):
        Repository.discover(repo / ".git" / "hooks")
    refused(
        repo,
        lambda: commit(Repository.discover(repo), [".git/config"], "x"),
        "no part of the repository",
    )


def test_an_ignored_file(repo: Path) -> None:
    (repo / ".gitignore").write_text("# rules\n*.log.md\n")
    (repo / "run.log.md").write_text("x\n")
    ours = Repository.discover(repo)
    refused(
        repo,
        lambda: commit(ours, ["run.log.md"], "docs", confirmed=True),
        ".gitignore",
        "run.log.md",
    )
    sh(repo, "add", "-f", "run.log.md")
    assert commit(ours, ["run.log.md"], "docs", confirmed=True).files == ("run.log.md",)


def test_paths_outside(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("x\n")
    (repo / "linked").symlink_to(tmp_path)
    ours = Repository.discover(repo)
    for path in (outside, "../outside.md", repo, "linked/outside.md"):
        refused(repo, lambda path=path: commit(ours, [path], "docs"), "not a file inside")


def test_no_repository_and_init(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(NoRepository, match="git init") as caught:
        Repository.discover(plain)
    assert caught.value.folder == plain
    assert list(plain.iterdir()) == []
    with pytest.raises(Problem, match="there is no folder"):
        Repository.discover(tmp_path / "no" / "such")
    ours = init_repository(plain)
    assert ours.root == plain
    with pytest.raises(Problem, match="already in the repository"):
        init_repository(plain)
    with pytest.raises(Problem, match="already in the repository"):
        init_repository(plain / "nested")
    assert not (plain / "nested").exists()
    with pytest.raises(Problem, match="holds repositories"):
        init_repository(tmp_path)
    assert not (tmp_path / ".git").exists()
    with pytest.raises(Problem, match="not a folder"):
        init_repository(plain / ".git" / "HEAD")
    with pytest.raises(Problem, match="everything you have"):
        init_repository(Path.home())
    with pytest.raises(Problem, match="there is no folder"):
        init_repository(tmp_path / "a" / "b")


def test_a_repository_that_vanished(repo: Path) -> None:
    ours = Repository.discover(repo)
    shutil.rmtree(repo)
    with pytest.raises(Problem, match="there is no folder"):
        ours.check([repo / "DOC.md"])
    with pytest.raises(Problem, match="there is no folder"):
        Repository.discover(repo / "x")


def test_a_misleading_environment(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a hook's, when it calls q1lab: the repository on disk counts."""
    act = new_file(repo)
    with monkeypatch.context() as patch:
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
            patch.setenv(name, "/nowhere")
        act()
    assert sh(repo, "show", "--name-only", "--format=") == "NEW.md\n"


def test_git_is_not_installed(repo: Path, tmp_path: Path) -> None:
    code = (
        "from q1lab.ground.git_repository import Repository\nfrom q1lab.ground.errors import Problem\nimport sys\n"
        "try: Repository.discover(sys.argv[1])\nexcept Problem as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(repo)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path / "home")},
        cwd=ROOT,
    )
    assert "not installed" in done.stdout, done.stderr


def test_a_failed_add_and_a_concurrent_git_leave_the_others_work(repo: Path) -> None:
    """While our commit fails in a hook, another git stages a file: that staging survives, ours
    goes."""
    hook(repo, "pre-commit", "unset GIT_INDEX_FILE; cp .git/index .git/index.saved; exit 1\n")
    (repo / "NEW.md").write_text("ours\n")
    ours = Repository.discover(repo)
    genuine = git_command.run

    def meddled(folder: Path, *arguments: str, **how: Any) -> tuple[int, str, str]:
        result = genuine(folder, *arguments, **how)
        if "commit" in arguments:
            sh(repo, "add", "scratch.txt")
        return result

    git_command.run = meddled
    try:
        with pytest.raises(Problem, match="nothing was committed"):
            commit(ours, ["NEW.md"], "docs")
    finally:
        git_command.run = genuine
    assert "scratch.txt" in sh(repo, "ls-files")
    assert "NEW.md" not in sh(repo, "ls-files")
