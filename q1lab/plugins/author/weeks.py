"""Check a week that somebody writes, and start one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem
from q1lab.plugins.author.lint import lint_week
from q1lab.week.content import ordered_findings
from q1lab.week.markdown_reader import line_in_file
from q1lab.week.syllabus import ContentFinding
from q1lab.week.week_builder import read_week


def check_week(
    root: Path,
    variants: Collection[str] | None = None,
    counters: Collection[str] | None = None,
) -> list[ContentFinding]:
    """Everything that is wrong with the week in `root`, in file and line order; [] for a good week.

    `variants` are the names of the existing model files, `counters` those that a KPI may name; left
    out, these names are not checked. The week is read twice: with the course, and without it.
    """
    findings: list[ContentFinding] = []
    for course, words in ((True, ""), (False, " (without the course)")):
        week, week_findings = read_week(root, course)
        if week is not None:
            unreadable = {(finding.file, finding.line) for finding in week_findings}
            for finding in lint_week(week, variants, counters):
                line = line_in_file(week.lines, finding.file, finding.line)
                if (finding.file, line) not in unreadable:  # it would be about what took its place
                    week_findings.append(replace(finding, line=line))
        findings += [
            replace(finding, message=finding.message + words)
            for finding in week_findings
            if finding not in findings
        ]
    return ordered_findings(findings, week)


def write_skeleton(root: Path, label: str = "M00-W00") -> list[Path]:
    """Write a new week that passes `check` into `root` and return its files. Overwrites nothing: if
    one of the files is there already, raises Problem and writes none."""
    if not re.fullmatch(r"[\w .-]{1,40}", label):
        raise Problem(
            f"label {label!r}: ", next="use up to 40 letters, digits, spaces, dots and hyphens"
        )
    files = {root / name: text for name, text in _SKELETON.items()}
    for path in files:
        if path.exists() or path.is_symlink():
            raise Problem(
                f"{path} is already there",
                next="choose a new folder, nothing was written",
                file=path,
            )
    try:
        root.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as handle:
                handle.write(text.replace("M00-W00", label))
    except OSError as error:
        raise Problem(
            f"can't write a week into {root}: {error.strerror or error}", FAILED, file=root
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
