"""Steps that tick themselves by what happened, are unticked by hand, and claim nothing that is
gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from q1lab.app.widgets.page_blocks import command_with_form
from q1lab.ground import paths
from q1lab.journal import ingest_events, learner_tables, predictions
from q1lab.journal import store as index_store
from q1lab.journal.predictions import Expected
from q1lab.journal.store import Store
from q1lab.week import chosen_variant, content, evidence, progress
from q1lab.week.lists import artifacts, papers, posts
from q1lab.week.own_model import model_file
from q1lab.week.syllabus import Step, Week
from tests.kit import lab_home, small_weeks
from tests.kit.commands import q1lab
from tests.kit.repos import begun, git, of_its_own

LABEL = "M03-W04"


@pytest.fixture
def week() -> Week:
    return content.load_week(paths.content_dir())


@pytest.fixture
def store(week: Week) -> Any:
    with Store() as store:
        progress.choose_modification(store, week, "rope")
        yield store


def step_of(week: Week, command: str, number: int = 0) -> str:
    """The id of a step that is done by the command, in the week as it ships."""
    steps = content.week_for(week, "rope").steps()
    step_ids = [step.id for step in steps if by(step) == command]
    assert step_ids, f"no step of the week is done by `q1lab {command}`"
    return step_ids[number]


def by(step: Step) -> str:
    """The command that a step is done by; "" for none."""
    return step.ticking_action.command if step.ticking_action else command_with_form(step)


def done(store: Store, week: Week, step: str) -> bool:
    return evidence.read_progress(store, week).of(step).done


def predict(store: Store, variant: str = "rope") -> None:
    expected = Expected(direction="lower", size=0.02, matters=0.01, confidence=0.7)
    predictions.record_prediction(store, LABEL, variant, expected)


def write(store: Store, path: Path, variant: str = "rope", committed: bool = True) -> None:
    """Note a document as `q1lab modification` does."""
    prediction = predictions.newest_prediction(store, variant, LABEL)
    number = prediction["id"] if prediction else None
    chosen_variant.note_document_written(
        store, LABEL, variant, path, committed=committed, prediction=number
    )


def a_study(store: Store, study: str, states: list[str], variant: str = "rope") -> None:
    """Rows of a study as the index has them: one run per state, both arms of a seed in turn."""
    row = {
        **{
            "id": study,
            "variant": variant,
            "baseline": "baseline",
            "preset": "quick",
            "plan": "{}",
        },
        **{"data_name": "stdlib", "data_sha256": "00", "dtype": "float32"},
        **{"seeds": len(states) // 2, "created": "2026-03-07T10:00:00+00:00", "stamp": ""},
    }
    insert = f"INSERT INTO studies ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    run = "INSERT INTO runs (study_id, arm, variant, seed, state, max_iters, ended) VALUES (?,?,?,?,?,20,?)"
    with store.transaction() as db:
        db.execute(insert, [*row.values()])
        for number, state in enumerate(states):
            arm, ended = ("baseline", "modified")[number % 2], f"2026-03-07T1{number}:00:00+00:00"
            db.execute(run, (study, arm, variant, number // 2, state, ended))


def test_a_step_is_done_by_its_condition_and_by_no_word_of_its_text(
    tmp_path: Path,
) -> None:
    """A title with "commit" asked for a commit, and a command in backticks was what ticks it."""
    small_weeks.write_week(tmp_path / "week")
    (tmp_path / "week" / "session-a.md").write_text(
        "# A\n\n## A {#a1 minutes=60}\n\n"
        '- [ ] Commit to a pace {#pace minutes=1 done_when="retro written"}\n'
        "  Or `q1lab post publish URL`.\n"
        '- [ ] Keep it {#keep minutes=1 done_when="retro committed"}\n'
        "- [ ] Commit {#by-hand minutes=1}\n  `q1lab post publish URL`\n"
    )
    week = content.load_week(tmp_path / "week")
    (tmp_path / "R.md").write_text("x")
    with Store() as store:
        posts.publish_post(store, week.label, "https://example.org/q1")
        assert evidence.read_progress(store, week).done == set()
        for sha, ticked in ((None, {"pace"}), ("1a2b", {"pace", "keep"})):
            evidence.note_written(store, week.label, "retro", tmp_path / "R.md", sha)
            assert evidence.read_progress(store, week).done == ticked


def test_the_file_and_its_green_checks(store: Store, week: Week, tmp_path: Path) -> None:
    file_step, checks_step = step_of(week, "new"), "b1-checks"
    first = step_of(week, "check")  # of model.py, before anything is changed
    assert first != checks_step
    assert not done(store, week, file_step)
    model_file.note_file(store, LABEL, "rope", model_file.new_model_file("rope", tmp_path))
    file = tmp_path / "rope.py"
    assert done(store, week, file_step)
    assert not done(store, week, checks_step)
    evidence.note_check(store, LABEL, file, "rope")
    assert done(store, week, checks_step)
    assert not done(store, week, first)


def test_the_reference_itself_is_no_file_of_the_learners(store: Store, week: Week) -> None:
    evidence.note_check(store, LABEL, paths.models_dir() / "rope.py", "rope")
    assert not done(store, week, step_of(week, "check"))
    assert not evidence.may_show_reference(store, LABEL, "rope")


def test_six_runs(store: Store, week: Week) -> None:
    step = step_of(week, "run")
    a_study(store, "rope-1", ["finished"] * 5 + ["running"])
    assert not done(store, week, step)
    a_study(store, "rope-2", ["finished"] * 5 + ["failed"])
    a_study(store, "gqa-1", ["finished"] * 6, variant="gqa")
    a_study(store, "rope-3", ["finished"] * 4)  # two seeds are not three
    assert not done(store, week, step)
    a_study(store, "rope-4", ["finished"] * 5 + ["diverged"])  # a diverged run is a result
    assert done(store, week, step)


def test_an_untick_is_remembered_until_it_happens_again(
    store: Store, week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = step_of(week, "paper add")
    now = ["2026-03-07T10:00:00+00:00"]
    monkeypatch.setattr(index_store, "utc_now", lambda: now[0])
    progress.tick_step(store, LABEL, step, True)
    progress.tick_step(store, LABEL, step, False)  # long before there is anything to tick it
    now[0] = "2026-03-07T11:00:00+00:00"
    number = papers.add_paper(store, "RoFormer", week=LABEL)
    assert not done(store, week, step)
    papers.finish_paper(store, str(number))
    assert done(store, week, step)
    now[0] = "2026-03-07T12:00:00+00:00"
    progress.tick_step(store, LABEL, step, False)
    assert not done(store, week, step)
    assert not done(store, week, step)
    progress.tick_step(store, LABEL, step, True)
    assert done(store, week, step)


def test_published_and_shared(store: Store, week: Week) -> None:
    published, shared = step_of(week, "post publish"), step_of(week, "post share")
    posts.publish_post(store, LABEL, "https://example.org/q1")
    assert done(store, week, published)
    for number, channel in enumerate(("hn", "x", "linkedin")):
        assert not done(store, week, shared)
        posts.share_post(store, LABEL, channel, f"https://example.org/{number}")
    assert done(store, week, shared)


def test_a_document_counts_once_it_holds_what_was_asked_for(
    store: Store, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "MODIFICATION.md"
    path.write_text("x")
    first, second = (step_of(week, "modification", number) for number in range(2))
    steps = list(content.week_for(week, "rope").steps())
    ids = [step.id for step in steps]
    now = ["2046-03-07T10:00:00+00:00"]
    monkeypatch.setattr(index_store, "utc_now", lambda: now[0])

    def answer_until(end: str) -> None:
        for step in steps[: ids.index(end)]:
            asks = step.into and not step.optional and step.kind != "tick"
            if asks and not progress.recorded_progress(store, LABEL).of(step.id).done:
                progress.save_answer(store, LABEL, step.id, "words")

    answer_until(first)
    write(store, path)
    assert done(store, week, first)
    assert not done(store, week, second)
    now[0] = "2046-03-07T11:00:00+00:00"
    answer_until(second)
    predict(store)
    assert not done(store, week, second)  # the document has not been written since
    write(store, path)
    assert done(store, week, second)


def test_a_prediction_in_a_terminal_ticks_its_step(store: Store, week: Week) -> None:
    (step,) = (
        candidate
        for candidate in content.week_for(week, "rope").steps()
        if candidate.kind == "predict"
    )
    assert not done(store, week, step.id)
    predict(store, "gqa")
    assert not done(store, week, step.id)  # another modification's
    predict(store)
    assert done(store, week, step.id)


def test_a_document_from_before_the_runs_does_not_count_as_the_one_after_them(
    store: Store, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written in B2, it had ticked the step that puts the verdict into it, and lost that tick."""
    path = tmp_path / "MODIFICATION.md"
    path.write_text("x")
    *_, after = (
        step for step in content.week_for(week, "rope").steps() if by(step) == "modification"
    )
    assert after.needs == "b2-run"
    now = ["2026-01-07T10:00:00+00:00"]
    monkeypatch.setattr(index_store, "utc_now", lambda: now[0])
    progress.save_answer(store, LABEL, "b2-numbers", "4.17")
    write(store, path)
    assert not done(store, week, after.id)
    a_study(store, "rope-1", ["finished"] * 6)
    assert done(store, week, "b2-run")
    assert not done(store, week, after.id)
    now[0] = "2026-12-07T12:00:00+00:00"
    write(store, path)
    assert done(store, week, after.id)


