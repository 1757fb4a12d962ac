"""What a person asks of `q1lab run`, as a record and as a command line; the one builder of such
commands.

``Wish`` is what was asked for, as typed. ``argv`` writes it as a command, ``of_study`` finds the
wish that plans a study's twin: same files, hyperparameters, data, device and number format. Pure,
and light enough for the first paint.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from q1lab import acts
from q1lab.config import load as load_settings
from q1lab.errors import Problem
from q1lab.study import presets, series, tuning
from q1lab.study.engines import choice
from q1lab.study.loop import Loop
from q1lab.study.studies import Study

HEADLINE = "paired"
"""Which interval decides unless a study says otherwise. Chosen from measured pair correlations:
docs/pairing.md."""

DEFAULT_DATA = "stdlib"
"""What runs train on as long as the learner chose nothing: Python's own source text."""

MOST_SEEDS, MOST_FRESH = 1000, 100


@dataclass(frozen=True)
class Wish:
    """What a person asked for, as typed."""

    variant: str
    seeds: str = "3"
    baseline: str | None = None
    """What to compare with; None: what the variant was made from, else q1lab's baseline."""
    preset: str | None = None
    data: str = ""
    """A name or a file; nothing: what `q1lab data` chose, else stdlib."""
    device: str = "auto"
    dtype: str = "auto"
    jobs: int | None = None
    headline: str = HEADLINE
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Hyperparameters that differ from the preset's: name to value, both as typed."""
    match: str | None = None
    """``params``: give the modified model the width at which it has the baseline's parameters."""
    tune: str | None = None
    """The hyperparameter that each arm chooses for itself before the study."""
    tuned: tuning.Tuned | None = None
    """What was chosen (tuning.py); not typed, but found before the study is planned."""
    fresh: bool = False
    unchecked: bool = False
    wandb: str = "auto"
    engine: str | None = None
    """Where it trains: ``local``, ``slurm``, ``ray=…`` or a name; None: what the study has, or the
    settings give for the preset."""
    engine_options: tuple[str, ...] = ()
    loop: Loop | None = None
    """The command that trains, where that is not q1lab's own loop; ``variant`` and ``baseline`` are
    then names of its arms."""


def parse_range(text: str) -> tuple[int, int] | None:
    """``3..12`` is a planned range of 3 to 12 pairs; None for what is no range. Problem for a range
    that can't be planned."""
    if ".." not in text:
        return None
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*", text)
    if match is None:
        raise Problem(f"--seeds {text!r}: a range is two whole numbers, for example 3..12")
    first, most = int(match[1]), int(match[2])
    if first < 3:
        raise Problem(f"--seeds {text}: a range begins at 3 pairs or more; fewer give no verdict")
    if first >= most:
        raise Problem(f"--seeds {text}: a range goes up, for example {first}..{max(first + 5, 12)}")
    return first, most


def parse_fresh(text: str) -> int | None:
    """``fresh:8`` is 8 seeds that q1lab draws; None for what asks for none. Problem for a number
    that can't be drawn."""
    if not text.strip().startswith("fresh"):
        return None
    match = re.fullmatch(r"\s*fresh:([0-9]{1,9})\s*", text)
    if match is None or not 1 <= int(match[1]) <= MOST_FRESH:
        raise Problem(f"--seeds {text}: fresh:8 draws 8 seeds", next=f"give from 1 to {MOST_FRESH}")
    return int(match[1])


def parse_seeds(text: str) -> tuple[int, ...]:
    """``3`` is seeds 0, 1, 2; a list such as ``0,1,2,7`` is itself (``7,`` is the single seed
    7). In the place of seeds that are drawn (``fresh:8``) stand as many first ones."""
    if (drawn := parse_fresh(text)) is not None:
        return tuple(range(drawn))
    parts = [part.strip() for part in text.split(",")]
    if "," in text and parts[-1] == "":
        parts.pop()
    if not parts or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise Problem(
            f"--seeds {text!r}: ",
            next=(
                "give how many (3), a range (3..12), which (0,1,2,7; whole numbers "
                "from 0 to 999,999,999), or how many new ones (fresh:8)"
            ),
        )
    numbers = [int(part) for part in parts]
    if "," not in text:
        if not 1 <= numbers[0] <= MOST_SEEDS:
            raise Problem(f"--seeds {text}: ", next=f"give at least 1 and at most {MOST_SEEDS}")
        return tuple(range(numbers[0]))
    if len(set(numbers)) != len(numbers):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        raise Problem(f"--seeds {text}: seed {twice} is listed twice; each seed counts once")
    return tuple(numbers)


