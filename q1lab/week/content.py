"""A week of study, read from a folder: week.toml and Markdown become Week, Session, Part and Step.

Each file is a Jinja2 template first (`content/README.md` lists the names that it may use), so that
what one learner reads is one text. That text is then cut, line by line:

`## Title {#a2 minutes=90}` opens a part. `- [ ] Title {#a2-notes kind=write}` is a step; lines that
are indented below it are its detail. A fence whose info string is `q1lab run` (or open, check,
command) holds TOML and is an action; it belongs to the step just before it, else to the part.
`<details>` with a `<summary>` is text that stays folded. All else is Markdown, kept as it is.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from q1lab.ground.config import parse_toml
from q1lab.ground.errors import nearest
from q1lab.ground.files import read_bytes, read_text
from q1lab.week import step_commands
from q1lab.week.step_commands import ACTION_FIELDS
from q1lab.week.step_kinds import STEP_KINDS
from q1lab.week.syllabus import (
    GLOSSARY,
    IMPORTANCE,
    WORDS_WRITTEN,
    Action,
    Block,
    ContentProblem,
    Fold,
    Kpi,
    Part,
    Session,
    Step,
    Term,
    Text,
    Week,
    WeekVariant,
)
from q1lab.week.text_numbers import (
    ChosenData,
    MeasuredResult,
    ModelShape,
    OwnVerdict,
    names_for_text,
)
from q1lab.week.week_texts import WeekTexts

FILES = "files"
"""The folder in a week that holds what `q1lab take` copies."""
_TAIL = re.compile(r"\s*\{([^{}]*)\}\s*$")
_WORD = re.compile(r'#?([\w-]+)(?:=(?:"([^"]*)"|(\S+)))?')
_TASK = re.compile(r"- \[[ xX]\] +(.*)")
_FENCE = re.compile(r" *(`{3,}|~{3,}) *(.*)")
_SUMMARY = re.compile(r" *<summary>(.*?)</summary>")
_OF_FOLD = re.compile(r'(needs|figure)="?([\w-]+)')
_GUIDE, _GUIDE_ENDS = "<!-- guide -->", "<!-- guide ends -->"
STEP_ATTRIBUTES = (
    "id",
    "kind",
    "minutes",
    "words",
    "importance",
    "needs",
    "done_when",
    "into",
    "heading",
)
"""What the braces of a step may say."""
_ENTRY = re.compile(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def load_week(root: Path, course: bool = True) -> Week:
    """The week in folder `root`, as a week of its course or alone, before anything is chosen."""
    return _read_week(root, course, None, None, None)


def week_for(
    week: Week,
    chosen: str | None = None,
    data: ChosenData | None = None,
    own: OwnVerdict | None = None,
) -> Week:
    """The week as a learner who chose a modification meets it, trains on `data`, and has read their
    `own` verdict; before the choice without a name, or with one that the week does not offer."""
    return _read_week(week.root, week.course, chosen, data, own)


@lru_cache(maxsize=4)
def _read_week(
    root: Path,
    course: bool,
    chosen: str | None,
    data: ChosenData | None,
    own: OwnVerdict | None,
) -> Week:
    """The week as one learner meets it. ContentProblem if it can't be used."""
    texts = WeekTexts(root, course, chosen, data, own)
    names: dict[str, Any] = {"course": course, "own": own}

    def shown(file: str) -> str:
        try:
            return texts.shown(file, names)
        except UnicodeDecodeError as error:
            raise ContentProblem(f"{root / file}: not UTF-8 text") from error

    def guide(part: str) -> str:
        file = f"guides/{names['variant']}/{part}.md"
        there = (root / file).is_file()
        return f"{_GUIDE}\n{shown(file).strip()}\n{_GUIDE_ENDS}" if there else ""

    try:
        toml = parse_toml(shown("week.toml"))
        rows = parse_toml(read_text(root / toml["results"]))["results"] if "results" in toml else ()
        results = [
            MeasuredResult(**{_RESULT.get(key, key): value for key, value in row.items()})
            for row in rows
        ]
        variants = [_variant(row) for row in toml.get("variants", ())]
        shapes = {variant.name: variant.shape for variant in variants if variant.shape is not None}
        offered = chosen in {variant.name for variant in variants}
        default = toml.get("default")
        names |= {
            **names_for_text(shapes, results, data),
            "variants": variants,
            "variant": chosen if offered else default,
            "guide": guide,
            "file": lambda name: read_text(root / FILES / name).rstrip("\n"),
        }
        sessions = []
        used: set[str] = set()
        for row in toml.pop("sessions"):
            intro, parts = _parts(shown(row.pop("file")), row["id"], root, used)
            sessions.append(Session(intro=intro, parts=parts, **_tuples(row)))
        every_part = [part for session in sessions for part in session.parts]
        short = sum(part.minutes_of(IMPORTANCE[:1]) for part in every_part)
        names |= {"hours": sum(s.hours for s in sessions), "short_hours": round(short / 60)}
        overview = toml.get("overview")
        glossary = shown(GLOSSARY) if (root / GLOSSARY).exists() else ""
        week = Week(
            **{key: toml.get(key, "") for key in ("label", "title", "goal", "next")},
            overview=tuple(_blocks(shown(overview), root, set())) if overview else (),
            sessions=tuple(sessions),
            variants=tuple(variants),
            kpis=tuple(Kpi(**row) for row in toml.get("kpis", ())),
            default=default,
            root=root,
            files=tuple(sorted(path.name for path in (root / FILES).glob("*") if path.is_file())),
            terms=tuple(
                Term(name.strip(), text.strip()) for name, text in _ENTRY.findall(glossary)
            ),
            variant=names["variant"],
            course=course,
        )
    except (OSError, _template_error(), ValueError, TypeError, KeyError) as error:
        missing = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ContentProblem(f"{_place(error, root)}: {missing}") from error
    texts.keep()
    return week