def test_a_study_from_before_the_choice_begins_no_week(home: Path, week: Week) -> None:
    """README's first command trains RoPE, and the app then opened at B2."""
    with Store() as store:
        a_study(store, "rope-1", ["finished"] * 6)
        now = evidence.read_progress(store, week)
        assert not any(record.done for record in now.records.values())
        assert progress.first_open(week, now)[0].id == "a1"
        progress.choose_modification(store, week, "rope")
        assert done(store, week, step_of(week, "run"))


def test_what_was_looked_at_is_done(store: Store, week: Week, tmp_path: Path) -> None:
    """The retrospective listed the comparison and the claims as left undone."""
    acts = ("compare", "post lint")
    steps = {act: step_of(week, act) for act in acts}
    evidence.note_viewed(store, LABEL, "compare", "gqa-1", "gqa")  # another modification's
    assert not any(done(store, week, step) for step in steps.values())
    evidence.note_viewed(store, LABEL, "compare", "rope-1", "rope*")
    assert not done(store, week, steps["compare"])  # its runs have not ended
    a_study(store, "rope-1", ["finished"] * 6)
    evidence.note_viewed(store, LABEL, "post lint", str(tmp_path / "q1.md"))
    assert all(done(store, week, step) for step in steps.values())
    progress.tick_step(store, LABEL, steps["compare"], False)
    assert not done(store, week, steps["compare"])
    assert done(store, week, steps["post lint"])


