"""week.toml, its sessions' files and its variants' guides, put together into a Week."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from q1lab.ground.errors import nearest
from q1lab.week.markdown_reader import FILES, GUIDE_MARKER, MarkdownPage, WeekReader, toml_error
from q1lab.week.syllabus import (
    FORMAT,
    GLOSSARY,
    Block,
    ContentFinding,
    Kpi,
    Part,
    Session,
    Term,
    Text,
    Week,
    WeekVariant,
)
from q1lab.week.text_numbers import MeasuredResult, ModelShape, TextNumbers


class ValueKind(NamedTuple):
    """A kind of TOML value: its description, the test for it, and the value that stands in for a
    missing or wrong one."""

    words: str
    fits: Callable[[Any], bool]
    empty: Any = ""
    needed: bool = False


def _all(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 100_000


TEXT = ValueKind("text in quotes", lambda value: isinstance(value, str))
NEEDED = ValueKind(
    "text in quotes", lambda value: isinstance(value, str) and value != "", needed=True
)
COUNT = ValueKind("a whole number, 0 or more", _whole, 0, needed=True)
NUMBER = ValueKind("a number", lambda value: type(value) in (int, float), 0.0, needed=True)
TEXTS = ValueKind("a list of texts", _all(str), ())
SHARE = ValueKind(
    'a whole number or a fraction in quotes, such as "1/2"',
    lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"[1-9]\d{0,3}(/[1-9]\d{0,3})?", value))
    ),
)
TABLE = ValueKind("a table in braces", lambda value: isinstance(value, dict), None)
TABLES = ValueKind("written as [[…]] tables", _all(dict), ())

WEEK_KEYS: Mapping[str, ValueKind] = {
    "format": COUNT,
    "label": NEEDED,
    "title": NEEDED,
    "goal": NEEDED,
    "next": TEXT,
    "default": TEXT,
    "overview": TEXT,
    "results": TEXT,
    "sessions": TABLES,
    "variants": TABLES,
    "kpis": TABLES,
}
SESSION_KEYS: Mapping[str, ValueKind] = {
    "id": TEXT,
    "file": NEEDED,
    "title": NEEDED,
    "goal": TEXT,
    "when": TEXT,
    "minutes": COUNT,
    "output": TEXTS,
}
VARIANT_KEYS: Mapping[str, ValueKind] = {
    "name": NEEDED,
    "title": NEEDED,
    "used_in": TEXT,
    "difficulty": TEXT,
    "paper": TEXT,
    "guide": TEXT,
    "changes": TEXT,
    "question": TEXT,
    "lines": TEXT,
    "shape": TABLE,
}
SHAPE_KEYS: Mapping[str, ValueKind] = {
    "positions": ValueKind("true or false", lambda value: isinstance(value, bool), True),
    "matrices": COUNT._replace(empty=2, needed=False),
    "hidden": SHARE._replace(empty="4"),
    "kv_heads": SHARE._replace(empty="1"),
}
"""A key that is left out has the baseline's value."""
KPI_KEYS: Mapping[str, ValueKind] = {
    "id": NEEDED,
    "title": NEEDED,
    "target": COUNT,
    "counter": TEXT,
}
RESULT_KEYS: Mapping[str, ValueKind] = {
    "preset": NEEDED,
    "variant": NEEDED,
    "data": NEEDED,
    "pairs": COUNT,
    "mean": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "sd": NUMBER,
    "pair_sd": NUMBER,
    "source": NEEDED,
}
"""Every quoted number needs all of them: also the file or command that it comes from."""


_TABLE = re.compile(r" *\[ *\[([^\]]+)\] *\]")


