"""What a row of the checklist does: forms for what is written, starts for what can be pressed."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported
from textual.content import Content

from q1lab.files import plain
from q1lab.tui.editing import folder
from q1lab.tui.screens import commit
from q1lab.week.model import Action, Step
from q1lab.week.progress import Progress

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


def detail(row: Step | Action | None, progress: Progress) -> Content:
    """The lines below the checklist: what the row under the cursor is about."""
    if row is None:
        return Content("")
    if isinstance(row, Action):
        words = " ".join(row.argv()) or str(
            row.options.get("url") or row.options.get("document") or ""
        )
        return Content.assemble(("the same as ", "$muted"), (words, "$accent"))
    record = progress.of(row.id)
    text = " ".join(plain(row.detail).replace("`", "").split())
    if not record.answer:
        return Content(text)
    said = " ".join(plain(record.answer).split())
    return Content.assemble(
        ("yours: ", "$success"), (said, "$foreground"), f"\n{text}" if text else ""
    )


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
        app.copy_to_clipboard(str(options["url"]))
        app.open_url(str(options["url"]))
        app.notify(f"{options['url']} (copied)", markup=False)
    elif action.kind == "open":
        from q1lab.tui.screens.document import DocumentScreen

        app.push_screen(DocumentScreen(folder(app) / str(options["document"])))
    elif commit.offers(action.argv()):
        commit.open_for(app, action.argv(), folder(app))
    else:
        command(app, list(action.argv()))


def _beside(app: Q1Lab, value: object) -> str:
    """A name as it is; a path that starts with a dot is the learner's own file, beside their
    documents."""
    text = str(value)
    return str(folder(app) / text) if text.startswith(("./", "../")) else text


def _seeds(value: object) -> str:
    """Seeds as `q1lab run --seeds` takes them."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def command(app: Q1Lab, argv: list[str]) -> None:
    """Run a command in the learner's own terminal, so that it may ask; where there is none, show
    its output."""
    from q1lab.study import children

    real = [*children.python_module("q1lab"), *argv[1:]] if argv[0] == "q1lab" else argv
    shown = shlex.join(argv)
    where = folder(app)
    try:
        with app.suspend():
            print(f"\n$ {shown}\n", flush=True)  # noqa: T201  (the app is suspended: this is the terminal)
            try:
                code = subprocess.run(real, cwd=where, check=False).returncode
            except OSError as error:
                print(f"q1lab: cannot run {argv[0]}: {error.strerror}")  # noqa: T201
                code = 127
            except KeyboardInterrupt:
                code = 130
            ended = "" if code == 0 else f" It ended with {code}."
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                input(f"\n──{ended} Press Enter to go back to q1lab. ")
    except SuspendNotSupported:
        from q1lab.tui.screens.output import OutputScreen

        app.push_screen(OutputScreen(shown, real, where))


def copy(app: Q1Lab, row: Step | Action | None) -> None:
    """Copy a row's command, or a step's answer (its title without one); works over ssh (OSC 52)."""
    if row is None:
        return
    if isinstance(row, Action):
        text = shlex.join(row.argv()) or str(row.options.get("url") or row.options.get("document"))
    else:
        text = app.snapshot.progress.of(row.id).answer or row.title
    app.copy_to_clipboard(text)
    app.notify(f"Copied: {text[:60]}" + ("…" if len(text) > 60 else ""), markup=False)