def test_a_diff_is_read_and_committed_once_the_last_commit_has_the_file(
    store: Store, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step "Read your diff ..., then commit" was ticked with nothing committed."""
    of_its_own(tmp_path, monkeypatch)
    folder = begun(tmp_path / "repo", {"model.py": "first\n"})
    step, file = step_of(week, "diff"), folder / "rope.py"
    evidence.note_viewed(store, LABEL, "diff", "/elsewhere/gqa.py")
    file.write_text("new\n")
    assert not done(store, week, step)
    evidence.note_viewed(store, LABEL, "diff", str(file))
    assert not done(store, week, step)
    git(folder, "add", "rope.py")
    assert not done(store, week, step)
    git(folder, "commit", "-q", "-m", "Rotate q and k")
    assert done(store, week, step)


def test_a_comparison_is_read_once_a_person_has_opened_it_with_its_verdict(
    store: Store, week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at NO VERDICT after one pair, and the lab's own `compare --json`, ticked the step."""
    step = step_of(week, "compare")
    study = lab_home.make_study()
    lab_home.train(study, "baseline", 0, val=1.9090)
    lab_home.train(study, "modified", 0, val=1.8804)
    q1lab("compare", study.id, "--full")
    lab_home.finish(study, effect=-0.03)
    lab_home.compared(study)
    assert not done(store, week, step)  # what was seen was no verdict
    q1lab("compare", study.id, "--json")
    assert not done(store, week, step)  # a program's
    q1lab("compare", study.id)
    assert not done(store, week, step)  # six lines, and not every value
    with monkeypatch.context() as earlier:  # as older versions noted a look at a study that trains
        earlier.setattr(index_store, "utc_now", lambda: "2026-03-07T09:32:00+00:00")
        evidence.note_viewed(store, LABEL, "compare", study.id, "rope")
    assert not done(store, week, step)
    q1lab("compare", study.id, "--full")
    assert done(store, week, step)
    own = progress.recorded_progress(store, LABEL).own_verdict
    assert own, "the page of B3 does not show the verdict that was read"
    assert (own.verdict, own.sentence[:9]) == ("helps", "rope's va")
    progress.choose_modification(store, week, "gqa")
    other = progress.recorded_progress(store, LABEL).own_verdict
    assert other is None, "the page shows the verdict of a modification that was put aside"


def test_a_later_comparison_ticks_again_what_was_unticked_after_the_first(
    store: Store, week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, now = step_of(week, "compare"), [""]
    monkeypatch.setattr(index_store, "utc_now", lambda: now[0])
    for study, at in (("rope-1", "20"), ("rope-2", "22")):
        a_study(store, study, ["finished"] * 6)
        now[0] = f"2026-03-07T{at}:00:00+00:00"
        evidence.note_viewed(store, LABEL, "compare", study, "rope")
        assert done(store, week, step), f"the comparison of {study} was read, and the step is open"
        now[0] = "2026-03-07T21:00:00+00:00"
        progress.tick_step(store, LABEL, step, False)


def test_that_an_arm_diverges_is_an_answer_to_read(store: Store, week: Week) -> None:
    study = lab_home.make_study()
    lab_home.finish(study)
    lab_home.train(study, "modified", 1, 400, state="diverged", message="not a number")
    q1lab("compare", study.id, "--full")
    assert done(store, week, step_of(week, "compare"))


def test_a_prediction_is_committed_once_it_is_in_the_committed_document(
    store: Store, week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any commit of the document ticked "This locks the prediction", without a prediction."""
    path = tmp_path / "MODIFICATION.md"
    path.write_text("x")
    steps = {step_of(week, "modification", 1)}
    now = ["2046-03-07T10:00:00+00:00"]
    monkeypatch.setattr(index_store, "utc_now", lambda: now[0])

    def ticked() -> set[str]:
        return steps & set(evidence.read_progress(store, week).done)

    progress.save_answer(store, LABEL, "a2-skim", "words")
    write(store, path)
    assert ticked() == set()
    progress.tick_step(store, LABEL, "a3-predict", True)  # by hand: there is still none
    predict(store, "gqa")
    assert ticked() == set()
    now[0] = "2046-03-07T11:00:00+00:00"
    predict(store)
    assert ticked() == set()
    write(store, tmp_path / "MODIFICATION-gqa.md", "gqa")
    write(store, path, committed=False)
    assert ticked() == set()
    write(store, path)
    assert ticked() == steps
    now[0] = "2046-03-07T12:00:00+00:00"
    predict(store)  # not locked: it is another one now
    assert ticked() == set()


def test_a_tick_needs_the_very_thing(store: Store, week: Week, tmp_path: Path) -> None:
    """Not another file's merge, another paper, or a text without a commit."""
    for name in ("model.py", "rope.py", "gqa.py", "R.md"):
        (tmp_path / name).write_text("x")

    def read(title: str, link: str | None = None) -> None:
        number = papers.add_paper(store, title, link=link, week=LABEL)
        papers.finish_paper(store, str(number))

    def merge(file: str) -> None:
        evidence.note_merge(store, LABEL, tmp_path / file, tmp_path / "model.py", "1a2b")

    def write_retro(commit: str | None) -> None:
        evidence.note_written(store, LABEL, "retro", tmp_path / "R.md", commit)

    merge("gqa.py")
    read("Attention Is All You Need")
    write_retro(None)
    steps = [step_of(week, command) for command in ("merge", "paper add", "retro")]
    assert not any(done(store, week, step) for step in steps)
    merge("rope.py")
    read("Su et al.", "https://arxiv.org/abs/2104.09864")
    write_retro("1a2b")
    assert all(done(store, week, step) for step in steps)


def test_a_merge_stays_though_another_one_follows(store: Store, week: Week, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("x")
    for name in ("rope", "gqa"):
        evidence.note_merge(store, LABEL, tmp_path / f"{name}.py", tmp_path / "model.py", "1a2b")
    assert done(store, week, step_of(week, "merge"))


def test_checks_for_something_else_are_not_those_that_were_asked_for(
    store: Store, week: Week, tmp_path: Path
) -> None:
    model_file.note_file(store, LABEL, "rope", model_file.new_model_file("rope", tmp_path))
    evidence.note_check(store, LABEL, tmp_path / "rope.py", "baseline")
    assert not done(store, week, "b1-checks")
    evidence.note_check(store, LABEL, tmp_path / "rope.py", "gqa+rope")
    assert done(store, week, "b1-checks")


def test_a_study_ticks_for_what_its_file_was_made_for(store: Store, week: Week) -> None:
    """One file carried SwiGLU, and then RoPE: its studies run under one name."""
    with store.transaction() as db:
        db.execute("UPDATE modifications SET file = '/repo/mine.py'")
    for number, variant in enumerate(("swiglu", "rope"), 1):
        a_study(store, f"mine-{number}", ["finished"] * 6, variant="mine")
        copy = paths.study_dir(f"mine-{number}") / "source" / "modified" / "mine.py"
        copy.parent.mkdir(parents=True)
        copy.write_text(f"# q1lab: {variant}, made from model.py, sha256 {'0' * 64}\n")
        assert done(store, week, "b2-run") == (variant == "rope")


def test_asking_for_the_reference_is_remembered(store: Store) -> None:
    assert not evidence.may_show_reference(store, LABEL, "rope")
    evidence.note_reference_shown(store, LABEL, "rope")
    assert evidence.may_show_reference(store, LABEL, "rope")
    assert not evidence.may_show_reference(store, LABEL, "gqa")
    learner_tables.use_hint(store, LABEL, "gqa", evidence.LAST_HINT)
    assert evidence.may_show_reference(store, LABEL, "gqa")
    assert len(model_file.STAGES) == evidence.LAST_HINT


def test_alone_the_repo_that_one_records_ticks_its_step(store: Store) -> None:
    week = content.load_week(paths.content_dir(), course=False)
    assert not done(store, week, "c3-kpis")
    artifacts.add_artifact(
        store, "repo", "an older one", location="https://example.org/a", week="M03-W03"
    )
    assert not done(store, week, "c3-kpis")
    artifacts.add_artifact(store, "repo", "mine", location="https://example.org/b", week=LABEL)
    assert done(store, week, "c3-kpis")


def test_the_newest_study_of_a_modification_is_named_before_it_is_changed(store: Store) -> None:
    for at in (1, 2):
        lab_home.finish(lab_home.make_study(f"rope-{at}", created=f"2026-03-0{at}T09:00:00+00:00"))
    ingest_events.ingest_all(store)
    assert "(rope-2 and 1 more)" in chosen_variant.change_question(store, LABEL, "swiglu")
