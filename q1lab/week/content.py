"""A week of study, read from a folder: week.toml and Markdown become Week, Session, Part and Step.

Content is data. Nothing in it is executed, and nothing here knows a particular week. The format:

`week.toml`
    format, label, title, goal, next, default (a variant's name), overview (a Markdown file), then
    `[[sessions]]` (id, file, title, goal, when, minutes, output), `[[variants]]` (name, title,
    used_in, difficulty, paper, guide, changes, question, lines, shape) and `[[kpis]]` (id, title,
    target, counter).

A session's file
    `## Title {#a2 minutes=90}` opens a part. `- [ ] Title {#a2-notes kind=write}` is a step, on one
    line and in plain words; lines that are indented below it are its detail, in Markdown. A fence
    whose info string is `q1lab run` (or open, check, command) holds TOML and is an action that the
    learner can press; it belongs to the step just before it, else to the part. `<details>` with a
    `<summary>` is text that stays folded until it is asked for. Everything else is Markdown, kept
    as it is, in order.

A variant's guide
    `## Title {part=a2}` sections, put into that part for learners who chose the variant: at the
    line `<!-- q1lab:guide -->`, else at the part's end. A guide's headings go one level down on the
    way.

`{variant}` in text, titles and actions stands for the name of the chosen variant.

Lines below `<!-- q1lab:course -->` are for those who follow the course that the week belongs to,
those below `<!-- q1lab:alone -->` for those who came by themselves, and `<!-- q1lab:both -->` ends
either. In week.toml they are written `# q1lab:course`.

markdown-it says what is a heading, a step, a fence or HTML (cuts); rendering is the viewer's work.
"""

from __future__ import annotations

from pathlib import Path

from q1lab.week.syllabus import ContentFinding, ContentProblem, Week
from q1lab.week.week_builder import read_week


def load_week(root: Path, course: bool = True) -> Week:
    """Read the week in folder `root`, as a week of its course or alone. Raises ContentProblem with
    file and line if it can't be used."""
    week, findings = read_week(root, course)
    fatal = [finding for finding in ordered_findings(findings, week) if finding.fatal]
    if week is None or fatal:
        raise ContentProblem(root, fatal)
    return week


def ordered_findings(findings: list[ContentFinding], week: Week | None) -> list[ContentFinding]:
    """By file, week.toml first and then in the week's order, and by line."""
    order = {session.file: number for number, session in enumerate(week.sessions)} if week else {}
    return sorted(
        findings, key=lambda f: (f.file != "week.toml", order.get(f.file, 99), f.file, f.line)
    )
