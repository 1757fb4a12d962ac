"""What a stop on the page does: forms for what is written, starts for what can be pressed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from q1lab.tui.editing import folder
from q1lab.tui.widgets.pieces import command_of
from q1lab.week.model import Action, Step

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


def form(app: Q1Lab, step: Step) -> bool:
    """Open the step's form. False when its kind has none."""
    if step.kind == "write":
        from q1lab.tui.screens.answer import AnswerScreen

        app.push_screen(AnswerScreen(step, app.snapshot.progress.of(step.id).answer or ""))
    elif step.kind == "predict":
        from q1lab.tui.screens.predict import PredictScreen

        app.push_screen(PredictScreen(app.week.label, app.week.variant or "modified", step.id))
    elif step.kind == "choose":
        from q1lab.tui.screens.choose import ChooseScreen

        app.push_screen(ChooseScreen(app.week, step.id))
    elif step.kind == "recall":
        from q1lab.tui.screens.recall import RecallScreen

        app.push_screen(RecallScreen(step))
    else:
        return False
    return True


def start(app: Q1Lab, action: Action, step: Step | None) -> None:
    """Press an action."""
    options = action.options
    if action.kind == "run":
        from q1lab.tui.screens.launch import LaunchScreen

        app.push_screen(
            LaunchScreen(
                _beside(app, options["variant"]),
                seeds=_seeds(options.get("seeds", 3)),
                preset=options.get("preset"),
                baseline=_beside(app, options["baseline"]) if "baseline" in options else None,
                data=_beside(app, options.get("data", "stdlib")),
                iters=str(options.get("max_iters", "")),
            )
        )
    elif action.kind == "check":
        from q1lab.tui.screens.check import CheckScreen

        target = options.get("for")
        app.push_screen(
            CheckScreen(
                str(options["file"]), str(target) if target else None, step.id if step else None
            )
        )
    elif action.kind == "open" and "url" in options:
        open_url(app, str(options["url"]))
    elif action.kind == "open":
        from q1lab.tui.screens.document import DocumentScreen

        app.push_screen(DocumentScreen(folder(app) / str(options["document"])))
    else:
        command(app, list(action.argv()))


def open_url(app: Q1Lab, url: str) -> None:
    """Open an address in a browser; where none opens, it is in the clipboard."""
    app.copy_to_clipboard(url)
    app.open_url(url)
    app.notify(f"Opened and copied: {url}", markup=False)


def _beside(app: Q1Lab, value: object) -> str:
    """A name as it is; a path that starts with a dot is the learner's own file, beside their
    documents."""
    text = str(value)
    return str(folder(app) / text) if text.startswith(("./", "../")) else text


def _seeds(value: object) -> str:
    """Seeds as `q1lab run --seeds` takes them."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def command(app: Q1Lab, argv: list[str]) -> None:
    """Do what a command does without leaving the app: a document is shown before it is committed,
    and what any other command prints opens in a pane."""
    from q1lab.study import children
    from q1lab.tui.screens import commit
    from q1lab.tui.screens.output import OutputScreen

    if commit.offers(argv):
        commit.open_for(app, argv, folder(app))
        return
    real = [*children.python_module("q1lab"), *argv[1:]] if argv[0] == "q1lab" else argv
    app.push_screen(OutputScreen(shlex.join(argv), real, folder(app)))


def copy(app: Q1Lab, row: Step | Action | None) -> None:
    """Copy a row's command, or a step's answer; works over ssh (OSC 52)."""
    if row is None:
        return
    action = row if isinstance(row, Action) else row.actions[0] if row.actions else None
    answer = None if isinstance(row, Action) else app.snapshot.progress.of(row.id).answer
    text = answer or (command_of(action) if action else "")
    if not text:
        app.notify("There is no command and no answer here to copy.")
        return
    app.copy_to_clipboard(text)
    app.notify(f"Copied: {text[:60]}" + ("…" if len(text) > 60 else ""), markup=False)
