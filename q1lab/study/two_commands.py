"""Two commands as they are typed after `q1lab run`: what they share is the command of a study, and
where they differ are its arms, which are named by that.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from q1lab.ground.errors import Problem
from q1lab.study.command_arms import BASELINE, LONGEST_ARM_NAME, CommandSpec, arm_words, check_spec

SHELL_WORD = re.compile(r"\|\|?|&&?|;|[<>]{1,2}|\d?>&\d|.+;")
"""Words that only a shell understands."""
SCRIPT = re.compile(r".+\.(?:py|sh|jl|R|js|pl)")
PLAIN = re.compile(r"[\w@%+=:,./{}-]+")
"""A word that needs no quotes."""
LAUNCHERS = re.compile(
    "accelerate|conda|deepspeed|env|ionice|micromamba|mpiexec|mpirun|nice|nohup|numactl|pixi|"
    "poetry|srun|stdbuf|sudo|taskset|time|timeout|torchrun|uv"
)
"""Programs that start the one whose name follows their options."""
FOR_LAUNCHER = re.compile(r"-.*|\w+=.*|[\d,.:-]+[smhd]?|run|launch|exec")
"""A word behind a launcher that is not yet the program."""
Words = Sequence[str]


def are_commands(typed: Sequence[str]) -> bool:
    """True if what was typed as VARIANTs are commands: one of them has a seed to fill in, or
    several words, and is no file."""
    return any(
        ("{seed}" in text or len(text.split()) > 1) and not Path(text).exists() for text in typed
    )


def parse_two_commands(typed: Sequence[str], **settings: str) -> CommandSpec:
    """The study's command and arms. ``settings`` are metric, better and pattern.
    Without a metric the spec's is empty, and its first run shows it. Problem for commands
    that can't be compared."""
    if len(typed) > 2:
        raise Problem(
            f"{len(typed)} commands: ",
            next="two are compared; a study.toml takes more arms (docs/runs-and-programs.md)",
        )
    commands = [_words(text) for text in typed]
    for text, words in zip(typed, commands, strict=True):
        _prove_seed(text, words, commands)
    if len(commands) < 2:
        raise Problem(
            "one command has nothing to be compared with: ",
            next=f"type a second one after it, such as {shlex.quote(typed[0] + ' --lr=2e-3')}",
        )
    baseline, modified = commands
    if baseline == modified:
        raise Problem(
            "both commands are the same: ",
            next="change in the second one what you want to compare; for the noise of one command, "
            "name it in a study.toml and type `q1lab run study.toml baseline`",
        )
    before, after = _shared(baseline, modified)
    shared = [*baseline[:before], "{args}", *baseline[len(baseline) - after :]]
    args = (words[before : len(words) - after] for words in commands)
    names = arm_names(baseline, modified)
    run = " ".join(word if PLAIN.fullmatch(word) else shlex.quote(word) for word in shared)
    record = {"run": run, "args": dict(zip(names, map(shlex.join, args), strict=True))}
    return check_spec({"metric": "", **record, **settings}, Path.cwd(), "the command")


