"""`q1lab sample`: both models of a study continue one prompt, with the same random numbers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import force_option, print_json, remark, say_written
from q1lab.commands._store import open_store
from q1lab.commands.completion import study_argument
from q1lab.ground.errors import INTERRUPTED, OK, UNFINISHED, Problem
from q1lab.index import acts
from q1lab.index.store import Store
from q1lab.plugins.sample import passages
from q1lab.study import studies
from q1lab.study.studies import ARMS, Study, run_name

if TYPE_CHECKING:
    from q1lab.plugins.sample.blind_tests import BlindTest


@click.command(
    epilog="""\b
Examples:
  q1lab sample rope-1
  q1lab sample rope --prompt "ROMEO:" --tokens 300
  q1lab sample rope-1 --seed 2 --passage 4 --json
  q1lab sample rope-1 --blind
  q1lab sample rope-1 --blind --html blind.html"""
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
    help="Characters that each model writes.  [default: 500; in a blind test 200]",
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
    "--blind",
    is_flag=True,
    help="Ask which of two passages the modified model wrote, 20 times; your answers are kept.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --blind: write another 20 pairs as one page for others; it keeps no answers.",
)
@force_option
@click.option(
    "--again", "new_test", is_flag=True, help="Begin another blind test after one that is finished."
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
    passage: int | None,
    blind: bool,
    page: Path | None,
    force: bool,
    new_test: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Let both models of STUDY continue the same text.

    They get the same random numbers, so the texts differ only where the models do. A modification's
    name stands for its newest study.

    A sample is an anecdote. --blind counts how often you can tell the two models apart: it shows
    pairs of passages in random order, continues where you left off, and scores your answers once
    all are given. --html puts a blind test into a page for others: it asks, counts and scores by
    itself, without a network. Its answers are lightly scrambled, not secret.
    """
    from q1lab.plugins.sample.passage_text import TOKENS
    from q1lab.verdict import comparison_cache

    chosen = studies.load(comparison_cache.resolve_study_id(study))
    if not blind and (new_test or page is not None):
        option = "--again begins another" if new_test else "--html writes a"
        raise Problem(f"{option} blind test", next="give it with --blind")
    if blind:
        if passage is not None:
            raise Problem("--passage is for one passage", next="leave it out, or leave --blind out")
        if page is not None:
            if new_test or as_json:
                odd = "--again" if new_test else "--json"
                raise Problem(f"{odd} is for the tests in a terminal", next="leave --html out")
            return write_blind_page(chosen, page, prompt, tokens, seed, yes, force)
        with open_store() as store:
            return take_blind_test(store, chosen, prompt, tokens, seed, new_test, yes, as_json)
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
        shared.note_viewed("sample", chosen.id, chosen.variant)
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

    from q1lab.plugins.sample.passage_text import pair_lines

    console = Console(highlight=False)
    for line in pair_lines(study, pair, console.width):
        console.print(line, soft_wrap=True)


