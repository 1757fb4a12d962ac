"""Train the runs of a study whose arms are a command: ``python -m labs.loop STUDY_DIR --launch N``.

It stands where ``labs.train`` stands: it takes one run after the other from the plan, starts the
learner's own command for it, reads the metric that the command reports, and writes the same events.
The command knows nothing of q1lab. It is given a seed (``{seed}``, ``Q1LAB_SEED``), a folder of its
own (``{out}``), its arm's arguments (``{args}``), and a file for numbers (``Q1LAB_METRICS``).

A metric is read from the first of these that reports it:

- ``$Q1LAB_METRICS``: a JSON object per line, ``{"step": 250, "val/loss": 2.31}``;
- lines of the output: ``METRIC step=250 val/loss=2.31``;
- the plan's pattern, a regular expression with a group ``value`` and perhaps ``step``, ``train``;
- without a pattern, lines that name it as programs do (``labs/printed.py``): ``val/loss=2.31``,
  ``val loss 2.31``, JSON, a table's column;
- files that the command wrote into ``{out}``, at its end, by the reader that ``--folder-reader``
  names: a module that prints JSON objects as above.

Whatever else the first two report by name is written down beside it, and of other lines the
training loss. Where an arm's first run
shows no number, the others of the study would train in vain: the launch ends there.

``--hear`` is the study's first run beforehand, of which every line is written down: a JSON question
on stdin, its answer on stdout. The study then reads those lines instead of running the command
again. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import difflib
import fcntl
import hashlib
import json
import math
import os
import re
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from labs import independence, printed, report
from labs.sharing import holding, leash, planned, stop_by_file, stop_files, stop_options, take

FINAL = ("finished", "diverged")
KEPT = 10_000
"""Steps of which everything is written down; of twice as many every second one, and so on."""
MOST_NUMBERS, LONGEST_NAME = 64, 100
"""Names, and characters of a name, under which other numbers are written down."""
GRACE = 8.0
"""Seconds that a command may take to end after SIGTERM; q1lab allows 10 in all."""
LOG_MOST = 16 << 20
"""Bytes of output that are kept."""
LINE_MOST = 4096
"""Characters of a line that are looked at."""

PATTERNS = {
    "nanogpt": r"step (?P<step>\d+): train loss (?P<train>\S+), val loss (?P<value>\S+)",
    "nanochat": r"Step (?P<step>\d+) \| Validation bpb: (?P<value>\S+)",
}
"""Patterns by name: what the output of nanoGPT's train.py and of nanochat's base_train.py says."""

METRIC = re.compile(r"METRIC((?: +[^\s=]+=\S+)+)")
"""Numbers on a line of output, wherever in it: a progress bar may stand before them."""

TRAIN = ("train/loss", "train_loss", "loss")
"""Names under which a training loss is reported beside the metric."""

MOST_WAYS, LONGEST_SHOWN = 8, 100
"""Numbers of the output that a message names with the option that reads each, and characters of a
line that it quotes."""
MOST_RECENT = 50
"""Lines with numbers among which those are looked for, at the output's end."""

HEARD, MOST_HEARD, MOST_NAMES = "heard.jsonl", 20_000, 500
"""The file with the lines of a run that was heard beforehand; its first lines, of which the numbers
are counted, and the most names of numbers."""

Rank = tuple[float, bool]
NOT_READ: Rank = (-1.0, False)
"""The rank of a line of which no option reads a number."""

SECONDS = "seconds"
"""The metric that is the time of a run itself."""

IN_FILES, MOST_READING = "folder", 300.0
"""The source of numbers in files that the command wrote, and the seconds in which they are read."""

NO_NUMBER = "no-number"
"""The claim of a launch that ends since an arm's first run showed no number."""

NOT_INDEPENDENT = "not independent"
"""How a run ends that failed since another one has a part in it: no other of the launch begins."""

stop_asked = False