def _template_error() -> type[Exception]:
    """Any fault of a template; Jinja2 is imported for the first one that is shown."""
    from jinja2 import TemplateError

    return TemplateError


class _LineFault(ValueError):
    """What is wrong with the lines of a page that begin with ``lines``."""

    def __init__(self, lines: str, fault: str) -> None:
        super().__init__(fault)
        self.lines = [line.strip() for line in lines.split("\n")]


@contextmanager
def _reading(lines: str) -> Iterator[None]:
    """Say of what goes wrong within which lines it is about."""
    try:
        yield
    except _LineFault:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        missing = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise _LineFault(lines, missing) from error


def _place(error: BaseException, root: Path) -> str:
    """The file and the line of a fault: those that Jinja2 tells, else those of the lines that it is
    about; week.toml, or the folder, for one that is about neither."""
    if isinstance(error, _LineFault):
        for file in sorted(root.rglob("*.md")):
            source = read_bytes(file).decode("utf-8", "replace").split("\n")
            for number in range(len(source)):
                pairs = zip(error.lines, source[number:], strict=False)
                if all(_is_line_of(shown, line) for shown, line in pairs):
                    return f"{file}:{number + 1}"
        return f"{root}: {error.lines[0]!r}"
    if getattr(error, "lineno", None) and getattr(error, "filename", None):  # a template's syntax
        return f"{error.filename}:{error.lineno}"  # type: ignore[attr-defined]
    frames = traceback.extract_tb(error.__traceback__)
    templates = [frame for frame in frames if Path(frame.filename).is_relative_to(root)]
    if templates:
        return f"{templates[-1].filename}:{templates[-1].lineno}"
    return str(root) if isinstance(error, OSError) else str(root / "week.toml")


def _is_line_of(shown: str, source: str) -> bool:
    """True if a line of a template comes out as ``shown``. A line that is a value alone may come
    out as anything, and is taken for none."""
    fixed = re.split(r"\{\{.*?\}\}", source.strip())
    return (len(fixed) == 1 or any(fixed)) and bool(
        re.fullmatch(".*".join(map(re.escape, fixed)), shown)
    )


