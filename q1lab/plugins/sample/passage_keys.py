"""The keys of the passages' screen, and the one in the lab that opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.study.run_states import RunState
from q1lab.tui.keys import Key

if TYPE_CHECKING:
    from q1lab.index.study_view import StudyView

OPENS = Key(
    "H", "study_screen('sample')", "passages", "Read what both models write from one prompt", True
)
KEYS = {
    "next": Key(
        "n,right_square_bracket", "next(1)", "next", "Have both write another passage", True
    ),
    "back_one": Key("p,left_square_bracket", "next(-1)", "previous", "Go to the passage before"),
    "copy": Key("c", "copy", "copy", "Copy both passages as text", True),
    "back": Key("escape", "back", "back", "Go back", True),
}


def has_passages(view: StudyView) -> bool:
    """True if a study may have models here that write."""
    from q1lab.plugins.sample.passages import why_no_weights

    finished = any(run.state is RunState.FINISHED for run in view.runs)
    return finished and not why_no_weights(view.study)