def _words(text: str) -> list[str]:
    """The words of a command. Problem where it has none, or where it needs a shell."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Problem(f"{text[:60]}: {str(error).lower()}", next="close the quotes") from None
    if not words:
        raise Problem("a command is empty: ", next="type two commands, each in quotes")
    if "=" in words[0] and re.match(r"\w+=", words[0]):
        raise Problem(f"{words[0]}: ", next=f"write `env {words[0]} …`; there is no shell")
    if shell := next((word for word in words if SHELL_WORD.fullmatch(word)), ""):
        raise Problem(
            f"{shell!r} is for a shell, and a command starts without one: ",
            next=f"write bash -c {shlex.quote(text)}, and the other command the same way",
        )
    return words


def _prove_seed(text: str, words: Words, commands: Sequence[Words]) -> None:
    """Problem for a command that does not say where its seed goes."""
    if "{seed}" in text:
        return
    seed = _seed_word(words)
    where = f"{seed[1]} in place of {seed[0]}" if seed else "such as --seed={seed}"
    others = [_without_seed(other) for other in commands]
    only = len(others) == 2 and others[0] == others[1] and commands[0] != commands[1]
    raise Problem(
        f"{'the commands differ only in their seed' if only else 'no {seed} in ' + repr(text)}: ",
        next=f"put {{seed}} where the seed goes ({where}); q1lab fills in 0, 1, 2 …",
    )


def _seed_word(words: Words) -> tuple[str, str] | None:
    """The word of a command that seems to be its seed, and how it is written with ``{seed}``."""
    for at, word in enumerate(words):
        name, sign, _value = word.partition("=")
        if re.search("seed$", name, re.IGNORECASE):
            if sign:
                return word, f"{name}={{seed}}"
            if at + 1 < len(words) and words[at + 1].isdigit():
                return f"{word} {words[at + 1]}", f"{word} {{seed}}"
    return None


def _without_seed(words: Words) -> str:
    text, seed = shlex.join(words), _seed_word(words)
    return text.replace(seed[0], "") if seed else text


def _shared(words: Words, other: Words) -> tuple[int, int]:
    """The number of words that both begin with, and of those that both end with behind them."""
    shorter = min(len(words), len(other))
    before = next((at for at in range(shorter) if words[at] != other[at]), shorter)
    most = shorter - before
    after = next((at for at in range(most) if words[-1 - at] != other[-1 - at]), most)
    return before, after


# ── names


def arm_names(baseline: Words, modified: Words) -> tuple[str, str]:
    """The arms' names: for each the words that only it has. The baseline is called baseline where
    it has none, or where both would be called the same."""
    before, after = _shared(baseline, modified)
    own, other = (words[before : len(words) - after] for words in (baseline, modified))
    if all(len(middle) == 1 and " " in middle[0] for middle in (own, other)):  # of `bash -c '…'`
        return arm_names(own[0].split(), other[0].split())
    flag = _shared_flag(baseline[:before], own, other)
    base_name, name = (
        _name(flag + [word for word in words if flag or word not in others])
        for words, others in ((own, other), (other, own))
    )
    base_name, name = (
        f"{_program(modified)}-{each}" if each[:1].isdigit() else each for each in (base_name, name)
    )
    if base_name and not name:
        base_name, name = "", f"no-{base_name}"[:LONGEST_ARM_NAME]
    if name in ("", base_name, BASELINE):
        base_name, name = "", "modified"
    return base_name or BASELINE, name


def _shared_flag(before: Words, own: Words, other: Words) -> list[str]:
    """The option in front of both, where its value alone differs."""
    flag = before[-1] if before else ""
    are_values = all(middle and not middle[0].startswith("-") for middle in (own, other))
    return [flag] if flag.startswith("-") and "=" not in flag and are_values else []


def _name(words: Words) -> str:
    """An arm's name of its words, such as "lr=2e-3+wd=0.1"."""
    parts: list[str] = []
    for word in words:
        name, sign, value = word.lstrip("-+").partition("=")
        text = name + sign + value if sign else Path(name).stem if SCRIPT.fullmatch(name) else name
        if sign and "/" in value:
            text = f"{name}={Path(value).stem}"
        text = re.sub(r"[^A-Za-z0-9_.=-]+", "_", text).strip("_.=-")
        is_value = bool(parts) and not word.startswith("-") and "=" not in parts[-1] + word
        if is_value and parts[-1] in {one.lstrip("-") for one in words if one.startswith("-")}:
            parts[-1] += f"={text}"
        elif text:
            parts.append(text)
    return "+".join(parts)[:LONGEST_ARM_NAME].strip("+_.=-")


def study_name(loop: CommandSpec, variant: str) -> str:
    """The name of a command's study: the arm's; with the program's before it where q1lab named the
    arm by an argument, as in "train_lr=2e-3"."""
    if "=" not in variant:  # a name that a person typed has none
        return variant
    words = {name: arm_words(loop, name) for name in loop.args}
    if len(words) != 2 or variant not in words:
        return variant
    baseline = next(name for name in words if name != variant)
    if arm_names(words[baseline], words[variant]) != (baseline, variant):
        return variant
    program = _program(words[variant])
    return variant if program in variant else f"{program}_{variant}"


def _program(words: Words) -> str:
    """The name of the program that a command runs: of its script, of its module, or its own."""
    launched = _without_launchers(words)
    if Path(launched[0]).name in ("bash", "sh"):
        words = launched = [inner for word in launched[1:] for inner in word.split()]
    script = next((word for word in words if SCRIPT.fullmatch(word)), "")
    module = next((word for flag, word in itertools.pairwise(words) if flag == "-m"), "")
    path = next((word for word in launched if re.fullmatch(r"\.{0,2}/[^=]+", word)), launched[0])
    return Path(script).stem or module.rpartition(".")[2] or Path(path).stem


def _without_launchers(words: Words) -> Words:
    """A command from the program on that its launchers start: one letter after a dash has a value
    behind it, but those of env and time. All words where no program is found."""
    launcher = Path(words[0]).name
    if not LAUNCHERS.fullmatch(launcher):
        return words
    has_values = launcher not in ("env", "time")
    for at, (before, word) in enumerate(itertools.pairwise(words), start=1):
        is_value = has_values and re.fullmatch("-[A-Za-z]", before)
        if not is_value and not FOR_LAUNCHER.fullmatch(word):
            return _without_launchers(words[at:])
    return words
