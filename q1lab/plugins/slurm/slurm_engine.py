"""The Slurm engine: ``sbatch`` and ``squeue`` on the login node, with a home that the nodes share.

Each run is one task of an array job. The trainers write into the study's folder themselves, so
nothing has to be copied back, and the jobs go on without a process here: the runner only watches.
"""

from __future__ import annotations

import fcntl
import json
import math
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from q1lab.ground import file_systems, paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable, private_folder, write_atomic
from q1lab.runner import child_processes
from q1lab.runner.engine import EngineCheck, JobNews, OutOfReach, Refused, probe_here
from q1lab.runner.remote_engine import Remote
from q1lab.study.engine_state import CANCELLED, ENDED, LOST, RUNNING, WAITING, CellStatus, Job
from q1lab.study.events import last_event
from q1lab.study.studies import Study

RESERVED_OPTIONS = {
    "array",
    "job-name",
    "output",
    "error",
    "parsable",
    "wrap",
    "chdir",
    "open-mode",
}
"""Options that q1lab sets itself."""

UNKNOWN_JOB = "Invalid job id"
"""Slurm's error about a job that it does not know, the only error that says anything about a
job."""
QUERIES = ("squeue", "scontrol", "sinfo")
"""Commands that only read. Any other error of theirs means that Slurm did not answer."""
NO_ANSWER = (
    "Unable to contact",
    "Connection refused",
    "timed out",
    "authentication",
    "Munge",
    "Zero Bytes",
    "temporarily un",
    "standby",
    "Unexpected message",
    "Transport endpoint",
)
"""Parts of the other commands' errors when Slurm did not answer. Other errors are refusals."""
NODE_SECONDS = 60
"""Seconds to wait for a free node when a command is to run on one."""

LOOK_AT_LOCK = """\
import fcntl, sys
try:
    with open(sys.argv[1], "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    print("free")
except FileNotFoundError:
    print("missing")
except BlockingIOError:
    print("locked")
"""
"""A program that says what a node sees of a file that is locked here."""

