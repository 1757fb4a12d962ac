"""A comparison record (the dict of ``q1lab compare --json``) as tables and sentences for a
document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from q1lab.compare import text as verdicts
from q1lab.documents.markdown import Md, code, inline, table
from q1lab.documents.templates import count, loss
from q1lab.journal.predictions import score, signed

DIRECTION_WORDS = {
    "lower": "the loss falls",
    "higher": "the loss rises",
    "same": "no difference that matters",
}


@dataclass(frozen=True)
class StudyFacts:
    """What the documents say about one finished study. ``*_table`` and sentences are Markdown
    already."""

    id: str
    variant: str
    baseline: str
    n: int
    verdict: str
    introduction: Md
    arms_table: Md
    intervals_table: Md
    costs_table: Md
    warnings: tuple[str, ...]
    verdict_sentence: Md
    power: Md
    scope: Md
    outcome: Md
    command: str
    facts_table: Md
    difference: float | None
    interval: tuple[float, float] | None
    interval_name: str
    bootstrap: tuple[float, float] | None
    bootstrap_covers: float | None
    detectable: float | None


def study_facts(
    record: Mapping[str, Any],
    *,
    command: str = "",
    commit: str | None = None,
    dirty: bool = False,
    versions: Mapping[str, str] | None = None,
) -> StudyFacts:
    """Everything that the documents say about a finished study."""
    difference = record.get("difference") or {}
    headline = difference.get("headline") or "welch"
    ends = difference.get(headline)
    boot = difference.get("bootstrap")
    return StudyFacts(
        id=str(record["study"]),
        variant=str(record["variant"]),
        baseline=str(record["baseline"]),
        n=int(record.get("n") or 0),
        verdict=str(record["verdict"]),
        introduction=_introduction(record),
        arms_table=_arms(record),
        intervals_table=_intervals(record),
        costs_table=_costs(record),
        warnings=_warnings(record),
        verdict_sentence=inline(_sentence(record)),
        power=inline(_power(record)),
        scope=inline(verdicts.scope(record)),
        outcome=inline(_outcome(record)),
        command=command or f"q1lab run {record['variant']} --seeds {record.get('n') or 3}",
        facts_table=_reproduce(record, commit, dirty, versions or {}),
        difference=difference.get("mean"),
        interval=(ends["low"], ends["high"]) if ends else None,
        interval_name="paired t" if headline == "paired" else "Welch t",
        bootstrap=(boot["low"], boot["high"]) if boot else None,
        bootstrap_covers=boot.get("true_coverage") if boot else None,
        detectable=record.get("detectable"),
    )


def _arm(record: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (record.get("arms") or {}).get(arm) or {}
    return found


def _names(record: Mapping[str, Any]) -> tuple[str, str]:
    base, variant = str(record["baseline"]), str(record["variant"])
    return (base, variant) if base != variant else (f"{base} (A)", f"{variant} (B)")


def _seeds(record: Mapping[str, Any]) -> list[str]:
    found = {
        str(seed)
        for arm in ("baseline", "modified")
        for seed in _arm(record, arm).get("values") or {}
    }
    diverged = record.get("diverged") or {}
    found |= {str(seed) for seeds in diverged.values() for seed in seeds}
    return sorted(
        found, key=lambda seed: (not seed.isdigit(), int(seed) if seed.isdigit() else 0, seed)
    )


def _introduction(record: Mapping[str, Any]) -> Md:
    base, variant = _names(record)
    data = (record.get("data") or {}).get("name", "the same data")
    seeds = _seeds(record)
    return Md(
        f"{code(variant)} against {code(base)} on {inline(data)}, {len(seeds)} "
        f"{'seed' if len(seeds) == 1 else 'seeds'} each. Both arms start from the same values in every "
        f"tensor they "
        "share and see the same batches. The metric is the validation loss in nats at the last iter, over "
        "the whole "
        "validation set; lower is better."
    )


def _arms(record: Mapping[str, Any]) -> Md:
    base, variant = _names(record)
    diverged = {
        arm: {str(seed) for seed in (record.get("diverged") or {}).get(arm, [])}
        for arm in ("baseline", "modified")
    }
    values = {
        arm: {str(seed): value for seed, value in (_arm(record, arm).get("values") or {}).items()}
        for arm in ("baseline", "modified")
    }
    rows: list[list[object]] = []
    for seed in _seeds(record):
        shown = []
        for arm in ("baseline", "modified"):
            value = values[arm].get(seed)
            gone = seed in diverged[arm] or (seed in values[arm] and value is None)
            shown.append("diverged" if gone else loss(value))
        a, b = values["baseline"].get(seed), values["modified"].get(seed)
        change = signed(b - a, 4) if a is not None and b is not None else "–"
        rows.append([f"seed {seed}", *shown, change])
    if len(rows) > 1:
        arms = [_arm(record, arm) for arm in ("baseline", "modified")]
        mean = (record.get("difference") or {}).get("mean")
        rows.append(
            [
                Md("**mean**"),
                *[Md(f"**{loss(a.get('mean'))}**") for a in arms],
                Md(f"**{signed(mean, 4)}**"),
            ]
        )
        rows.append(["std", *[loss(arm.get("std")) for arm in arms], "–"])
    return table(["val loss", base, variant, "difference"], rows, right=(1, 2, 3))


def _intervals(record: Mapping[str, Any]) -> Md:
    difference = record.get("difference") or {}
    if difference.get("mean") is None:
        return Md("There is no mean difference, and so no interval.")
    headline = difference.get("headline") or "welch"
    level = f"{100 * (1 - (record.get('alpha') or 0.05)):g}%"
    rows: list[list[object]] = []
    ends = difference.get(headline)
    name = "paired t" if headline == "paired" else "Welch t"
    if ends:
        rows.append(
            [f"{level} interval ({name})", between(ends), "decides; declared before the runs"]
        )
    boot = difference.get("bootstrap")
    if boot:
        covers = boot.get("true_coverage")
        n = record.get("n")
        note = (
            f"covers about {covers:.0f}% at {n} seeds, not 95%"
            if covers and covers < 94.5
            else "covers about 95%"
        )
        rows.append(["95% bootstrap CI", between(boot), note])
    if not rows:
        return Md(
            f"The mean difference is {signed(difference['mean'], 4)} nats. There is no interval at this many "
            f"seeds."
        )
    base, variant = _names(record)
    head = f"{variant} − {base} = {signed(difference['mean'], 4)} nats"
    return table([head, "from, to", ""], rows)


def between(ends: Mapping[str, float]) -> str:
    """An interval's ends, which stay on one line: ``−0.031 to +0.007``."""
    return f"{signed(ends['low'], 4)}\u00a0to\u00a0{signed(ends['high'], 4)}"


