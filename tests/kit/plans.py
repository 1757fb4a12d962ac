"""Studies planned and begun from one request, or made from the keys of ``study.json``, whatever part
of a study each belongs to."""

from __future__ import annotations

from typing import Any

from q1lab.commands._plan_notes import plan_notes
from q1lab.ground import json_records
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.study.command_line import Request
from q1lab.study.studies import StudiesOnDisk, Study
from q1lab.train import begin_study, study_plan
from q1lab.train.study_plan import Declaration, Plan


def declare_one(request: Request, store: Store) -> Declaration:
    """What a request for a study declares."""
    return study_plan.declare(request, [request.variant], store)


def plan_one(request: Request, store: Store) -> Plan:
    (plan,) = declare_one(request, store).plans
    return plan


def begin_one(request: Request, store: Store) -> Study:
    (study,) = begin_study.begin_studies(declare_one(request, store), store).studies
    return study


def notes_on(request: Request, store: Store) -> list[str]:
    """The notes that a person reads before the study of a request trains."""
    return plan_notes(plan_one(request, store), store, StudiesOnDisk())


def of_keys(**keys: Any) -> Study:
    """The study whose plan holds these keys."""
    return studies.from_dict(json_records.to_json({key: keys[key] for key in keys}))


def changed(study: Study, **keys: Any) -> Study:
    """The study with other values of these keys; None takes a key out."""
    plan = {**study.to_dict(), **json_records.to_json(keys)}
    return studies.from_dict({key: value for key, value in plan.items() if value is not None})
