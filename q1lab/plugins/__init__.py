"""Plug-ins: a folder each, all of one feature. The core reaches them through ground/hooks.py."""

from __future__ import annotations

from collections.abc import Mapping

SHIPPED = ("demo", "sample", "verify")
"""The plug-ins that ship: `q1lab doctor` says which of them are away."""

SIGNS: Mapping[str, Mapping[str, str]] = {"trainer": {}, "design": {}}
"""Part of a study → kind → the key of study.json that only its plans have. It stands here, not in
the plug-in's folder: where that is taken away, its plans must not be read as another kind's."""
