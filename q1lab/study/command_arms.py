"""The command of a study that trains with a program other than q1lab's own, with other arguments
for each arm.

The record stands in the plan, and ``labs/loop.py`` reads it there. This module parses it from a
``study.toml``, and runs nothing; two_commands.py makes it of two typed commands.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from q1lab.ground import json_records
from q1lab.ground.config import parse_toml
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import absolute_path, os_reason, printable, read_text, sha256_file
from q1lab.ground.json_records import max_chars, one_of
from q1lab.ground.options import YOUR_COMMAND, declare, option, options_of
from q1lab.ground.secret_text import find_secret
from q1lab.judgment.metric import Metric
from q1lab.judgment.metric_names import direction, known_direction
from q1lab.judgment.tables.readers import printed_log

BASELINE = "baseline"
LONGEST_ARM_NAME = 40
CommandText = Annotated[str, max_chars(10_000)]
FileHash = Annotated[str, max_chars(64, "[0-9a-f]{0,64}")]


@dataclass(frozen=True)
class CommandSpec:
    """The command that trains one run, and where its metric is read."""

    run: CommandText
    """With ``{seed}``, ``{out}`` and ``{args}`` as placeholders for each run."""
    args: dict[str, CommandText]
    """The arguments of each arm, by its name; the first, or baseline, is the baseline."""
    folder: CommandText
    """The folder in which the command starts."""
    metric: Annotated[str, max_chars(100)] = field(
        metadata=declare(
            "The number to compare, by the name that the command reports. Default: read off "
            "what the first run prints.",
            YOUR_COMMAND,
        )
    )
    better: Annotated[str, one_of("lower", "higher")] = field(
        default="lower",
        metadata=declare(
            "Default: by the metric's name; asked where it doesn't tell.",
            YOUR_COMMAND,
            choices=("lower", "higher"),
        ),
    )
    take: Annotated[str, one_of("last", "best")] = "last"
    """The value that counts: that of the last step, or the best of all."""
    pattern: Annotated[str, max_chars(1000)] = option(
        "",
        "Read the number from the output: nanogpt, nanochat, or a pattern with (?P<value>…).",
        YOUR_COMMAND,
        flag="--metric-pattern",
        metavar="REGEX",
    )
    beside: Annotated[str, max_chars(100)] = ""
    """The number whose difference is told beside a speed: ``val loss``; empty for none."""
    resume: CommandText = ""
    """Arguments with which a run that was stopped goes on; empty: it begins again."""
    inputs: dict[str, FileHash] = field(default_factory=dict)
    """Files that the command reads → SHA-256; no hash before the study is planned."""
    code: dict[str, FileHash] = field(default_factory=dict)
    """The Python files among them → the hash of their syntax tree (``identity.code_hash``)."""

    @property
    def measured_metric(self) -> Metric:
        """The metric that the command reports; its unit is not known."""
        return Metric(printable(self.metric), "", self.better)

    def missing_files(self) -> list[str]:
        """The names of files that it needs, and that are gone."""
        return [name for name in self.inputs if not Path(self.folder, name).exists()]

    @property
    def arms(self) -> tuple[str, list[str]]:
        """The baseline's name, and those of the others."""
        first = BASELINE if BASELINE in self.args else next(iter(self.args))
        return first, [name for name in self.args if name != first]


COMMAND_OPTIONS = options_of(CommandSpec)
"""The options of `q1lab run` that say where a command's metric is read, by name."""
COMMAND_KEYS = tuple(
    item.name for item in fields(CommandSpec) if item.name not in ("args", "folder", "code")
)
"""The keys that the table [command] of a study.toml may have."""
SECONDS = "seconds"
"""The metric that is the time of a run itself, as labs/loop.py knows it."""
NO_COMMAND = CommandSpec(run="", args={}, folder="", metric="")


def itself(baseline: str) -> str:
    """The name of the modified arm where the baseline is compared with itself."""
    return f"{baseline}*"


