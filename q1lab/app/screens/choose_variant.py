"""Choose one of the week's variants; the text shows that variant's guides."""

from __future__ import annotations

import textwrap
from functools import partial

from textual.content import Content

from q1lab.app.screens.confirm import ConfirmScreen
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.week_app import WeekApp
from q1lab.journal.store import Store
from q1lab.week import chosen_variant
from q1lab.week import progress as domain
from q1lab.week.syllabus import Step, WeekVariant


def open_variant_choice(app: WeekApp, step: Step) -> None:
    """Show the week's variants; if another one was trained already, ask before changing."""
    week, chosen = app.setup.week, app.snapshot.progress.chosen
    room = min(60, app.size.width - 12)
    rows = [
        (variant.name, _row(variant, variant.name == chosen, room)) for variant in app.week.variants
    ]

    def picked(name: str) -> None:
        def choose(store: Store) -> str:
            """Choose the variant, or return the question to ask first."""
            question = chosen_variant.change_question(store, week.label, name)
            if not question:
                domain.choose_modification(store, week, name)
            return question

        def confirm(question: str) -> None:
            if question:
                ask = ConfirmScreen("Change the modification?", question, "Keep it", "Change it")
                change = partial(domain.choose_modification, week=week, variant=name)
                app.push_screen(ask, lambda _: app.store_thread.submit(change))

        app.run_job(choose, confirm)

    app.push_screen(
        PickScreen(
            "Which modification?",
            rows,
            chosen or app.week.default or "",
            "This week offers no variants.",
        ),
        picked,
    )


def _row(variant: WeekVariant, chosen: bool, room: int) -> Content:
    facts = [
        f"{variant.difficulty} to implement" if variant.difficulty else "",
        f"used in {variant.used_in}" if variant.used_in else "",
        variant.paper,
    ]
    below = "\n".join(textwrap.fill(fact, room - 2) for fact in facts if fact)
    return Content.assemble(
        "● " if chosen else "○ ",
        (variant.title, "bold"),
        "\n" if below else "",
        (textwrap.indent(below, "  "), "$muted"),
    )
