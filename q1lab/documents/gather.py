"""Put the frozen records of the documents together from the store, the week and the studies. The
impure part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.documents import facts, modification, post, retro
from q1lab.documents import roadmap as roadmaps
from q1lab.documents.markdown import Md, table
from q1lab.documents.modification import Answer
from q1lab.errors import Problem
from q1lab.index import learned, results
from q1lab.index.store import Store
from q1lab.journal import artifacts, kpis, posts, predictions, reading
from q1lab.model import diffs
from q1lab.repository import Repository
from q1lab.study import studies, variants
from q1lab.study.studies import Study
from q1lab.week import progress
from q1lab.week.model import Step, Week


@dataclass(frozen=True)
class Chosen:
    """The modification of the week: ``name`` as predicted and documented, ``files`` what trains
    under it."""

    name: str
    really: bool
    on: str | None
    file: str | None
    base: str | None

    @property
    def names(self) -> frozenset[str]:
        """Names under which its studies run: its own, and its model file's."""
        return frozenset({self.name} | ({Path(self.file).stem} if self.file else set()))


def chosen(store: Store, week: Week, variant: str | None = None) -> Chosen:
    """What the learner works on: as given, as chosen, as predicted, as studied last, or the week's
    default."""
    row = learned.modification(store, week.label)
    if row is not None and variant in (None, row["variant"]):
        return Chosen(row["variant"], True, row["chosen"], row["file"], row["base"])
    if variant is not None:
        return Chosen(variant, True, None, None, None)
    predicted = predictions.every(store, week.label)
    if predicted:
        return Chosen(predicted[-1]["variant"], True, predicted[-1]["created"], None, None)
    known = studies.ids()
    if known:
        study = studies.load(known[-1])
        return Chosen(study.variant, True, study.created, None, study.baseline)
    name = week.default or (week.variants[0].name if week.variants else "rope")
    return Chosen(name, False, None, None, None)


def answers(store: Store, week: Week, into: str) -> tuple[Answer, ...]:
    """What the learner wrote for a region, in the order of the week."""
    done = progress.read(store, week.label)
    found = []
    for step in week.steps():
        text = done.of(step.id).answer
        if step.into == into and step.kind == "write" and text and text.strip():
            found.append(Answer(_question(step), text))
    return tuple(found)


def _question(step: Step) -> str:
    return step.title.strip().rstrip(".")


def comparisons(
    store: Store, names: Iterable[str] | None = None
) -> list[tuple[Study, dict[str, Any]]]:
    """All studies whose runs have ended, oldest first, with their comparison; of the named variants
    only, if given."""
    from q1lab.compare.record import compare

    wanted = None if names is None else set(names)
    found = []
    for study_id in studies.ids():
        try:
            study = studies.load(study_id)
        except Problem:
            continue
        if wanted is not None and study.variant not in wanted:
            continue
        record = compare(store, study)
        diverged = any((record.get("diverged") or {}).values())
        if record.get("complete") and (record.get("n") or diverged):
            found.append((study, record))
    return found


def study_facts(study: Study, record: Mapping[str, Any]) -> facts.StudyFacts:
    """A finished study as the documents tell it, with the command that runs it again."""
    repo = study.repo or {}
    commit = repo.get("commit")
    return facts.study_facts(
        record,
        command=command_of(study),
        commit=str(commit) if isinstance(commit, str) else None,
        dirty=bool(repo.get("dirty")),
        versions=study.versions,
    )


def command_of(study: Study) -> str:
    """The command that runs the study again. Of a learner's file only the name is told: paths are
    private."""

    def given(origin: str) -> str:
        return f"./{Path(origin).name}" if "/" in origin or origin.endswith(".py") else origin

    import shlex

    words = ["q1lab", "run", given(study.arms["modified"].origin)]
    if study.arms["baseline"].origin != "baseline":
        words += ["--baseline", given(study.arms["baseline"].origin)]
    words += [
        "--seeds",
        ",".join(map(str, study.seeds)),
        "--preset",
        study.preset,
        "--data",
        study.data.name,
    ]
    words += ["--max-iters", str(study.max_iters)] if _iters_differ(study) else []
    return shlex.join(words)


