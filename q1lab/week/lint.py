"""What an author is told beyond reading: a week that doesn't add up."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from q1lab.files import plain
from q1lab.week.markdown import is_path, nearest
from q1lab.week.model import Action, Finding, Step, Week, action_for
from q1lab.week.reading import Lines


def lint(week: Week, models: Collection[str] | None) -> list[Finding]:
    findings: list[Finding] = []
    names = [variant.name for variant in week.variants]
    known = sorted(models) if models is not None else [*names, "baseline"]
    lines = Lines(plain((week.root / "week.toml").read_text("utf-8-sig")))
    for index, name in enumerate(names):
        if name not in known:
            at = lines.table("variants", index)
            findings.append(
                Finding("week.toml", at, f"unknown variant {name!r}{nearest(name, known)}", False)
            )
    for index, session in enumerate(week.sessions):
        total = sum(part.minutes for part in session.parts)
        if session.parts and total != session.minutes:
            at = lines.below(lines.table("sessions", index), "minutes")
            parts = " + ".join(str(part.minutes) for part in session.parts)
            text = f"session {session.id} plans {session.minutes} minutes, its parts add up to {parts} = {total}"
            findings.append(Finding("week.toml", at, text, False))
    for step in week.steps():
        kinds = [action.kind for action in step.actions]
        if step.kind in ("run", "check") and step.kind not in kinds:
            text = f"step {step.id!r} is of kind {step.kind} and has no {step.kind} action below it"
            findings.append(Finding(step.file, step.line, text, False))
        if step.kind == "choose" and not names:
            text = f"step {step.id!r} asks for a choice; list the [[variants]] in week.toml"
            findings.append(Finding(step.file, step.line, text, False))
    choices: list[str | None] = [*names] or [None]
    for chosen in choices:
        for finding in _lint_order(week, chosen, known):
            if finding not in findings:
                findings.append(finding)
    return findings


def _lint_order(week: Week, chosen: str | None, known: list[str]) -> Iterator[Finding]:
    """What depends on the order in which one learner meets the blocks."""
    predicted = False
    for part in week.parts():
        for block in part.blocks:
            if block.variant not in (None, chosen):
                continue
            if isinstance(block, Step):
                predicted = predicted or block.kind == "predict"
            actions = (
                block.actions
                if isinstance(block, Step)
                else (block,)
                if isinstance(block, Action)
                else ()
            )
            for raw in actions:
                action = action_for(raw, chosen)
                if action.kind == "run" and not predicted:
                    text = (
                        "a run with no prediction step before it; add a step of kind=predict above"
                    )
                    yield Finding(raw.file, raw.line, text, False)
                for key in ("variant", "baseline", "for"):
                    name = str(action.options.get(key, ""))
                    if name and not is_path(name) and name not in known:
                        yield Finding(
                            raw.file,
                            raw.line,
                            f"unknown variant {name!r}{nearest(name, known)}",
                            False,
                        )