def ask_to_stop(*_: object) -> None:
    global stop_asked
    stop_asked = True


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labs.loop", description="Train by a command.")
    parser.add_argument("study", type=Path, nargs="?", help="the study's folder")
    parser.add_argument("--launch", type=int, default=1, help="number of this launch")
    parser.add_argument("--alone", action="store_true", help="no other trainer shares the device")
    parser.add_argument("--hear", action="store_true", help="the first run that stdin asks for")
    parser.add_argument("--folder-reader", default="", help="the module that reads a run's files")
    stop_options(parser)
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ask_to_stop)
    if args.hear:
        json.dump(hear(json.load(sys.stdin), args.folder_reader), sys.stdout)
        return 0
    if args.leash:
        leash(ask_to_stop)
    if args.only:
        stop_by_file(stop_files(args.study, args.launch, args.only), ask_to_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    plan = json.loads((args.study / "study.json").read_text())
    plan["loop"]["folder_reader"] = args.folder_reader
    failed = False
    in_vain = args.study / "claims" / f"{args.launch}-{NO_NUMBER}"
    for arm, seed in planned(plan, args.only):
        folder = args.study / "runs" / f"{arm}-seed{seed}"
        if stop_asked:
            return 0
        if in_vain.exists():
            break
        if report.state(report.read(folder / "events.jsonl")) in FINAL or not (
            args.only or take(args.study / "claims" / f"{args.launch}-{folder.name}")
        ):
            continue
        with holding(folder / "lock"):
            if report.state(report.read(folder / "events.jsonl")) in FINAL:
                continue  # it ended while this trainer waited for the lock
            state = attempt(plan, arm, seed, folder)
        failed = failed or state in ("failed", NOT_INDEPENDENT)
        if state == NOT_INDEPENDENT or (state == "failed" and not shows_number(args.study, arm)):
            take(in_vain)
    return 1 if failed else 0


def shows_number(study: Path, arm: str) -> bool:
    """True if a run of this arm has reported its metric."""
    return any(
        event.get("type") == "eval"
        for events in (study / "runs").glob(f"{arm}-seed*/events.jsonl")
        for event in report.read(events)
    )


def attempt(plan: dict[str, Any], arm: str, seed: int, folder: Path) -> str:
    """One attempt at one run, from its start event to its exit event; returns its state, or
    ``NOT_INDEPENDENT``."""
    before = report.read(folder / "events.jsonl")
    number = 1 + sum(event.get("type") == "start" for event in before)
    say = Clock(folder / "events.jsonl", report.seconds(before))
    try:
        return train(say, plan, arm, seed, folder, number, before)
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or folder})"
        say("exit", state="failed", message=reason)
        return "failed"
    finally:
        say.close()


def train(
    say: Clock,
    plan: dict[str, Any],
    arm: str,
    seed: int,
    folder: Path,
    number: int,
    before: list[dict[str, Any]],
) -> str:
    """Run the command, and say what it reports."""
    loop, variant = plan["loop"], plan["arms"][arm]["variant"]
    out, metrics = folder / "out", folder / "metrics.jsonl"
    was_cut_off = report.state(before) in ("stopped", "running")
    goes_on = bool(loop.get("resume")) and out.is_dir() and any(out.iterdir())
    heard = folder / HEARD
    if not goes_on:
        before = []
        if not heard.exists():
            shutil.rmtree(out, ignore_errors=True)
    out.mkdir(exist_ok=True, mode=0o700)
    metrics.unlink(missing_ok=True)
    # where an arm is compared with itself, one arm draws with other seeds (q1lab's trainer.py)
    drawn_seed = seed + plan.get("seed_shift", {}).get(arm, 0)
    words = words_of(loop, variant, drawn_seed, out, loop.get("resume", "") if goes_on else "")
    others_files = independence.OtherRunsFiles(Path(loop["folder"]), folder.parent)
    if not heard.exists():
        (folder / independence.BEGAN).touch(mode=0o600)
    evals = {
        event["iter"]: event.get("val_loss")
        for event in before
        if event.get("type") == "eval" and "iter" in event
    }
    say(
        "start",
        v=1,
        arm=arm,
        variant=variant,
        seed=seed,
        **({} if drawn_seed == seed else {"drawn_with": drawn_seed}),
        attempt=number,
        pid=os.getpid(),
        resumed_from=max(evals, default=0),
        command=shlex.join(words),
    )
    if changed := changed_input(loop):
        say("exit", state="failed", message=changed)
        return "failed"
    reader = (ToldBoth if loop.get("beside") else Told)(say, loop, evals)
    if heard.exists():
        ended: str | None = ""
        tell_again(heard, reader, say)
    else:
        began = time.monotonic()
        with (folder / "run.log").open("ab") as log:
            ended = run(words, loop, drawn_seed, metrics, log, reader, lambda: stop_asked)
            reader.end(time.monotonic() - began)
        if ended == "" and not reader.is_complete:
            tell_files(loop.get("folder_reader", ""), out, reader)
    shared = "" if ended != "" else shared_with(folder, reader, others_files, was_cut_off)
    if shared:
        say("exit", state="failed", message=shared, independent=False)
        return NOT_INDEPENDENT
    return say_end(say, reader, ended, loop["metric"])


