"""`q1lab gate`: judge one proposal after the other, so that few false ones are kept."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands._flags import flag
from q1lab.commands._output import remark
from q1lab.commands._run_options import TypedCommand, command_options
from q1lab.commands._store import open_store
from q1lab.commands.live_progress import watch_study
from q1lab.ground.errors import Problem, listed_statuses
from q1lab.ground.files import read_text
from q1lab.ground.text_formats import plural, signed
from q1lab.plugins.gate import STATUSES, gate_proposal
from q1lab.plugins.gate.gate_proposal import GateRequest
from q1lab.runner import launch
from q1lab.study import command_arms as loops
from q1lab.study.command_line import Request
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study


@click.command(
    epilog="""\b
Examples:
  q1lab gate --command 'python train.py --seed={seed} {args}' --metric val/loss \\
    --arm baseline= --arm idea-1='--beta2=0.98'
  q1lab gate study.toml --arm idea-2='--warmup=50' --budget tonight --max-cost 15 --json

"""
    + listed_statuses(STATUSES)
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@command_options
@click.option(
    "--budget",
    default="home",
    show_default=True,
    help="The proposals that share 5% of false keeps, by name.",
)
@click.option(
    "--max-cost", type=click.IntRange(1), metavar="RUNS", help="The most runs to train now."
)
@flag(Request, "jobs", "Runs that train at once. Default: 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one line of JSON.")
def gate(
    file: Path | None,
    typed_command: TypedCommand,
    budget: str,
    max_cost: int | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Keep or discard one proposal: an arm of your own command, or of a study.toml.

    It first trains one run. If that is good, a look follows: the proposal and the baseline train on
    new seeds, drawn only then, as many as the decision needs. A kept proposal becomes the next
    one's baseline. In at most 5 of 100 budgets a proposal that does nothing is kept, however many
    are proposed. Losses are shown once a look has decided. The same command continues where it
    stopped.
    """
    loop = typed_command.loop(
        Path("study.toml") if file is None and typed_command.command_ is None else file
    )
    assert loop is not None
    if not loop.metric:
        raise Problem(
            "a gate does not guess the metric: ", next="say which number counts, with --metric"
        )
    names = [name for name in loops.parse_arms(typed_command.arms) if name in loop.arms[1]]
    if len(names) != 1:
        raise Problem(f"a gate takes one proposal (--arm), not {', '.join(names) or 'none'}")
    base_request = Request(names[0], jobs=jobs)
    with open_store() as store:

        def train(study: Study, reason: str) -> None:
            remark(f"{study.id}: {study.variant} against {study.baseline}, {reason}", quiet=as_json)
            if not is_alive(study.files):  # else its runner outlived who began it
                launch.start_runner(study)
            try:
                watch_study(store, study, quiet=True)
            except KeyboardInterrupt:
                launch.stop_study(study)
                raise

        request = GateRequest(loop, names[0], budget, base_request, max_cost)
        outcome = gate_proposal.judge_proposal(store, request, train)
    if as_json:
        click.echo(gate_proposal.json_line(outcome))
    else:
        looks = outcome.facts["looks"]
        click.echo(f"{names[0]}: {outcome.message}")
        if "difference" in outcome.facts:
            difference, bound = (signed(outcome.facts[key], 4) for key in ("difference", "bound"))
            click.echo(
                f"difference {difference} over {outcome.facts['pairs']} pairs; a one-sided "
                f"{outcome.facts['level']:.2%} interval ends at {bound}"
            )
        click.echo(
            f"budget {budget}: {looks['used']} of {looks['of']} looks spent; "
            f"{plural(outcome.facts['runs'], 'run')} trained; baseline {outcome.facts['baseline']}"
        )
    return outcome.code


def skill_page() -> str:
    """The gate's page of `q1lab skill`."""
    text = read_text(Path(__file__).with_name("skill.md"))
    return text.replace("{{GATE_STATUS}}", listed_statuses(STATUSES))
