"""A study's Weights & Biases status; uploads it, and copies its address."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from q1lab.ground.files import printable
from q1lab.runner import child_processes
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.studies import Study
from q1lab.tui.background import run_in_background
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.choice_list import ChoiceList

UPLOAD_SECONDS = 620.0
"""A little more than the time limit of `q1lab sync`, whose own message then comes first."""

ABOUT = {
    wandb_state.OFF: "This study does not use W&B. A new one does, unless its wandb is disabled.",
    wandb_state.OFFLINE: (
        "The runs are kept here. Upload them whenever you like; training never waits for W&B."
    ),
    wandb_state.SYNCING: "The relay is at work beside the training.",
    wandb_state.SYNCED: "Every run was confirmed.",
    wandb_state.ERROR: (
        "Nothing is lost: what was not uploaded is made anew from the run's own events."
    ),
}


class WandbScreen(Dialog[None]):
    """State, last error and address, with rows that upload or copy."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self.heading = f"Weights & Biases: {study.id}"
        self.uploading = False

    def body(self) -> ComposeResult:
        yield Static(id="standing", markup=False)
        yield ChoiceList(id="wandb-acts", markup=False)
        yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        self.watch(self.app, "snapshot", self.poll)

    def poll(self) -> None:
        """Show the current state from the files, and the rows that apply to it."""
        status = wandb_state.wandb_status(self.study)
        lines = [f"state    {status.words}", f"mode     {status.mode}"]
        lines += [f"url      {printable(status.url)}"] if status.url else []
        lines += ["", *map(printable, wandb_state.run_lines(self.study)), "", ABOUT[status.state]]
        self.query_one("#standing", Static).update("\n".join(lines))
        acts = []
        if status.state not in (wandb_state.OFF, wandb_state.SYNCED) and wandb_state.pending_runs(
            self.study
        ):
            acts.append(("upload", "upload now (q1lab sync)"))
        if status.url:
            acts.append(("url", "copy the address"))
        if wandb_state.has_wandb_folders(self.study):
            acts.append(
                ("leet", "copy the command that opens the runs in the terminal (wandb leet)")
            )
        rows = self.query_one(OptionList)
        rows.display = bool(acts)
        does = "Enter does it · " if acts else ""
        self.box.border_subtitle = f"{does}Esc closes"
        if [option.id for option in rows.options] != [name for name, _ in acts]:
            rows.clear_options()
            rows.add_options([Option(words, id=name) for name, words in acts])
            rows.highlighted = 0 if acts else None

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        if event.option.id == "upload":
            self._upload()
            return
        standing = wandb_state.wandb_status(self.study)
        text = standing.url if event.option.id == "url" else wandb_state.leet_command(self.study)
        if text:
            self.q1.copy_to_clipboard(text)
            self.show_message(f"Copied: {printable(text)}")

    def _upload(self) -> None:
        if self.uploading:
            return
        self.uploading = True
        self.show_message("Uploading … you may close this; it goes on.")
        run_in_background(
            self,
            lambda: child_processes.run_q1lab(
                ["sync", self.study.id], seconds=UPLOAD_SECONDS
            ).strip(),
            self._uploaded,
            lambda problem: self._uploaded(str(problem), bad=True),
        )

    def _uploaded(self, text: str, bad: bool = False) -> None:
        self.uploading = False
        self.show_message(text, bad)
        self.poll()