def shared_with(
    folder: Path, reader: Told, others_files: independence.OtherRunsFiles, was_cut_off: bool
) -> str:
    """What a run that ended well shares with another run of the study, and the cure; empty where
    it shares nothing. A run that was cut off may go on from a file of its own."""
    said = "" if was_cut_off else others_files.loaded(folder / "run.log", reader.metric)
    if file := said or ("" if was_cut_off else others_files.overwritten()):
        did = "loaded" if said else "read, and then wrote over,"
        return (
            f"it {did} {file}, which another run of the study wrote, so it is no run of its own; "
            "have it keep its checkpoints in {out}"
        )
    if other := independence.seed_with_same_numbers(folder, reader.values):
        return (
            f"its numbers are those of {other} to the bit, so the seed does not reach the run; "
            "have the program use the seed that {seed} gives it"
        )
    return ""


def say_end(say: Clock, reader: Told, ended: str | None, metric: str) -> str:
    """Say how a run ended: its state, which is returned, and its value. ``ended`` is the reason why
    its command failed, empty if it did not, None if it was stopped."""
    if ended is None:
        say("exit", state="stopped", message="stopped; the same command goes on")
        return "stopped"
    if reader.twice:
        say("note", text=reader.twice)
    step, value, wrong = reader.outcome()
    if ended or wrong:
        ways = [] if ended else reader.ways()
        say("exit", state="failed", message=ended or wrong, **({"ways": ways} if ways else {}))
        return "failed"
    if not is_kept(len(reader.fresh)) and step in reader.fresh:  # the curve reaches its end
        say("eval", iter=step, val_loss=reader.values[step])
    say("eval", iter=step, val_loss=value, final=True)
    if not math.isfinite(value):
        say("exit", state="diverged", iter=step, message=f"{metric} ended as {value}")
        return "diverged"
    say("exit", state="finished", iter=step, val_loss=value, metric_from=reader.source)
    return "finished"


def words_of(loop: Mapping[str, Any], variant: str, seed: int, out: Path, more: str) -> list[str]:
    """The command of one run. It is started without a shell; ``{args}`` stands for the words of
    the arm's arguments, with ``more`` behind them."""
    args = [*shlex.split(loop["args"].get(variant, "")), *shlex.split(more)]
    words = []
    for word in shlex.split(loop["run"]):
        words += args if word == "{args}" else [word.replace("{args}", shlex.join(args))]
    words += [] if "{args}" in loop["run"] else args
    return [word.replace("{seed}", str(seed)).replace("{out}", str(out)) for word in words]


def changed_input(loop: Mapping[str, Any]) -> str:
    """The message for a file that the command reads and that has changed since it was planned."""
    for name, sha256 in loop.get("inputs", {}).items():
        file = Path(loop["folder"], name)
        try:
            with file.open("rb") as opened:
                now = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            return f"{name}: {error.strerror}; the command needs it"
        if now != sha256:
            return f"{name} changed since the study was planned; put it back, or ask with --fresh"
    return ""


