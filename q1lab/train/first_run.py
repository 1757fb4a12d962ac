"""The first run of a command whose metric nobody named: it is trained before the study is planned,
the metric is guessed from what it prints (q1lab/judgment/metric_names.py), and the study takes it
over as its baseline's run.

It waits in q1lab's scratch folder, so that a command typed again, with --metric, say, finds it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import private_folder, read_json, sha256_text
from q1lab.ground.log_tail import LogTail
from q1lab.judgment import metric_names
from q1lab.study import child_processes
from q1lab.study.command_arms import CommandSpec, arm_words, hash_inputs
from q1lab.study.command_line import Request
from q1lab.study.first_number import silent_run
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.train.machine import cores

PREFIX, ANSWER = "first-", "first.json"
LONGEST_WAIT = 24 * 3600.0
"""Seconds after which a first run that no study took over is deleted."""
LONGEST_RUN = 20 * 24 * 3600.0
"""Seconds that a first run may take: what fits into a wait of the kernel."""
ALONE = "number"
"""The name of a printed number that is all of its line (labs/printed.py)."""
NO_METRIC = (
    "it printed no number with a name; have it print lines such as `step=250 val_loss=2.31`, or "
    "write its numbers (CSV, JSON, TensorBoard, W&B) into {out}"
)


@dataclass(frozen=True)
class FirstRun:
    """The numbers of a first run by name: how often each came, and its last value."""

    printed: Mapping[str, tuple[int, str]]
    filed: Mapping[str, tuple[int, str]]
    """Those in files that the command wrote into ``{out}``."""

    @property
    def candidates(self) -> dict[str, str]:
        """The names that may be the metric, with their last values: one, if it is clear which.
        Those in files count where no printed name says that it measures something."""
        numbers = self.printed
        if not any(map(metric_names.measures, numbers)):
            numbers = {**self.filed, **numbers}
        likely = metric_names.likely_metrics({name: count for name, (count, _) in numbers.items()})
        if "." in numbers.get(ALONE, (0, ""))[1] and all(
            metric_names.may_be_of_training(name) for name in likely
        ):
            likely = list(dict.fromkeys([*likely, ALONE]))  # perhaps the score at the end
        return {name: numbers[name][1] for name in likely}


def known_reading(loop: CommandSpec) -> tuple[CommandSpec, str] | None:
    """The command with the metric that the newest study of the same baseline measures (of the same
    metric, where one is named), and the study's id; None if there is none. A study whose metric was
    not found is passed over."""
    words = arm_words(loop, loop.arms[0])
    for study in StudiesOnDisk():
        other = study.trainer.loop
        is_same = other.folder == loop.folder and arm_words(other, study.baseline) == words
        if is_same and loop.metric in ("", other.metric) and silent_run(study) is None:
            read = {key: getattr(other, key) for key in ("metric", "better", "pattern", "beside")}
            return replace(loop, **read), study.id
    return None


def hear(request: Request, say: Callable[[str], object]) -> FirstRun:
    """Train the baseline's first run to its end, unless it waits already, and return what it
    reported. ``say`` gets its last line, now and then. Problem if it fails."""
    loop, seed = request.loop, request.parsed_seeds.seeds[0]
    assert loop is not None
    folder = _folder(loop, loop.arms[0], seed)
    if not (folder / ANSWER).exists():
        _train(loop, seed, request.jobs or 1, folder, say)
    answer = read_json(folder / ANSWER)
    return FirstRun(answer["names"], answer["filed"])


def _train(
    loop: CommandSpec, seed: int, jobs: int, folder: Path, say: Callable[[str], object]
) -> None:
    _delete_old()
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder.parent))
    baseline = loop.arms[0]
    question = {
        "loop": {"run": loop.run, "args": {baseline: loop.args[baseline]}, "folder": loop.folder},
        "variant": baseline,
        "seed": seed,
        "scratch": str(scratch),
    }
    try:
        answer = _ask(question, max(1, cores() // jobs), scratch, say)
        if answer["wrong"]:
            raise Problem(f"the first run, {baseline} at seed {seed}: {answer['wrong']}", FAILED)
        (scratch / ANSWER).write_text(json.dumps(answer))
        with suppress(OSError):  # another process was faster
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _ask(
    question: Mapping[str, object], threads: int, scratch: Path, say: Callable[[str], object]
) -> dict[str, object]:
    """The answer of labs/loop.py, which trains as long as the command takes."""
    program = [*child_processes.command_trainer(), "--hear"]
    output, line = LogTail(scratch / "run.log"), ""
    with child_processes.running_child(
        program,
        seconds=LONGEST_RUN,
        threads=threads,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        sent: str | None = json.dumps(question)
        while True:
            try:
                out, _ = child.communicate(sent, timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                sent = None
                line = next(reversed(output.read_new()[0].split("\n")[:-1]), line)
                say(line)
    try:
        answer: dict[str, object] = json.loads(out)
    except ValueError:
        raise Problem(f"the first run ended with status {child.returncode}", FAILED) from None
    return answer


def _folder(loop: CommandSpec, baseline: str, seed: int) -> Path:
    """The folder in which the first run of this very command waits."""
    alone = replace(loop, args={baseline: loop.args[baseline]})
    key = json.dumps([arm_words(loop, baseline), loop.folder, hash_inputs(alone), seed])
    return paths.scratch_dir() / f"{PREFIX}{sha256_text(key)[:16]}"


def _delete_old() -> None:
    for folder in paths.scratch_dir().glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > LONGEST_WAIT:
                shutil.rmtree(folder)


def take_over(study: Study, loop: CommandSpec) -> None:
    """Move the first run into its new study, if it waits and reported the metric; labs/loop.py
    reads there what it printed."""
    run = study.runs[0]
    folder = _folder(loop, run.variant, run.seed)
    try:
        answer = read_json(folder / ANSWER)
    except (OSError, ValueError):
        return
    if loop.beside:
        return  # in a study of speed it was the warm-up
    if answer["whole"] and loop.metric in {**answer["names"], **answer["filed"]}:
        target = study.files.run(run.name).root
        private_folder(target.parent)
        folder.rename(target)
