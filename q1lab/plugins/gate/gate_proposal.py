"""One proposal to a gate, from its first run to keep or discard.

The journal holds a budget: the proposals that were begun, those that came to a look (a study's plan
goes on record before its runs train), and each decision. Losses are read from the runs' own files,
since tables and screens don't have them before a look has decided.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, UNFINISHED, Problem
from q1lab.ground.files import try_lock
from q1lab.ground.text_formats import plural
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.planning import command_draft, study_plan
from q1lab.planning.command_draft import CommandDraft
from q1lab.plugins.gate import DISCARD, KEEP, MORE, REFUSED, gate_rule
from q1lab.plugins.gate.gate_design import Gate, Proposal
from q1lab.plugins.gate.gate_record import gate_decisions
from q1lab.plugins.gate.gate_rule import GateRules, LossesSoFar
from q1lab.record import begin, on_record
from q1lab.study import imported_code, studies
from q1lab.study.command_arms import CommandSpec, arm_words
from q1lab.study.command_line import Request
from q1lab.study.design import TypedSeeds
from q1lab.study.events import final_loss
from q1lab.study.run_states import ENDED
from q1lab.study.studies import ARMS, Study, run_name

SEEDS = 10**9
"""Seeds are drawn below this number."""

Train = Callable[[Study, str], None]
"""Trains a study's missing runs, and returns when they have ended. The text names them in a
progress line."""


@dataclass(frozen=True)
class GateRequest:
    """A request to judge one arm of a loop against the present baseline of a budget."""

    loop: CommandSpec
    arm: str
    budget: str
    options: Request
    """Carries the options on where to train."""
    max_cost: int | None = None
    """The number of runs that may train now; None for any."""


@dataclass(frozen=True)
class GateOutcome:
    """The outcome of a proposal. ``code`` is the command's exit status; ``facts`` are what may be
    shown."""

    code: int
    message: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class GateBudget:
    """A budget as it stands: its proposals, oldest first, and what was decided of them."""

    name: str
    proposals: tuple[Study, ...]
    kept_ids: frozenset[str]
    decided_ids: frozenset[str]

    @property
    def rule(self) -> int:
        """The number of the rules that the budget was begun with."""
        return _gate_of(self.proposals[0]).gate.rule if self.proposals else gate_rule.NEWEST

    @property
    def rules(self) -> GateRules:
        if self.rule not in gate_rule.RULES_BY_NUMBER:
            raise Problem(
                f"budget {self.name} was begun with rules of a newer q1lab",
                next="upgrade q1lab, or open another one with --budget NAME",
            )
        return gate_rule.RULES_BY_NUMBER[self.rule]

    @property
    def looks(self) -> int:
        """The number of looks that were begun, and so paid for."""
        return sum(len(study.design.batches) > 1 for study in self.proposals)

    @property
    def baseline(self) -> Study | None:
        """The proposal that was kept last."""
        return next(
            (study for study in reversed(self.proposals) if study.id in self.kept_ids), None
        )

    def losses_so_far(self) -> LossesSoFar:
        """The losses so far."""
        losses = LossesSoFar()
        for study in self.proposals:
            look = study.design.batches[1] if len(study.design.batches) > 1 else ()
            base, modified = (
                read_losses(study, ARMS[0], study.seeds),
                read_losses(study, ARMS[1], look),
            )
            was_kept = study.id in self.kept_ids
            losses = losses.after(base, modified, kept=was_kept, rules=self.rules)
        return losses


def read_budget(store: Store, name: str) -> GateBudget:
    """The record of a gate's budget."""
    proposals = tuple(
        study
        for study in on_record.begun_studies(store)
        if isinstance(study.design, Gate) and study.design.gate.budget == name
    )
    decided = gate_decisions(store)
    kept_ids = frozenset(study_id for study_id, was_kept in decided.items() if was_kept)
    return GateBudget(name, proposals, kept_ids, frozenset(decided))


