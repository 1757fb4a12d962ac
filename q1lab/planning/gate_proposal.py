"""One proposal to a gate, from its first run to keep or discard.

A budget is what the journal says of it: which proposals were begun and which of them came to a look
(a study's plan goes on record before its runs train), and how each was decided. Losses are read
from the runs' own files, since tables and screens don't have them before a look has decided.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from q1lab.designs.gate import Gate, Proposal
from q1lab.ground import paths
from q1lab.ground.errors import DISCARD, FAILED, KEEP, MORE, REFUSED, UNFINISHED, Problem
from q1lab.ground.files import try_lock
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.planning import command_draft, study_plan
from q1lab.planning.command_draft import CommandDraft
from q1lab.record import questions
from q1lab.statistics import gate_rule
from q1lab.statistics.gate_rule import RULES, LossesSoFar
from q1lab.study import studies
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.study.design import TypedSeeds
from q1lab.study.events import final_loss
from q1lab.study.run_states import ENDED
from q1lab.study.studies import ARMS, Study, run_name
from q1lab.trainers.command import Command

SEEDS = 10**9
"""Seeds are drawn below this number."""

Train = Callable[[Study, str], None]
"""Trains what a study lacks, and returns when it has ended. The text says what for."""


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
    def looks(self) -> int:
        """The number of looks that were begun, and so paid for."""
        return sum(len(study.design.batches) > 1 for study in self.proposals)

    @property
    def baseline(self) -> Study | None:
        """The proposal that was kept last."""
        return next((one for one in reversed(self.proposals) if one.id in self.kept_ids), None)

    def losses_so_far(self) -> LossesSoFar:
        """The losses so far."""
        losses = LossesSoFar()
        for study in self.proposals:
            look = study.design.batches[1] if len(study.design.batches) > 1 else ()
            base, modified = (
                read_losses(study, ARMS[0], study.seeds),
                read_losses(study, ARMS[1], look),
            )
            losses = losses.after(base, modified, kept=study.id in self.kept_ids)
        return losses


def read_budget(store: Store, name: str) -> GateBudget:
    """The record of a gate's budget."""
    begun = questions.begun_studies(store)[0].values()
    proposals = tuple(
        study.study
        for study in begun
        if isinstance(study.study.design, Gate) and study.study.design.gate.budget == name
    )
    decided = questions.gate_decisions(store)
    kept_ids = frozenset(study_id for study_id, was_kept in decided.items() if was_kept)
    return GateBudget(name, proposals, kept_ids, frozenset(decided))


def read_losses(study: Study, arm: str, seeds: Sequence[int]) -> list[float]:
    """The final losses of an arm's finished runs at these seeds, lower is better."""
    ends = (final_loss(study.files.run(run_name(arm, seed)).events) for seed in seeds)
    return [study.metric.sign * float(loss) for loss in ends if loss is not None]


def judge_proposal(
    store: Store,
    loop: CommandSpec,
    name: str,
    budget: str,
    train: Train,
    most: int | None,
    engine: Request,
) -> GateOutcome:
    """Judge the arm ``name`` of a loop against the budget's present baseline. ``most``: how many
    runs may train now. Problem for what a person can mend; the same call again goes on."""
    lock = try_lock(paths.home() / f"gate-{studies.safe_name(budget)}.lock")
    if lock is None:
        raise Problem(
            f"another proposal to budget {budget} is being judged", UNFINISHED, next="wait for it"
        )
    try:
        return _Proposal(store, loop, name, budget, train, most, engine).judge()
    finally:
        os.close(lock)


