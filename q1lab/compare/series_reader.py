"""A series read from this home: the comparison of each of its studies, for the table of all."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.compare.comparison import Comparison
from q1lab.compare.comparison_cache import compare
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import plural
from q1lab.journal import on_record
from q1lab.journal.store import Store
from q1lab.judgment import facts
from q1lab.judgment.run_states import RunState
from q1lab.judgment.series_table import SeriesMember, SeriesResult
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.train import series_members


def read_series(store: Store, series_id: str) -> SeriesResult:
    """A series as it stands now. Problem when there is none of that name."""
    studies_by_place = series_members.load_members(series_id)
    record = next((study.origin.series for study in studies_by_place.values()), None)
    if record is None:
        raise Problem(f"no sweep called {series_id!r}", next="`q1lab status` lists the studies")
    gone = on_record.deleted_places(store, series_id)
    members = []
    for at in range(len(record.members)):
        name = record.name(at)
        study = studies_by_place.get(at)
        if study is None:
            why = "its study was deleted" if at in gone else "its study is not there"
            members.append(SeriesMember(at, name, why=why))
            continue
        comparison = compare(store, study)
        members.append(SeriesMember(at, name, study.id, comparison, _why(store, study, comparison)))
    first_study = next(iter(studies_by_place.values()))
    plan = first_study.design.pairs if first_study.design.is_sequential else None
    return SeriesResult(record.share, first_study.baseline, plan, tuple(members))


def _why(store: Store, study: Study, c: Comparison) -> str:
    """Why a member has no verdict, in a few words; empty where it has one."""
    if c.has_verdict:
        return ""
    states = [row["state"] for row in store.runs(study.id)]
    bad = {
        state: states.count(state)
        for state in (RunState.DIVERGED, RunState.FAILED, RunState.CRASHED)
        if state in states
    }
    if bad:
        return ", ".join(f"{many} of {len(states)} runs {state}" for state, many in bad.items())
    if is_alive(study.files):
        return "trains now"
    if not c.analysis.complete:
        begun = any(state != RunState.QUEUED for state in states)
        return f"{plural(c.analysis.n, 'pair')} so far" if begun else "waits for its turn"
    return facts.answer(c)


def failed_members(result: SeriesResult) -> Sequence[str]:
    """Members of which a run failed or diverged, or that are gone."""
    ill = (RunState.FAILED, RunState.CRASHED, RunState.DIVERGED)
    return [
        m.name for m in result.members if m.comparison is None or any(word in m.why for word in ill)
    ]
