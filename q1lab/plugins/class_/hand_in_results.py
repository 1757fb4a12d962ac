"""The result of each hand-in: `q1lab verify` and `q1lab check` are asked in processes of their
own, and the runs' numbers are read.

All of it happens in a home that is thrown away: nothing of a stranger's study, and no line about
it, comes into the teacher's own home.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import (
    os_reason,
    printable,
    read_bytes,
    sha256_file,
    sha256_json,
    sha256_text,
)
from q1lab.ground.text_formats import plural, storable_text
from q1lab.judgment.intervals import Interval
from q1lab.judgment.metric import Metric
from q1lab.plugins.class_.hand_ins import ARCHIVE, MODEL, HandIn
from q1lab.runner import child_processes
from q1lab.study import bundle, events, identity
from q1lab.study.bundle import Bundle
from q1lab.study.model_source import LARGEST_MODEL_FILE
from q1lab.study.studies import ARMS, run_name
from q1lab.week.own_model import parents

VERIFIED, REFUSED, UNCHECKED, NO_STUDY = "yes", "no", "in part", "no study"
_ANSWERS = {0: VERIFIED, 20: REFUSED, 21: UNCHECKED}
"""The exit statuses of `q1lab verify` for a bundle."""

WITHOUT_RUNNING_SECONDS, RUNNING_SECONDS = 300, 86_400
NOT_RUN, PASSED, FAILED_CHECK, UNUSABLE = "not run", "passed", "failed", "unusable"


@dataclass(frozen=True)
class SeedPair:
    """Both runs of a seed: their final values."""

    baseline: float
    modified: float


@dataclass(frozen=True)
class HandInStudy:
    """A study as it was handed in: its arms, its settings and its numbers."""

    name: str
    modified: str
    baseline: str
    data: str
    settings: str
    """A hash of text, settings and metric: equal ones can be compared."""
    metric: Metric
    pairs: Mapping[int, SeedPair]
    """By seed."""
    runs: str
    """A hash of all events, times and all."""
    sources: frozenset[str]
    """The hashes of both model files."""


@dataclass(frozen=True)
class HandInResult:
    """One row of the table."""

    who: str
    place: str
    kind: str
    checks: str = NOT_RUN
    checks_words: str = ""
    """``22 of 22``, or the first check that failed."""
    verified: str = NO_STUDY
    verdict: str = ""
    level: float | None = None
    mean: float | None = None
    interval: Interval | None = None
    pairs: int = 0
    looks_before: int | None = None
    commits: int | None = None
    """The commits that hold it; None where there are none to look at."""
    study: HandInStudy | None = None
    why: tuple[str, ...] = ()
    """Why it is not verified, or its checks did not pass; more to know of it."""
    is_only: bool = True
    """True if this person hands in nothing else."""
    apart: bool = False
    same_as: tuple[str, ...] = ()
    """Other hand-ins with the same runs, byte for byte."""

    @property
    def label(self) -> str:
        """The person's name, with the file where they hand in several."""
        return self.who if self.is_only else f"{self.who} ({Path(self.place).name})"


@dataclass(frozen=True)
class Wanted:
    """The parts of strangers' files that may run: checks, and a number of runs of each study."""

    checks: bool = False
    checks_for: str | None = None
    """The modification that files are checked for; None leaves it to what each file does."""
    cells: int = 0
    number: int = 0


@contextlib.contextmanager
def borrowed_home() -> Iterator[Path]:
    """A home for the length of a block. Yields the data of the person's own, to read."""
    own_data, before = paths.data_dir().absolute(), os.environ.get("Q1LAB_HOME")
    with tempfile.TemporaryDirectory(prefix="q1lab-class-") as folder:
        os.environ["Q1LAB_HOME"] = folder
        try:
            yield own_data
        finally:
            if before is None:
                del os.environ["Q1LAB_HOME"]
            else:
                os.environ["Q1LAB_HOME"] = before