_RESULT = {"data": "corpus", "pairs": "count", "mean": "difference", "sd": "baseline_sd"}


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in row.items()}


def _variant(row: Mapping[str, Any]) -> WeekVariant:
    shape = row.get("shape") or {}
    shares = {key: Fraction(shape[key]) for key in ("hidden", "kv_heads") if key in shape}
    return WeekVariant(
        **{**row, "shape": ModelShape(**{**shape, **shares}) if "shape" in row else None}
    )


# ── a page


def _parts(text: str, session: str, root: Path, used: set[str]) -> tuple[str, tuple[Part, ...]]:
    """(the text before the first part, the parts). ``used`` holds the ids of those before them."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line, in_fence in _fenced(text.split("\n")):
        if line.startswith("## ") and not in_fence:
            parts.append((line[3:], []))
        elif not (line.startswith("# ") and len(parts) == 1):
            parts[-1][1].append(line)
    (_, intro), *others = parts
    made = []
    for heading, lines in others:
        with _reading(f"## {heading}"):
            title, of = _attributes(heading, used)
            minutes, blocks = int(of["minutes"]), tuple(_blocks("\n".join(lines), root, used))
            made.append(Part(of["id"], title, minutes, blocks, session))
    return "\n".join(intro).strip("\n"), tuple(made)


def _fenced(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it stands in a fence or opens or closes one."""
    fence = ""
    for line in lines:
        mark = (match := _FENCE.match(line)) and match[1]
        yield line, bool(mark or fence)
        if mark:
            fence = "" if mark == fence else fence or mark


def _blocks(text: str, root: Path, used: set[str]) -> list[Block]:
    blocks: list[Block] = []
    prose: list[str] = []
    of_guide = False

    def end_prose() -> None:
        if markdown := "\n".join(prose).strip("\n"):
            blocks.append(Text(markdown.rstrip()))
        prose.clear()

    lines = list(_fenced(text.split("\n")))
    while lines:
        line, in_fence = lines.pop(0)
        fence = in_fence and _FENCE.match(line)
        if fence and fence[2].startswith("q1lab "):
            end_prose()
            _add(blocks, _action(line, _until(lines, fence[1], line)))
        elif fence:  # a block of code, as it stands
            prose += [line, *_until(lines, fence[1], line), line[: fence.end(1)]]
        elif task := _TASK.match(line):
            end_prose()
            with _reading(line):
                blocks.append(_step(task[1], lines, of_guide, used))
        elif line.startswith("<details"):
            end_prose()
            with _reading(line):
                _add(blocks, _fold(line, _until(lines, "</details>", line), root))
        elif line in (_GUIDE, _GUIDE_ENDS):
            end_prose()
            of_guide = line == _GUIDE
        elif not (line.startswith("# ") and not blocks and not "".join(prose).strip()):
            prose.append(line)
    end_prose()
    return blocks


def _add(blocks: list[Block], block: Action | Fold) -> None:
    """Add an action, or a fold, to the step just before it if it is that step's, else below."""
    last = blocks[-1] if blocks else None
    if not isinstance(last, Step):
        blocks.append(block)
    elif isinstance(block, Action):
        blocks[-1] = replace(last, actions=(*last.actions, block))
    elif last.behavior.answer_below and last.answer is None and not block.frames:
        blocks[-1] = replace(last, answer=block)
    else:
        blocks.append(block)


def _until(lines: list[tuple[str, bool]], end: str, begin: str) -> list[str]:
    """Take the lines below ``begin`` up to one that is ``end``."""
    taken: list[str] = []
    while lines:
        line, _ = lines.pop(0)
        if line.strip() == end:
            return taken
        taken.append(line)
    raise _LineFault(begin, f"{end} is missing below it")