# ── the command's numbers


class Told:
    """Takes the numbers that a command reports, and says them as events."""

    def __init__(
        self,
        say: Callable[..., object],
        loop: Mapping[str, Any],
        evals: Mapping[int, float | None] | None = None,
    ) -> None:
        """``evals``: what an earlier attempt reported, by step."""
        self.say, self.metric, self.takes = say, loop["metric"], loop.get("take", "last")
        self.better = loop.get("better", "lower")
        self.source = ""
        """Where the metric is read; empty until it was seen."""
        pattern = loop.get("pattern", "")
        self.pattern = re.compile(PATTERNS.get(pattern, pattern)) if pattern else None
        self.printed = None if pattern else printed.Printed()
        self.last_word = self.metric.split()[-1]
        self.recent: deque[str] = deque(maxlen=MOST_RECENT)
        """The last lines with numbers."""
        self.last_step = 0
        """The step of the last value that a line named, which never goes back."""
        self.named_step = 0
        """The step that the last line named."""
        self.losses = 0
        """Lines that had a loss, but not the metric."""
        self.values: dict[int, float] = {
            step: math.nan if value is None else value for step, value in (evals or {}).items()
        }
        self.fresh: set[int] = set()
        """Steps of which this attempt reported a value."""
        self.twice = ""
        self.others: set[str] = set()
        """Names of numbers that are neither the step nor the metric."""
        self.step, self.steps = -1, 0
        """The last step that was reported beside the metric, and how many there were."""
        self.written: set[str] = set()
        """The names that were written down of ``step``."""

    def line(self, text: str) -> None:
        """A line of the output."""
        text = printed.plain(text)
        if match := METRIC.search(text):
            self.record("lines", numbers_said(match))
        elif self.pattern is not None and (hit := self.pattern.search(text)):
            groups = hit.groupdict() or dict(zip(("value", "step"), hit.groups(), strict=False))
            value = groups.get("value", hit[0])
            numbers = {
                "step": groups.get("step"),
                "train/loss": groups.get("train"),
                self.metric: value,  # which may have one of these names
            }
            self.record("pattern", {key: one for key, one in numbers.items() if one is not None})
        elif self.printed is not None and self._may_be_read(text, self.printed.columns):
            self._printed_line(self.printed.numbers(text), printed.step_of(text))
        if not self.values and printed.A_NUMBER.search(text):
            self.recent.append(text)

    def _may_be_read(self, text: str, columns: list[str]) -> bool:
        """False for a line that has neither the metric nor a loss, nor is a row of a table with
        one. Of many lines with a loss alone some are read."""
        if self.last_word in text or self.metric in columns or self.metric == printed.ALONE:
            return True
        self.losses += "oss" in text
        return "oss" in text and is_kept(self.losses)

    def _printed_line(self, numbers: list[printed.Said], step: int | None) -> None:
        """A line of numbers as the program likes them. The value that is named last counts: a step
        that starts anew with each epoch is counted on."""
        self.named_step = self.named_step if step is None else step
        values = {one.value for one in numbers if self.metric in (one.name, one.full)}
        losses = [one.value for one in numbers if printed.is_train_loss(one.full)]
        is_told = len(values) == 1  # of two numbers nobody knows which one is meant
        at = self.named_step
        if is_told:
            at = self.last_step = at if at > self.last_step else self.last_step + 1
        if losses and at >= self.last_step and not values.intersection(losses):
            self._write(at, number(losses[0]), {})
        if is_told:
            self.record("output", {"step": at, self.metric: values.pop()})

    def record(self, source: str, numbers: Mapping[str, Any]) -> None:
        """Numbers that were reported together, by name."""
        if source == IN_FILES and self.source not in ("", IN_FILES):
            return
        values = {key: one for key, text in numbers.items() if (one := number(text)) is not None}
        step, value = values.pop("step", None), values.pop(self.metric, None)
        if value is not None and not self._is_heard(source):
            value = None
        at = int(step) if step is not None and 0 <= step < 1 << 53 else len(self.fresh) + 1
        self._meet(values)
        train = next((values.pop(name) for name in TRAIN if name in values), None)
        extras = {name: one for name, one in values.items() if name in self.others}
        self._write(at, train, extras if value is None else {})
        if value is None:
            return
        if at in self.fresh and not self.twice:
            self.twice = f"{self.metric} was reported twice at step {at}; the later one counts"
        self.values[at] = value
        self.fresh.add(at)
        if is_kept(len(self.fresh)):
            self.say("eval", iter=at, val_loss=value, **({"numbers": extras} if extras else {}))

    def _is_heard(self, source: str) -> bool:
        """True if the metric counts from this source: the first that reported it, or what a program
        says to q1lab, which comes before its output."""
        if self.source == "output" and self.printed is not None and source != "output":
            self.values, self.fresh, self.source = {}, set(), source
        self.source = self.source or source
        return source == self.source

    def _meet(self, names: Iterable[str]) -> None:
        """Remember the names of numbers, as long as there is room."""
        for name in names:
            sound = 0 < len(name) <= LONGEST_NAME and name.isprintable()
            if sound and len(self.others) < MOST_NUMBERS:
                self.others.add(name)

    def _write(self, at: int, train: float | None, numbers: Mapping[str, float]) -> None:
        """Write down what was reported of a step without the metric, each name once: a step may
        come in several pieces, and there may be thousands of steps a second."""
        fields = numbers if train is None else {**numbers, "train_loss": train}
        if fields and at > self.step:
            self.step, self.steps, self.written = at, self.steps + 1, set()
        new = {name: one for name, one in fields.items() if name not in self.written}
        if at == self.step and new and is_kept(self.steps):
            self.written |= new.keys()
            loss = {"train_loss": new.pop("train_loss")} if "train_loss" in new else {}
            self.say("iter", iter=at, **loss, **({"numbers": new} if new else {}))

    @property
    def is_complete(self) -> bool:
        """True if no number is missing any more."""
        return bool(self.values)

    def end(self, seconds: float) -> None:
        """The command ended after so many seconds, which may be the metric themselves."""
        if self.metric == SECONDS:
            self.source = "clock"
            self.values = {max(self.last_step, 1): round(seconds, 3)}

    def outcome(self) -> tuple[int, float, str]:
        """(step, value, what is wrong): the value that counts, at the step that it is of."""
        if not self.values:  # a run that was stopped behind its last step has them from before
            seen = ", ".join(sorted(self.others)[:6])
            why = "it reported no number" if self.recent else "its output holds no number"
            why = f"it reported {seen}" if seen else why
            return 0, math.nan, f"the command ended without {self.metric}: {why}; {self._remedy()}"
        last = max(self.values)
        if self.takes == "best":
            finite = [one for one in self.values.values() if math.isfinite(one)]
            best = (min if self.better == "lower" else max)(finite, default=math.nan)
            return last, best, ""
        return last, self.values[last], ""

    def _remedy(self) -> str:
        """The way to have the metric read, for a command whose output does not show it."""
        line, option = (self.ways() or [["", ""]])[0]
        if option:
            return f"read `{line}` by {option}" if line else f"read it by {option}"
        return f"have it print lines such as `step=250 {self.metric}=2.31`"

    def ways(self) -> list[list[str]]:
        """[line, option] for each number of the output's last lines, with the option that reads it,
        the name most like the metric's first; a line is empty where the number was reported by its
        name, and an option where none reads a number of the line."""
        pairs = [("", way) for name in sorted(self.others) for way in self._options(f"{name}=0")]
        shapes: set[str] = set()
        for line in reversed(self.recent):
            shape = printed.A_NUMBER.sub("0", line)
            if shape not in shapes:
                pairs += [(line, way) for way in self._options(line) or [(NOT_READ, "")]]
            shapes.add(shape)
        by_option: dict[str, str] = {}
        for line, (_, option) in sorted(pairs, key=lambda one: one[1][0], reverse=True):
            by_option.setdefault(option, line[:LONGEST_SHOWN])
        return [[line, option] for option, line in by_option.items()][:MOST_WAYS]

    def _options(self, line: str) -> list[tuple[Rank, str]]:
        """The options that read a number of a line, each with the likeness of its name to the
        metric's, and with whether the number has decimals."""
        values: dict[str, set[str]] = {}
        for one in printed.Printed().numbers(line):
            if printed.step_of(f"{one.name} {one.value}") is None:
                values.setdefault(one.full, set()).add(one.value)
        single = {name: same.pop() for name, same in values.items() if len(same) == 1}
        return [
            ((likeness(name, self.metric), "." in value), f"--metric {shlex.quote(name)}")
            for name, value in reversed(single.items())
        ]


