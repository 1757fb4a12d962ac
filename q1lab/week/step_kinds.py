"""The kinds of steps, a row each: the task of such a step, the condition that it is done by, and
the form that Enter opens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class StepKind(NamedTuple):
    """A kind of step. Nothing is imported before a form is opened."""

    about: str
    done_when: str = ""
    """The condition that it is done by, where its text names none (step_commands.CONDITIONS)."""
    form: str = ""
    """``module:function``, called with the app and the step: what Enter opens. Enter ticks a step
    without one."""
    enter: str = "tick"
    """Enter's effect, in a word."""
    enter_again: str = ""
    """The same where there is an answer, if it differs."""
    in_words: bool = False
    """Its answer is a text of the learner's, for their editor and for a document."""
    answer_below: bool = False
    """The <details> right below it is its answer: shown after the learner's own, which they grade.
    What is wrong comes back at the start of the next session."""
    chooses: bool = False
    """It asks for one of the week's variants."""


STEP_KINDS: Mapping[str, StepKind] = MappingProxyType(
    {
        "tick": StepKind("done when it is ticked"),
        "read": StepKind("something to read; done when it is ticked"),
        "write": StepKind(
            "asks for an answer in words; done when there is one",
            form="q1lab.app.screens.answer:open_answer_form",
            enter="write",
            enter_again="read again",
            in_words=True,
        ),
        "recall": StepKind(
            "a flashcard: questions to answer from memory; their answers are shown after, and "
            "marked right or wrong, one by one",
            form="q1lab.app.screens.recall:open_recall",
            enter="answer",
            enter_again="read again",
            answer_below=True,
        ),
        "predict": StepKind(
            "asks for a prediction: direction, size, the smallest difference that matters, how "
            "sure",
            done_when="prediction made",
            form="q1lab.app.screens.forms:open_prediction_form",
            enter="predict",
        ),
        "choose": StepKind(
            "asks for one of the week's variants",
            form="q1lab.app.screens.choose_variant:open_variant_choice",
            enter="choose",
            chooses=True,
        ),
        "run": StepKind(
            "done when the study of its run action has ended",
            done_when="runs ended",
        ),
        "check": StepKind(
            "done when the file of its check action passes",
            done_when="checks passed",
        ),
    }
)
