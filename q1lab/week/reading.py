"""week.toml, its sessions' files and its variants' guides, put together into a Week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from q1lab.errors import nearest
from q1lab.week.markdown import FILES, GUIDE_MARK, Reader, Scan, toml_error
from q1lab.week.model import FORMAT, Block, Finding, Kpi, Part, Session, Term, Text, Variant, Week
from q1lab.week.numbers import Measured, Numbers

WEEK_KEYS = (
    "format",
    "label",
    "title",
    "goal",
    "next",
    "default",
    "overview",
    "results",
    "sessions",
    "variants",
    "kpis",
)
SESSION_KEYS = ("id", "file", "title", "goal", "when", "minutes", "output")
VARIANT_KEYS = ("name", "title", "used_in", "difficulty", "paper", "guide")
KPI_KEYS = ("id", "title", "target")
RESULT_KEYS = (
    "preset",
    "variant",
    "data",
    "pairs",
    "mean",
    "low",
    "high",
    "sd",
    "pair_sd",
    "source",
)


def read(root: Path, course: bool) -> tuple[Week | None, list[Finding]]:
    """The week as far as it can be built, with the course or without it, and all findings of
    reading it."""
    reader = Reader(root, course)
    table, lines = _week_table(reader)
    if table is None:
        return None, reader.findings
    say = Table(reader, lines)
    say.keys(table, WEEK_KEYS, "week.toml", 1)
    if table.get("format") != FORMAT:
        at = lines.of("format")
        newer = isinstance(table.get("format"), int) and table["format"] > FORMAT
        hint = "a newer q1lab is needed" if newer else f"write format = {FORMAT}"
        reader.add("week.toml", at, f"format {table.get('format')!r} is unknown; {hint}")
        return None, reader.findings
    variants = _variants(table, say)
    default = say.text(table, "default", 1) or None
    names = [variant.name for variant in variants]
    if default is not None and default not in names:
        reader.add(
            "week.toml",
            lines.of("default"),
            f"default {default!r} is no variant; {nearest(default, names)}",
        )
        default = None
    if default is None and names:
        default = names[0]
    sessions = []
    seen_files: set[str] = set()
    for row, at in say.rows(table, "sessions", SESSION_KEYS):
        session = _session(reader, say, row, at, names)
        if session.file in seen_files:
            reader.add("week.toml", at, f"file {session.file!r} belongs to another session already")
            continue
        seen_files.add(session.file)
        sessions.append(session)
    if not sessions and not reader.findings:
        reader.add("week.toml", 1, "the week has no sessions; add a [[sessions]] table")
    sessions = _guided(reader, say, sessions, variants, lines)
    kpis = tuple(
        Kpi(
            say.text(row, "id", at, needed=True),
            say.text(row, "title", at, needed=True),
            say.number(row, "target", at),
        )
        for row, at in say.rows(table, "kpis", KPI_KEYS)
    )
    overview = _overview(reader, say.text(table, "overview", 1), lines, names)
    results = say.text(table, "results", 1)
    measured = _results(reader, results, lines.of("results")) if results else ()
    week = Week(
        label=say.text(table, "label", 1, needed=True),
        title=say.text(table, "title", 1, needed=True),
        goal=say.text(table, "goal", 1, needed=True),
        next=say.text(table, "next", 1),
        overview=overview,
        sessions=tuple(sessions),
        variants=tuple(variants),
        kpis=kpis,
        default=default,
        root=root,
        numbers=Numbers(measured=measured),
        code=tuple(reader.code),
        files=_files(root),
        terms=_terms(reader, root),
        course=course,
        lines=reader.numbers,
    )
    return week, reader.findings


def _overview(reader: Reader, file: str, lines: Lines, variants: list[str]) -> tuple[Block, ...]:
    """The page that comes before the sessions; none where week.toml names no file for it."""
    text = reader.text(file, "week.toml", lines.of("overview")) if file else None
    scan = Scan(reader, file, variants, whole=True)
    scan.run(text or "")
    return tuple(scan.before)


GLOSSARY = "glossary.md"


def _terms(reader: Reader, root: Path) -> tuple[Term, ...]:
    """The words of the week's glossary, a `## ` heading each; none where there is no glossary."""
    if not (root / GLOSSARY).exists():
        return ()
    _, *entries = f"\n{reader.text(GLOSSARY, GLOSSARY, 1) or ''}".split("\n## ")
    parts = (entry.partition("\n") for entry in entries)
    return tuple(Term(name.strip(), markdown.strip()) for name, _, markdown in parts)