class ToldBoth(Told):
    """Takes a second number beside the metric, too, such as the val loss beside the seconds."""

    def __init__(
        self,
        say: Callable[..., object],
        loop: Mapping[str, Any],
        evals: Mapping[int, float | None] | None = None,
    ) -> None:
        super().__init__(say, loop, evals)
        self.beside = Told(self._say_beside, {**loop, "metric": loop["beside"], "pattern": ""})

    def line(self, text: str) -> None:
        self.beside.line(text)
        super().line(text)

    def record(self, source: str, numbers: Mapping[str, Any]) -> None:
        if source not in ("output", "pattern"):  # these are each reader's own
            self.beside.record(source, numbers)
        super().record(source, numbers)

    @property
    def is_complete(self) -> bool:
        return bool(self.values and self.beside.values)

    def end(self, seconds: float) -> None:
        self.last_step = max(self.last_step, max(self.beside.values, default=0))
        super().end(seconds)

    def _say_beside(self, kind: str, **fields: Any) -> None:
        if kind == "eval":
            self.say("iter", iter=fields["iter"], numbers={self.beside.metric: fields["val_loss"]})


def numbers_said(match: re.Match[str]) -> dict[str, str]:
    """The numbers of a METRIC line, by name."""
    pairs = (word.partition("=") for word in match[1].split())
    return {key: value for key, _, value in pairs}


