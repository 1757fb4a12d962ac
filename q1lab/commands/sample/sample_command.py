"""`q1lab sample`: both models of a study continue one prompt, with the same random numbers."""

from __future__ import annotations

import click

from q1lab.commands._ask import ask_user
from q1lab.commands._names import study_argument
from q1lab.commands._noted import note_viewed
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, remark
from q1lab.commands.sample import passages
from q1lab.commands.sample.passage_text import TOKENS, pair_lines
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
    help="Characters that each model writes.  [default: 500]",
)
@click.option(
    "--seed", type=click.IntRange(0), help="The seed whose weights are used. Default: the first."
)
@click.option(
    "--passage",
    type=click.IntRange(1),
    help="The passage's number: each has its own random numbers and prompt.  [default: 1]",
)
@click.option(
    "--yes", is_flag=True, help="Run the model files of another person's study without asking."
)
@json_option
def sample(
    study: str,
    prompt: str | None,
    tokens: int | None,
    seed: int | None,
    passage: int | None,
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
    (pair,) = passages.write_passages(
        chosen, seed, prompt=prompt, tokens=tokens or TOKENS, first=passage or 1
    )
    if as_json:
        texts = {
            arm: {"variant": chosen.arms[arm].variant, "text": getattr(pair, arm)} for arm in ARMS
        }
        print_json(
            {"study": chosen.id, "seed": seed, "passage": passage or 1, "prompt": pair.prompt}
            | {"arms": texts, "shared": pair.shared}
        )
    else:
        print_pair(chosen, pair)
        note_viewed("sample", chosen.id, chosen.variant)
    return OK


def ask_about_models(study: Study, yes: bool) -> None:
    """Problem unless the study's model files trained here, or the learner lets them run."""
    try:
        passages.prove_trained_here(study)
    except passages.UnseenModels as unseen:
        remark(f"{unseen.what}; they run with the rights that you have:")
        for file in unseen.files:
            remark(f"  {file}")
        refused = Problem("the model files were not run: ", next="--yes runs them")
        if not yes and ask_user("Run them?", refused) != "yes":
            raise refused from None


def print_pair(study: Study, pair: passages.PassagePair) -> None:
    """Print what both models wrote."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in pair_lines(study, pair, console.width):
        console.print(line, soft_wrap=True)
