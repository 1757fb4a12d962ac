"""`q1lab sample`: both models of a study write on from one prompt, with the same random numbers."""

from __future__ import annotations

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json, remark
from q1lab.ground.errors import OK, Problem
from q1lab.runner import passages
from q1lab.study import studies
from q1lab.study.studies import ARMS, Study

DEFAULT_TOKENS = 500


@click.command(
    epilog="""\b
Examples:
  q1lab sample rope-1
  q1lab sample rope --prompt "ROMEO:" --tokens 300
  q1lab sample rope-1 --seed 2 --passage 4 --json"""
)
@click.argument("study")
@click.option(
    "--prompt",
    metavar="TEXT",
    help="The text that both go on from. Default: a line of the validation text.",
)
@click.option(
    "--tokens",
    type=click.IntRange(1, passages.MOST_TOKENS),
    help=f"Characters that each writes.  [default: {DEFAULT_TOKENS}]",
)
@click.option(
    "--seed", type=click.IntRange(0), help="The seed whose weights write. Default: the first."
)
@click.option(
    "--passage",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Another number: other random numbers, and another line.",
)
@click.option(
    "--yes", is_flag=True, help="Run the model files of another person's study without asking."
)
@shared.json_option
def sample(
    study: str,
    prompt: str | None,
    tokens: int | None,
    seed: int | None,
    passage: int,
    yes: bool,
    as_json: bool,
) -> int:
    """Let both models of STUDY write on from the same text.

    They get the same random numbers, so they part only where the models differ. A modification's
    name takes its newest study. A sample is an anecdote: the verdict is `q1lab compare`.
    """
    from q1lab.verdict import comparison_cache

    chosen = studies.load(comparison_cache.resolve_study_id(study))
    seed = passages.choose_seed(chosen, seed)
    ask_about_models(chosen, yes)
    remark(f"Both models of {chosen.id} write, seed {seed} …", quiet=as_json)
    (pair,) = passages.write_passages(
        chosen, seed, prompt=prompt, tokens=tokens or DEFAULT_TOKENS, first=passage
    )
    if as_json:
        texts = {
            arm: {"variant": chosen.arms[arm].variant, "text": getattr(pair, arm)} for arm in ARMS
        }
        print_json(
            {"study": chosen.id, "seed": seed, "passage": passage, "prompt": pair.prompt}
            | {"arms": texts, "shared": pair.shared}
        )
        return OK
    print_pair(chosen, pair)
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
        if not yes and shared.ask_user("Run them?", refused) != "yes":
            raise refused from None


def print_pair(study: Study, pair: passages.PassagePair) -> None:
    """Print what both models wrote."""
    from rich.console import Console

    from q1lab.verdict.passage_text import pair_lines

    console = Console(highlight=False)
    for line in pair_lines(study, pair, console.width):
        console.print(line, soft_wrap=True)
