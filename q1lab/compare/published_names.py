"""The names of a comparison's arms and text for documents that others read: RoPE, ``baseline`` and
Tiny Shakespeare, where the files are called rope.py, model.py and shakespeare."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from q1lab.compare.comparison import Comparison
from q1lab.judgment.names import short_name, told_apart
from q1lab.study import variants
from q1lab.study.studies import Arm


def with_published_names(c: Comparison) -> Comparison:
    """The comparison under these names. An arm that is no model file, or that no modification of
    q1lab's is called after, keeps its own."""
    if not c.study.model_files:
        return c
    arms = {name: _renamed(arm) for name, arm in c.study.arms.items()}
    study = replace(c.study, arms=arms)
    setting = replace(c.setting, data=study.data.title)
    named = told_apart(study.baseline, study.variant, LONGEST)
    return replace(c, study=study, names=named, setting=setting)


LONGEST = 40
"""The most columns of an arm's name in a document."""


def _renamed(arm: Arm) -> Arm:
    name = short_name(arm.variant)
    stem = name.removesuffix("*")
    return replace(arm, variant=_titles().get(stem, stem) + name[len(stem) :])


@cache
def _titles() -> dict[str, str]:
    """The title of each model that ships; a learner's baseline is model.py."""
    titles = {name: variants.find_variant(name).title for name in variants.modifications()}
    return {**titles, "baseline": "baseline", "model": "baseline"}