def take_blind_test(
    store: Store,
    study: Study,
    prompt: str | None,
    tokens: int | None,
    seed: int | None,
    new_test: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Begin a blind test, or go on with the one that was left; print the result once each pair has
    an answer. With ``as_json`` print where the tests stand, and ask nothing."""
    from q1lab.plugins.sample import blind_tests

    tests = blind_tests.read_tests(store, study)
    if as_json:
        print_json({"study": study.id, **blind_tests.tests_json(tests)})
        return OK
    test = blind_tests.open_test(tests)
    if test is None and (new_test or not tests):
        acts.refuse_agents("guess")
        first = blind_tests.FIRST_PASSAGE + blind_tests.PAIRS * len(tests)
        seed, pairs = write_pairs(study, seed, prompt, tokens, first, yes)
        test = blind_tests.begin_test(store, study, seed, pairs)
    elif new_test or prompt or tokens or seed is not None:
        raise Problem(
            f"{study.id} already has a blind test, with passages of its own",
            next="--blind alone continues it" if test is not None else "--again begins another one",
        )
    if test is not None:
        _ask_pairs(store, study, test)
        tests = blind_tests.read_tests(store, study)
    _print_result(study, tests)
    return OK


def write_pairs(
    study: Study, seed: int | None, prompt: str | None, tokens: int | None, first: int, yes: bool
) -> tuple[int, list[passages.PassagePair]]:
    """The pairs of a new blind test, from the passage numbered ``first`` on, and the seed whose
    weights wrote them."""
    from q1lab.plugins.sample import blind_tests

    if study.is_floor:
        raise Problem(
            f"both arms of {study.id} are the same model, so there is nothing to tell apart",
            next="a blind test takes a study of a modification",
        )
    seed = passages.choose_seed(study, seed)
    ask_about_models(study, yes)
    remark(f"Both models of {study.id} write {blind_tests.PAIRS} passages, seed {seed} …")
    count = blind_tests.PAIRS
    return seed, passages.write_passages(
        study, seed, prompt=prompt, tokens=tokens or blind_tests.TOKENS, first=first, count=count
    )


def write_blind_page(
    study: Study,
    page: Path,
    prompt: str | None,
    tokens: int | None,
    seed: int | None,
    yes: bool,
    force: bool,
) -> int:
    """Write a blind test of other passages than those of the terminal's tests as a page."""
    from q1lab.documents.change import public_mode
    from q1lab.ground.write_intents import prove_writable, write_output
    from q1lab.plugins.sample import blind_page, blind_tests
    from q1lab.study.events import final_loss

    prove_writable(page, force)
    seed, pairs = write_pairs(study, seed, prompt, tokens, blind_page.FIRST_PASSAGE, yes)
    blind_tests.prove_they_differ(study, pairs)
    test = blind_tests.BlindTest(0, seed, secrets.token_hex(16), tuple(pairs), {})
    base, modified = (final_loss(study.files.run(run_name(arm, seed)).events) for arm in ARMS)
    losses = None if base is None or modified is None else (base, modified)
    write_output(page, blind_page.blind_page(study, test, losses), mode=public_mode(), force=force)
    say_written(page)
    return OK


def _ask_pairs(store: Store, study: Study, test: BlindTest) -> None:
    """Ask about each pair that has no answer yet. Problem where the learner leaves."""
    from rich.console import Console

    from q1lab.plugins.sample import blind_tests
    from q1lab.plugins.sample.passage_text import Passage, passage_lines, prompt_lines

    def left(code: int = UNFINISHED) -> Problem:
        answers = blind_tests.read_tests(store, study)[test.number - 1].answers
        return Problem(
            f"{len(answers)} of {len(test.pairs)} pairs are answered",
            code,
            next=f"`q1lab sample {study.id} --blind` continues",
        )

    console = Console(highlight=False)
    for pair in test.unanswered:
        first, second = test.passages(pair)
        console.rule(f"pair {pair + 1} of {len(test.pairs)}")
        lines = [
            *prompt_lines(test.pairs[pair].prompt, console.width),
            *passage_lines([Passage("1", first), Passage("2", second)], console.width),
        ]
        for line in lines:
            console.print(line, soft_wrap=True)
        question = f"Which did the modified model ({study.variant}) write? 1 or 2; q stops"
        try:
            typed = shared.ask_user(question, left(), ("q", "1", "2"))
        except KeyboardInterrupt:
            click.echo(err=True)  # the line of the question ends
            raise left(INTERRUPTED) from None
        except Problem:
            raise left() from None
        if typed == "q":
            raise left()
        blind_tests.answer_pair(store, study, test, pair, int(typed))


def _print_result(study: Study, tests: Sequence[BlindTest]) -> None:
    from q1lab.plugins.sample import blind_tests, blind_text

    click.echo(f"{study.id}, blind:")
    for test in tests:
        click.echo(f"  {blind_text.test_line(test)}")
    rate = blind_tests.total(tests)
    if rate is not None:
        click.echo(f"  {blind_text.result_line(rate)}")