class TomlLines:
    """The lines of a TOML file's tables and keys: tomllib gives values, not places."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._tables: dict[str, list[int]] = {}
        """The lines of each `[[name]]`, by its name."""
        for number, line in enumerate(self._lines, 1):
            if table := _TABLE.match(line):
                self._tables.setdefault(table[1].replace(" ", ""), []).append(number)

    def table(self, name: str, index: int) -> int:
        """The line of the index-th `[[name]]`, else 1."""
        at = self._tables.get(name, [])
        return at[index] if index < len(at) else 1

    def key(self, key: str, at: int = 0) -> int:
        """The line that sets `key` in the table that starts at line `at` (0: above all tables),
        else that line."""
        for number, line in enumerate(self._lines[at:], at + 1):
            if line.startswith("["):
                break
            if line.partition("=")[0].strip() == key:
                return number
        return max(at, 1)


class TomlFile:
    """A TOML file of the week: its values, held against what its keys may hold."""

    def __init__(self, reader: WeekReader, file: str, asked_at: int) -> None:
        self.reader = reader
        self.file = file
        self.top: dict[str, Any] | None = None
        text = reader.text(file, "week.toml", asked_at)
        self.lines = TomlLines(text or "")
        if text is not None:
            try:
                self.top = tomllib.loads(text)
            except (tomllib.TOMLDecodeError, RecursionError) as error:
                message, line = toml_error(error, text)
                reader.add(file, line, message)

    def values(self, table: Mapping[str, Any], kinds: Mapping[str, ValueKind], at: int = 0) -> Any:
        """The value of each key of a table that starts at line `at`."""
        for key in table:
            if key not in kinds:
                self._add(key, at, f"unknown key {key!r}; {nearest(key, kinds)}")
        values = {}
        for key, kind in kinds.items():
            value = table.get(key, kind.empty)
            value = value.strip() if isinstance(value, str) else value
            if key not in table and kind.needed:
                self._add(key, at, f"{key} is missing")
            elif key in table and not kind.fits(value):
                self._add(key, at, f"{key} must be {kind.words}")
                value = kind.empty
            values[key] = tuple(value) if isinstance(value, list) else value
        return values

    def rows(
        self, name: str, rows: Any, kinds: Mapping[str, ValueKind]
    ) -> Iterator[tuple[dict[str, Any], int]]:
        """The values of each `[[name]]`, and the line where it stands."""
        for index, row in enumerate(rows):
            at = self.lines.table(name, index)
            yield self.values(row, kinds, at), at

    def _add(self, key: str, at: int, message: str) -> None:
        self.reader.add(self.file, self.lines.key(key, at), message)


def read_week(root: Path, course: bool) -> tuple[Week | None, list[ContentFinding]]:
    """The week as far as it can be built, with the course or without it, and all findings of
    reading it."""
    reader = WeekReader(root, course)
    if not root.is_dir():
        reader.add("week.toml", 1, "there is no such folder; name the folder that holds week.toml")
        return None, reader.findings
    toml = TomlFile(reader, "week.toml", 1)
    if toml.top is None:
        return None, reader.findings
    week_format = toml.top.get("format")
    if week_format != FORMAT:
        newer = isinstance(week_format, int) and week_format > FORMAT
        hint = "a newer q1lab is needed" if newer else f"write format = {FORMAT}"
        message = f"format {week_format!r} is unknown; {hint}"
        reader.add("week.toml", toml.lines.key("format"), message)
        return None, reader.findings
    top = toml.values(toml.top, WEEK_KEYS)
    variants = _variants(toml, top)
    names = [variant.name for variant in variants]
    numbers = TextNumbers(
        measured=_results(toml, top["results"]),
        shapes={variant.name: variant.shape for variant in variants if variant.shape is not None},
    )
    reader.variants, reader.values = variants, numbers
    default = top["default"]
    if default and default not in names:
        message = f"default {default!r} is not a variant; {nearest(default, names)}"
        reader.add("week.toml", toml.lines.key("default"), message)
    sessions: list[Session] = []
    for row, at in toml.rows("sessions", top["sessions"], SESSION_KEYS):
        if any(row["file"] == session.file for session in sessions):
            message = f"file {row['file']!r} belongs to another session already"
            reader.add("week.toml", at, message)
        else:
            sessions.append(_session(toml, row, at, names))
    if not sessions and not reader.findings:
        reader.add("week.toml", 1, "the week has no sessions; add a [[sessions]] table")
    guides = _guides(toml, sessions, variants)
    files = root / FILES
    week = Week(
        label=top["label"],
        title=top["title"],
        goal=top["goal"],
        next=top["next"],
        overview=_overview(toml, top["overview"], names),
        sessions=tuple(_guided(session, guides) for session in sessions),
        variants=tuple(variants),
        kpis=tuple(Kpi(**row) for row, _ in toml.rows("kpis", top["kpis"], KPI_KEYS)),
        default=default if default in names else next(iter(names), None),
        root=root,
        numbers=numbers,
        code=tuple(reader.code),
        files=tuple(sorted(path.name for path in files.glob("*") if path.is_file())),
        terms=_terms(reader),
        course=course,
        lines=reader.numbers,
    )
    reader.cuts.save()
    return week, reader.findings


def _overview(toml: TomlFile, file: str, variants: list[str]) -> tuple[Block, ...]:
    """The page before the sessions; nothing where week.toml names none."""
    at = toml.lines.key("overview")
    text = toml.reader.text(file, "week.toml", at) if file else None
    return tuple(MarkdownPage(toml.reader, file, text or "", variants, whole=True).before)


def _results(toml: TomlFile, name: str) -> tuple[MeasuredResult, ...]:
    results = TomlFile(toml.reader, name, toml.lines.key("results")) if name else None
    if results is None or results.top is None:
        return ()
    rows = results.values(results.top, {"results": TABLES})["results"]
    result_rows = results.rows("results", rows, RESULT_KEYS)
    return tuple(MeasuredResult(**row, line=at) for row, at in result_rows)


def _terms(reader: WeekReader) -> tuple[Term, ...]:
    """The words of the week's glossary, a `## ` heading each; none where there is no glossary."""
    if not (reader.root / GLOSSARY).exists():
        return ()
    text = reader.text(GLOSSARY, GLOSSARY, 1) or ""
    return tuple(
        Term(entry[1].strip(), entry[2].strip(), text.count("\n", 0, entry.start()) + 1)
        for entry in _ENTRY.finditer(text)
    )