def judge_hand_ins(
    hand_ins: Sequence[HandIn], settings: Wanted, data: Path, tell: Callable[[str], None]
) -> list[HandInResult]:
    """Judge each hand-in, in order. Nothing of theirs runs but what is ``settings``; ``data`` holds
    texts to train on."""
    is_slow = settings.checks or settings.cells > 0
    tell(f"{plural(len(hand_ins), 'hand-in')}, {'one by one' if is_slow else 'a second each'}")
    results = []
    for number, hand_in in enumerate(hand_ins, 1):
        if is_slow:
            tell(f"{number} of {len(hand_ins)}: {hand_in.who}")
        results.append(_judge(hand_in, settings, data))
    left = _without_trained_files(results, hand_ins)
    counts = Counter(result.who for result in left)
    return [replace(result, is_only=counts[result.who] == 1) for result in left]


def _without_trained_files(
    results: list[HandInResult], hand_ins: Sequence[HandIn]
) -> list[HandInResult]:
    """The results without model files that are those of a study of the same person."""
    trained = {
        (result.who, sha256)
        for result in results
        if result.study is not None
        for sha256 in result.study.sources
    }
    return [
        result
        for result, hand_in in zip(results, hand_ins, strict=True)
        if hand_in.kind != MODEL or (result.who, _source_hash(hand_in.place)) not in trained
    ]


