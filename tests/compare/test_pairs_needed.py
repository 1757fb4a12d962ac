"""The planner: pairs for a difference, from one's own runs or from shipped figures; and null
studies through the program's own comparison."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from q1lab.commands.plan import plan as command
from q1lab.compare import pairs_needed, progress_figure
from q1lab.compare.comparison_cache import compare
from q1lab.ground import paths
from q1lab.journal import on_record, predictions
from q1lab.journal.predictions import Expected
from q1lab.journal.store import Store
from q1lab.judgment import facts, interim_analyses, intervals
from q1lab.judgment.lines import plain_lines
from q1lab.study import seed_range, studies, variants
from q1lab.study.command_line import Request
from q1lab.study.studies import Study
from q1lab.train import study_plan
from tests.kit.lab_home import finish, make_study
from tests.kit.plans import changed


def planned(*arguments: str) -> str:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False).output


def compared_study() -> Study:
    study = make_study()
    with Store() as store:
        on_record.record_begin(store, study)
        finish(study)
        compare(store, study)
    return study


def test_from_ones_own_runs_and_from_shipped_figures(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer()
    shipped = " ".join(planned("rope", "--detect", "0.01").split())
    assert "ship with q1lab (cpu, 2,000 iters " in shipped
    study = compared_study()
    output = planned("rope", "--detect", "0.01")
    assert f"rope-1 (cpu, {study.max_iters:,} iters on {study.data.name})" in output
    record = json.loads(planned("rope", "--detect", "0.01", "--json"))
    assert record["needed"]["low"] <= record["needed"]["mid"] <= record["needed"]["high"]
    assert f"about {record['needed']['mid']} pairs" in output
    assert record["spread"]["seconds"] > 0
    assert f"--seeds {record['seeds']}" in output
    assert record["needed"]["alpha"] == 0.025, "rope-1 has looked at the question"
    assert "judged by a 97.5% interval" in " ".join(output.split())
    by_luck = record["designs"][0]["nothing"]["claim"]
    assert by_luck == pytest.approx(0.025, abs=0.002)
    assert f"If there is none, {100 * by_luck:.0f} say HELPS or HURTS" in output


def test_the_command_is_for_the_files_and_the_budget_that_the_table_is_for(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_bytes(variants.find_variant("rope").path.read_bytes())
    study = make_study("mine-1", str(mine), preset="quick")
    arms = {**study.arms, "baseline": replace(study.arms["baseline"], origin="/there/model.py")}
    study = replace(study, arms=arms).with_trainer(
        config={**study.trainer.config, "max_iters": 120}
    )
    studies.save(study)
    finish(study)
    with Store() as store:
        compare(store, study)
    words = planned(str(mine), "--detect", "0.03").splitlines()[-2].split()
    assert words[:5] == ["q1lab", "run", str(mine), "--baseline", "/there/model.py"]
    assert {"--preset", "quick", "--max-iters", "120"} < set(words)


def test_a_verdict_that_never_comes_out_has_0_in_100() -> None:
    advice = pairs_needed.advise(0.01, pairs_needed.Spread(0.003, 3, "a test"))
    assert "-0" not in " ".join(pairs_needed.chances_lines(advice, advice.designs))


def test_for_ones_own_file_the_commands_name_its_study() -> None:
    study = make_study("mine-1")
    arms = study.to_dict()["arms"]
    arms["modified"]["variant"] = "my idea, 日本語"
    named = changed(study, arms=arms)
    studies.save(named)
    finish(named, effect=-0.002, noise=0.02)
    with Store() as store:
        comparison = compare(store, named)
    assert "`q1lab plan 'my idea, 日本語' --detect 0.0" in facts.next_step(comparison)
    assert "  q1lab run mine-1 --seeds " in planned("my idea, 日本語", "--detect", "0.01")


def test_the_difference_is_the_one_that_was_predicted() -> None:
    compared_study()
    assert "no prediction for rope, so this is for 0.01 nats" in planned("rope")
    with Store() as store:
        expected = Expected(direction="lower", size=0.05, matters=0.02, confidence=0.7)
        predictions.record_prediction(store, "M03-W04", "rope", expected)
    assert "0.02 nats is the δ of your prediction" in planned("rope")
    assert json.loads(planned("rope", "--json"))["effect"] == 0.02
    assert "the true difference is 0.03 nats" in planned("rope", "--detect", "0.03")


def test_plan_says_what_each_design_finds_in_sentences(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer()
    compared_study()
    for variant, pairs in (("rope", 3), ("gqa", 8)):
        words = planned(variant, "--detect", "0.01")
        titles = [line.split()[0] for line in words.splitlines() if " pairs, " in line]
        titles = [title for title in titles if title[0].isdigit()]
        assert titles[:3] == ["3", "8", "3..8"]
        assert words.count("If the true difference is 0.01 nats, of 100 such") == len(titles)
        assert f"from {pairs} pairs: " in words
        assert "So few pairs show it only roughly" in words
    assert "Time on this machine, as in rope-1: " in planned("rope")


def test_the_chances_are_shown_before_anything_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer without runs reads them within a second; torch alone takes longer to load."""
    shown: list[str] = []
    monkeypatch.setattr(click, "echo", lambda text="", **_: shown.append(str(text)))
    draft = study_plan.draft_study

    def draft_study(request: Request, store: Store) -> study_plan.Draft:
        assert any(line.startswith("  q1lab run gqa --seeds ") for line in shown)
        return draft(request, store)

    monkeypatch.setattr(study_plan, "draft_study", draft_study)
    assert CliRunner().invoke(command, ["gqa", "--detect", "0.01"]).exception is None
    assert re.fullmatch(
        r"Time on this machine, timed now, at cpu, .*: .* for 3 pairs, .* for 8 pairs.*", shown[-1]
    )