_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
_LOST = ("FAILED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "DEADLINE")
CELL_STATES = {
    **dict.fromkeys((*_WAITING, "RESV_DEL_HOLD"), WAITING),
    **dict.fromkeys(("CANCELLED", "PREEMPTED", "REVOKED"), CANCELLED),
    **dict.fromkeys(_LOST, LOST),
    "COMPLETED": ENDED,
}
"""The state of a cell by ``squeue``'s state of its task. With any other state the cell counts as
running: a state unknown to us says nothing about an end."""

END_WORDS = {
    "TIMEOUT": "ended by Slurm's time limit",
    "DEADLINE": "ended by Slurm's deadline",
    "OUT_OF_MEMORY": "out of memory at Slurm",
    "PREEMPTED": "preempted at Slurm, which did not start it again",
}
"""The message about a cell by the state of its task, where the state says why it ended."""
AGAIN = ("BeginTime", "JobRequeue", "JobHeldAdmin", "JobHoldMaxRequeue")
"""Reasons to wait of a task that Slurm has put back into its queue."""

TERMINATED = "RaisedSignal:15"
"""The reason of a task that was asked to end before its trainer could answer."""

NO_NODE = "node configuration is not available"
"""The error of ``sbatch --test-only`` for a request that no node can satisfy, and also for one
whose nodes are all drained or down; a real submission waits for those."""
USABLE_NODE_STATES = ("idle", "mix", "alloc", "comp")
"""Prefixes of the states of nodes that are neither drained nor down."""


class Slurm(Remote):
    """The Slurm cluster that this login node belongs to."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        for key in options:
            if key in RESERVED_OPTIONS:
                raise Problem(f"--engine-option {key}: q1lab sets that itself")
        self.options = dict(options)
        self._longest_limits: dict[str, int] = {}
        """The longest time limit of each partition in minutes; 0 where it has none."""

    # ── the interface of an engine

    def check(self) -> list[EngineCheck]:
        findings = []
        for program in ("sbatch", "squeue", "scancel"):
            where = shutil.which(program)
            findings.append(
                EngineCheck(program, where is not None, where or "not on this machine's PATH")
            )
        if not all(finding.good for finding in findings):
            return findings
        text = self._run_slurm(["sinfo", "-h", "-o", "%P %a %D %G"])
        rows = [line.split() for line in text.splitlines() if line.strip()]
        names = ", ".join(f"{name} ({nodes} nodes, {state})" for name, state, nodes, *_ in rows)
        findings.append(EngineCheck("partitions", bool(rows), printable(names) or "none"))
        findings.append(self._check_shared_home())
        return findings

    def _check_shared_home(self) -> EngineCheck:
        """A finding: a node sees a file that was written here, and that it is locked here."""
        folder = paths.ensure_home() / "engine-check"
        private_folder(folder)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="seen-") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                answer = self._run_on_node([*child_processes.python_code(LOOK_AT_LOCK), file.name])
            except Refused as error:
                return EngineCheck("shared home", False, f"a node could not be asked: {error}")
        seen = answer.strip().splitlines()[-1:]
        if seen == ["locked"]:
            return EngineCheck("shared home", True, f"nodes see {paths.home()} and its locks")
        if seen == ["missing"]:
            return EngineCheck("shared home", False, f"nodes don't see {paths.home()}")
        return EngineCheck("shared home", False, locks_not_shared("a node does not see them"))

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return self.ask_trainer(child_processes.probe_command(), question, 60)

    def ask_trainer(
        self, program: list[str], question: Mapping[str, Any], seconds: float
    ) -> dict[str, Any]:
        try:
            answer = json.loads(self._run_on_node(program, json.dumps(question), seconds))
        except ValueError:
            raise Refused(f"{program[-1]} ended on a node without an answer") from None
        if "error" in answer:
            raise Refused(str(answer["error"]))
        return dict(answer)

    def _run_on_node(self, command: list[str], stdin: str = "", seconds: float = 60) -> str:
        """Run a command on a node for at most ``seconds`` and return its output. Refused if no node
        is free within ``NODE_SECONDS``."""
        flags = ["--quiet", "--ntasks=1", f"--immediate={NODE_SECONDS}", *self._option_flags()]
        return self._run_slurm(
            ["srun", *flags, *command], stdin=stdin, seconds=NODE_SECONDS + seconds
        )

    def device(self, typed: str, preset: str | None) -> str:
        if typed != "auto":
            return typed
        has_gpu_option = any("gpu" in f"{key} {value}" for key, value in self.options.items())
        return "cuda" if has_gpu_option or preset == "gpu" else "cpu"

    def choose_slots(self, device: str, runs: int, first: int, jobs: int | None) -> tuple[int, int]:
        cpus = self.options.get("cpus-per-task", "")
        return jobs or first, max(1, int(cpus)) if cpus.isdecimal() else 1

    def probe_for_plan(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Plan on this machine, since nodes may be busy for days. Refused if Slurm would refuse the
        job, or nodes don't see the home's locks."""
        mount = file_systems.mount_of(paths.home())
        if mount is not None and mount.local_locks:
            raise Refused(locks_not_shared(f"{mount.kind} is mounted with {mount.local_locks}"))
        try:
            self._run_slurm(
                ["sbatch", "--test-only", "--quiet", *self._option_flags(), "--wrap=true"]
            )
        except Refused as error:
            states = self._run_slurm(["sinfo", "-h", "-o", "%T"]).split()
            if NO_NODE not in str(error) or all(
                state.startswith(USABLE_NODE_STATES) for state in states
            ):
                raise
        return probe_here(question)

    def submit(self, study: Study, job: Job) -> Job:
        folder = study.files.root / "engine"
        private_folder(folder)
        submitted_ids = self._find_job_ids(job.name)
        if submitted_ids:  # an earlier attempt got through after all
            return replace(job, id=submitted_ids)
        cells = folder / f"{job.name}.cells"
        script = folder / f"{job.name}.sh"
        write_atomic(cells, "".join(f"{cell}\n" for cell in job.cells))
        write_atomic(script, self._job_script(study, cells), mode=0o700)
        ids: list[str] = []
        most, at_once = self._max_array_size(), study.trainer.jobs
        is_held_back = at_once < len(job.cells)
        for first in range(0, len(job.cells), most):
            last = min(first + most, len(job.cells)) - 1
            text = self._run_slurm(
                [
                    "sbatch",
                    "--parsable",
                    f"--job-name={job.name}",
                    f"--array=0-{last - first}" + (f"%{at_once}" if is_held_back else ""),
                    f"--output={folder}/%A_%a.out",
                    "--open-mode=append",
                    "--requeue",
                    *self._option_flags(after=ids[-1] if ids and is_held_back else ""),
                    str(script),
                    str(first),
                ]
            )
            ids.append(text.strip().splitlines()[-1].partition(";")[0])
        return replace(
            job, id=",".join(f"{number}+{place * most}" for place, number in enumerate(ids))
        )

    def _job_script(self, study: Study, cells: Path) -> str:
        """The script of a task. Its argument is the place of its array's first cell: a task may
        inherit no variable (``export=NONE``). It ends with exec, so that the trainer gets Slurm's
        signals itself."""
        program = study.trainer.program()
        trainer = shlex.join([*program, str(study.files.root)])
        threads = study.trainer.threads
        listed = shlex.quote(str(cells))
        return (
            "#!/bin/bash\n"
            f'CELL=$(sed -n "$((SLURM_ARRAY_TASK_ID + $1 + 1))p" {listed})\n'
            f"export OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} PYTHONUNBUFFERED=1\n"
            f"cd {shlex.quote(str(study.files.root))} || exit 1\n"
            f'exec {trainer} --only "$CELL"\n'
        )

    def poll(self, study: Study, job: Job, cursor: int) -> JobNews:
        cells: dict[str, CellStatus] = {}
        for part in job.id.split(","):
            cells |= self._read_tasks(study, job, part)
        live = any(task_state.state in (WAITING, RUNNING) for task_state in cells.values())
        # Slurm forgets ended tasks after a while
        return JobNews({**dict.fromkeys(job.cells, CellStatus(ENDED)), **cells}, (), not live, "")

    def _read_tasks(self, study: Study, job: Job, part: str) -> dict[str, CellStatus]:
        """The state of each cell of one array (its id and its first cell's index, ``17+0``) of
        which Slurm still knows the task."""
        number, _, first = part.partition("+")
        form = "%K|%T|%r|%N|%l|%P|%j"
        try:
            text = self._run_slurm(["squeue", "-h", "-r", "-t", "all", "-j", number, "-o", form])
        except Refused as error:
            if UNKNOWN_JOB in str(error):
                return {}
            raise
        states = {}
        for line in text.splitlines():
            fields = (line.split("|") + [""] * 7)[:7]
            index, state, reason, node, limit, partition, job_name = map(printable, fields)
            if job_name != job.name or not index.isdigit():
                continue  # the id has been given to another user's job since
            place = int(index) + int(first or 0)
            if place >= len(job.cells):
                continue
            cell, cell_state = job.cells[place], _cell_state(state, reason, node)
            if state == "TIMEOUT":
                minutes = minutes_of_limit(limit)
                needed = max(2 * minutes, _minutes_needed(study, cell, minutes))
                cell_state = self._with_next_limit(cell_state, minutes, needed, partition)
            states[cell] = cell_state
        if not text.strip():
            raise OutOfReach(f"squeue has no line for job {number}")
        return states

    def _with_next_limit(
        self, cell_state: CellStatus, minutes: int, needed: int, partition: str
    ) -> CellStatus:
        """The state of a cell that its limit of ``minutes`` ended, with the limit to ask for next:
        the ``needed`` minutes, or the longest that the partition has."""
        if partition not in self._longest_limits:
            text = self._run_slurm(["sinfo", "-h", "-p", partition, "-o", "%l"])
            self._longest_limits[partition] = minutes_of_limit((text.split() or [""])[0])
        longest = self._longest_limits[partition]
        next_limit = min(needed, longest or needed)
        words = f"{cell_state.words} of {minutes} min" if minutes else cell_state.words
        return replace(cell_state, words=words, next_time_limit=next_limit)

    def stop(self, job: Job) -> None:
        for part in job.id.split(","):
            number = part.partition("+")[0]
            try:
                self._run_slurm(["scancel", "--full", "--signal=TERM", number])
                self._run_slurm(["scancel", "--state=PENDING", number])
            except Refused as error:
                if UNKNOWN_JOB not in str(error):
                    raise

    # ── the commands

    def _option_flags(self, after: str = "") -> list[str]:
        """The options as they were typed. ``after``: the id of a job to begin after, too."""
        options = dict(self.options)
        if after:
            others = [options["dependency"]] if "dependency" in options else []
            options["dependency"] = ",".join([*others, f"afterany:{after}"])
        return [f"--{key}={value}" if value else f"--{key}" for key, value in options.items()]

    def _find_job_ids(self, name: str) -> str:
        """The ids of this user's jobs with that name, each with the index of its first cell; empty
        without such jobs."""
        text = self._run_slurm(["squeue", "-h", "--me", "-t", "all", "-n", name, "-o", "%F"])
        ids = sorted({line.strip() for line in text.splitlines() if line.strip()}, key=int)
        return ",".join(
            f"{number}+{place * self._max_array_size()}" for place, number in enumerate(ids)
        )

    def _max_array_size(self) -> int:
        text = self._run_slurm(["scontrol", "show", "config"])
        match = re.search(r"MaxArraySize\s*=\s*(\d+)", text)
        return max(1, int(match[1]) - 1) if match else 1000

    def _run_slurm(self, command: list[str], *, stdin: str = "", seconds: float = 60) -> str:
        """Run a Slurm command and return its output. OutOfReach if its controller does not answer,
        Refused for any other error."""
        for attempt in range(3):
            try:
                done = subprocess.run(
                    command,
                    input=stdin,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=seconds,
                    check=False,
                )
            except FileNotFoundError:
                raise Refused(
                    f"{command[0]} is not on this machine: q1lab runs on the login node"
                ) from None
            except subprocess.TimeoutExpired:
                raise OutOfReach(f"{command[0]} took longer than {seconds:.0f} s") from None
            except OSError as error:
                raise Refused(f"cannot run {command[0]}: {error.strerror}") from None
            if done.returncode == 0:
                return done.stdout
            lines = printable(done.stderr).splitlines()
            fatal = [line for line in lines if ": fatal: " in line]
            message = " ".join(" ".join(fatal or lines).split())[:400]
            message = message or f"{command[0]} ended with status {done.returncode}"
            if "Socket timed out" in message and attempt < 2:
                time.sleep(1)
                continue
            hiccup = command[0] in QUERIES and UNKNOWN_JOB not in message
            if not fatal and (hiccup or any(text in message for text in NO_ANSWER)):
                raise OutOfReach(f"Slurm does not answer ({message})")
            raise Refused(message)
        raise OutOfReach(f"{command[0]} does not answer")


def locks_not_shared(why: str) -> str:
    """The message about a home whose locks hold on one machine only: nobody could tell whether a
    run trains."""
    return (
        f"locks in {paths.home()} hold on this machine only ({why}); "
        "put q1lab's home where all machines see them (Q1LAB_HOME)"
    )


def _minutes_needed(study: Study, cell: str, minutes: int) -> int:
    """The minutes that a run which its limit of ``minutes`` ended needs to its end: its iters at
    the pace so far, and the time of this attempt in which it reported nothing (the start, and what
    was lost). 0 where the pace or the number of iters is not known."""
    last = last_event(study.files.run(cell).events) or {}
    iters, seconds = last.get("iter", 0), last.get("total", last.get("t"))
    if not iters or not seconds or iters >= study.max_iters:
        return 0
    silent_seconds = max(0.0, 60 * minutes - (last.get("t") or seconds))
    seconds_needed: float = silent_seconds + (study.max_iters - iters) * seconds / iters
    return math.ceil(seconds_needed / 60)


def minutes_of_limit(limit: str) -> int:
    """A time limit of Slurm's in whole minutes: ``15:30`` (min:s), ``2:00:00``, ``1-12:30:00``; 0
    for UNLIMITED."""
    days, _, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in (*parts, days or "0")):
        return 0
    hours, minutes, seconds = [*([0] * (3 - len(parts))), *map(int, parts)][-3:]
    return (24 * int(days or 0) + hours) * 60 + minutes + (seconds + 59) // 60


def _cell_state(state: str, reason: str, node: str) -> CellStatus:
    """A cell's state, from its task's state, reason and node at Slurm."""
    cell_state = CELL_STATES.get(state, RUNNING)
    if cell_state == WAITING:
        requeued = "put back into the queue, " if reason in AGAIN or "REQUEUE" in state else ""
        waits = f"waits: {reason}" if reason not in ("", "None") else "waits"
        return CellStatus(cell_state, requeued + waits, node)
    if state in END_WORDS:
        return CellStatus(cell_state, END_WORDS[state], node)
    if cell_state == CANCELLED or reason.startswith(TERMINATED):
        return CellStatus(CANCELLED, "cancelled at Slurm, not by q1lab", node)
    if cell_state == LOST:
        state_words = state.lower().replace("_", " ")
        why = f" ({reason})" if reason not in ("", "None") else ""
        return CellStatus(cell_state, f"{state_words} at Slurm{why}", node)
    return CellStatus(cell_state, "", node)
