"""Repositories whose settings start a program: each way that git has, with a command of git's that
falls into the trap, which shows that it is armed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kit import repos


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