def _iters_differ(study: Study) -> bool:
    from q1lab.study import presets

    try:
        return int(presets.resolve(study.preset, {})["max_iters"]) != study.max_iters
    except (Problem, KeyError, TypeError, ValueError):
        return True


def diff_of(study: Study | None, picked: Chosen) -> str:
    """The diff that ran; before a study, the diff of the files as they are now ("" when there are
    none)."""
    if study is not None:
        arms = study.arms
        try:
            old, new = (
                (study.files.root / arms[arm].source).read_text(encoding="utf-8")
                for arm in studies.ARMS
            )
        except OSError:
            return ""
        return diffs.unified(old, new, f"{study.baseline}.py", f"{study.variant}.py")
    try:
        old_file, new_file = (
            variants.find(picked.base or "baseline"),
            variants.find(picked.file or picked.name),
        )
    except Problem:
        return ""
    return diffs.unified(old_file.text, new_file.text, old_file.path.name, new_file.path.name)


def modification_record(
    store: Store, week: Week, variant: str | None = None
) -> modification.Modification:
    """The record of MODIFICATION.md as of now."""
    picked = chosen(store, week, variant)
    week = week.for_variant(picked.name)
    known = next((item for item in week.variants if item.name == picked.name), None)
    title = known.title.split(" (recommended)")[0] if known else picked.name
    found = comparisons(store, picked.names)
    study, record = found[-1] if found else (None, None)
    diff = diff_of(study, picked)
    predicted = _prediction(store, week.label, picked)
    added, removed = diffs.count(diff)
    return modification.Modification(
        week=week.label,
        title=f"Modification: {title.split(':')[0]}",
        variant=picked.name,
        variant_title=title,
        paper=known.paper if known else "",
        base=study.baseline if study else _file_name(picked.base) or "baseline",
        chosen=picked.really,
        chosen_on=picked.on,
        reasoning=answers(store, week, "reasoning"),
        notes=answers(store, week, "notes"),
        sketch=answers(store, week, "sketch"),
        prediction=modification.shown_prediction(predicted) if predicted else None,
        predicted=answers(store, week, "prediction"),
        analysis=answers(store, week, "analysis"),
        diff=diff,
        diff_lines={"added": added, "removed": removed},
        study=study_facts(study, record) if study and record else None,
        other_studies=facts.studies_table([item for _, item in found]) if len(found) > 1 else None,
        command=f"q1lab run {picked.name} --seeds 3",
    )


def _file_name(path: str | None) -> str | None:
    return Path(path).stem if path else None


def _prediction(store: Store, label: str, picked: Chosen) -> dict[str, Any] | None:
    for name in (picked.name, *sorted(picked.names - {picked.name})):
        found = predictions.newest(store, name, label)
        if found:
            return found
    return None


def about_to_be_locked(record: modification.Modification, today: str) -> modification.Modification:
    """The record as it reads once it is committed: the commit locks a prediction that is still
    open."""
    if record.prediction is None or record.prediction.locked_words != "not yet":
        return record
    words = f"{today[:10]}, by {LOCKED_BY_COMMIT}"
    return replace(record, prediction=replace(record.prediction, locked_words=words))


LOCKED_BY_COMMIT = "the commit of MODIFICATION.md"