def likeness(name: str, metric: str) -> float:
    """The likeness of two names, from 0 to 1."""
    return difflib.SequenceMatcher(None, name.lower(), metric.lower()).ratio()


def is_kept(count: int) -> bool:
    """True if the step that is the ``count``-th of a run is written down. The steps alone decide,
    not the clock, so that runs which report alike have the same ones."""
    stride: int = 1 << ((count - 1) // KEPT).bit_length()
    return count % stride == 0


def number(value: Any) -> float | None:
    """A number, finite or not, of a number or its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


# ── the study's first run, which is heard before the study is planned


class Heard:
    """Takes what a command reports while its metric is not known yet: writes every line down with
    its second, and counts the numbers by name."""

    def __init__(self, path: Path) -> None:
        self.lines, self.began = path.open("w", encoding="utf-8"), time.monotonic()
        self.names: dict[str, list[Any]] = {}
        """Name → how often it was reported, and its last value."""
        self.filed: dict[str, list[Any]] = {}
        """The same of the files that the command wrote."""
        self.printed, self.count, self.size = printed.Printed(), 0, 0
        self.latest: deque[str] = deque(maxlen=MOST_RECENT)

    def line(self, text: str) -> None:
        """A line of the output."""
        text = printed.plain(text)
        if match := METRIC.search(text):
            self.record("lines", numbers_said(match))
            return
        self._write(text)
        self.count += 1
        if self.count <= MOST_HEARD:
            self._count_printed(text)
        else:
            self.latest.append(text)

    def _count_printed(self, text: str) -> None:
        for one in self.printed.numbers(text):
            if printed.step_of(f"{one.name} {one.value}") is None:
                self._count(one.full, one.value, self.names)

    def record(self, source: str, numbers: Mapping[str, Any]) -> None:
        """Numbers that were reported together, by name."""
        self._write({"source": source, "numbers": numbers})
        for name, value in numbers.items():
            if name != "step" and number(value) is not None and len(name) <= LONGEST_NAME:
                self._count(name, str(value), self.filed if source == IN_FILES else self.names)

    def _count(self, name: str, value: str, names: dict[str, list[Any]]) -> None:
        if name in names or len(names) < MOST_NAMES:
            count, _ = names.get(name, (0, ""))
            names[name] = [count + 1, value]

    def _write(self, content: Any) -> None:
        line = json.dumps([round(time.monotonic() - self.began, 3), content]) + "\n"
        self.size += len(line)
        if self.size <= LOG_MOST:
            self.lines.write(line)
            self.lines.flush()

    def end(self) -> bool:
        """True if every line is written down."""
        for text in self.latest:
            self._count_printed(text)
        self._write(None)
        self.lines.close()
        return self.size <= LOG_MOST


def hear(question: dict[str, Any], folder_reader: str) -> dict[str, Any]:
    """A whole run of one arm, whose metric is not known: {names: {name: [count, value]}, filed: the
    same of its files, whole, seconds} or {wrong: words}. ``scratch`` keeps what ``HEARD`` names,
    for ``tell_again``."""
    loop, scratch = question["loop"], Path(question["scratch"])
    (scratch / "out").mkdir(parents=True, exist_ok=True)
    (scratch / independence.BEGAN).touch(mode=0o600)
    heard = Heard(scratch / HEARD)
    words = words_of(loop, question["variant"], question["seed"], scratch / "out", "")
    metrics = scratch / "metrics.jsonl"
    with (scratch / "run.log").open("wb") as log:
        seed = question["seed"]
        wrong = run(words, loop, seed, metrics, log, heard, lambda: stop_asked)
    seconds = round(time.monotonic() - heard.began, 3)
    if wrong == "":
        tell_files(folder_reader, scratch / "out", heard)
    whole = heard.end()
    return {
        "wrong": "it was stopped" if wrong is None else wrong,
        "names": heard.names,
        "filed": heard.filed,
        "whole": whole,
        "seconds": seconds,
    }


def tell_files(module: str, out: Path, reader: Told | Heard) -> None:
    """Tell the numbers in the files that the command wrote into its folder, as a module reads
    them."""
    if not module or not any(out.iterdir()):
        return
    words = [sys.executable, "-P", "-m", module, str(out)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        read = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=MOST_READING, check=False
        )
        for line in read.stdout.splitlines():
            with contextlib.suppress(ValueError):
                reader.record(IN_FILES, json.loads(line))


def tell_again(heard: Path, reader: Told, say: Clock) -> None:
    """Have the lines of a run that was heard told, each at its second."""
    with heard.open(encoding="utf-8") as lines:
        for line in lines:
            seconds, content = json.loads(line)
            say.at(seconds)
            if isinstance(content, str):
                reader.line(content)
            elif content is not None:
                reader.record(content["source"], content["numbers"])
    heard.unlink()


class Clock(report.Report):
    """A run's events, at seconds that have passed already."""

    def at(self, seconds: float) -> None:
        """The next events are of this second of the run."""
        self._began = time.monotonic() - seconds


# ── the command's process


def run(
    words: list[str],
    loop: Mapping[str, Any],
    seed: int,
    metrics: Path,
    log: Any,
    reader: Told | Heard,
    stops: Callable[[], bool],
) -> str | None:
    """Run the command to its end. Returns what went wrong, empty where nothing did, None where it
    was stopped.

    It has a process group of its own, which ends with it, and with this process, however that ends.
    What it starts in other sessions ends with it, too, on Linux.
    """
    adopt_orphans()
    guard, ours = os.pipe()
    env = {**os.environ, "Q1LAB_SEED": str(seed), "Q1LAB_METRICS": str(metrics)}
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=loop["folder"],
            env=env,
            start_new_session=True,
            pass_fds=[guard],
            preexec_fn=lambda: tie(guard),
        )
    except OSError as error:
        os.close(ours)
        return f"{words[0]}: {error.strerror}"
    finally:
        os.close(guard)
    output = Output(child.stdout.fileno() if child.stdout else -1, log, reader)
    numbers = Numbers(metrics, reader)
    told_to_stop, deadline = False, math.inf
    try:
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            output.read(0.2)
            numbers.read()
            now = time.monotonic()
            if stops() and not told_to_stop:
                told_to_stop, deadline = True, now + GRACE
                signal_group(child.pid, signal.SIGTERM)
            if now > deadline:
                signal_group(child.pid, signal.SIGKILL)
                deadline = math.inf
        signal_group(child.pid, signal.SIGKILL)  # what it started and left behind
        output.read(0.0, whole=True)
        numbers.read(whole=True)
        status = child.wait()
    finally:
        signal_group(child.pid, signal.SIGKILL)
        child.wait()
        end_orphans()
        os.close(ours)
        if child.stdout:
            child.stdout.close()
    if told_to_stop:
        return None
    if not status:
        return ""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"ended by signal {-status} ({signal.Signals(-status).name})"
    last_lines = " | ".join(output.last)[-400:]
    return f"exit status {status}" + (f": {last_lines}" if last_lines else "")


