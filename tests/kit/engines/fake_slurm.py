"""Slurm's commands without Slurm: ``put`` lays them into a folder for the PATH. A job's tasks run
here, as many at once as its array says (``%N``), and after the jobs that it depends on. ``peak`` in
a job's folder has how many ran at once at most.

``hiccups`` in the folder has what the next calls say instead of an answer, a line each. ``hold``
keeps tasks waiting, as on a busy cluster. ``deaf`` swallows one signal, as Slurm does while a node
still prepares the task. With ``timeout`` in a job's folder, its time limit is what ends its tasks.
``longest`` has the partition's longest limit; without it, that is three minutes. ``arrays`` has the
cluster's MaxArraySize, 1001 without it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun")


def put(folder: Path) -> Path:
    """Write the commands into ``folder``/bin, which is returned."""
    place = folder / "bin"
    place.mkdir(parents=True)
    for name in COMMANDS:
        program = place / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {folder} {name} "$@"\n')
        program.chmod(0o755)
    return place


def main() -> int:
    root, command, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    hiccups = root / "hiccups"
    if command in ("squeue", "scontrol") and hiccups.exists():
        message, _, rest = hiccups.read_text().partition("\n")
        hiccups.write_text(rest)
        if not rest:
            hiccups.unlink()
        return fail(message)
    jobs = root / "jobs"
    jobs.mkdir(exist_ok=True)
    if command == "sbatch":
        return submit(jobs, words)
    if command == "squeue":
        return queue(jobs, words)
    if command == "scancel":
        return cancel(jobs / words[-1], words)
    if command == "work":
        return work(root, jobs / words[0], words[1:])
    if command == "srun":
        rest = next(n for n, word in enumerate(words) if not word.startswith("--"))
        return subprocess.run(words[rest:], check=False).returncode
    if command == "scontrol":
        arrays = root / "arrays"
        print(f"MaxArraySize = {arrays.read_text() if arrays.exists() else 1001}")
    elif words[-1] == "%l":
        longest = root / "longest"
        print(longest.read_text() if longest.exists() else "3:00")
    else:
        print("main* up 1 (null)")
    return 0


def fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


def option(words: list[str], name: str) -> str:
    """The value of an option; of one that is given twice, the last."""
    return next((w.partition("=")[2] for w in reversed(words) if w.startswith(f"--{name}=")), "")


def submit(jobs: Path, words: list[str]) -> int:
    if "--test-only" in words:
        return 0
    job = jobs / str(1 + len(list(jobs.iterdir())))
    job.mkdir()
    (job / "name").write_text(option(words, "job-name"))
    limit = option(words, "time")
    (job / "limit").write_text(f"{limit}:00" if limit else "UNLIMITED")
    tasks, _, at_once = option(words, "array").partition("%")
    for index in range(1 + int(tasks.rpartition("-")[2])):
        (job / f"{index}.state").write_text("PENDING")
    script = next(n for n, word in enumerate(words) if not word.startswith("--"))
    exported = [word for word in option(words, "export").split(",") if "=" in word]
    worker = [sys.executable, __file__, str(jobs.parent), "work", job.name]
    subprocess.Popen(
        ["env", *exported, *worker, at_once, option(words, "dependency"), *words[script:]],
        stdin=subprocess.DEVNULL,
        stdout=(job / "out").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    print(job.name)
    return 0


def work(root: Path, job: Path, words: list[str]) -> int:
    at_once, dependency, *command = words
    while (root / "hold").exists() or any(map(is_under_way, awaited(job.parent, dependency))):
        time.sleep(0.05)
    tasks: dict[Path, subprocess.Popen[bytes]] = {}
    waiting, peak = sorted(job.glob("*.state")), 0
    while waiting or tasks:
        while waiting and len(tasks) < int(at_once or 1000):
            state = waiting.pop(0)
            if state.read_text() != "PENDING":
                continue
            env = {**os.environ, "SLURM_ARRAY_TASK_ID": state.stem}
            tasks[state] = subprocess.Popen(command, env=env)
            (job / f"{state.stem}.pid").write_text(str(tasks[state].pid))
            state.write_text("RUNNING")
        peak = max(peak, len(tasks))
        (job / "peak").write_text(str(peak))
        for state, task in list(tasks.items()):
            if task.poll() is None:
                continue
            if state.read_text() == "RUNNING":
                timeout = (job / "timeout").exists()
                failed = "FAILED" if task.returncode else "COMPLETED"
                state.write_text("TIMEOUT" if timeout else failed)
            del tasks[state]
        time.sleep(0.02)
    return 0


def awaited(jobs: Path, dependency: str) -> list[Path]:
    """The jobs that another one begins after: ``afterany:1,afterany:2``."""
    return [jobs / word.rpartition(":")[2] for word in dependency.split(",") if word]


def is_under_way(job: Path) -> bool:
    return any(state.read_text() in ("PENDING", "RUNNING") for state in job.glob("*.state"))


def queue(jobs: Path, words: list[str]) -> int:
    if "-j" not in words:
        name = words[words.index("-n") + 1]
        print("\n".join(j.name for j in jobs.iterdir() if (j / "name").read_text() == name))
        return 0
    job = jobs / words[words.index("-j") + 1]
    if not job.is_dir():
        return fail("slurm_load_jobs error: Invalid job id specified")
    for file in job.glob("*.state"):
        state = file.read_text()
        why = "Resources" if state == "PENDING" else "None"
        limit = (job / "limit").read_text()
        print(f"{file.stem}|{state}|{why}|node1|{limit}|main|{(job / 'name').read_text()}")
    return 0


def cancel(job: Path, words: list[str]) -> int:
    """``--signal=TERM`` reaches what runs, ``--state=PENDING`` what waits; plain, both."""
    deaf = job.parent.parent / "deaf"
    if "--signal=TERM" in words and deaf.exists():
        deaf.unlink()
        return 0
    for file in job.glob("*.state"):
        state = file.read_text()
        if state == "RUNNING" and "--state=PENDING" not in words:
            if "--signal=TERM" not in words:
                file.write_text("CANCELLED")
            with contextlib.suppress(ProcessLookupError):
                os.kill(int((job / f"{file.stem}.pid").read_text()), signal.SIGTERM)
        elif state == "PENDING" and "--signal=TERM" not in words:
            file.write_text("CANCELLED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
