"""The journal that travels with a study: it leaves with the bundle, and another home reads from it
which questions were asked before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import read_bytes
from q1lab.ground.text_formats import plural
from q1lab.index import journal
from q1lab.index.store import Store
from q1lab.record import declarations, declared_history
from q1lab.record.declarations import FirstChain, declaration_of
from q1lab.record.questions import begun_studies, study_key
from q1lab.study.bundle import DAMAGE_ERRORS, Bundle
from q1lab.study.studies import Study

MOST_UNREAD = 1000
"""Lines of a journal from another home that can't be read and are counted one by one."""

MOST_CHAIN_BYTES = 16 << 20
"""Bytes of a journal that comes with a study."""


def journal_outlines(store: Store, study: Study) -> tuple[dict[str, Any], ...]:
    """The journal up to the line that put the study on record with the seeds that it has, each line
    as it is published, with ``prev`` where it doesn't follow the line before. Empty when there is
    no such line."""
    outlines: list[dict[str, Any]] = []
    link, last = journal.START, 0
    for line in journal.read_entries(store.journal).lines:
        follows = line.prev == link
        outlines.append({**({} if follows else {"prev": line.prev}), **line.outline})
        link = line.link
        declares = line.outline.get("declares")
        name = declarations.declared_name(study.id, study.created)
        if isinstance(declares, dict) and declares.get("study") == name:
            last = len(outlines)
    return tuple(outlines[:last])


def is_begun_here(store: Store, study: Study) -> bool:
    """True if a study that comes back was begun here, as it is, and its folder is gone."""
    begun = begun_studies(store)[0].get(study_key(study))
    return (
        begun is not None
        and not paths.study_dir(study.id).exists()
        and not declarations.differing_fields(declaration_of(begun.study), study)
    )


def first_chain(received: Bundle) -> FirstChain:
    """The journal that came with a study from another home, as far as it is about the study's
    question. Problem if the plan differs from the journal's declaration, or the journal can't be
    read."""
    file, study = received.files.get("journal.jsonl"), received.study
    if file is None:
        return FirstChain("", unread=int(study.origin.is_ours))
    name = declarations.declared_name(study.id, study.created)
    try:
        outlines = [json.loads(line) for line in read_bytes(file, MOST_CHAIN_BYTES).splitlines()]
        lines = [line["declares"] for line in outlines if line.get("act") == "begin"]
        while lines[-1]["study"] != name:
            lines.pop()
        history = declared_history.read_history(study, lines)
        claim = received.about.get("claim") or {}
        claimed_looks = {str(key): int(many) for key, many in (claim.get("before") or {}).items()}
        least_looks = dict.fromkeys(history.declared_together, 1)  # they trained side by side
        known_looks = (history.earlier_looks, claimed_looks, least_looks)
        looks = {
            key: max(by_study.get(key, 0) for by_study in known_looks)
            for key in {**history.earlier_looks, **claimed_looks}
        }
        earlier = {
            line["study"]: dict(line)
            for line in declarations.with_first_chains(lines)
            if line["study"] in looks
        }
        seen: dict[str, list[str]] = {}
        for line in declarations.with_first_chains(lines):
            for study_name, runs in line.get("seen", {}).items():
                if study_name in earlier:
                    seen[study_name] = [*seen.get(study_name, ()), *map(str, runs)]
        picked = history.picked or bool(claim.get("picked"))
        hidden_lines = sum("prev" in line or "sha" in line for line in outlines)
        differing = declarations.differing_fields(lines[-1], study)
        unread = min(history.unread + hidden_lines, MOST_UNREAD)
        chain = FirstChain(
            last_link(outlines), tuple(earlier.values()), looks, seen, picked, unread
        )
    except (OSError, *DAMAGE_ERRORS, RecursionError):
        raise Problem(
            f"the journal that came with {study.id} is damaged",
            FAILED,
            next="ask for another archive of it",
        ) from None
    if differing and study.origin.is_ours:
        raise Problem(
            f"the plan of {study.id} is not what its journal declares: {', '.join(differing)}",
            FAILED,
            next="ask for an archive that was not changed",
        )
    return chain


def first_chain_line(chain: FirstChain, study: Study) -> str:
    """A line on the journal that came with a study, which its line here keeps."""
    if not chain.link:
        unknown = "whether its question was asked before is not known here"
        counted = ", and counts as one asking" if chain.unread else ""
        return f"no journal came with it: {unknown}{counted}"
    times = sum(
        bool(chain.looks_of(line)) and not declarations.is_of_series(line, study)
        for line in chain.earlier
    )
    askings_text = f"asked {plural(times, 'time')} before" if times else "asked first"
    if chain.unread:
        askings_text += (
            f" (but {plural(chain.unread, 'line')} can't be read, and each may be an asking)"
        )
    return (
        f"its journal came with it, up to {chain.link[:16]}…: {askings_text} there, and kept on "
        "record"
    )


def last_link(chain: Sequence[Mapping[str, Any]]) -> str:
    """The journal's link after the last of these lines; empty without one."""
    return list(journal.chain_links(chain))[-1] if chain else ""


def commit_trailer(study_id: str, link: str) -> str:
    """The line of a commit's message that names the journal up to a study's last line."""
    return f"Journal-of-{study_id}: {link}"