def _source_hash(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return sha256_text(bundle.with_git_line_ends(read_bytes(file)).decode())
    return ""


def _judge(hand_in: HandIn, settings: Wanted, data: Path) -> HandInResult:
    result = HandInResult(hand_in.who, storable_text(str(hand_in.place)), hand_in.kind)
    if hand_in.kind == MODEL:
        return _model_checked(result, hand_in.place, settings) if settings.checks else result
    try:
        with _opened(hand_in) as opened:
            study = opened.study
            result = replace(result, study=_facts(opened))
            text = data / f"{study.data.sha256}.txt"
            result = _verified(result, hand_in, settings, text)
            sources = {arm: opened.files.get(name) for arm, name in study.model_files.items()}
            modified = sources.get("modified")
            if settings.checks and modified is not None:
                result = _checked(result, modified, sources["baseline"], settings)
    except Problem as problem:
        words = (
            str(problem).replace(f"{hand_in.place} ", "", 1).replace(f"{hand_in.place}: ", "", 1)
        )
        return replace(result, verified=REFUSED, why=(storable_text(words),))
    except OSError as error:
        return replace(result, verified=REFUSED, why=(f"can't be read ({os_reason(error)})",))
    return result


@contextlib.contextmanager
def _opened(hand_in: HandIn) -> Iterator[Bundle]:
    if hand_in.kind == ARCHIVE:
        with bundle.unpacked(hand_in.place, collect_faults=True) as opened:
            yield opened
    else:
        yield bundle.read_bundle(hand_in.place, str(hand_in.place), collect_faults=True)


def _facts(opened: Bundle) -> HandInStudy:
    study = opened.study
    pairs: dict[int, SeedPair] = {}
    hashes: dict[str, str] = {}
    for seed in study.seeds:
        names = [f"runs/{run_name(arm, seed)}/events.jsonl" for arm in ARMS]
        present = {name: opened.files[name] for name in names if name in opened.files}
        hashes |= {name: sha256_file(file) for name, file in present.items()}
        values = [events.final_loss(present[name]) if name in present else None for name in names]
        if values[0] is not None and values[1] is not None:
            pairs[seed] = SeedPair(values[0], values[1])
    overrides = [study.trainer.arm_overrides(arm) for arm in ARMS]
    settings = [
        identity.training_text(study),
        identity.training_settings(study),
        overrides,
        [study.metric.name, study.metric.unit, study.metric.better],
    ]
    return HandInStudy(
        study.id,
        study.variant,
        study.baseline,
        ", ".join(filter(None, (study.data.title, study.trainer.recipe))),
        sha256_json(settings),
        study.metric,
        pairs,
        sha256_json(hashes) if hashes else "",
        frozenset(filter(None, (study.arms[arm].sha256 for arm in ARMS))),
    )


def _verified(result: HandInResult, hand_in: HandIn, settings: Wanted, text: Path) -> HandInResult:
    """Ask `q1lab verify` about a study."""
    options = ["--cells", str(settings.cells), "--number", str(settings.number), "--json"]
    if settings.cells and text.is_file():
        options += ["--data", str(text)]
    seconds = RUNNING_SECONDS if settings.cells else WITHOUT_RUNNING_SECONDS
    code, report, words = _ask("verify", [str(hand_in.place.absolute()), *options], seconds)
    if code not in _ANSWERS:
        return replace(result, verified=REFUSED, why=(words,))
    refused = [f"{each['reason']}: {each['what']}" for each in report["refused"]]
    verdict, why = report["found"], [*refused, *report["unchecked"]]
    result = replace(
        result,
        verified=_ANSWERS[code],
        why=tuple(printable(each) for each in why),
        commits=report["commits"],
        looks_before=report["earlier_looks"],
    )
    if verdict is None or code == 20:
        return result
    ends = verdict["ends"]
    return replace(
        result,
        verdict=verdict["verdict"],
        level=verdict["alpha"],
        mean=verdict["mean"],
        interval=None if ends is None else Interval(*ends),
        pairs=verdict["n"],
        why=result.why + _no_verdict(verdict),
    )


def _no_verdict(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    reason = verdict["reason"] if verdict["verdict"] == "no verdict" else None
    return (f"no verdict: {reason}",) if reason else ()


def _model_checked(result: HandInResult, file: Path, settings: Wanted) -> HandInResult:
    """Check a model file that was handed in, against the one beside it that it was made from."""
    try:
        marker = parents.origin_of(file)
        neighbor = file.with_name(Path(marker.source).name) if marker is not None else file
        baseline = neighbor if neighbor != file and neighbor.is_file() else None
        return _checked(result, file, baseline, settings)
    except OSError as error:
        return replace(result, checks=UNUSABLE, why=(f"can't be read ({os_reason(error)})",))


def _checked(
    result: HandInResult, file: Path, baseline: Path | None, settings: Wanted
) -> HandInResult:
    """Ask `q1lab check` about a model file, which runs it, compared with its ``baseline`` (None:
    q1lab's own). Both lie alone meanwhile: nothing looks into a stranger's repository."""
    with tempfile.TemporaryDirectory(dir=paths.ensure_home()) as folder:
        copied = _copied(file, Path(folder) / "file")
        compared = "baseline" if baseline is None else _copied(baseline, Path(folder) / "baseline")
        options = ["--baseline", str(compared), "--json"]
        options += ["--for", settings.checks_for] if settings.checks_for else []
        code, report, words = _ask("check", [str(copied), *options], RUNNING_SECONDS)
    if "checks" not in report or "unusable" in report:
        words = printable(str(report.get("unusable", words))).replace(str(copied), file.name)
        return replace(result, checks=UNUSABLE, why=(*result.why, f"checks: {words}"))
    judged = [check for check in report["checks"] if check["judged"]]
    wrong = [check for check in judged if not check["passed"] and not check["follows"]]
    counted = f"{sum(check['passed'] for check in judged)}/{len(judged)}"
    why = [f"check {check['name']}: {check['seen']}" for check in wrong]
    return replace(
        result,
        checks=FAILED_CHECK if code else PASSED,
        checks_words=counted,
        why=(*result.why, *map(printable, why)),
    )


def _copied(file: Path, into: Path) -> Path:
    into.mkdir()
    (into / file.name).write_bytes(read_bytes(file, LARGEST_MODEL_FILE, refuse_link=True))
    return into / file.name


def _ask(command: str, arguments: list[str], seconds: int) -> tuple[int, dict[str, Any], str]:
    """(exit status, JSON, the message of an error) of a q1lab command in a child that gets no keys
    of the person's own."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("Q1LAB_")}
    env = {**child_processes.stranger_environment(1), **variables}
    with child_processes.running_child(
        [*child_processes.python_module("q1lab"), command, *arguments],
        seconds=seconds,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            out, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return -1, {}, f"no answer within {seconds} s"
    try:
        report = json.loads(out)
    except (ValueError, RecursionError):
        return -1, {}, f"`q1lab {command}` ended with status {child.returncode} and said nothing"
    if not isinstance(report, dict):
        return -1, {}, f"`q1lab {command}` did not print a JSON object"
    return child.returncode, report, _message(report)


def _message(report: Mapping[str, Any]) -> str:
    problem, following = str(report.get("what") or ""), str(report.get("next") or "")
    return printable("; ".join(filter(None, (problem, following))))
