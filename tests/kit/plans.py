"""Studies made from the keys of ``study.json``, whatever part of a study each belongs to."""

from __future__ import annotations

from typing import Any

from q1lab.ground import json_records
from q1lab.study import studies
from q1lab.study.studies import Study


def of_keys(**keys: Any) -> Study:
    """The study whose plan holds these keys."""
    return studies.from_dict(json_records.to_json({key: keys[key] for key in keys}))


def changed(study: Study, **keys: Any) -> Study:
    """The study with other values of these keys; None takes a key out."""
    plan = {**study.to_dict(), **json_records.to_json(keys)}
    return studies.from_dict({key: value for key, value in plan.items() if value is not None})