def _step(head: str, lines: list[tuple[str, bool]], of_guide: bool, used: set[str]) -> Step:
    title, of = _attributes(head, used)
    for key, value, known in (
        *(("attribute", name, STEP_ATTRIBUTES) for name in of),
        ("kind", of.setdefault("kind", "tick"), STEP_KINDS),
        ("done_when", of.get("done_when", ""), ["", *step_commands.condition_names()]),
        ("importance", of.setdefault("importance", "normal"), IMPORTANCE),
    ):
        if value not in known:
            raise ValueError(f"a step has no {key} {value!r}; {nearest(value, known)}")
    minutes, words = (int(of.pop(key, 0)) for key in ("minutes", "words"))
    if not minutes and not words and of["importance"] != "optional":
        raise ValueError("the step has no minutes (minutes=5, or words=50 for an answer)")
    kind = STEP_KINDS[of["kind"]]
    detail, actions = [], []
    while lines and (lines[0][0].startswith("  ") or not lines[0][0].strip()):
        line, in_fence = lines.pop(0)
        fence = in_fence and _FENCE.match(line)
        if fence and fence[2].startswith("q1lab "):
            below = [each.strip() for each in _until(lines, fence[1], line)]
            actions.append(_action(line, below))
        else:
            detail.append(line.removeprefix("  "))
    return Step(
        title=title,
        detail="\n".join(detail).strip("\n"),
        actions=tuple(actions),
        minutes=minutes + math.ceil(words / WORDS_WRITTEN),
        done_when=of.pop("done_when", kind.done_when),
        of_guide=of_guide,
        **of,
    )


def _fold(head: str, lines: list[str], root: Path) -> Fold:
    of = dict(_OF_FOLD.findall(head))
    titles = [match[1].strip() for line in lines if (match := _SUMMARY.match(line))]
    markdown = "\n".join(line for line in lines if not _SUMMARY.match(line)).strip("\n")
    frames = (
        read_text(root / FILES / f"{of['figure']}.txt").split("\n---\n") if "figure" in of else ()
    )
    pictures = tuple(frame.strip("\n") for frame in frames)
    return Fold("".join(titles[-1:]) or "More", markdown, of.get("needs"), pictures)


def _action(fence: str, lines: list[str]) -> Action:
    """The action of a fence."""
    with _reading("\n".join([fence, *lines])):
        kind = fence.partition("q1lab ")[2].strip()
        if kind not in ACTION_FIELDS:
            raise ValueError(f"there is no action {kind!r}; {nearest(kind, ACTION_FIELDS)}")
        fields = ("title", *ACTION_FIELDS[kind])
        options = _tuples(parse_toml("\n".join(lines)))
        title = str(options.pop("title", ""))
        for key in options:
            if key not in fields:
                near = nearest(key, fields)
                raise ValueError(f"the action {kind} has no field {key!r}; {near}")
        if not options:
            raise ValueError(f"the action {kind} is empty; {nearest('', fields)}")
        first = next(iter(options.values()))
        action = Action(kind, title or f"{kind.capitalize()} {first}", options)
        if kind == "command" and action.argv()[:1] != ("q1lab",):
            raise ValueError(f"{first!r} is not a q1lab command")
        if kind == "open" and not str(options.get("url", "https://")).startswith("https://"):
            raise ValueError(f"{options['url']!r} is no https address")
        return action


def _attributes(line: str, used: set[str]) -> tuple[str, dict[str, Any]]:
    """`Title {#id key=value}` as its title and its attributes. Progress is kept by the
    id, so none is ``used`` twice."""
    match = _TAIL.search(line)
    if match is None:
        raise ValueError(f"{line!r} has no {{#id}}")
    words = _WORD.finditer(match[1])
    values = {
        word[1] if word[2] or word[3] else "id": word[2] or word[3] or word[1] for word in words
    }
    if values["id"] in used:
        raise ValueError(f"the id {values['id']!r} is used already")
    used.add(values["id"])
    return line[: match.start()].strip(), values
