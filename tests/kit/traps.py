"""Repositories whose settings start a program: each way that git has, with a command of git's that
falls into the trap, which shows that it is armed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kit import repos

KEPT = "studies/rope-1"


@dataclass(frozen=True)
class Trap:
    """``settings`` are lines of the repository's config, with ``{program}`` for what they start;
    ``falls`` is a git command that starts it, with ``typed`` on its standard input."""

    settings: str
    falls: tuple[str, ...]
    typed: str = ""
    signed: str = ""
    """The kind of signature that the last commit has."""
    partial: bool = False
    """True if the repository lacks the plan that its last commit has."""
    attributes: str = ""
    file: str = "config"
    """The place of the settings, below ``.git``."""


LOG = ("log", "-1")
BLOB = ("cat-file", "blob", f"HEAD:{KEPT}/study.json")
FILL = ("credential", "fill")
HOST = "protocol=https\nhost=example.org\n\n"
SIGNED = "[log]\nshowSignature = true\n"


def _lacks(url: str, more: str = "") -> Trap:
    """A partial clone: git fetches the plan, which it lacks, from ``url``."""
    promisor = "[core]\nrepositoryFormatVersion = 1\n[extensions]\npartialClone = origin\n"
    remote = f'[remote "origin"]\npromisor = true\nurl = {url}\n'
    return Trap(promisor + remote + more, BLOB, partial=True)


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
    "sshCommand": _lacks("ssh://example.org/x", "[core]\nsshCommand = {program}\n"),
    "uploadpack": _lacks("{folder}", "uploadpack = {program}\n"),
    "ext": _lacks("ext::{program}", '[protocol "ext"]\nallow = always\n'),
    "gitProxy": _lacks("git://example.org/x", "[core]\ngitProxy = {program}\n"),
    "credential helper": Trap("[credential]\nhelper = {program}\n", FILL, HOST),
    "askPass": Trap("[core]\naskPass = {program}\n", FILL, HOST),
    "fsmonitor": Trap("[core]\nfsmonitor = {program}\n", ("status",)),
    "hooksPath": Trap("[core]\nhooksPath = {hooks}\n", ("checkout", "-q", "HEAD")),
    "external diff": Trap("[diff]\nexternal = {program}\n", ("diff", "HEAD~")),
    "textconv": Trap(
        '[diff "x"]\ntextconv = {program}\n', ("diff", "HEAD~"), attributes="* diff=x\n"
    ),
    "filter": Trap(
        '[filter "x"]\nsmudge = {program}\nclean = {program}\n',
        ("cat-file", "--filters", BLOB[-1]),
        attributes="* filter=x\n",
    ),
    "process filter": Trap(
        '[filter "x"]\nprocess = {program}\n',
        ("cat-file", "--filters", BLOB[-1]),
        attributes="* filter=x\n",
    ),
    "alternateRefsCommand": Trap(
        "[core]\nalternateRefsCommand = {program}\n", ("rev-list", "--alternate-refs", "-1")
    ),
    "editor": Trap("[core]\neditor = {program}\n", ("commit", "--allow-empty")),
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
    """Set the trap in a repository that holds KEPT; returns the file that its program makes. What
    was borrowed from it while the trap was tried is as before."""
    git_dir, sprung = repository / ".git", scratch / "sprung"
    program = scratch / "program"
    program.write_text(f"#!/bin/sh\ntouch '{sprung}'\nexit 1\n")
    program.chmod(0o755)
    hooks = scratch / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").symlink_to(program)
    if trap.signed:
        _sign(repository, trap.signed)
    if trap.partial:
        lacking = repos.git(repository, "rev-parse", BLOB[-1]).strip()
        (git_dir / "objects" / lacking[:2] / lacking[2:]).unlink()
    if trap.attributes:
        (git_dir / "info").mkdir(exist_ok=True)
        (git_dir / "info" / "attributes").write_text(trap.attributes)
    if "alternateRefs" in trap.settings:
        shutil.copytree(git_dir, scratch / "other.git")
        (git_dir / "objects" / "info").mkdir(exist_ok=True)
        alternates = git_dir / "objects" / "info" / "alternates"
        alternates.write_text(f"{scratch / 'other.git' / 'objects'}\n")
    paths = {"{program}": program, "{folder}": repository, "{hooks}": hooks}
    settings = trap.settings
    for word, path in paths.items():
        settings = settings.replace(word, str(path))
    with (git_dir / "config").open("a") as config:
        config.write({"more": "[include]\npath = more\n"}.get(trap.file, ""))
        if trap.file == "config.worktree":
            config.write("[extensions]\nworktreeConfig = true\n")
    with (git_dir / trap.file).open("a") as config:
        config.write(settings)
    subprocess.run(
        ["git", *trap.falls],
        cwd=repository,
        input=trap.typed,
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
