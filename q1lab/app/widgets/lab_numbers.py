"""Numbers for the lab's tables: short, of equal width, and empty or with ``…`` while not final.
Pure."""

from __future__ import annotations

from q1lab.journal.study_view import RunView, StudyView
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import STATE_SYMBOLS, RunState

WORDS = {RunState.FINISHED: "done"}


def state_words(run: RunView) -> str:
    """``✓ done``, ``▶ 61%``, ``· queued``: a sign and a word, so that nothing is said by color
    alone."""
    if run.state is RunState.RUNNING and run.max_iters:
        return f"{STATE_SYMBOLS[run.state]} {min(99, int(100 * run.progress))}%"
    return f"{STATE_SYMBOLS[run.state]} {WORDS.get(run.state, str(run.state))}"


def loss_words(run: RunView, metric: Metric) -> str:
    """The exact val loss at the end (four digits), else the newest evaluation (three, with
    ``…``)."""
    if run.val_loss is not None:
        return metric.written(run.val_loss)
    return "" if run.eval_loss is None else f"{metric.written(run.eval_loss, 3)}…"


def waits_for(run: RunView, view: StudyView) -> str:
    """What a run without a loss waits for; "" for one that waits for nothing."""
    if run.message:
        return run.message
    if run.state is RunState.RUNNING:
        return "waits for its first loss"
    if run.state is not RunState.QUEUED:
        return ""
    return f"waits: {view.study.trainer.jobs} at once" if view.alive else "g starts it"