def seeds_text(seeds: tuple[int, ...]) -> str:
    """Seeds as ``parse_seeds`` reads them, in the shortest form: ``3``, ``0,1,2,7`` or ``7,``."""
    if seeds == tuple(range(len(seeds))):
        return str(len(seeds))
    return ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")


def seeds_of(study: Study) -> str:
    """What to type after --seeds to plan this study: its range, how many were drawn, or its
    seeds."""
    planned = study.range
    if study.fresh_seeds:
        return f"fresh:{study.fresh_seeds}"
    return seeds_text(study.seeds) if planned is None else f"{planned.first}..{planned.most}"


def argv(wish: Wish) -> tuple[str, ...]:
    """The command that asks for ``wish``, program name first. What is the default is left out."""
    # a file whose name begins with a hyphen would be read as an option
    variant = f"./{wish.variant}" if wish.variant.startswith("-") else wish.variant
    words = ["q1lab", "run", variant]
    default = Wish(wish.variant, seeds="")
    overrides = dict(wish.overrides)
    options = {
        "baseline": wish.baseline,
        "seeds": wish.seeds,
        "preset": wish.preset,
        "data": wish.data,
        "max_iters": overrides.pop("max_iters", None),
    }
    for key, value in options.items():
        if value is not None and value != getattr(default, key, None):
            words += [f"--{key.replace('_', '-')}", str(value)]
    for key, value in overrides.items():
        words += ["--set", f"{key}={value}"]
    for key in ("device", "dtype", "jobs", "headline", "wandb", "match", "tune", "engine"):
        value = getattr(wish, key)
        if value != getattr(default, key):
            words += [f"--{key}", str(value)]
    for option in wish.engine_options:
        words += ["--engine-option", option]
    words += [f"--{key}" for key in ("fresh", "unchecked") if getattr(wish, key)]
    return tuple(words)


def wish_of(
    *,
    data: str | None,
    max_iters: int | None,
    overrides: tuple[str, ...],
    headline: str | None = None,
    loop: Loop | None = None,
    **asked: Any,
) -> Wish:
    """The wish of the parsed options of `q1lab run`."""
    headline = headline or (HEADLINE if loop is None else "welch")
    more = _overrides(overrides, max_iters)
    return Wish(data=data or "", overrides=more, headline=headline, loop=loop, **asked)