class _Proposal:
    """One call's work on one proposal."""

    def __init__(
        self,
        store: Store,
        loop: CommandSpec,
        name: str,
        budget: str,
        train: Train,
        most: int | None,
        engine: Request,
    ) -> None:
        self.store, self.train, self.most = store, train, most
        self.budget = read_budget(store, budget)
        self.trained = 0
        self.draft = self._draft(loop, name, engine)
        open_ = [
            one
            for one in self.budget.proposals
            if one.id not in self.budget.decided_ids
            and studies.identity_key(one) == studies.identity_key(self.draft.study)
        ]
        self.study = studies.load(open_[-1].id) if open_ else self.draft.study

    def judge(self) -> GateOutcome:
        way = gate_rule.proposal_steps(self._known(), RULES, len(self._look()))
        done = 0
        answer: gate_rule.ArmLosses | None = None
        try:
            while True:
                asked = next(way) if answer is None else way.send(answer)
                if (stopped := self._plan(asked)) is not None:
                    return stopped
                seeds = self.study.design.batches[0]
                if asked.look_pairs:
                    seeds = self._look()[done : done + asked.modified]
                    done += asked.modified
                if (stopped := self._train(asked, seeds)) is not None:
                    return stopped
                base, modified = (read_losses(self.study, arm, seeds) for arm in ARMS)
                answer = base, modified
        except StopIteration as end:
            return self._decided(end.value)

    # ── its parts

    def _draft(self, loop: CommandSpec, name: str, engine: Request) -> CommandDraft:
        first = _loop_of(self.budget.proposals[0]) if self.budget.proposals else None
        kept = self.budget.baseline
        base, _ = loop.arms
        if kept is not None:
            base = kept.variant
            loop = replace(loop, args={base: _loop_of(kept).args[base], name: loop.args[name]})
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
        request = replace(
            engine, variant=name, baseline=base, loop=loop, headline="welch", fresh=True
        )
        seeds = TypedSeeds(Gate, (0,), 1)
        return command_draft.draft(request, seeds, None, wandb="disabled")

    def _prove_baseline(self, loop: CommandSpec, base: str) -> None:
        """Problem where the baseline is no longer the one that the budget has judged by: with other
        arguments, or a file of its own that was edited."""
        since = self.budget.baseline or next(iter(self.budget.proposals), None)
        if since is None:
            return
        known = _loop_of(since)
        judged_by = known.args[base if self.budget.baseline else since.baseline]
        if shlex.split(judged_by) != shlex.split(loop.args[base]):
            raise Problem(
                f"{base} was judged with {judged_by or 'no arguments'}",
                next="an idea is an arm of its own (--arm)",
            )
        now = command_draft.hash_inputs(replace(loop, args={base: judged_by}))
        names = {*command_draft.arm_words(loop, base), *loop.inputs}
        for name, sha256 in known.inputs.items():
            if name in names and now.get(name) != sha256:
                raise Problem(
                    f"{name} is not what {base} was judged with",
                    next="put it back, and an idea into its own file",
                )

    def _plan(self, runs_needed: gate_rule.RunsNeeded) -> GateOutcome | None:
        """Put what is asked for on record before its first run trains: the proposal, or its look,
        which pays for it. An outcome where that may not be."""
        if not runs_needed.look_pairs and not self.study.id:
            runs = runs_needed.base + runs_needed.modified
        elif runs_needed.look_pairs and not self._look():
            runs = 2 * runs_needed.look_pairs
        else:
            return None
        if self.budget.looks >= RULES.looks:
            return self._refused()
        if self._too_much(runs):
            return self._more(runs)
        if runs_needed.look_pairs:
            self._save(
                self.study.with_design(
                    batches=(*self.study.design.batches, self._fresh(runs_needed.look_pairs))
                )
            )
            return None
        seeds = self._fresh(runs)
        cells = [run_name(ARMS[at >= runs_needed.base], seed) for at, seed in enumerate(seeds)]
        proposal = Proposal(self.budget.name, len(self.budget.proposals) + 1, tuple(cells))
        design = Gate(batches=(seeds,), headline=self.study.design.headline, gate=proposal)
        study = replace(self.study, design=design, trainer=self.draft.preflight())
        with study_plan.planning_lock(study.variant, self.store):
            self.study = study_plan.make_study(study, self.draft, self.store)
        return None

    def _look(self) -> tuple[int, ...]:
        """The seeds of its look; none before there is one."""
        return self.study.design.batches[1] if len(self.study.design.batches) > 1 else ()

    def _save(self, study: Study) -> None:
        with study_plan.planning_lock(study.id, self.store):
            questions.record_begin(self.store, study)
            studies.save(study)
        self.study = study

    def _fresh(self, many: int) -> tuple[int, ...]:
        """Seeds that nobody could know before, and that no run of the budget had."""
        used = {seed for one in (*self.budget.proposals, self.study) for seed in one.seeds}
        fresh_seeds: dict[int, None] = {}
        while len(fresh_seeds) < many:
            seed = secrets.randbelow(SEEDS)
            if seed not in used:
                fresh_seeds[seed] = None
        return tuple(fresh_seeds)

    def _train(self, runs_needed: gate_rule.RunsNeeded, seeds: Sequence[int]) -> GateOutcome | None:
        """Have what is asked for trained, in both arms where it is a look. An outcome where that is
        too much, Problem where a run fails."""
        design = _gate_of(self.study)
        cells = design.gate.cells
        more = []
        if runs_needed.look_pairs:
            more = [run_name(arm, seed) for seed in seeds for arm in ARMS]
        if new := tuple(name for name in more if name not in cells):
            self._save(replace(self.study, design=design.with_cells(new)))
        ingest_events.ingest_study(self.store, self.study)
        missing = self.store.missing_runs(self.study)
        if missing:
            if self._too_much(len(missing)):
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
                    next="the same command again goes on",
                )
        return None

    def _known(self) -> LossesSoFar:
        """The facts that the proposals before this one established."""
        before = [one for one in self.budget.proposals if one.id != self.study.id]
        if (number := _number(self.study)) > 0:
            before = [one for one in before if _number(one) < number]
        return replace(self.budget, proposals=tuple(before)).losses_so_far()

    def _too_much(self, runs: int) -> bool:
        return self.most is not None and self.trained + runs > self.most

    # ── how it ends

    def _decided(self, judged: gate_rule.Judgment) -> GateOutcome:
        kept, found = judged.keeps, judged.decision
        facts: dict[str, Any] = {"why": judged.why}
        if found is not None:
            sign = self.study.metric.sign
            facts |= {
                "difference": sign * found.difference,
                "bound": sign * found.upper_end,
                "level": 1 - RULES.alpha_per_look,
                "pairs": found.n,
            }
        with self.store.act() as add:
            add("gate", study=self.study.id, created=self.study.created, kept=kept, facts=facts)
        if found is not None:
            studies.save(replace(self.study, design=_gate_of(self.study).shown()))
            self.study = studies.load(self.study.id)
            ingest_events.clear_runs(self.store, self.study)
            ingest_events.ingest_study(self.store, self.study)
        word = "keep" if kept else "discard"
        return self._outcome(KEEP if kept else DISCARD, word, f"{word}: {judged.why}", facts)

    def _more(self, runs: int) -> GateOutcome:
        words = f"{runs} runs are needed next, more than --max-cost allows; nothing is decided"
        return self._outcome(MORE, "more", words, {"needs": runs})

    def _refused(self) -> GateOutcome:
        words = (
            f"budget {self.budget.name} is spent: {RULES.looks} looks of "
            f"{RULES.alpha_per_look:.2%} each; "
            "--budget NAME opens another one, with 5% of its own"
        )
        return self._outcome(REFUSED, "refused", words, {})

    def _outcome(self, code: int, decision: str, words: str, facts: dict[str, Any]) -> GateOutcome:
        now = read_budget(self.store, self.budget.name)
        told = {
            "budget": now.name,
            "decision": decision,
            "study": self.study.id or None,
            "proposal": _number(self.study) or None,
            "runs": self.trained,
            "looks": {"used": now.looks, "of": RULES.looks},
            "baseline": now.baseline.variant if now.baseline else self.study.baseline,
            **facts,
        }
        return GateOutcome(code, words, told)


def _number(study: Study) -> int:
    """The proposal's number in its budget; 0 before it is on record."""
    return study.design.gate.proposal if isinstance(study.design, Gate) else 0


def _gate_of(study: Study) -> Gate:
    assert isinstance(study.design, Gate)
    return study.design


def _loop_of(study: Study) -> CommandSpec:
    """The command that a proposal trains with."""
    assert isinstance(study.trainer, Command)
    return study.trainer.loop


def json_line(outcome: GateOutcome) -> str:
    """An outcome as one line of JSON."""
    return json.dumps(outcome.facts, ensure_ascii=False)