def post_record(
    store: Store, week: Week, *, title: str | None = None, figure: str | None = None
) -> post.Post:
    """The record of the draft as of now."""
    told = modification_record(store, week)
    week = week.for_variant(told.variant)
    kept = posts.of_week(store, week.label)
    quarter = retro.quarter_of(week.label)
    return post.Post(
        title=title or (kept["title"] if kept else DEFAULT_TITLE.format(quarter=quarter)),
        variant=told.variant,
        variant_title=told.variant_title,
        study=told.study,
        verdict=told.study.verdict if told.study else "",
        prediction=told.prediction,
        diff=told.diff,
        diff_lines=told.diff_lines,
        figure=figure if told.study else None,
        surprises=answers(store, week, "surprises"),
        plan=answers(store, week, "plan"),
        outline=answers(store, week, "outline"),
    )


DEFAULT_TITLE = "Twelve weeks from no backprop to a modified transformer: a {quarter} deep dive"


def retro_record(
    store: Store, week: Week, repo: Repository | None = None, *, ticked: Iterable[str] = ()
) -> retro.Retro:
    """The record of the retrospective as of now. ``ticked`` are titles that are ticked in the file
    itself."""
    picked = chosen(store, week)
    week = week.for_variant(picked.name)
    done = progress.read(store, week.label)
    quarter, following = retro.quarter_of(week.label), retro.next_quarter_of(week.label)
    found = comparisons(store)
    parts = part_times(week, done)
    already = frozenset(ticked)
    scores = [
        predictions.score(record["prediction"], record)
        for _, record in found
        if record.get("prediction")
    ]
    return retro.Retro(
        week=week.label,
        quarter=quarter,
        next_quarter=following,
        next_week=week.next or following,
        repositories=tuple(_repositories(store, repo)),
        posts=tuple(
            retro.Post(
                item["title"],
                item["url"],
                item["published"],
                tuple(
                    posts.CHANNELS.get(share["channel"], share["channel"])
                    for share in item["shares"]
                ),
            )
            for item in posts.every(store)
        ),
        studies=facts.studies_table([record for _, record in found]) if found else None,
        others=tuple(
            retro.Item(item["kind"], item["title"], item["location"])
            for item in artifacts.every(store)
            if item["kind"] != "repo"
        ),
        kpis=retro.kpi_table(kpi_lines(store, week, repo)),
        papers=tuple(
            retro.Paper(item["title"], item["link"])
            for item in reading.papers(store)
            if item["done"] and item["depth"] == "deep"
        ),
        insights=answers(store, week, "insights"),
        slipped_words=answers(store, week, "slipped"),
        unfinished=tuple(_unfinished(week, done)),
        overrun=retro.overrun_table(parts),
        times=retro.time_table(parts),
        pace_words=retro.pace_words(parts),
        pace_answer=answers(store, week, "pace"),
        plan=answers(store, week, "plan"),
        confidence=_ticks(week, done, "confidence", already),
        assessment=_ticks(week, done, "assessment", already),
        predictions=_predictions_table(found),
        calibration=predictions.calibration(scores),
    )


def part_times(week: Week, done: progress.Progress) -> list[retro.PartTime]:
    """Planned and actual minutes of every part."""
    found = []
    for part in week.parts():
        counted = done.count([part])
        found.append(
            retro.PartTime(part.title, counted.minutes, counted.seconds / 60, counted.finished)
        )
    return found


def kpi_lines(store: Store, week: Week, repo: Repository | None = None) -> list[kpis.KpiLine]:
    """The KPIs of the week; targets from the roadmap in the repository where it states them."""
    return kpi_lines_beside(store, week, around(store, week, repo))


@dataclass(frozen=True)
class Around:
    """What the KPIs take from the learner's files; it costs a few calls of git."""

    stated: Mapping[str, float]
    """Targets that the roadmap states."""
    public_repos: int


def around(store: Store, week: Week, repo: Repository | None) -> Around:
    """Look at roadmap and repositories."""
    stated: Mapping[str, float] = {}
    file = repo.root / roadmaps.FILE if repo else None
    if file is not None and file.is_file():
        pairs = [(item.id, item.title) for item in week.kpis]
        stated = roadmaps.targets(file.read_bytes(), pairs, retro.quarter_of(week.label))
    return Around(
        stated, len({item.location for item in _repositories(store, repo) if item.location})
    )