def _overrides(given: tuple[str, ...], max_iters: int | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign or not key.strip():
            raise Problem(
                f"--set {item!r}: ", next="give KEY=VALUE, for example --set learning_rate=3e-4"
            )
        found[key.strip()] = value.strip()
    if max_iters is not None:
        if max_iters < 1:
            raise Problem(f"--max-iters {max_iters}: a run needs at least 1 iter")
        found["max_iters"] = str(max_iters)
    return found


def of_argv(words: Sequence[str]) -> Wish | None:
    """The wish of a `q1lab run`, program name first; None for any other command, for one that is
    refused, and for one that asks for more than a study: an axis, JSON, to return at once."""
    if list(words[:2]) != ["q1lab", "run"]:
        return None
    try:
        asked = acts.parse(words[1:])
        if asked.help or asked.given & BEYOND:
            return None
        values = {key: asked.values[key] for key in asked.values if key not in BEYOND}
        (variant,) = values.pop("variant")
        return wish_of(variant=variant, **values)
    except (Problem, ValueError):  # several variants are more than a study, too
        return None


BEYOND = {
    *("over", "detach", "as_json"),
    *("command_", "arms", "metric", "better", "pattern", "smoke"),
}
"""What `q1lab run` takes beside a wish."""


def text(wish: Wish) -> str:
    """``argv`` as one line for a shell."""
    return shlex.join(argv(wish))


def sweep_text(wish: Wish, variants: Sequence[str]) -> str:
    """The command of the wish for several variants, for a shell."""
    return shlex.join(("q1lab", "run", *variants, *argv(wish)[3:]))


def of_study(study: Study, word: Callable[[str], str] = str) -> Wish:
    """The wish that plans this study again: what runs, on what, decided by what.

    Device and number format are always named: what they are by themselves depends on the machine.
    ``word`` gives the words for model files and data in place of those that the study knows them
    by, which for a file is its full path.
    """
    if study.loop is not None:
        return Wish(
            variant=study.variant,
            seeds=seeds_of(study),
            baseline=study.baseline,
            device=study.device or "auto",
            headline=study.headline,
            wandb=study.asked.wandb if study.asked else "auto",
            loop=study.loop,
        )
    tuned = study.tuned
    config = study.config if tuned is None else {**study.config, tuned.key: tuned.around}
    return Wish(
        variant=word(study.arms["modified"].origin),
        seeds=seeds_of(study),
        baseline=None if _by_default(study) else word(study.arms["baseline"].origin),
        preset=study.preset,
        data=word(study.asked.data if study.asked else study.data.name),
        device=study.device,
        dtype=study.dtype,
        headline=study.headline,
        overrides=overrides_of(study.preset, config),
        tune=None if tuned is None else tuned.key,
        tuned=tuned,
        unchecked=study.unchecked,
        wandb=study.asked.wandb if study.asked else "auto",
    )


def going_on(study: Study) -> str:
    """What to type so that a study goes on: the command that planned it, of its whole series if it
    has one, or what its engine says to do by hand."""
    if words := choice.by_hand(study.engine, study.id):
        return words
    if study.gate is not None:
        return f"the `q1lab gate` that proposed {study.variant}"
    if study.loop is not None:
        return shlex.join(("q1lab", "run", study.id))
    mine = study.series
    wish = replace(of_study(study), **_engine_words(study))
    if mine is None:
        return text(wish)
    if matched := study.matched:  # each member has a width of its own
        wish = replace(wish, match="params", overrides=_without(wish.overrides, matched))
    if mine.kind == series.SWEEP:
        return sweep_text(wish, mine.members)
    if mine.kind == series.TUNE:
        config = {**study.config, mine.axis: float(mine.members[tuning.FACTORS.index(1.0)])}
        overrides = _without(overrides_of(study.preset, config), matched)
        return text(replace(wish, seeds=mine.then, tune=mine.axis, overrides=overrides))
    wish = replace(wish, overrides=_without(wish.overrides, (mine.axis,)))
    return shlex.join((*argv(wish), "--over", f"{mine.axis}={','.join(mine.members)}"))


def shorter(study: Study, iters: int) -> str:
    """The command that asks the question of a study again, at so many iters."""
    wish = of_study(study)
    overrides = {**wish.overrides, "max_iters": str(iters)}
    for key in ("lr_decay_iters", "warmup_iters", "eval_interval", "log_interval"):
        overrides.pop(key, None)  # they follow the iters
    return text(replace(wish, overrides=overrides))


def _without(overrides: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in overrides.items() if key not in keys}


def _engine_words(study: Study) -> dict[str, Any]:
    """The words of a wish that name the study's engine; none where it is this machine, and that is
    meant without."""
    if study.engine is None:
        usual = choice.usual(study.preset, load_settings().engine)
        return {} if usual == choice.HERE else {"engine": choice.HERE}
    options = tuple(f"{key}={value}" for key, value in study.engine.options.items())
    return {"engine": study.engine.text, "engine_options": options}


def _by_default(study: Study) -> bool:
    """Whether the study's baseline is what `q1lab run` takes by itself."""
    origins = {name: arm.origin for name, arm in study.arms.items()}
    if study.asked is not None:
        return study.asked.baseline is None
    return origins["baseline"] == "baseline" and not origins["modified"].endswith(".py")


def overrides_of(preset: str, config: Mapping[str, Any]) -> dict[str, str]:
    """The fewest words after --set (and --max-iters) that make ``config`` out of ``preset``.

    Found from the hyperparameters that trained, not from what was typed then: a preset may have
    changed since.
    """
    plain = presets.PRESETS.get(preset, {})
    found: dict[str, str] = {}
    # max_iters first: other values follow it unless they are given, too
    for key in sorted(config, key=lambda key: (key != "max_iters", key not in plain)):
        made = presets.resolve(preset, found, config) if plain else {}
        if key not in made or not _same(made[key], config[key]):
            found[key] = _typed(config[key])
    return found


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and type(one) is type(other)


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
