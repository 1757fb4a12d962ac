"""`q1lab doctor`: the software and hardware of this machine, and the paths of q1lab's files."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from typing import Any

import click

from q1lab import __version__
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, wrapped
from q1lab.commands._store import open_store
from q1lab.ground import file_systems, paths
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import byte_size
from q1lab.study import child_processes
from q1lab.train.machine import cores, gpus


def _packages() -> list[str]:
    """What q1lab depends on, where it is installed."""
    lines = metadata.requires("q1lab") if _version("q1lab") else None
    return [re.split(r"[^\w.-]", line)[0] for line in lines or ()]


@click.command(epilog="Example: q1lab doctor --json")
@json_option
def doctor(as_json: bool) -> int:
    """Versions, device, bf16, git, disk, and where the files are."""
    findings = examine_machine()
    if as_json:
        print_json(findings)
    else:
        for name, value in findings.items():
            if name not in ("ok", "problems"):
                click.echo(f"{name.replace('_', ' '):<16} {wrapped(_value_text(value), 17)}")
        for problem in findings["problems"]:
            click.echo(f"problem          {problem}")
        click.echo("All good." if findings["ok"] else "See the problems above.")
    return OK if findings["ok"] else FAILED


def examine_machine() -> dict[str, Any]:
    """The findings about this machine, by name, with ``problems`` and ``ok``."""
    problems: list[str] = []
    findings: dict[str, Any] = {
        "q1lab": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": (
            f"{platform.system()} {platform.release()} {platform.machine()}, {cores()} cores"
        ),
        "packages": {name: _version(name) for name in _packages()},
    }
    problems += [
        f"{name} is not installed"
        for name, version in findings["packages"].items()
        if version is None
    ]
    try:
        answer = child_processes.ask_child(child_processes.probe_command(), {"threads": 1})
        findings["device"] = f"{answer['device']} ({answer['device_name']})"
        findings["bf16"] = "yes" if answer["bf16"] else "no (training uses another format)"
        findings["training_dtype"] = answer["dtype"]
        # the releases of PyTorch that were tested, and the features that the installed one lacks
        findings |= {
            name: answer[name] for name in ("torch_tested", "torch_lacks") if answer.get(name)
        }
    except Problem as problem:
        problems.append(f"torch does not work: {problem}")
    cards = gpus()
    findings["gpus"] = [
        f"{c.name}, {c.use}% busy, {c.memory}" for c in cards
    ] or "none seen by the NVIDIA driver"
    findings["compiler"] = shutil.which("cc") or shutil.which("gcc") or "none (not needed)"
    findings["git"] = _git_version() if shutil.which("git") else None
    if findings["git"] is None:
        problems.append("git is not installed; documents can't be committed")
    try:
        home = paths.ensure_home()
        free = shutil.disk_usage(home).free
        findings["home"] = str(home)
        findings["file_system"] = _file_system_text(file_systems.mount_of(home))
        findings["acts"] = _acts_summary()
        findings["database"] = str(paths.database_file())
        findings["config"] = str(paths.config_file())
        findings["free_disk"] = byte_size(free)
        if free < 500e6:
            problems.append(
                f"only {byte_size(free)} are free at {home}; a study needs up to 200 MB"
            )
    except Problem as problem:
        findings["home"] = str(paths.home())
        problems.append(str(problem))
    findings["problems"] = problems
    findings["ok"] = not problems
    return findings


def _acts_summary() -> str:
    """The count of acts by author (the learner or an agent)."""
    with open_store() as store:
        rows = store.db.execute(
            "SELECT body ->> '$.who' AS who, count(*) AS n FROM acts GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return ", ".join(f"{printable(str(row['who']))} {row['n']}" for row in rows) or "none"


def _file_system_text(mount: file_systems.Mount | None) -> str:
    """The file system of q1lab's home, and who sees its locks where others might."""
    if mount is None:
        return "not known here"
    if mount.local_locks:
        return f"{mount.kind}; its locks hold on this machine only ({mount.local_locks})"
    return mount.kind


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_version() -> str:
    return subprocess.run(
        ["git", "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()


def _value_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {version}" for key, version in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return str(value)