class Lines:
    """Where things are in week.toml: tomllib gives values, not places."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def of(self, key: str) -> int:
        """The first line that sets `key`, else 1."""
        for number, line in enumerate(self._lines, 1):
            if line.partition("=")[0].strip() == key:
                return number
        return 1

    def table(self, name: str, index: int) -> int:
        """The line of the index-th `[[name]]`, else 1."""
        at = [
            n
            for n, line in enumerate(self._lines, 1)
            if line.replace(" ", "").startswith(f"[[{name}]]")
        ]
        return at[index] if index < len(at) else 1

    def below(self, at: int, key: str) -> int:
        """The line that sets `key` in the table that starts at line `at`, else `at`."""
        for number, line in enumerate(self._lines[at:], at + 1):
            if line.startswith("["):
                break
            if line.partition("=")[0].strip() == key:
                return number
        return at


def _results(reader: Reader, name: str, asked_at: int) -> tuple[Measured, ...]:
    """The comparisons in a results file. Each has to say which file or command it comes from."""
    import tomllib

    text = reader.text(name, "week.toml", asked_at)
    if text is None:
        return ()
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message, line = toml_error(error, text)
        reader.add(name, line, message)
        return ()
    lines, rows = Lines(text), table.get("results", [])
    found = []
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        at = lines.table("results", index)
        missing = [key for key in RESULT_KEYS if key not in row]
        if missing:
            reader.add(name, at, f"this result has no {missing[0]}; every quoted number needs it")
            continue
        try:
            one = Measured(
                preset=str(row["preset"]),
                variant=str(row["variant"]),
                data=str(row["data"]),
                pairs=int(row["pairs"]),
                mean=float(row["mean"]),
                low=float(row["low"]),
                high=float(row["high"]),
                sd=float(row["sd"]),
                pair_sd=float(row["pair_sd"]),
                source=str(row["source"]).strip(),
                line=at,
            )
        except (TypeError, ValueError):
            reader.add(name, at, "pairs, mean, low, high, sd and pair_sd must be numbers")
            continue
        if not one.source:
            reader.add(name, lines.below(at, "source"), "a result needs the source that it is from")
            continue
        found.append(one)
    return tuple(found)


def _files(root: Path) -> tuple[str, ...]:
    """The names of the plain files that the week offers."""
    folder = root / FILES
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_file()))


def _week_table(reader: Reader) -> tuple[dict[str, Any] | None, Lines]:
    import tomllib

    if not reader.root.is_dir():
        reader.add("week.toml", 1, "there is no such folder; name the folder that holds week.toml")
        return None, Lines("")
    text = reader.text("week.toml", "week.toml", 1)
    if text is None:
        return None, Lines("")
    try:
        return tomllib.loads(text), Lines(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message, line = toml_error(error, text)
        reader.add("week.toml", line, message)
        return None, Lines(text)


class Table:
    """Checked access to the tables of week.toml."""

    def __init__(self, reader: Reader, lines: Lines) -> None:
        self.reader = reader
        self.lines = lines

    def keys(self, table: dict[str, Any], allowed: tuple[str, ...], file: str, at: int) -> None:
        for key in table:
            if key not in allowed:
                line = self.lines.of(key) if at == 1 else self.lines.below(at, key)
                self.reader.add(file, line, f"unknown key {key!r}; {nearest(key, allowed)}")

    def rows(
        self, table: dict[str, Any], name: str, allowed: tuple[str, ...]
    ) -> Iterator[tuple[dict[str, Any], int]]:
        rows = table.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.reader.add("week.toml", self.lines.of(name), f"write {name} as [[{name}]] tables")
            return
        for index, row in enumerate(rows):
            at = self.lines.table(name, index)
            self.keys(row, allowed, "week.toml", at)
            yield row, at

    def text(self, table: dict[str, Any], key: str, at: int, needed: bool = False) -> str:
        value = table.get(key, "")
        line = self.lines.of(key) if at == 1 else self.lines.below(at, key)
        if not isinstance(value, str):
            self.reader.add("week.toml", line, f"{key} must be text in quotes")
            return ""
        if needed and not value.strip():
            self.reader.add("week.toml", line, f"{key} is missing")
        return value.strip()

    def number(self, table: dict[str, Any], key: str, at: int) -> int:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100_000:
            self.reader.add(
                "week.toml", self.lines.below(at, key), f"{key} must be a whole number, 0 or more"
            )
            return 0
        return value

    def texts(self, table: dict[str, Any], key: str, at: int) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.reader.add(
                "week.toml", self.lines.below(at, key), f"{key} must be a list of texts"
            )
            return ()
        return tuple(value)


def _variants(table: dict[str, Any], say: Table) -> list[Variant]:
    variants: list[Variant] = []
    for row, at in say.rows(table, "variants", VARIANT_KEYS):
        name = say.text(row, "name", at, needed=True)
        if any(variant.name == name for variant in variants):
            say.reader.add("week.toml", at, f"variant {name!r} is listed twice")
            continue
        variants.append(
            Variant(
                name=name,
                title=say.text(row, "title", at, needed=True),
                used_in=say.text(row, "used_in", at),
                difficulty=say.text(row, "difficulty", at),
                paper=say.text(row, "paper", at),
                guide=say.text(row, "guide", at) or None,
            )
        )
    return variants


def _session(
    reader: Reader, say: Table, row: dict[str, Any], at: int, variants: list[str]
) -> Session:
    id_ = reader.claim(say.text(row, "id", at), "session", "week.toml", at)
    file = say.text(row, "file", at, needed=True)
    text = reader.text(file, "week.toml", say.lines.below(at, "file")) if file else None
    intro, parts = "", []
    if text is not None:
        scan = Scan(reader, file, variants)
        scan.run(text)
        intro = "\n\n".join(b.markdown for b in scan.before if isinstance(b, Text))
        for section in scan.sections:
            minutes = section.attributes.get("minutes", "")
            if not minutes.isascii() or not minutes.isdigit() or len(minutes) > 5:
                reader.add(
                    file, section.line, "a part needs its minutes, for example {#a1 minutes=15}"
                )
                minutes = "0"
            blocks = tuple(section.blocks)
            parts.append(
                Part(section.id, section.title, int(minutes), blocks, id_, file, section.line)
            )
        if not parts:
            reader.add(file, 1, "the session has no parts; open one with ## Title {#a1 minutes=15}")
    return Session(
        id=id_,
        title=say.text(row, "title", at, needed=True),
        goal=say.text(row, "goal", at),
        when=say.text(row, "when", at),
        minutes=say.number(row, "minutes", at),
        output=say.texts(row, "output", at),
        intro=intro,
        parts=tuple(parts),
        file=file,
    )


def _guided(
    reader: Reader, say: Table, sessions: list[Session], variants: list[Variant], lines: Lines
) -> list[Session]:
    """Put the sections of the variants' guides into their parts."""
    names = [variant.name for variant in variants]
    extra: dict[str, list[Block]] = {}
    part_ids = [part.id for session in sessions for part in session.parts]
    for index, variant in enumerate(variants):
        if variant.guide is None:
            continue
        at = lines.below(lines.table("variants", index), "guide")
        text = reader.text(variant.guide, "week.toml", at)
        if text is None:
            continue
        scan = Scan(reader, variant.guide, names, variant=variant.name, demote=True)
        scan.run(text)
        for section in scan.sections:
            target = section.attributes.get("part", "")
            if target not in part_ids:
                why = "needs a part" if not target else f"names part {target!r}, which is not there"
                near = nearest(target, part_ids, "write {part=a2}")
                reader.add(variant.guide, section.line, f"this section {why}; {near}")
                continue
            heading = Text(f"### {section.title}", variant.guide, section.line, variant.name)
            extra.setdefault(target, []).extend([heading, *section.blocks])
    result = []
    for session in sessions:
        parts = []
        for part in session.parts:
            blocks: list[Block] = []
            guide = extra.get(part.id, [])
            for block in part.blocks:
                if isinstance(block, Text) and block.markdown == GUIDE_MARK:
                    blocks += guide
                    guide = []
                else:
                    blocks.append(block)
            parts.append(replace(part, blocks=tuple(blocks + guide)))
        result.append(replace(session, parts=tuple(parts)))
    return result