def kpi_lines_beside(store: Store, week: Week, seen: Around) -> list[kpis.KpiLine]:
    """The KPIs as the store has them now, beside a look at the files that may be a little older."""
    planned = [(item.id, item.title, float(item.target)) for item in week.kpis]
    return kpis.lines(store, planned, seen.stated, roadmaps.FILE, public_repos=seen.public_repos)


def _repositories(store: Store, repo: Repository | None) -> list[retro.Repo]:
    found: list[retro.Repo] = []
    seen: set[str] = set()
    if repo is not None:
        address = repo.web_url()
        found.append(retro.Repo(repo.root.name, address, len(repo.tracked("*.ipynb"))))
        seen |= {repo.root.name.lower(), (address or "").lower()}
    for item in artifacts.every(store):
        if (
            item["kind"] != "repo"
            or {item["title"].lower(), (item["location"] or "-").lower()} & seen
        ):
            continue
        location, notebooks = item["location"], None
        if location and "://" not in location:
            try:
                other = Repository.discover(location)
                notebooks = len(other.tracked("*.ipynb"))
                location = other.web_url()
            except Problem:
                location = None  # a folder of this machine is nobody else's address
        found.append(retro.Repo(item["title"], location, notebooks))
    return found


def _unfinished(week: Week, done: progress.Progress) -> list[retro.Open]:
    found = []
    for part in week.parts():
        required = [
            step for step in part.steps if not step.optional and not _is_this_document(step)
        ]
        left = [step.title for step in required if not done.of(step.id).done]
        if left:
            steps = tuple(left) if len(left) < len(required) else ()
            found.append(retro.Open(part.title, steps, len(left)))
    return found


def _is_this_document(step: Step) -> bool:
    """Writing the retrospective is not unfinished while it is being written."""
    return any("q1lab retro" in str(action.options.get("command", "")) for action in step.actions)


def _ticks(
    week: Week, done: progress.Progress, into: str, already: frozenset[str]
) -> tuple[retro.Tick, ...]:
    from q1lab.documents.markdown import inline

    return tuple(
        retro.Tick(
            step.title,
            done.of(step.id).done or inline(step.title) in already or step.title in already,
        )
        for step in week.steps()
        if step.into == into
    )


def _predictions_table(found: list[tuple[Study, dict[str, Any]]]) -> Md | None:
    rows: list[list[object]] = []
    for study, record in found:
        predicted = record.get("prediction")
        if not predicted:
            continue
        scored = predictions.score(predicted, record)
        sure = predicted.get("confidence")
        rows.append(
            [
                study.id,
                predictions.signed(scored.predicted),
                "–" if sure is None else f"{sure:.0%}",
                predictions.signed(scored.measured),
                "–" if scored.off is None else f"{scored.off:.3f}",
                scored.outcome,
            ]
        )
    if not rows:
        return None
    return table(["study", "predicted", "sure", "measured", "off by", ""], rows, right=(1, 2, 3, 4))


def known_numbers(store: Store, week: Week) -> list[float]:
    """Every number that a post may state: of the comparisons, predictions, runs, their evaluations,
    and minutes.

    Training losses are left out: there are so many that nearly any number would be one of them.
    """
    from q1lab.documents.claims import numbers_of

    known: list[float] = []
    found = comparisons(store, chosen(store, week).names)
    for _, record in found:
        known += numbers_of(record)
    for item in predictions.every(store):
        known += numbers_of(item)
        known.append(100 * float(item["confidence"] or 0))
    for study, _ in found:
        known += results.numbers_of_runs(store, study.id)
    done = progress.read(store, week.label)
    known += [seconds / scale for seconds in done.seconds.values() for scale in (60, 3600)]
    return known
