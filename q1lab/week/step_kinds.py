"""The kinds of steps, a row each: the task of such a step, the condition that it is done by, the
form that Enter opens, and the faults that its author hears of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from q1lab.week.syllabus import Step, Week


def _nothing(step: Step, week: Week) -> str:
    return ""


class StepKind(NamedTuple):
    """A kind of step. Nothing is imported before a form is opened."""

    about: str
    done_when: str = ""
    """The condition that it is done by, where its text names none (`Act.done_when`)."""
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
    fault: Callable[[Step, Week], str] = _nothing
    """The fault of such a step in its week; "" for a good one."""


def _without_action(kind: str) -> Callable[[Step, Week], str]:
    def fault(step: Step, week: Week) -> str:
        has_action = any(action.kind == kind for action in step.actions)
        return "" if has_action else f"is of kind {step.kind} and has no {kind} action below it"

    return fault


def _without_answer(step: Step, week: Week) -> str:
    if step.answer is not None:
        return ""
    return f"is of kind {step.kind} and has no answer; put a <details> below it"


def _without_variants(step: Step, week: Week) -> str:
    return "" if week.variants else "asks for a choice; list the [[variants]] in week.toml"


STEP_KINDS: Mapping[str, StepKind] = MappingProxyType(
    {
        "tick": StepKind("done when it is ticked"),
        "read": StepKind("something to read; done when it is ticked"),
        "write": StepKind(
            "asks for an answer in words; done when there is one",
            form="q1lab.tui.screens.answer:open_answer_form",
            enter="write",
            enter_again="read again",
            in_words=True,
        ),
        "recall": StepKind(
            "a flashcard: questions to answer from memory; their answers are shown after, and "
            "marked right or wrong, one by one",
            form="q1lab.tui.screens.recall:open_recall",
            enter="answer",
            enter_again="read again",
            answer_below=True,
            fault=_without_answer,
        ),
        "predict": StepKind(
            "asks for a prediction: direction, size, the smallest difference that matters, how "
            "sure",
            done_when="prediction made",
            form="q1lab.tui.screens.forms:open_prediction_form",
            enter="predict",
        ),
        "choose": StepKind(
            "asks for one of the week's variants",
            form="q1lab.tui.screens.choose_variant:open_variant_choice",
            enter="choose",
            chooses=True,
            fault=_without_variants,
        ),
        "run": StepKind(
            "done when the study of its run action has ended",
            done_when="runs ended",
            fault=_without_action("run"),
        ),
        "check": StepKind(
            "done when the file of its check action passes",
            done_when="checks passed",
            fault=_without_action("check"),
        ),
    }
)