def arm_words(loop: CommandSpec, name: str) -> list[str]:
    """The command's words with this arm's arguments; seed and folder are still placeholders."""
    words: list[str] = []
    args = shlex.split(loop.args.get(name, ""))
    for word in shlex.split(loop.run):
        words += args if word == "{args}" else [word.replace("{args}", shlex.join(args))]
    return words if "{args}" in loop.run else words + args


def differing_settings(loop: CommandSpec, names: Sequence[str]) -> list[str]:
    """What the commands of these two arms do not share, setting by setting: ``lr: 0.1, 0.05``. A
    setting is an option with its value, or a word at its place."""
    first, second = (_settings(arm_words(loop, name)) for name in names)
    return [
        f"{key}: {first.get(key, 'none')}, {second.get(key, 'none')}"
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key)
    ]


def _settings(words: Sequence[str]) -> dict[str, str]:
    """A command's words as settings: option or ``word 2`` → value."""
    settings: dict[str, str] = {}
    places, option = 0, ""
    for word in words:
        key, sign, value = word.partition("=")
        if word.startswith("-") or (sign and key.isidentifier()):
            option = "" if sign else key.lstrip("-")
            settings[key.lstrip("-")] = value if sign else "given"
        elif option:
            settings[option], option = word, ""
        else:
            places += 1
            settings[f"word {places}"] = word
    return settings


def token_note(loop: CommandSpec) -> str:
    """A sentence about what looks like a token in a command, without it; empty for none."""
    texts = (loop.run, *loop.args.values(), loop.resume)
    found = next(filter(None, map(find_secret, texts)), "")
    if not found:
        return ""
    return (
        f"the command holds what looks like a token ({found[:4]}…), and the study, its archives "
        "and its pages keep the command: let the program read it from its environment"
    )


def takes_seed(loop: CommandSpec) -> bool:
    """True if every arm's command names its seed."""
    return all("{seed}" in shlex.join(arm_words(loop, name)) for name in loop.args)


def displayed_command(loop: CommandSpec, variant: str, seed: int) -> str:
    """The command of one run, for a person to read: ``OUT`` stands for the run's folder. Problem
    where its quotes don't end."""
    try:
        words = arm_words(loop, variant)
    except ValueError as error:
        raise Problem(f"its command can't be read: {error}") from None
    return shlex.join(word.replace("{seed}", str(seed)).replace("{out}", "OUT") for word in words)


def hash_inputs(loop: CommandSpec) -> dict[str, str]:
    """The hashes of the files that the command or its inputs name, by name. Problem for one that
    can't be read."""
    program, *words = shlex.split(loop.run)
    words += [] if Path(program).is_absolute() else [program]
    words += [word for args in loop.args.values() for word in shlex.split(args)]
    files_in_command = [word for word in words if Path(loop.folder, word).is_file()]
    hash_by_name = {}
    for name in (*files_in_command, *loop.inputs):
        file = Path(loop.folder, name)
        try:
            hash_by_name[name] = sha256_file(file)
        except OSError as error:
            raise Problem(
                f"{file}: {error.strerror or error}, and the command needs it",
                next="put it back",
                file=file,
            ) from None
    return hash_by_name


def with_reading(loop: CommandSpec, corrections: Mapping[str, Any]) -> CommandSpec:
    """The command with its metric read otherwise (``metric``, ``pattern``, ``better``).
    Problem for a pattern that reads nothing."""
    pattern = corrections.get("pattern", "")
    if pattern:
        printed_log.compiled(pattern)
    better = corrections.get("better") or direction(corrections.get("metric", "")) or loop.better
    return replace(loop, **{**corrections, "better": better})


