"""The scope of a verdict as text: data, size, iters, hyperparameters, hardware. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.text_formats import passes_text, printable, three_digits
from q1lab.judgment.difference_text import percent_text
from q1lab.judgment.label_text import arm_names

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def iters_text(c: Judgment) -> str:
    """The length of each run: ``2,000 iters``; empty if unknown."""
    iters = c.subject.settings.get("max_iters")
    return f"{iters:,} iters" if iters else ""


MANY_PASSES = 3
"""From here on a small model begins to learn its text by heart."""


def many_passes_warning(many: float | None) -> str:
    """A warning before runs that read their text often; empty for other runs."""
    if many is None or many <= MANY_PASSES:
        return ""
    return (
        f"a run reads its text in {passes_text(many)}; in more than {MANY_PASSES} a model can "
        "learn it by heart, so look at where the val loss is lowest"
    )


def where_text(c: Judgment) -> str:
    """The data or the program: ``on Tiny Shakespeare``; empty if unknown."""
    program, data = c.subject.description.trains, c.subject.data_title
    if program:
        return f"with {program}"
    return f"on {printable(data)}" if data else ""


def limits_sentence(c: Judgment) -> str:
    """A verdict may be another elsewhere; empty without one."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ""
    return "Other data, sizes or longer runs may answer otherwise."


def scale_text(c: Judgment) -> str:
    """Size, data, iters and hardware, which a reader elsewhere asks first."""
    device = {"cpu": "on a CPU", "cuda": "on a GPU"}.get(c.subject.device.partition(":")[0], "")
    parts = (
        sizes_text(c),
        c.subject.data_title,
        _training_text(c),
        device,
    )
    return ", ".join(printable(part) for part in parts if part)


def parameter_counts(c: Judgment) -> list[str]:
    """The parameters of each arm, baseline first, or of both where they are the same: ``804k``;
    empty if unknown."""
    sizes = [arm.costs.get("n_params") for arm in c.arms.values()]
    if not all(sizes):
        return []
    return list(dict.fromkeys(three_digits(size) for size in sizes if size))


def sizes_text(c: Judgment) -> str:
    """The parameters of both arms: ``baseline 808k and RoPE 800k parameters``, ``808k parameters``;
    empty if unknown."""
    sizes = parameter_counts(c)
    if len(sizes) > 1:
        sizes = [f"{name} {size}" for name, size in zip(arm_names(c), sizes, strict=True)]
    return f"{' and '.join(sizes)} parameters" if sizes else ""


def _training_text(c: Judgment) -> str:
    batch, block = (
        c.subject.settings.get("batch_size"),
        c.subject.settings.get("block_size"),
    )
    windows = f" of {batch} × {block} tokens" if batch and block else ""
    passes = c.subject.passes
    read = "" if passes is None else f", {passes_text(passes)} over the text"
    return f"{trained}{windows}{read}" if (trained := iters_text(c)) else ""


def scope_sentence(c: Judgment) -> str:
    """The scope of the verdict: data, size, iters, hyperparameters."""
    return " ".join(filter(None, (c.subject.limit, _scope_of_runs(c))))


def _scope_of_runs(c: Judgment) -> str:
    subject, trained = c.subject, iters_text(c)
    config, description = subject.settings, subject.description
    parts = []
    if description.trains:
        parts.append(description.trains)
    elif c.subject.data_name:
        sha = f" (sha256 {c.subject.data_sha256[:8]})" if c.subject.data_sha256 else ""
        parts.append(f"{printable(c.subject.data_name)}{sha}")
    parts += [part for part in (sizes_text(c), _training_text(c)) if part]
    if description.shared_at_start is not None:
        shared = percent_text(description.shared_at_start)
        parts.append(f"{shared} of the baseline's weights start equal in {arm_names(c)[1]}")
    if config.get("learning_rate"):
        parts.append(f"learning rate {config['learning_rate']:g} (not tuned for either arm)")
    if config.get("dropout") is not None:
        parts.append(f"dropout {config['dropout']:g}")
    parts += [f"preset {subject.preset}"] if subject.preset else []
    parts += [subject.number_format] if subject.number_format else []
    setting = ", ".join(parts) or "the data, size, budget and hyperparameters of these runs"
    text = (
        f"Scope: {setting}. Other data, sizes, budgets or hyperparameters may give another answer."
    )
    start = {
        "helps": "a lead may be no more than a head",
        "hurts": "a gap may be no more than a slower",
    }
    if not trained or c.analysis.verdict not in start:
        return text
    return f"{text} In short runs {start[c.analysis.verdict]} start, so look at the curves."