def tie(guard: int) -> None:
    """In the child: have the kernel kill this process group when the other end of the pipe is gone
    (Linux). It holds through exec."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(guard, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(guard, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(guard, fcntl.F_SETFL, os.O_ASYNC)


SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""


def adopt_orphans() -> None:
    """Become the parent of whatever the command's processes leave behind, in any session."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """End the processes that the command left behind; what these leave behind comes here, too."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    for _ in range(100):
        try:
            orphans = [int(pid) for pid in children.read_text().split()]
        except OSError:
            return
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(PermissionError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def signal_group(leader: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, which)


class Output:
    """The output of the command: written into the log up to LOG_MOST, handed on line by line, its
    last lines kept for a message."""

    def __init__(self, fd: int, log: Any, reader: Told | Heard) -> None:
        self.fd, self.log, self.told = fd, log, reader
        self.rest, self.kept = b"", 0
        self.last: deque[str] = deque(maxlen=3)
        os.set_blocking(fd, False)

    def read(self, wait: float, whole: bool = False) -> None:
        """Take what is there, after ``wait`` seconds at most. ``whole``: nothing more comes."""
        if not select.select([self.fd], [], [], wait)[0] and not whole:
            return
        for _ in range(256):  # then it is time to look at other things
            try:
                block = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                break
            if not block:
                if not whole:
                    time.sleep(min(wait, 0.02))  # it ends, or closed its output and goes on
                break
            if self.kept < LOG_MOST:
                self.log.write(block)
                self.log.flush()
                self.kept += len(block)
                if self.kept >= LOG_MOST:
                    self.log.write(b"\n[q1lab: the log grew too large; the rest is left out]\n")
            *lines, self.rest = re.split(rb"[\r\n]", self.rest + block)
            self.rest = self.rest[:LINE_MOST]
            for line in lines:
                self._line(line)
        if whole and self.rest:
            self._line(self.rest)

    def _line(self, line: bytes) -> None:
        text = line[:LINE_MOST].decode("utf-8", "replace").strip()
        if text:
            if set(text) - set("^~ "):  # a traceback's pointer says nothing by itself
                self.last.append(text[:200])
            self.told.line(text)


class Numbers:
    """The file that the command writes numbers into."""

    def __init__(self, path: Path, reader: Told | Heard) -> None:
        self.path, self.told, self.at = path, reader, 0

    def read(self, whole: bool = False) -> None:
        """Take the lines that are new. ``whole``: a last line without its end is one, too."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return
            while block := os.pread(fd, 1 << 20, self.at):
                end = len(block) if whole and len(block) < 1 << 20 else block.rfind(b"\n") + 1
                if not end:
                    end = len(block) if len(block) == 1 << 20 else 0  # a line of a megabyte is none
                    self.at += end
                    return
                self.at += end
                for line in block[:end].split(b"\n"):
                    self._line(line)
        finally:
            os.close(fd)

    def _line(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict):
                self.told.record("file", record)


if __name__ == "__main__":
    sys.exit(main())
