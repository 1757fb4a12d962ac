"""``--engine``: from what a person typed, or a name in config.toml, to an engine.

``ray=http://127.0.0.1:8265``, ``slurm``, ``local``, ``notebook`` (planned here, trained where a
person takes it), or a name from the settings::

    [engine.gpu-box]
    ray = "http://127.0.0.1:8265"
    gpus = 0.5
    presets = ["gpu"]          # the default engine for these presets
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.study.engines.choice import LOCAL as LOCAL
from q1lab.study.engines.choice import Choice as Choice

if TYPE_CHECKING:
    from q1lab.study.engines.base import Engine


def choose(
    text: str | None,
    preset: str | None,
    options: Iterable[str],
    named: Mapping[str, Mapping[str, Any]],
) -> Choice:
    """The engine for a wish. ``named`` is config.toml's ``[engine.…]`` tables; Problem for what
    none of this is."""
    if text is None:
        mine = [name for name, table in named.items() if preset in table.get("presets", ())]
        text = mine[0] if mine else "local"
    given = _options(options)
    kind, sign, address = text.partition("=")
    if text in named:
        table = dict(named[text])
        table.pop("presets", None)
        kinds = [key for key in table if key in ("ray", "slurm")]
        if len(kinds) != 1:
            raise Problem(
                f'config.toml: [engine.{text}] needs either ray = "http://…" or slurm = true'
            )
        kind = kinds[0]
        address = str(table.pop(kind)) if kind == "ray" else ""
        table.pop(kind, None)
        given = {**{key: str(value) for key, value in table.items()}, **given}
    elif kind == "ray" and address:
        pass
    elif kind in ("local", "slurm", "notebook") and not sign:
        address = ""
    else:
        known = [*named, "local", "slurm", "ray=http://HOST:8265", "notebook"]
        near = get_close_matches(text, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
        raise Problem(f"--engine {text}: there is no such engine; {hint}")
    if kind in ("local", "notebook") and given:
        raise Problem("--engine-option goes with another engine; --engine says which")
    return Choice(text, kind, address.rstrip("/"), given)


def _options(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign or not key.replace("-", "").isalnum():
            raise Problem(f"--engine-option {item!r}: give NAME=VALUE, such as partition=gpu")
        found[key] = value
    return found


def engine_of(choice: Choice) -> Engine:
    """The engine itself. Imports only the one that was chosen."""
    if choice.kind == "ray":
        from q1lab.study.engines.ray import Ray

        return Ray(choice.address, choice.options)
    if choice.kind == "slurm":
        from q1lab.study.engines.slurm import Slurm

        return Slurm(choice.options)
    raise ValueError(f"{choice.kind} trains here; it has no engine to speak to")
