"""A week of study, read from a folder: week.toml and Markdown become Week, Session, Part and Step.

Each file is a Jinja2 template first (`content/README.md` lists the names that it may use), so that
what one learner reads is one text. That text is then cut, line by line:

`## Title {#a2 minutes=90}` opens a part. `- [ ] Title {#a2-notes kind=write}` is a step; lines that
are indented below it are its detail. A fence whose info string is `q1lab run` (or open, check,
command) holds TOML and is an action; it belongs to the step just before it, else to the part.
`<details>` with a `<summary>` is text that stays folded. All else is Markdown, kept as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from q1lab.ground import command_table
from q1lab.ground.files import printable, read_text
from q1lab.week.step_kinds import STEP_KINDS
from q1lab.week.syllabus import (
    GLOSSARY,
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
from q1lab.week.text_numbers import MeasuredResult, ModelShape, names_for_text

FILES = "files"
"""The folder in a week that holds what `q1lab take` copies."""
_TAIL = re.compile(r"\s*\{([^{}]*)\}\s*$")
_WORD = re.compile(r'#?([\w-]+)(?:=(?:"([^"]*)"|(\S+)))?')
_TASK = re.compile(r"- \[[ xX]\] +(.*)")
_FENCE = re.compile(r" *(`{3,}|~{3,}) *(.*)")
_SUMMARY = re.compile(r" *<summary>(.*?)</summary>")
_OF_FOLD = re.compile(r'(needs|figure)="?([\w-]+)')
_GUIDE, _GUIDE_ENDS = "<!-- guide -->", "<!-- guide ends -->"
_ENTRY = re.compile(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def load_week(root: Path, course: bool = True) -> Week:
    """The week in folder `root`, as a week of its course or alone, before anything is chosen."""
    return read_week(root, course, None, None)


@lru_cache(maxsize=4)
def read_week(
    root: Path, course: bool, chosen: str | None, data: tuple[str, int, str] | None
) -> Week:
    """The week as one learner meets it. ContentProblem if it can't be used."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

    jinja = Environment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        comment_start_string="{##",
        autoescape=False,
    )
    jinja.filters["rjust"] = lambda value, width: str(value).rjust(width)
    names: dict[str, Any] = {"course": course}

    def shown(file: str) -> str:
        return printable(jinja.get_template(file).render(names))

    def guide(part: str) -> str:
        file = f"guides/{names['variant']}/{part}.md"
        chooses = part == "a1" and not offered
        there = not chooses and (root / file).is_file()
        return f"{_GUIDE}\n{shown(file).strip()}\n{_GUIDE_ENDS}" if there else ""

    try:
        toml = tomllib.loads(shown("week.toml"))
        rows = (
            tomllib.loads(read_text(root / toml["results"]))["results"] if "results" in toml else ()
        )
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
        for row in toml.pop("sessions"):
            intro, parts = _parts(shown(row.pop("file")), row["id"], root)
            sessions.append(Session(intro=intro, parts=parts, **_tuples(row)))
        overview = toml.get("overview")
        glossary = shown(GLOSSARY) if (root / GLOSSARY).exists() else ""
        return Week(
            **{key: toml.get(key, "") for key in ("label", "title", "goal", "next")},
            overview=tuple(_blocks(shown(overview), root)) if overview else (),
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
    except (OSError, TemplateError, ValueError, TypeError, KeyError) as error:
        place = ":".join(
            str(getattr(error, at)) for at in ("filename", "lineno") if hasattr(error, at)
        )
        raise ContentProblem(f"{root}: {place} {error}".replace("  ", " ")) from error


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


def _parts(text: str, session: str, root: Path) -> tuple[str, tuple[Part, ...]]:
    """(the text before the first part, the parts)."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line, in_fence in _fenced(text.split("\n")):
        if line.startswith("## ") and not in_fence:
            parts.append((line[3:], []))
        elif not (line.startswith("# ") and len(parts) == 1):
            parts[-1][1].append(line)
    (_, intro), *others = parts
    made = []
    for heading, lines in others:
        title, of = _attributes(heading)
        minutes, reading = int(of["minutes"]), int(of.get("reading", 0))
        blocks = tuple(_blocks("\n".join(lines), root))
        made.append(Part(of["id"], title, minutes, reading, blocks, session))
    return "\n".join(intro).strip("\n"), tuple(made)


def _fenced(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it stands in a fence or opens or closes one."""
    fence = ""
    for line in lines:
        mark = (match := _FENCE.match(line)) and match[1]
        yield line, bool(mark or fence)
        if mark:
            fence = "" if mark == fence else fence or mark


def _blocks(text: str, root: Path) -> list[Block]:
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
            action = _action(fence[2], _until(lines, fence[1]))
            if action and blocks and isinstance(step := blocks[-1], Step):
                blocks[-1] = replace(step, actions=(*step.actions, action))
            elif action:
                blocks.append(action)
        elif fence:  # a block of code, as it stands
            prose += [line, *_until(lines, fence[1]), line[: fence.end(1)]]
        elif task := _TASK.match(line):
            end_prose()
            blocks.append(_step(task[1], lines, of_guide))
        elif line.startswith("<details"):
            end_prose()
            fold = _fold(line, _until(lines, "</details>"), root)
            last = blocks[-1] if blocks and not fold.frames else None
            if isinstance(last, Step) and last.behavior.answer_below and last.answer is None:
                blocks[-1] = replace(last, answer=fold)
            else:
                blocks.append(fold)
        elif line in (_GUIDE, _GUIDE_ENDS):
            end_prose()
            of_guide = line == _GUIDE
        elif not (line.startswith("# ") and not blocks and not "".join(prose).strip()):
            prose.append(line)
    end_prose()
    return blocks


def _until(lines: list[tuple[str, bool]], end: str) -> list[str]:
    """Take lines up to one that is ``end``."""
    taken: list[str] = []
    while lines:
        line, _ = lines.pop(0)
        if line.strip() == end:
            return taken
        taken.append(line)
    raise ValueError(f"{end} is missing below {taken[:1]}")


def _step(head: str, lines: list[tuple[str, bool]], of_guide: bool) -> Step:
    title, of = _attributes(head)
    kind = STEP_KINDS[of.setdefault("kind", "tick")]
    detail, actions = [], []
    while lines and (lines[0][0].startswith("  ") or not lines[0][0].strip()):
        line, in_fence = lines.pop(0)
        fence = in_fence and _FENCE.match(line)
        if fence and fence[2].startswith("q1lab "):
            if action := _action(fence[2], [each.strip() for each in _until(lines, fence[1])]):
                actions.append(action)
        else:
            detail.append(line.removeprefix("  "))
    return Step(
        title=title,
        detail="\n".join(detail).strip("\n"),
        actions=tuple(actions),
        optional=of.pop("optional", "no") == "yes",
        minutes=int(of.pop("minutes")) if "minutes" in of else None,
        done_when=of.pop("done_when", kind.done_when),
        was=tuple(of.pop("was", "").split()),
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


def _action(info: str, lines: list[str]) -> Action:
    """The action of a fence."""
    kind = info.removeprefix("q1lab ").strip()
    options = _tuples(tomllib.loads("\n".join(lines)))
    unknown = options.keys() - {*command_table.fields_by_action()[kind]}
    if unknown:
        raise ValueError(f"a {kind} action has no field {unknown}")
    first = next(iter(options.values()))
    return Action(kind, str(options.pop("title", "")) or f"{kind.capitalize()} {first}", options)


def _attributes(line: str) -> tuple[str, dict[str, Any]]:
    """`Title {#id key=value}` as its title and its attributes."""
    match = _TAIL.search(line)
    if match is None:
        raise ValueError(f"{line!r} has no {{#id}}")
    words = _WORD.finditer(match[1])
    values = {
        word[1] if word[2] or word[3] else "id": word[2] or word[3] or word[1] for word in words
    }
    return line[: match.start()].strip(), values
