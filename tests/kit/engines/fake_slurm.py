"""Slurm's commands without Slurm: ``put`` lays them into a folder for the PATH. A job's tasks run
here, all at once.

``hiccups`` in the folder has what the next calls say instead of an answer, a line each. ``hold``
keeps tasks waiting, as on a busy cluster. ``deaf`` swallows one signal, as Slurm does while a node
still prepares the task. With ``timeout`` in a job's folder, its time limit is what ends its tasks.
``longest`` has the partition's longest limit; without it, that is three minutes.
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
        print("MaxArraySize = 1001")
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
    return next((w.partition("=")[2] for w in words if w.startswith(f"--{name}=")), "")


def submit(jobs: Path, words: list[str]) -> int:
    if "--test-only" in words:
        return 0
    job = jobs / str(1 + len(list(jobs.iterdir())))
    job.mkdir()
    (job / "name").write_text(option(words, "job-name"))
    limit = option(words, "time")
    (job / "limit").write_text(f"{limit}:00" if limit else "UNLIMITED")
    for index in range(1 + int(option(words, "array").rpartition("-")[2])):
        (job / f"{index}.state").write_text("PENDING")
    first = option(words, "export").rpartition("=")[2]
    subprocess.Popen(
        [sys.executable, __file__, str(jobs.parent), "work", job.name, words[-1], first],
        stdin=subprocess.DEVNULL,
        stdout=(job / "out").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    print(job.name)
    return 0


def work(root: Path, job: Path, words: list[str]) -> int:
    while (root / "hold").exists():
        time.sleep(0.05)
    tasks = {}
    for state in job.glob("*.state"):
        if state.read_text() != "PENDING":
            continue
        env = {**os.environ, "SLURM_ARRAY_TASK_ID": state.stem, "Q1LAB_FIRST": words[1]}
        tasks[state] = subprocess.Popen([words[0]], env=env)
        (job / f"{state.stem}.pid").write_text(str(tasks[state].pid))
        state.write_text("RUNNING")
    for state, task in tasks.items():
        code = task.wait()
        if state.read_text() == "RUNNING":
            timeout = (job / "timeout").exists()
            state.write_text("TIMEOUT" if timeout else "FAILED" if code else "COMPLETED")
    return 0


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
