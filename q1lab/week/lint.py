"""What an author is told beyond reading: a week that doesn't add up. And a new week to start
from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from q1lab.errors import FAILED, Problem
from q1lab.files import plain
from q1lab.week.content import Action, Finding, Step, Week, action_for
from q1lab.week.markdown import is_path, nearest
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


def write_skeleton(root: Path, label: str) -> list[Path]:
    """See content.skeleton."""
    if not re.fullmatch(r"[\w .-]{1,40}", label):
        raise Problem(f"label {label!r}: use up to 40 letters, digits, spaces, dots and hyphens")
    files = {root / name: text for name, text in _SKELETON.items()}
    for path in files:
        if path.exists() or path.is_symlink():
            raise Problem(f"{path} is already there; choose a new folder, nothing was written")
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as handle:
                handle.write(text.replace("M00-W00", label))
    except OSError as error:
        raise Problem(
            f"can't write a week into {root}: {error.strerror or error}", FAILED
        ) from error
    return list(files)


_SKELETON = {
    "week.toml": """\
format = 1
label = "M00-W00"
title = "The week's title"
goal = "What the learner can show at the end, in one sentence."
next = "What comes after this week."
default = "rope"

[[sessions]]
id = "a"
file = "session-a.md"
title = "The first session"
goal = "What this session is for."
when = "Tuesday evening"
minutes = 60
output = ["What there is at its end"]

[[variants]]
name = "rope"
title = "RoPE, rotary position embeddings"
""",
    "session-a.md": """\
# The first session

Text before the first part introduces the session.

## Read {#a1 minutes=30}

Markdown, as much as the learner needs.

- [ ] Read the text {#a1-read kind=read}
- [ ] Say in two sentences what it claims {#a1-claim kind=write}
  Lines that are indented below a step are its detail.

<details>
<summary>Answers</summary>

This stays folded until the learner opens it.

</details>

## Try {#a2 minutes=30}

- [ ] Write down what you expect {#a2-predict kind=predict}
- [ ] Train both arms {#a2-run kind=run}

```q1lab run
variant = "{variant}"
seeds = 3
```
""",
}
