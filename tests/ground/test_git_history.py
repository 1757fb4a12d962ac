"""What q1lab reads in the learner's own history."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from q1lab.ground import git_history
from q1lab.ground.git_repository import Repository
from tests.kit import repos
from tests.kit.repos import begun, git, of_its_own


@dataclass(frozen=True)
class Trap:
    """``settings`` are lines of the repository's config, with ``{program}`` for what they start;
    ``falls`` is a git command that starts it."""

    settings: str
    falls: tuple[str, ...]
    signed: str = ""
    """The kind of signature that the last commit has."""
    attributes: str = ""
    file: str = "config"
    """The place of the settings, below ``.git``."""


LOG = ("log", "-1")
SIGNED = "[log]\nshowSignature = true\n"


TRAPS = {
    "gpg": Trap(SIGNED + "[gpg]\nprogram = {program}\n", LOG, signed="PGP SIGNATURE"),
    "gpg, of ssh": Trap(
        SIGNED + '[gpg "ssh"]\nprogram = {program}\nallowedSignersFile = /dev/null\n',
        LOG,
        signed="SSH SIGNATURE",
    ),
    "gpg, of x509": Trap(
        SIGNED + '[gpg "x509"]\nprogram = {program}\n', LOG, signed="SIGNED MESSAGE"
    ),
    "fsmonitor": Trap("[core]\nfsmonitor = {program}\n", ("status",)),
    "external diff": Trap("[diff]\nexternal = {program}\n", ("diff", "HEAD~")),
    "textconv": Trap(
        '[diff "x"]\ntextconv = {program}\n', ("diff", "HEAD~"), attributes="* diff=x\n"
    ),
    "include": Trap(
        SIGNED + "[gpg]\nprogram = {program}\n", LOG, signed="PGP SIGNATURE", file="more"
    ),
    "work tree's config": Trap(
        SIGNED + "[gpg]\nprogram = {program}\n",
        LOG,
        signed="PGP SIGNATURE",
        file="config.worktree",
    ),
}


def armed(repository: Path, trap: Trap, scratch: Path) -> Path:
    """Set the trap in a repository; returns the file that its program makes. What
    was borrowed from it while the trap was tried is as before."""
    git_dir, sprung = repository / ".git", scratch / "sprung"
    program = scratch / "program"
    program.write_text(f"#!/bin/sh\ntouch '{sprung}'\nexit 1\n")
    program.chmod(0o755)
    if trap.signed:
        _sign(repository, trap.signed)
    if trap.attributes:
        (git_dir / "info").mkdir(exist_ok=True)
        (git_dir / "info" / "attributes").write_text(trap.attributes)
    settings = trap.settings.replace("{program}", str(program))
    with (git_dir / "config").open("a") as config:
        config.write({"more": "[include]\npath = more\n"}.get(trap.file, ""))
        if trap.file == "config.worktree":
            config.write("[extensions]\nworktreeConfig = true\n")
    with (git_dir / trap.file).open("a") as config:
        config.write(settings)
    subprocess.run(
        ["git", *trap.falls],
        cwd=repository,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
    )
    assert sprung.exists(), "git itself does not fall into this trap"
    sprung.unlink()
    return sprung


def _sign(repository: Path, kind: str) -> None:
    """Give the last commit a signature, which nobody made."""
    head, _, message = repos.git(repository, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = f"gpgsig -----BEGIN {kind}-----\n \n c2ln\n -----END {kind}-----"
    commit = f"{head}\n{signature}\n\n{message}"
    hashed = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=repository,
        input=commit.encode(),
        capture_output=True,
        check=True,
    )
    repos.git(repository, "reset", "-q", "--soft", hashed.stdout.decode().strip())


@pytest.fixture(autouse=True)
def _own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_its_own(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@example.org:a/b.git", "https://example.org/a/b"),
        ("https://user:secret@example.org/a/b.git", "https://example.org/a/b"),
        ("ssh://git@example.org:2222/a/b", "https://example.org/a/b"),
        ("/srv/git/b.git", None),
    ],
)
def test_the_address_of_a_remote_holds_no_secret(
    tmp_path: Path, remote: str, address: str | None
) -> None:
    repo = begun(tmp_path / "mine")
    git(repo, "remote", "add", "origin", remote)
    assert git_history.web_url(Repository.discover(repo)) == address


READ = [kind for kind, trap in TRAPS.items() if trap.falls[0] in ("log", "diff", "status")]


@pytest.mark.parametrize("kind", READ)
def test_no_setting_starts_a_program_where_history_and_diffs_are_read(
    tmp_path: Path, kind: str
) -> None:
    """The settings of a signature check, of a diff viewer or of a file watcher are for a person's own
    git."""
    folder = begun(tmp_path / "mine", {"a.ipynb": "{}"})
    (folder / "deep").mkdir()
    (folder / "b.ipynb").write_text("{}\n")
    (folder / "deep" / "c.ipynb").write_text("[]\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "another")
    sprung = armed(folder, TRAPS[kind], tmp_path)
    git(folder, "config", "color.ui", "always")
    git(folder, "config", "log.showRoot", "false")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    (folder / "b.ipynb").write_text("edited\n")
    ours = Repository.discover(folder)
    assert git_history.added_by_me(ours, "*.ipynb") == ("a.ipynb", "b.ipynb", "deep/c.ipynb")
    assert git_history.is_mine_at_origin(ours)
    assert ours.uncommitted_diff().startswith("diff --git a/b.ipynb b/b.ipynb\n")
    assert not sprung.exists()
