"""`q1lab sample`: both models of a study continue one prompt, with the same random numbers."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from q1lab.commands._ask import ask_user
from q1lab.commands._names import study_argument
from q1lab.commands._noted import note_viewed
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, remark
from q1lab.commands.run_lines import ARM_STYLE
from q1lab.commands.sample import passages
from q1lab.compare import comparison_cache
from q1lab.ground.errors import OK, Problem
from q1lab.study import studies
from q1lab.study.studies import ARMS, Study


@click.command(
    epilog="""\b
Examples:
  q1lab sample rope-1
  q1lab sample rope --prompt "ROMEO:" --tokens 300
  q1lab sample rope-1 --seed 2 --passage 4 --json"""
)
@study_argument()
@click.option(
    "--prompt",
    metavar="TEXT",
    help="The text that both continue. Default: a line of the validation text.",
)
@click.option(
    "--tokens",
    type=click.IntRange(1, passages.MOST_TOKENS),
    default=500,
    show_default=True,
    help="Characters that each model writes.",
)
@click.option(
    "--seed", type=click.IntRange(0), help="The seed whose weights are used. Default: the first."
)
@click.option(
    "--passage",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="The passage's number: each has its own random numbers and prompt.",
)
@click.option(
    "--yes", is_flag=True, help="Run the model files of another person's study without asking."
)
@json_option
def sample(
    study: str,
    prompt: str | None,
    tokens: int,
    seed: int | None,
    passage: int,
    yes: bool,
    as_json: bool,
) -> int:
    """Let both models of STUDY continue the same text.

    They get the same random numbers, so the texts differ only where the models do. A modification's
    name stands for its newest study.

    A sample is an anecdote.
    """
    chosen = studies.load(comparison_cache.resolve_study_id(study))
    seed = passages.choose_seed(chosen, seed)
    ask_about_models(chosen, yes)
    remark(f"Both models of {chosen.id} write, seed {seed} …", quiet=as_json)
    pair = passages.write_passages(chosen, seed, prompt, tokens, passage)
    if as_json:
        texts = {
            arm: {"variant": chosen.arms[arm].variant, "text": getattr(pair, arm)} for arm in ARMS
        }
        print_json(
            {"study": chosen.id, "seed": seed, "passage": passage, "prompt": pair.prompt}
            | {"arms": texts, "shared": pair.shared}
        )
    else:
        print_pair(chosen, pair)
        note_viewed("sample", chosen.id, chosen.variant)
    return OK


def ask_about_models(study: Study, yes: bool) -> None:
    """Problem unless the study's model files trained here, or the learner lets them run."""
    if not (unseen := passages.unseen_files(study)):
        return
    remark(
        f"the model files of {study.id} never trained here; they run with the rights that you have:"
    )
    for file in unseen:
        remark(f"  {file}")
    refused = Problem("the model files were not run: ", next="--yes runs them")
    if not yes and ask_user("Run them?", refused) != "yes":
        raise refused


BESIDE, GAP, WIDEST = 100, 3, 66
"""From so many columns on, two passages stand side by side; the columns between them; the columns
of one at most, since longer lines are hard to read."""


def print_pair(study: Study, pair: passages.PassagePair) -> None:
    """Print the prompt and what both models wrote, their shared beginning dim: side by side where
    there is room, else one below the other."""
    console = Console(highlight=False)
    prompt = pair.prompt.expandtabs(4).strip("\n") or "(a new line)"
    console.print(Text(f"after:\n{prompt}\n", "dim"), width=min(console.width, BESIDE))
    names = {"baseline": study.baseline, "modified": study.variant}
    columns = []
    for arm, name in names.items():
        head = Text(arm if name == arm else f"{arm} ({name})", f"bold {ARM_STYLE[arm]}")
        text = Text(getattr(pair, arm).expandtabs(4))
        text.stylize("dim", 0, pair.shared)
        columns.append(Text("\n").join((head, text)))
    if console.width < BESIDE:
        for column in columns:
            console.print(column, "", sep="\n", width=min(console.width, WIDEST))
    else:
        grid = Table.grid(padding=(0, GAP, 0, 0))
        for _ in columns:
            grid.add_column(width=min(WIDEST, (console.width - GAP) // 2))
        grid.add_row(*columns)
        console.print(grid, "", sep="\n")
    console.print(_shared_sentence(pair.shared, max(len(pair.baseline), len(pair.modified))))


def _shared_sentence(shared: int, longest: int) -> str:
    """The place where two passages of at most ``longest`` characters part."""
    if shared == longest:
        return "They write the same."
    if not shared:
        return "They part at the first character."
    if shared == 1:
        return f"Only the first of {longest} characters is the same."
    return f"The first {shared} of {longest} characters are the same."
