"""The commands of q1lab as the app offers them: their titles in the palette, and their forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class FormOfCommand(NamedTuple):
    """A form: the labels of the parameters that it asks for, and the verb on its button."""

    labels: Mapping[str, str]
    button: str = "Keep"


FORMS: Mapping[str, FormOfCommand] = {
    "run": FormOfCommand(
        {
            "variant": "variant",
            "seeds": "seeds",
            "baseline": "against",
            "preset": "preset",
            "data": "data",
            "max_iters": "iters",
            "overrides": "set",
            "device": "device",
            "dtype": "dtype",
            "jobs": "at once",
            "wandb": "W&B",
            "launcher": "launcher",
        },
        "Plan",
    ),
    "export": FormOfCommand(
        {"target": "file or folder", "curves": "curves (CSV or JSON)"}, "Export"
    ),
    "data": FormOfCommand({"corpus": "text file"}),
    "course kpi": FormOfCommand({"actual": "actual", "target": "target"}),
    "paper add": FormOfCommand(
        {"title": "title", "link": "link", "depth": "read", "done": "finished"}
    ),
    "course artifact add": FormOfCommand(
        {"title": "title", "kind": "kind", "location": "address or path"}
    ),
    "course roadmap": FormOfCommand({"lines": "lines to tick"}, "Show"),
    "post publish": FormOfCommand({"url": "address"}),
    "post share": FormOfCommand({"channel": "channel", "url": "address there"}),
}

TITLES: Mapping[str, str] = {
    "compare": "See the newest comparison",
    "sync": "Upload to W&B what is still offline",
    "data": "Choose the text that runs train on",
    "modification": "Write MODIFICATION.md, and see the commit first",
    "post": "Write the post, and see the commit first",
    "retro": "Write Q1_RETRO.md, and see the commit first",
    "post lint": "Count the post's words, and check its claims",
    "paper add": "Log a paper",
    "course artifact add": "Add an artifact",
    "post publish": "Record where the post is published",
    "post share": "Record where the post was shared",
    "course roadmap": "List the roadmap's open boxes, or tick some by their lines",
    "doctor": "Check versions, device, disk and files",
}
"""The commands in the palette, with their texts there; forms have them as headings."""

ADDITIONS = ("paper add", "course artifact add", "post publish", "post share")
"""Commands that add to a list of the Progress page, where ``a`` offers them."""

OF_THE_WEEK = frozenset({"data", "modification", "post", "retro", "paper", "course"})
"""The first words of commands that are of use in the week alone."""


def palette_titles(*, week: bool, course: bool) -> Iterator[tuple[str, str]]:
    """The commands of the palette with their titles, for a learner who has the week, and the
    course."""
    for name, title in TITLES.items():
        word = name.split()[0]
        if (week or word not in OF_THE_WEEK) and ((week and course) or word != "course"):
            yield name, title
