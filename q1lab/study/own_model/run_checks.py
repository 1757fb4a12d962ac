"""Run the property checks of `labs.checks` on a model file, in a process of its own, and hand on
the findings.

The learner's code never runs inside q1lab. It gets a session (and process group) of its own, a
folder of q1lab's to run in, limits on time, memory and output, and is killed with all of its group
at the end. Results come one by one through a callback, so that a screen can show them as they turn
green.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, OK, UNFINISHED, USAGE
from q1lab.ground.files import expand_user, kind_of_non_file, open_regular, printable
from q1lab.study import child_processes, variants
from q1lab.study.model_source import with_advice
from q1lab.study.own_model import origin_line, parents


@dataclass(frozen=True)
class CheckResult:
    """One check: what should be, what was seen (numbers, shapes, the first offending index), why it
    matters."""

    name: str
    passed: bool
    expected: str
    seen: str
    why: str
    seconds: float
    warning: bool = False
    """It passed, and ``seen`` says what to look at."""
    judged: bool = True
    """False if it could not judge the file: it then neither passed nor failed, and ``seen`` says
    why."""
    follows: str = ""
    """Of a failed check: the one that failed before it, from whose cause this follows, as a
    rule."""

    @property
    def failed(self) -> bool:
        return self.judged and not self.passed

    @property
    def words(self) -> str:
        """Its name and what was seen, in one line."""
        return f"{self.name}: {'' if self.judged else 'not judged: '}{self.seen}"


@dataclass(frozen=True)
class CheckReport:
    """All of a file's checks. ``unusable`` says why the file could not be used (to the end), else
    None."""

    file: str
    for_: str
    passed: bool
    checks: tuple[CheckResult, ...]
    unusable: str | None = None
    printed: str = ""
    """The file's output, cut to a few kilobytes."""

    @property
    def summary(self) -> str:
        """The checks' outcome, in one sentence."""
        count = sum(result.judged for result in self.checks)
        unjudged = len(self.checks) - count
        others = f"; {unjudged} could not judge this file." if unjudged else "."
        if bad := len(self.failed):
            following = sum(bool(result.follows) for result in self.checks)
            echoes = f", and {following} more for the same reason" if following else ""
            return f"{bad} of {count} checks failed{echoes}{others}"
        if self.unjudged:
            return f"not judged: {self.unjudged[0].name}: {self.unjudged[0].seen}"
        warned = sum(result.warning for result in self.checks)
        return f"All {count} checks passed" + f" ({warned} with a warning)" * bool(warned) + others

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed, but for those that follow from another one."""
        return tuple(result for result in self.checks if result.failed and not result.follows)

    @property
    def unjudged(self) -> tuple[CheckResult, ...]:
        """The checks of the modification itself that could not judge the file: whether it is there
        is not known."""
        return tuple(result for result in self.checks if not result.judged and ": " in result.name)

    @property
    def fault(self) -> str:
        """The first reason, in words, why the file does not pass; "" if it passes."""
        if self.unusable is not None:
            return self.unusable
        return next((result.words for result in (*self.failed, *self.unjudged)), "")

    @property
    def score(self) -> tuple[int, int]:
        """(checks that passed, checks that judged the file)."""
        judged = [result for result in self.checks if result.judged]
        return sum(result.passed for result in judged), len(judged)

    @property
    def counted(self) -> str:
        """The number of checks that judged the file, in words: ``24 checks``."""
        count = sum(result.judged for result in self.checks)
        return f"{count} checks" + (" that could judge it" if count < len(self.checks) else "")

    @property
    def code(self) -> int:
        """The exit status: 0 all passed, 1 a check failed, 2 the file can't be used, 3 the
        modification could not be judged."""
        if self.unusable is not None:
            return USAGE
        if self.failed:
            return FAILED
        return OK if self.passed else UNFINISHED

    def as_dict(self) -> dict[str, Any]:
        """The record of ``q1lab check --json``."""
        record: dict[str, Any] = {
            "file": self.file,
            "for": self.for_,
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
        }
        if self.unusable is not None:
            record["unusable"] = self.unusable
        if self.printed:
            record["printed"] = self.printed
        return record


BASELINE = "baseline"
"""What a file is checked for that changes nothing which has checks of its own."""
LOADING = "loading the file"
"""The step of `labs.checks` that imports the model file."""
MADE_FROM = "what it was made from"
"""Its name for the file to compare with, where nobody named one."""
INTERFACE = "interface"
"""Its check that the file can be called as the trainer does, and does not read its targets."""
CAUSALITY = "causality"
"""Its check that no position sees the tokens after it."""


def command_after_checks(
    report: CheckReport, file: str, variant: str | None = None, baseline: str | None = None
) -> str:
    """The command that comes after success: train the file (as the learner named it) against the
    baseline that it was checked with, a change of no week against the model.py beside it; or begin
    the chosen modification of a checked baseline; "" before one is chosen, since naming one would
    be choosing it."""
    is_explicit_path = Path(file).is_absolute() or file.startswith(("./", "../"))
    train = f"q1lab run {shlex.quote(file if is_explicit_path else f'./{file}')}"
    if baseline is not None:
        return f"{train} --baseline {shlex.quote(baseline)}"
    if report.for_ != "baseline":
        return train
    model = Path(file).with_name("model.py")
    if Path(file).name != model.name and model.is_file():
        return f"{train} --baseline {shlex.quote(str(model))}"
    return f"q1lab new {variant}" if variant else ""


@dataclass(frozen=True)
class CheckLimits(child_processes.OutputLimits):
    """Limits on a file's process: those on its output, and seconds of processor time for one check;
    seconds without any, of one that waits; megabytes of data memory."""

    step_seconds: float = 20.0
    waiting_seconds: float = 120.0
    memory_mb: int = 4096


class _Reading:
    """The child's messages so far."""

    def __init__(self, path: Path, on_result: Callable[[CheckResult], None]) -> None:
        self.path, self.on_result = path, on_result
        self.results: list[CheckResult] = []
        self.step = "starting"
        self.unusable: str | None = None
        self.ended = self.passed = False

    def take(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "begin":
            self.step = printable(str(event["name"]))
        elif kind == "unusable":
            self.unusable = printable(str(event["message"]))
        elif kind == "end":
            self.ended, self.passed = True, bool(event["passed"])
        elif kind == "check":
            texts = ("name", "expected", "seen", "why", "follows")
            result = CheckResult(
                passed=bool(event["passed"]),
                seconds=float(event["seconds"]),
                warning=bool(event["warning"]),
                judged=bool(event["judged"]),
                **{key: printable(str(event[key])) for key in texts},
            )
            if result.name == INTERFACE and result.failed:
                result = replace(result, seen=with_advice(result.seen, self.path))
            self.results.append(result)
            self.on_result(result)


def made_for(path: Path) -> str | None:
    """The checks that a file's first line asks for: those of its modification, or of every file for
    one that has none of its own. None without that line."""
    try:
        with open_regular(path) as file:
            marker = origin_line.read_marker(file.read(origin_line.SEARCHED_BYTES))
    except OSError:
        return None
    if marker is None:
        return None
    return marker.variant if marker.variant in variants.checked_variants() else BASELINE


def run_checks(
    file: Path | str,
    for_: str | None = None,
    *,
    baseline: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    of_stranger: Sequence[str] = (),
    on_result: Callable[[CheckResult], None] = lambda result: None,
    limits: CheckLimits | None = None,
) -> CheckReport:
    """Check a model file and return the report.

    ``settings``: fields of the file's own GPTConfig at other values than their defaults.
    ``of_stranger``: the names of the only checks to run on a stranger's file, whose process gets
    none of the learner's keys; empty for the learner's own, on which all run.
    ``baseline``: the file that it is compared with; None for what it was made from, as far as that
    is known, else q1lab's.
    ``for_``: one of ``variants.checked_variants``, or several joined by "+"; None for what the
    file's first line names, else the checks that every file must pass. ``on_result(result)`` is
    called as each ends. Nothing is raised for a bad file: the report says what is wrong in
    ``unusable``.
    """
    limits = limits or CheckLimits()
    path = expand_user(file).absolute()
    kind_of_path = kind_of_non_file(path)
    if kind_of_path is not None:
        return CheckReport(
            str(path), for_ or "", False, (), f"{path}: {kind_of_path}, not a model file"
        )
    for_ = for_ or made_for(path) or BASELINE
    reading = _Reading(path, on_result)
    request: dict[str, Any] = {
        "file": str(path),
        "for": for_,
        "settings": dict(settings or {}),
        "only": list(of_stranger) or None,
        "step_seconds": limits.step_seconds,
        "waiting_seconds": limits.waiting_seconds,
        "memory_mb": limits.memory_mb,
    }
    compared = baseline or parents.parent_or_baseline(path).variant.path
    if compared != paths.models_dir() / "baseline.py":
        request["compared"] = (compared.name if baseline else MADE_FROM, str(compared))
    command = [*child_processes.python_module("labs.checks"), json.dumps(request)]
    with child_processes.running_child(
        command,
        seconds=limits.seconds_in_all,
        env=_environment(is_strangers=bool(of_stranger)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        output = child_processes.follow(child, reading, limits)
    unusable = reading.unusable or (output.stopped and f"{path}: {output.stopped}")
    if unusable and reading.step == LOADING:
        unusable = with_advice(unusable, path)
    if unusable is None and not reading.ended:
        unusable = f"{path}: {output.death(child.returncode)}"
    return CheckReport(
        file=str(path),
        for_=for_,
        passed=unusable is None and reading.passed,
        checks=tuple(reading.results),
        unusable=unusable,
        printed=output.printed,
    )


def _environment(*, is_strangers: bool) -> dict[str, str]:
    made = (
        child_processes.stranger_environment if is_strangers else child_processes.child_environment
    )
    env = made(threads=1)
    # a @torch.compile in the file is left out: a check lasts milliseconds
    env["TORCHDYNAMO_DISABLE"] = "1"
    return env