def _costs(record: Mapping[str, Any]) -> Md:
    base, variant = _names(record)
    rows: list[list[object]] = []
    for title, key in (
        ("parameters", "n_params"),
        ("FLOPs a token, forward", "flops_per_token"),
        ("tokens a second", "tokens_per_s"),
        ("seconds a run", "wall_s"),
    ):
        a, b = (_arm(record, arm).get(key) for arm in ("baseline", "modified"))
        if a is None and b is None:
            continue
        change = f"{100 * (b / a - 1):+.1f}%".replace("-", "−") if a and b else "–"
        rows.append(
            [title, *(count(None if value is None else round(value)) for value in (a, b)), change]
        )
    return table(["cost", base, variant, "change"], rows, right=(1, 2, 3)) if rows else Md("")


def _warnings(record: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [str(note) for note in record.get("warnings") or []]
    fair = verdicts.fairness_warning(record)
    if fair and fair not in notes:
        notes.append(fair)
    return tuple(note[:1].upper() + note[1:] for note in notes)


def _sentence(record: Mapping[str, Any]) -> str:
    """The verdict in one or two sentences that can be quoted on their own."""
    difference = record.get("difference") or {}
    ends = difference.get(difference.get("headline") or "welch")
    base, variant = _names(record)
    verdict = record["verdict"]
    level = f"{100 * (1 - (record.get('alpha') or 0.05)):g}% interval"
    if verdict in ("helps", "hurts") and ends:
        low, high = sorted(abs(ends[key]) for key in ("low", "high"))
        word = "lower" if verdict == "helps" else "higher"
        return (
            f"At this size and budget {variant} ends with a {word} loss than {base}: the {level} puts the "
            f"difference "
            f"between {low:.4f} and {high:.4f} nats."
        )
    if verdict == "too small to matter" and ends:
        return (
            f"Whatever the difference is, it is small: the {level} ({between(ends)}) lies inside "
            f"±{record.get('delta'):g} "
            "nats, which was called the smallest difference that matters before the runs."
        )
    if verdict == "cannot tell" and ends:
        return (
            f"These runs cannot tell {variant} and {base} apart: the {level} of the difference goes from "
            f"{between(ends)} "
            "nats and holds zero. That is not the same as no effect."
        )
    diverged = sum(len(seeds) for seeds in (record.get("diverged") or {}).values())
    if diverged:
        return (
            f"{diverged} {'run' if diverged == 1 else 'runs'} diverged. A mean over the others would be a "
            f"choice of data, "
            "so there is none, and no verdict. The divergence is a finding of its own."
        )
    return f"{record.get('n') or 0} seeds an arm are too few for a verdict; three are the least."


def _power(record: Mapping[str, Any]) -> str:
    seen, needed = record.get("detectable"), record.get("seeds_needed")
    if seen is None:
        return ""
    text = f"{record.get('n')} seeds an arm reliably (80%) see a difference of {seen:.4f} nats or more."
    if needed and record["verdict"] == "cannot tell":
        high = f"{needed['high']} or more" if needed.get("capped") else str(needed["high"])
        effect = needed.get("effect")
        what = f"a difference of {effect:.4f} nats" if effect else "the measured difference"
        text += (
            f" To settle {what} would take about {needed['mid']} seeds an arm ({needed['low']} to {high}: "
            f"few seeds know "
            "their own spread only roughly)."
        )
    return text


def _outcome(record: Mapping[str, Any]) -> str:
    predicted = record.get("prediction")
    if not predicted:
        return "No prediction was recorded before these runs, so there is nothing to score."
    words = DIRECTION_WORDS.get(predicted.get("direction", ""), str(predicted.get("direction")))
    sure = predicted.get("confidence")
    text = f"Predicted: {words}"
    if predicted.get("direction") != "same" and predicted.get("size") is not None:
        text += f" by {predicted['size']:g} nats"
    if sure is not None:
        text += f", {sure:.0%} sure"
    text += f". Came out: {record['verdict']}. "
    if predicted.get("direction") in DIRECTION_WORDS:
        text += score(predicted, record).sentence()
    return text


def _reproduce(
    record: Mapping[str, Any], commit: str | None, dirty: bool, versions: Mapping[str, str]
) -> Md:
    data = record.get("data") or {}
    rows: list[list[object]] = [["study", code(record["study"])]]
    if data.get("name"):
        rows.append(["data", data["name"]])
    if data.get("sha256"):
        rows.append(["its SHA-256", code(data["sha256"])])
    if commit:
        state = " with uncommitted changes" if dirty else ""
        rows.append(["commit of this repository", Md(f"{code(commit)}{state}")])
    for title, key in (("preset", "preset"), ("device", "device"), ("number type", "dtype")):
        if record.get(key):
            rows.append([title, record[key]])
    config = record.get("config") or {}
    shown = [
        f"{key} {value}"
        for key, value in sorted(config.items())
        if isinstance(value, int | float | str)
    ]
    if shown:
        rows.append(["hyperparameters", code(", ".join(shown))])
    if versions:
        rows.append(
            ["versions", ", ".join(f"{name} {version}" for name, version in versions.items())]
        )
    return table(["", ""], rows)


def studies_table(records: Sequence[Mapping[str, Any]]) -> Md:
    """One row a study: all that were made of a modification, so that none is left out."""
    rows: list[list[object]] = []
    for record in records:
        difference = record.get("difference") or {}
        ends = difference.get(difference.get("headline") or "welch")
        rows.append(
            [
                code(record["study"]),
                f"{record['variant']} against {record['baseline']}",
                (record.get("data") or {}).get("name", ""),
                record.get("preset") or "",
                record.get("n") or 0,
                signed(difference.get("mean"), 4),
                between(ends) if ends else "–",
                record["verdict"],
            ]
        )
    return table(
        ["study", "arms", "data", "preset", "seeds", "difference", "95% interval", "verdict"],
        rows,
        right=(4, 5),
    )