_ENTRY = re.compile(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def _variants(toml: TomlFile, top: Mapping[str, Any]) -> list[WeekVariant]:
    variants: dict[str, WeekVariant] = {}
    for row, at in toml.rows("variants", top["variants"], VARIANT_KEYS):
        if row["name"] in variants:
            toml.reader.add("week.toml", at, f"variant {row['name']!r} is listed twice")
        else:
            shape = row["shape"] if row["shape"] is None else _shape(toml, row["shape"], at)
            variants[row["name"]] = WeekVariant(
                **{**row, "guide": row["guide"] or None, "shape": shape}
            )
    return list(variants.values())


def _shape(toml: TomlFile, shape_table: Mapping[str, Any], at: int) -> ModelShape:
    row = toml.values(shape_table, SHAPE_KEYS, toml.lines.key("shape", at))
    shares = {key: Fraction(row[key]) for key in ("hidden", "kv_heads")}
    return ModelShape(**{**row, **shares})


def _session(toml: TomlFile, row: dict[str, Any], at: int, variants: list[str]) -> Session:
    reader, file = toml.reader, row["file"]
    id_ = reader.register_id(row.pop("id"), "session", "week.toml", at)
    text = reader.text(file, "week.toml", toml.lines.key("file", at)) if file else None
    page = MarkdownPage(reader, file, text or "", variants)
    parts = []
    for section in page.sections:
        attributes = {"reading": "0", **section.attributes}
        numbers = [attributes.get(key, "") for key in ("minutes", "reading")]
        if not all(re.fullmatch(r"[0-9]{1,5}", number) for number in numbers):
            message = "a part needs its minutes, for example {#a1 minutes=15}"
            reader.add(file, section.line, message)
            numbers = ["0", "0"]
        minutes, reading = map(int, numbers)
        blocks = tuple(section.blocks)
        parts.append(
            Part(section.id, section.title, minutes, reading, blocks, id_, file, section.line)
        )
    if not parts and text is not None:
        reader.add(file, 1, "the session has no parts; open one with ## Title {#a1 minutes=15}")
    intro = "\n\n".join(block.markdown for block in page.before if isinstance(block, Text))
    return Session(id=id_, intro=intro, parts=tuple(parts), **row)


def _guides(
    toml: TomlFile, sessions: list[Session], variants: list[WeekVariant]
) -> dict[str, list[Block]]:
    """The blocks that the variants' guides add to each part, by its id."""
    reader, names = toml.reader, [variant.name for variant in variants]
    extra: dict[str, list[Block]] = {part.id: [] for session in sessions for part in session.parts}
    for index, variant in enumerate(variants):
        at = toml.lines.key("guide", toml.lines.table("variants", index))
        text = variant.guide and reader.text(variant.guide, "week.toml", at)
        if not variant.guide or not text:
            continue
        for section in MarkdownPage(reader, variant.guide, text, names, variant.name).sections:
            target = section.attributes.get("part", "")
            if target not in extra:
                why = "needs a part" if not target else f"names part {target!r}, which is not there"
                near = nearest(target, extra, "write {part=a2}")
                reader.add(variant.guide, section.line, f"this section {why}; {near}")
                continue
            heading = Text(f"### {section.title}", variant.guide, section.line, variant.name)
            extra[target] += [heading, *section.blocks]
    return extra


def _guided(session: Session, guides: Mapping[str, list[Block]]) -> Session:
    """The session with the guides' sections in their parts: at the marker, else at the end."""
    parts = []
    for part in session.parts:
        blocks: list[Block] = []
        guide = guides[part.id]
        for block in part.blocks:
            if isinstance(block, Text) and block.markdown == GUIDE_MARKER:
                blocks += guide
                guide = []
            else:
                blocks.append(block)
        parts.append(replace(part, blocks=(*blocks, *guide)))
    return replace(session, parts=tuple(parts))
