"""The progress of runs in plain words."""

from __future__ import annotations

from q1lab.ground.text_formats import duration, token_rate
from q1lab.journal.study_view import RunView
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import RunState

ARM_STYLE = {"baseline": "blue", "modified": "magenta"}


def run_line(run: RunView, metric: Metric, *, told: bool = True) -> str:
    """The progress of one run as a plain line, with the reason for its end if it is to be
    ``told``."""
    head = f"{run.variant} seed {run.seed}: {run.state}"
    message = f", {run.message}" if run.message else ""
    if run.state is RunState.RUNNING:
        return f"{head} {_running_text(run, metric)}{message}"
    if run.state is RunState.QUEUED:
        return head + message
    if run.val_loss is not None:
        value = f"{head}, {metric.name} {metric.written(run.val_loss)}, {duration(run.seconds)}"
        return ": ".join((value, *run.why))
    by_hand = run.state is RunState.STOPPED and (run.message or "").startswith("stopped")
    reason = "; ".join(run.why or filter(None, ["" if by_hand else run.message]))
    return f"{head} at iter {run.iter}{': ' + reason if reason and told else ''}"


def _running_text(run: RunView, metric: Metric) -> str:
    """How far a run is, with its newest number and its pace."""
    where = f"{run.iter}/{run.max_iters}" if run.max_iters else f"at iter {run.iter}"
    pace = f", {token_rate(run.tokens_per_s)} tok/s" if run.tokens_per_s else ""
    if run.train_loss is not None and (metric.is_loss or run.eval_loss is None):
        return f"{where}, loss {metric.written(run.train_loss, 3)}{pace}"
    if run.eval_loss is None:
        return where + pace
    return f"{where}, {metric.name} {metric.written(run.eval_loss, 3)}{pace}"
