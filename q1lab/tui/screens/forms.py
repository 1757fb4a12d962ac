"""Forms for what would be typed as a command: log a paper, publish and share the post, add an
artifact, set a KPI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from q1lab.errors import Problem
from q1lab.index.store import Store
from q1lab.journal import artifacts, posts, reading
from q1lab.tui import progress_rows as rows
from q1lab.tui.screens.fields import Field, FieldsScreen
from q1lab.week.model import ARXIV, Variant, Week

if TYPE_CHECKING:
    from q1lab.journal.kpis import KpiLine
    from q1lab.tui.app import Q1Lab


def paper_of(week: Week) -> tuple[str, str]:
    """(title, link) of the chosen variant's paper, as far as the week names it."""
    chosen = next((one for one in week.variants if one.name == week.variant), None)
    return ("", "") if chosen is None else _paper(chosen)


def _paper(variant: Variant) -> tuple[str, str]:
    found = ARXIV.search(variant.paper)
    if found is None:
        return "", ""
    named = variant.paper[: found.start()].strip(" ,:")
    title = named or f"{variant.title.partition(':')[0]} (arXiv {found[1]})"
    return title, f"https://arxiv.org/abs/{found[1]}"


HOW = (
    ("deep", "deeply: I could explain its claim, its method and what it does not show"),
    ("skim", "skimmed"),
    ("", "not yet: put it on the list"),
)
"""How a paper was read, and what to call it."""


def log_paper(app: Q1Lab) -> None:
    """Ask how the chosen modification's paper was read, and note that; where no paper is named, the
    form."""
    from q1lab.tui.screens.pick import PickScreen

    label, (title, link) = app.week.label, paper_of(app.week)
    if not title:
        paper(app)
        return

    def read(depth: str | None) -> None:
        if depth is not None:
            app.desk.ask(
                lambda store: note_paper(store, title, link, label, depth),
                lambda said: app.call_later(app.notify, f"{title}: {said}", markup=False),
            )

    app.push_screen(PickScreen(f"How did you read {title}?", HOW), read)


def note_paper(store: Store, title: str, link: str | None, week: str, depth: str) -> str:
    """Note how a paper was read ("": not yet), whether it was in the list or not; says what is on
    record now."""
    there = next((one for one in reading.papers(store) if link and one["link"] == link), None)
    number = there["id"] if there else reading.add(store, title, link=link, week=week)
    if not depth:
        done = there is not None and there["done"]
        return f"logged as read before ({there['depth']})" if there and done else "on your list"
    reading.finish(store, str(number), depth=depth)
    return "logged as read deeply" if depth == "deep" else "logged as skimmed"


def _form(
    app: Q1Lab,
    title: str,
    fields: list[Field],
    keep: Callable[[Store, dict[str, str]], Any],
    said: str,
) -> None:
    def kept(values: dict[str, str] | None) -> None:
        if values is None:
            return

        def failed(problem: Problem) -> None:  # what was typed is there again, to be corrected
            again = [replace(field, value=values[field.name]) for field in fields]
            _form(app, title, again, keep, said)
            app.tell(str(problem))

        app.ask(lambda store: keep(store, values), lambda answer: _say(app, answer, said), failed)

    app.push_screen(FieldsScreen(title, fields), kept)


def _say(app: Q1Lab, answer: Any, said: str) -> None:
    """What was kept, in words; what ``keep`` gives as text is to be read, and stays until then."""
    if isinstance(answer, str) and answer:
        app.tell(f"{said} {answer}", "Kept")
    else:
        app.notify(said, markup=False)


READ = {"deep": "deeply", "skim": "skimmed"}


def paper(app: Q1Lab) -> None:
    """A paper for the reading log."""
    label = app.week.label
    title, link = paper_of(app.week)
    taken = {one["link"] for one in (app.snapshot.pages.get("progress") or {}).get("papers", ())}
    if link in taken:
        title = link = ""
    fields = [
        Field("title", "title", title, needed=True),
        Field("link", "link", link, hint="https://arxiv.org/abs/…"),
        Field("depth", "read", choices=reading.DEPTHS, titles=READ.__getitem__),
        Field("done", "finished", choices=("yes", "not yet")),
    ]

    def keep(store: Store, given: dict[str, str]) -> None:
        done = given["done"] == "yes"
        rows.add_paper(store, given["title"], given["link"] or None, label, given["depth"], done)

    _form(app, "A paper", fields, keep, "The paper is in your reading log.")


def artifact(app: Q1Lab) -> None:
    """Something shipped."""
    label = app.week.label
    fields = [
        Field("title", "title", needed=True),
        Field("kind", "kind", choices=artifacts.ARTIFACT_KINDS),
        Field("location", "address or path", hint="https://…"),
    ]

    def keep(store: Store, given: dict[str, str]) -> None:
        place = given["location"] or None
        artifacts.add(store, given["kind"], given["title"], location=place, week=label)

    _form(app, "An artifact", fields, keep, "The artifact is in your list.")


def publish(app: Q1Lab) -> None:
    """The post's canonical address."""
    label = app.week.label
    fields = [Field("url", "address", hint="https://…", needed=True)]

    def keep(store: Store, given: dict[str, str]) -> str:
        from q1lab.documents import open_claims
        from q1lab.documents.post import note_empty

        empty = note_empty(store, label)
        post = posts.publish(store, label, given["url"])
        found = open_claims.of_post(store, app.week, post)
        return "; ".join(open_claims.told(post, found, empty))

    title = "Where the post is published: its canonical address"
    _form(app, title, fields, keep, "Recorded. Cross-posts link to this address.")


def share(app: Q1Lab) -> None:
    """Where the post was shared."""
    label = app.week.label
    channels = (*posts.CHANNELS, "another")
    fields = [
        Field("channel", "channel", choices=channels, titles=posts.channel_title),
        Field("other", "another channel", hint="its name, when it is another"),
        Field("url", "address there", hint="https://…", needed=True),
    ]

    def keep(store: Store, given: dict[str, str]) -> None:
        another = given["channel"] == "another"
        posts.share(store, label, given["other"] if another else given["channel"], given["url"])

    _form(app, "The post, shared", fields, keep, "Recorded.")


def kpi(app: Q1Lab, one: KpiLine) -> None:
    """A KPI's value and target; an empty value is counted again."""
    by_hand = one.source == "set by hand"
    hint = f"counted: {one.counted}" if one.counted is not None else "a number"
    fields = [
        Field("actual", "actual", rows.number(one.actual) if by_hand else "", hint),
        Field("target", "target", rows.number(one.target)),
    ]
    name = one.name
    _form(app, one.title, fields, lambda store, given: rows.set_kpi(store, name, given), "Kept.")


FORMS: dict[str, Callable[[Q1Lab], None]] = {
    "paper add": paper,
    "post publish": publish,
    "post share": share,
    "artifact add": artifact,
}
"""By the command that the form stands for, without ``q1lab``."""


def form_for(command: str) -> Callable[[Q1Lab], None] | None:
    """The form that does what the command does, if there is one."""
    return next((FORMS[name] for name in FORMS if command.startswith(name)), None)