def read_study_toml(file: Path, floor_of: str | None = None) -> CommandSpec:
    """Read a ``study.toml``; its commands start in that file's folder. The arm ``floor_of`` is
    compared with itself. Problem that names the file if it can't be read."""
    try:
        tables = parse_toml(read_text(file, 1 << 20))
        record = _command_record(tables)
    except UnicodeDecodeError:
        raise Problem(f"{file}: not UTF-8 text", file=file) from None
    except OSError as error:
        raise Problem(f"{file}: {os_reason(error)}", file=file) from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{file}: {error}", file=file) from None
    try:
        loop = check_spec(record, absolute_path(str(file)).parent, str(file))
        if floor_of is not None:
            return _with_itself(loop, floor_of, str(file))
        if len(loop.args) < 2:
            raise Problem(
                f"{file}: two arms are compared",
                next="give [arm.baseline], and [arm.NAME] with args",
            )
    except Problem as problem:
        problem.file = file
        raise
    return loop


def _command_record(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a spec that the tables of a study.toml hold. ValueError for others."""
    for key in tables:
        if key not in ("command", "arm"):
            raise ValueError(f"[{key}]: {nearest(key, ('command', 'arm'))}")
    command, arms = tables.get("command"), tables.get("arm")
    if not isinstance(command, dict) or not isinstance(arms, dict):
        raise ValueError("it needs [command] with run, and [arm.NAME] with args for each arm")
    for key in command:
        if key not in COMMAND_KEYS:
            raise ValueError(f"[command] {key}: {nearest(key, COMMAND_KEYS)}")
    for name, arm in arms.items():
        if not isinstance(arm, dict) or set(arm) - {"args"}:
            raise ValueError(f"[arm.{name}] takes args and nothing else")
    inputs = command.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(file_name, str) for file_name in inputs):
        raise ValueError("[command] inputs is a list of files")
    args = {name: arm.get("args", "") for name, arm in arms.items()}
    return {**command, "inputs": dict.fromkeys(inputs, ""), "args": args}


def _with_itself(loop: CommandSpec, name: str, where: str) -> CommandSpec:
    """The command with an arm that is compared with itself. Problem if there is no such arm."""
    if name not in loop.args:
        raise Problem(f"{where} has no arm called {name}: ", next=nearest(name, list(loop.args)))
    return replace(loop, args={name: loop.args[name], itself(name): loop.args[name]})


def check_spec(record: Mapping[str, Any], folder: Path, where: str) -> CommandSpec:
    """Check the command and its arms, and return the spec. An empty metric is one that the first
    run shows. Problem that begins with ``where``."""
    pattern = record.get("pattern", "")
    if not record.get("metric") and pattern:
        record = {**record, "metric": printed_log.metric_of(str(pattern))}
    if "metric" not in record:
        raise Problem(f"{where}: ", next='say which number counts, such as metric = "val/loss"')
    try:
        loop = json_records.from_json(CommandSpec, {**record, "folder": str(folder)})
        if loop.metric and "better" not in record:
            loop = replace(loop, better=known_direction(loop.metric, None))
        programs = [arm_words(loop, name)[:1] for name in loop.args]
        shlex.split(loop.resume)
    except ValueError as error:
        raise Problem(f"{where}: {error}") from None
    if not shlex.split(loop.run) or not all(programs):
        raise Problem(f"{where}: the command is empty")
    for (program,) in programs:
        if not (shutil.which(program) or (folder / program).is_file()):
            raise Problem(
                f"{where}: {program}: no such command",
                next="name a program of PATH, or its whole path",
            )
    for name in loop.args:
        _check_arm_name(name, where)
    if pattern:
        printed_log.compiled(pattern, f"{where}: the metric's pattern")
    return loop


def _check_arm_name(name: str, where: str) -> None:
    if len(name) > LONGEST_ARM_NAME:
        raise Problem(
            f"{where}: an arm's name has at most {LONGEST_ARM_NAME} letters, and "
            f"{name[:20]!r}… has {len(name)}"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*", name):
        raise Problem(f"{where}: an arm's name is A to Z, digits, _ . - (not {name!r})")
