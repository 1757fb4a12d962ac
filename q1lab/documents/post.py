"""The draft of the retrospective post.

``gather_post`` puts the record together from the store, the week and the studies; rendering is a
pure function of the record. What stands between region marks is filled from the runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from q1lab.documents import document_data, modification, word_count
from q1lab.documents.change import read_document
from q1lab.documents.comparison_tables import StudyFacts
from q1lab.documents.document_data import Answer, quarter_of
from q1lab.documents.markdown_escape import Md
from q1lab.documents.modification import Modification
from q1lab.documents.templates import Rendered, render_template
from q1lab.journal.store import Store
from q1lab.week.content import week_for
from q1lab.week.lists import entries, posts
from q1lab.week.syllabus import Week

TEMPLATE = "post.md.j2"
FOLDER = "posts"
"""Below the repository's root."""
TITLES = {
    True: "Twelve weeks from no backprop to a modified transformer: a {quarter} deep dive",
    False: "One week, one change to a transformer, and what three seeds can tell",
}
"""A title to start from: of a course, and of a week alone."""


@dataclass(frozen=True)
class Post:
    """The record of the draft."""

    title: str
    modification: Modification
    hook: str = ""
    surprises: tuple[Answer, ...] = ()
    outline: tuple[Answer, ...] = ()
    course: bool = True

    @property
    def study(self) -> StudyFacts | None:
        """The finished study that it tells of."""
        return self.modification.study

    @property
    def verdict(self) -> str:
        """The study's; empty before there is one."""
        return self.study.verdict if self.study else ""

    @property
    def heading(self) -> str:
        """The modification as it follows a colon: ``RoPE, rotary position embeddings``."""
        return self.modification.variant_title.replace(": ", ", ", 1)


def post_document(record: Post, root: Path | None = None) -> Rendered:
    """The draft and its regions."""
    outline = "\n\n".join(item.text for item in record.outline)
    values = {
        **vars(record.modification),
        **vars(record),
        "verdict": record.verdict,
        "heading": record.heading,
        # the body of a comment: what would end the comment is disarmed
        "outline_comment": Md(
            outline.replace("--", "—").replace("<!", "<").replace("q1lab:", "q1lab ")
        ),
    }
    return render_template(TEMPLATE, values, root)


def draft_path(store: Store, week: Week, root: Path) -> Path:
    """The path of the week's draft: the recorded one if it exists below ``root``, else the path for
    a new draft."""
    post = posts.post_of_week(store, week.label)
    if post and post["path"]:
        recorded = Path(post["path"])
        if recorded.is_relative_to(root) and recorded.exists():
            return recorded
    label = re.sub(r"[^a-z0-9]+", "-", week.name.lower()).strip("-")
    return root / FOLDER / f"{label}-retrospective.md"


def count_empty_sections(store: Store, label: str) -> int:
    """Count the empty sections of the week's draft, and note the number; 0 without a draft."""
    post = posts.post_of_week(store, label)
    draft = read_document(Path(post["path"])) if post and post["path"] else None
    sections = word_count.draft_sections((draft or b"").decode(errors="replace"))
    empty = sum(section.state == "empty" for section in sections)
    posts.note_empty_sections(store, label, empty)
    return empty


def gather_post(store: Store, week: Week, *, title: str | None = None) -> Post:
    """The record of the draft as of now. Problem for a title that can't be kept."""
    title = title and entries.clean_title(title, "a post's title")
    record = modification.gather_modification(store, week)
    week = week_for(week, record.variant)
    post = posts.post_of_week(store, week.label)
    quarter = quarter_of(week.label)
    return Post(
        title=title or (post["title"] if post else TITLES[week.course].format(quarter=quarter)),
        modification=record,
        hook="\n\n".join(item.text for item in document_data.answers(store, week, "hook")),
        surprises=document_data.answers(store, week, "surprises"),
        outline=document_data.answers(store, week, "outline"),
        course=week.course,
    )