def test_pairs_without_a_difference_are_no_spread_to_plan_with(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer()
    finish(compared_study(), noise=0.0)
    with Store() as store:
        assert compare(store, studies.load("rope-1")).analysis.ends is None
    assert "the figures that ship with q1lab" in planned("rope", "--detect", "0.01")


@pytest.mark.slow
def test_the_design_that_is_proposed_can_be_planned_and_sees_the_difference() -> None:
    spread = pairs_needed.Spread(0.01, 8, "a test")
    for effect in (0.1, 0.02, 0.01, 0.0085):
        cheapest = pairs_needed.advise(effect, spread).cheapest
        assert cheapest is not None
        assert Request("rope", seeds=cheapest.seeds).parsed_seeds.fewest == cheapest.first
        assert cheapest.planned_for.claim >= intervals.POWER
        assert cheapest.sees == pytest.approx(effect, rel=0.05) or cheapest.sees < effect
    beyond = pairs_needed.advise(0.001, spread)
    assert beyond.cheapest is None
    assert int(beyond.seeds) == beyond.needed.mid


@pytest.mark.slow
def test_the_chance_of_each_verdict_is_that_of_the_programs_own_verdict() -> None:
    """Three pairs and the first planned range, at δ = 0.01 and the spread of RMSNorm's pairs."""
    rng, sd, delta, many = random.Random(5), 0.0046, 0.01, 200
    for first, most in ((3, 3), (3, 8)):
        alpha = 0.05 if first == most else interim_analyses.level_per_look(first, most)
        limits = interim_analyses.t_limits(first, most, alpha)
        for effect in (0.0, 2 * delta):
            verdicts: list[str] = []
            for _ in range(many):
                differences = [rng.gauss(effect, sd) for _ in range(most)]
                end = most
                if most > first:
                    planned = seed_range.SeedRange(first, most, alpha, limits)
                    end = seed_range.over_after(planned, differences, delta) or most
                zeros = dict.fromkeys(range(end), 0.0)
                arm = dict(enumerate(differences[:end]))
                analysis = intervals.analyze(
                    zeros, arm, headline="paired", alpha=alpha, delta=delta
                )
                verdicts.append(analysis.verdict)
            chances = interim_analyses.verdict_chances(first, most, alpha, effect / sd, delta / sd)
            small = verdicts.count("too small to matter") / many
            unknown = verdicts.count("cannot tell") / many
            assert chances.too_small == pytest.approx(small, abs=0.1)
            assert chances.cannot_tell == pytest.approx(unknown, abs=0.1)
            assert chances.claim == pytest.approx(1 - small - unknown, abs=0.1)


@pytest.mark.slow
def test_plan_rests_on_eight_pairs_where_there_are_so_many() -> None:
    """A spread from three pairs may be a sixth of the true one."""
    for preset in ("quick", "cpu"):
        arguments = ["rope", "--detect", "0.01", "--preset", preset, "--json"]
        record = json.loads(CliRunner().invoke(command, arguments).output)
        assert record["spread"]["pairs"] == 8


def test_plan_says_what_three_pairs_can_say() -> None:
    """RMSNorm on Tiny Shakespeare: at preset cpu 14 studies of 100 find that nothing changed."""
    found = pairs_needed.shipped_spread(paths.content_dir(), "rmsnorm", "cpu", "shakespeare")
    assert found is not None
    advice = pairs_needed.advise(0.01, found)
    three = advice.designs[0]
    assert (three.first, three.most) == (3, 3)
    assert three.nothing.claim == pytest.approx(0.05, abs=0.005)
    assert three.nothing.too_small == pytest.approx(0.13, abs=0.01)
    _, title, _, if_none, finds, *_ = pairs_needed.chances_lines(advice, [three])
    assert title == "3 pairs, 6 runs"
    assert if_none.strip().startswith("If there is none, 5 say HELPS or HURTS, 14 TOO SMALL TO")
    assert finds.strip() == "80 of 100 find a true difference of 0.025 nats."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rope", "--detect", "0"], "above 0"),
        (["mine.py", "--detect", "1"], "no study"),
        (["roppe", "--detect", "1"], "no variant called 'roppe'"),
    ],
)
def test_nonsense_is_one_line(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert says in str(result.exception)


def test_every_shipped_row_is_a_spread() -> None:
    for variant in ("rmsnorm", "rope", "swiglu", "gqa"):
        spread = pairs_needed.shipped_spread(paths.content_dir(), variant, "cpu")
        assert spread is not None
        assert spread.sd > 0
        on = pairs_needed.shipped_spread(paths.content_dir(), variant, "cpu", "stdlib-3.12")
        assert on is not None
        assert on.pairs == intervals.SPREAD_PAIRS
    study = make_study()
    study = changed(study, config={**study.trainer.config, "max_iters": 300})
    assert "this study is for 300 iters on shakespeare, where" in pairs_needed.detectable_sentence(
        study, spread
    )


def test_planned_null_studies_claim_something_in_5_percent() -> None:
    """Through the program's own stopping rule and its own verdict."""
    rng = random.Random(7)
    alpha = interim_analyses.level_per_look(3, 8)
    planned = seed_range.SeedRange(3, 8, alpha, interim_analyses.t_limits(3, 8, alpha))
    many, false = 500, 0
    for _ in range(many):
        base = {seed: rng.gauss(1.9, 0.01) for seed in range(8)}
        mod = {seed: value + rng.gauss(0, 0.005) for seed, value in base.items()}
        end = seed_range.over_after(planned, [mod[seed] - base[seed] for seed in range(8)])
        assert end is not None
        seeds = range(end)
        analysis = intervals.analyze(
            {seed: base[seed] for seed in seeds},
            {seed: mod[seed] for seed in seeds},
            headline="paired",
            alpha=alpha,
        )
        false += analysis.verdict in ("helps", "hurts")
        assert (analysis.verdict in ("helps", "hurts")) == (end < 8) or end == 8
    assert false / many <= intervals.ALPHA + 3 * (0.05 * 0.95 / many) ** 0.5
    assert false / many >= intervals.ALPHA - 3 * (0.05 * 0.95 / many) ** 0.5


def test_a_planned_range_shows_its_interval_narrow() -> None:
    from q1lab.journal import ingest_events, study_view

    alpha = interim_analyses.level_per_look(3, 8)
    planned = seed_range.SeedRange(3, 8, alpha, interim_analyses.t_limits(3, 8, alpha))
    study = make_study(seeds=tuple(range(8)), range=planned)
    finish(study)
    with Store() as store:
        ingest_events.ingest_study(store, study)
        runs = study_view.read_view(store, study).runs
    plot = progress_figure.pairs_figure(study, runs[:10])
    assert [bar.label for bar in plot.bars[1:]] == [f"after {n} pairs" for n in (3, 4, 5)]
    lines = plain_lines(progress_figure.progress_lines(study, runs[:10], 80))
    assert any(line.startswith("Planned: 3 to 8 pairs") for line in lines)