def read_losses(study: Study, arm: str, seeds: Sequence[int]) -> list[float]:
    """The final losses of an arm's finished runs at these seeds, lower is better."""
    ends = (final_loss(study.files.run(run_name(arm, seed)).events) for seed in seeds)
    return [study.metric.sign * float(loss) for loss in ends if loss is not None]


def judge_proposal(store: Store, request: GateRequest, train: Train) -> GateOutcome:
    """Judge a proposal, or continue to judge it. Problem where a person has to change something
    first."""
    # a child that a killed loop had just begun holds the lock until it is its own program
    lock = try_lock(paths.home() / f"gate-{studies.safe_name(request.budget)}.lock", wait=1.0)
    if lock is None:
        raise Problem(
            f"another proposal to budget {request.budget} is being judged",
            UNFINISHED,
            next="wait for it",
        )
    try:
        return _Proposal(store, request, train).judge()
    finally:
        os.close(lock)


class _Proposal:
    """The work of one call on one proposal."""

    def __init__(self, store: Store, request: GateRequest, train: Train) -> None:
        self.store, self.train, self.max_cost = store, train, request.max_cost
        self.budget = read_budget(store, request.budget)
        self.trained = 0
        self.draft = self._draft(request)
        undecided = [
            study
            for study in self.budget.proposals
            if study.id not in self.budget.decided_ids
            and studies.identity_key(study) == studies.identity_key(self.draft.study)
            and not study.trainer.changed_code()
        ]
        self.study = self.draft.study
        if undecided:
            self._continue(undecided[-1])

    def _continue(self, recorded: Study) -> None:
        """Take up the study on disk, with the seeds on record: a loop may have been killed when the
        journal had the seeds of a look, and its plan had not."""
        self.study = studies.load(recorded.id)
        if len(self.study.design.batches) < len(recorded.design.batches):
            self._save(self.study.with_design(batches=recorded.design.batches))

    def judge(self) -> GateOutcome:
        rules, losses_so_far = self.budget.rules, self._earlier_losses()
        steps = gate_rule.proposal_steps(losses_so_far, rules, len(self._look_seeds()))
        pairs_done = 0
        losses: gate_rule.ArmLosses | None = None
        try:
            while True:
                runs_needed = next(steps) if losses is None else steps.send(losses)
                if (stopped := self._plan(runs_needed)) is not None:
                    return stopped
                seeds = self.study.design.batches[0]
                if runs_needed.look_pairs:
                    seeds = self._look_seeds()[pairs_done : pairs_done + runs_needed.modified]
                    pairs_done += runs_needed.modified
                if (stopped := self._train(runs_needed, seeds)) is not None:
                    return stopped
                base, modified = (read_losses(self.study, arm, seeds) for arm in ARMS)
                losses = base, modified
        except StopIteration as end:
            return self._decided(end.value)

    # ── the parts of judging

    def _draft(self, request: GateRequest) -> CommandDraft:
        loop, name = request.loop, request.arm
        first = self.budget.proposals[0].trainer.loop if self.budget.proposals else None
        kept_study = self.budget.baseline
        base, _ = loop.arms
        if kept_study is not None:
            base = kept_study.variant
            base_args = kept_study.trainer.loop.args[base]
            loop = replace(loop, args={base: base_args, name: loop.args[name]})
        if name == base:
            raise Problem(f"{name} is the baseline of budget {self.budget.name} now")
        self._prove_baseline(loop, base)
        if first is not None:
            for key in ("run", "folder", "metric", "better", "take", "pattern"):
                if getattr(first, key) != getattr(loop, key):
                    raise Problem(
                        f"budget {self.budget.name} was opened with another {key}; its proposals "
                        "differ in their arms alone. ",
                        next="--budget NAME opens another one",
                    )
        study_request = replace(
            request.options, variant=name, baseline=base, loop=loop, headline="welch", fresh=True
        )
        seeds = TypedSeeds(Gate, (0,), 1)
        return command_draft.draft(study_request, seeds, None, wandb="disabled")

    def _prove_baseline(self, loop: CommandSpec, base: str) -> None:
        """Problem if the baseline is no longer the one that the budget has judged by: it has other
        arguments, or its file was edited."""
        proposal = self.budget.baseline or next(iter(self.budget.proposals), None)
        if proposal is None:
            return
        recorded_loop = proposal.trainer.loop
        recorded_args = recorded_loop.args[base if self.budget.baseline else proposal.baseline]
        if shlex.split(recorded_args) != shlex.split(loop.args[base]):
            raise Problem(
                f"earlier proposals were judged against {base} with "
                f"{recorded_args or 'no arguments'}",
                next="give those again, and propose other arguments as an arm (--arm)",
            )
        base_loop = replace(loop, args={base: recorded_args})
        input_hashes = imported_code.hash_inputs(base_loop)
        names = {*arm_words(loop, base), *loop.inputs}
        changed = [
            name
            for name, sha256 in recorded_loop.inputs.items()
            if name in names and input_hashes.get(name) != sha256
        ]
        imported = imported_code.hash_imports(base_loop)  # those of an idea alone may change
        changed += [name for name in proposal.trainer.changed_code() if name in imported]
        for name in changed:
            raise Problem(
                f"{name} has changed since {base} was judged with it",
                next="restore it, and propose the change in a file of its own",
            )

    def _plan(self, runs_needed: gate_rule.RunsNeeded) -> GateOutcome | None:
        """Put the needed runs on record before the first of them trains: the proposal, or its look,
        which pays for it. An outcome where the budget or --max-cost rules them out."""
        if not runs_needed.look_pairs and not self.study.id:
            runs = runs_needed.base + runs_needed.modified
        elif runs_needed.look_pairs and not self._look_seeds():
            runs = 2 * runs_needed.look_pairs
        else:
            return None
        if self.budget.looks >= self.budget.rules.looks:
            return self._refused()
        if self._too_much(runs):
            return self._more(runs)
        if runs_needed.look_pairs:
            self._save(
                self.study.with_design(
                    batches=(*self.study.design.batches, self._draw_seeds(runs_needed.look_pairs))
                )
            )
            return None
        seeds = self._draw_seeds(runs)
        cells = [run_name(ARMS[at >= runs_needed.base], seed) for at, seed in enumerate(seeds)]
        number = len(self.budget.proposals) + 1
        proposal = Proposal(self.budget.name, number, tuple(cells), rule=self.budget.rule)
        design = Gate(batches=(seeds,), headline=self.study.design.headline, gate=proposal)
        study = replace(self.study, design=design, trainer=self.draft.preflight())
        with study_plan.planning_lock(study.variant, self.store):
            self.study = study_plan.make_study(study, self.draft, self.store)
        return None

    def _look_seeds(self) -> tuple[int, ...]:
        """The seeds of the proposal's look; empty before there is one."""
        return self.study.design.batches[1] if len(self.study.design.batches) > 1 else ()

    def _save(self, study: Study) -> None:
        with study_plan.planning_lock(study.id, self.store):
            begin.record_begin(self.store, study)
            studies.save(study)
        self.study = study

    def _draw_seeds(self, many: int) -> tuple[int, ...]:
        """New random seeds, other than those of the budget's runs."""
        used = {seed for study in (*self.budget.proposals, self.study) for seed in study.seeds}
        fresh_seeds: dict[int, None] = {}
        while len(fresh_seeds) < many:
            seed = secrets.randbelow(SEEDS)
            if seed not in used:
                fresh_seeds[seed] = None
        return tuple(fresh_seeds)

    def _train(self, runs_needed: gate_rule.RunsNeeded, seeds: Sequence[int]) -> GateOutcome | None:
        """Train the needed runs, those of a look in both arms. An outcome where --max-cost allows
        fewer, Problem where a run fails."""
        design = _gate_of(self.study)
        cells = design.gate.cells
        look_cells = []
        if runs_needed.look_pairs:
            look_cells = [run_name(arm, seed) for seed in seeds for arm in ARMS]
        if new_cells := tuple(name for name in look_cells if name not in cells):
            self._save(replace(self.study, design=design.with_cells(new_cells)))
        ingest_events.ingest_study(self.store, self.study)
        missing = self.store.missing_runs(self.study)
        if any(row["state"] not in ENDED for row in self.store.runs(self.study.id)):
            # none may be missing where a loop was killed and its last run trains on
            if missing and self._too_much(len(missing)):
                return self._more(len(missing))
            progress_line = (
                f"{runs_needed.modified} of {runs_needed.look_pairs} pairs of a look"
                if runs_needed.look_pairs
                else "first run"
            )
            self.train(self.study, progress_line)
            self.trained += len(missing)
            ingest_events.ingest_study(self.store, self.study)
        for row in self.store.runs(self.study.id):
            run = run_name(row["arm"], row["seed"])
            if row["state"] not in ENDED:
                raise Problem(
                    f"{self.study.id}: {run} {row['state']}: {row['message'] or ''} (log: "
                    f"{self.study.files.run(run).log})",
                    FAILED,
                    next="repeat the same command to continue",
                )
        return None

    def _earlier_losses(self) -> LossesSoFar:
        """The losses of the proposals before this one."""
        earlier = [study for study in self.budget.proposals if study.id != self.study.id]
        if (number := _number(self.study)) > 0:
            earlier = [study for study in earlier if _number(study) < number]
        return replace(self.budget, proposals=tuple(earlier)).losses_so_far()

    def _too_much(self, runs: int) -> bool:
        return self.max_cost is not None and self.trained + runs > self.max_cost

    # ── how it ends

    def _decided(self, judged: gate_rule.GateJudgment) -> GateOutcome:
        keeps, look = judged.keeps, judged.decision
        facts: dict[str, Any] = {"why": judged.why}
        if look is not None:
            sign = self.study.metric.sign
            facts |= {
                "difference": sign * look.difference,
                "bound": sign * look.upper_end,
                "level": 1 - self.budget.rules.alpha_per_look,
                "pairs": look.n,
            }
        with self.store.act() as add:
            add("gate", study=self.study.id, created=self.study.created, kept=keeps, facts=facts)
        if look is not None:
            studies.save(replace(self.study, design=_gate_of(self.study).shown()))
            self.study = studies.load(self.study.id)
            ingest_events.clear_runs(self.store, self.study)
            ingest_events.ingest_study(self.store, self.study)
        word = "keep" if keeps else "discard"
        return self._outcome(KEEP if keeps else DISCARD, word, f"{word}: {judged.why}", facts)

    def _more(self, runs: int) -> GateOutcome:
        words = (
            f"the next step needs {plural(runs, 'run')}, more than --max-cost allows; "
            "nothing is decided"
        )
        return self._outcome(MORE, "more", words, {"needs": runs})

    def _refused(self) -> GateOutcome:
        rules = self.budget.rules
        words = (
            f"budget {self.budget.name} is spent: {rules.looks} looks of "
            f"{rules.alpha_per_look:.2%} each; "
            "--budget NAME opens another one, with 5% of its own"
        )
        return self._outcome(REFUSED, "refused", words, {})

    def _outcome(self, code: int, decision: str, words: str, facts: dict[str, Any]) -> GateOutcome:
        budget = read_budget(self.store, self.budget.name)
        baseline = budget.baseline.variant if budget.baseline else self.study.baseline
        all_facts = {
            "budget": budget.name,
            "decision": decision,
            "study": self.study.id or None,
            "name": self.study.variant,
            "proposal": _number(self.study) or None,
            "runs": self.trained,
            "looks": {"used": budget.looks, "of": budget.rules.looks},
            "baseline": baseline,
            "baseline_args": (budget.baseline or self.study).trainer.loop.args[baseline],
            **facts,
        }
        return GateOutcome(code, words, all_facts)


def _number(study: Study) -> int:
    """The proposal's number in its budget; 0 before it is on record."""
    return study.design.gate.proposal if isinstance(study.design, Gate) else 0


def _gate_of(study: Study) -> Gate:
    assert isinstance(study.design, Gate)
    return study.design


def json_line(outcome: GateOutcome) -> str:
    """An outcome as one line of JSON."""
    return json.dumps(outcome.facts, ensure_ascii=False)
