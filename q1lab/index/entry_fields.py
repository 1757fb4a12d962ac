"""The fields that each kind of entry has: one place decides if a line of the journal makes sense.

A line's hash says that it is as it was written, not that its writer knew what to write. Behind
``check_body`` nothing has to ask again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, get_args, get_origin

from q1lab.ground import json_records, plugin_finder
from q1lab.ground.command_table import acts
from q1lab.ground.json_rules import INT_LIMIT, one_of, whole_number
from q1lab.index.journal import Body

Text = str | None
Count = Annotated[int, whole_number()]


@dataclass(frozen=True)
class BegunPlan:
    """The part of a plan that the index needs from a line; study/studies.py reads the rest."""

    id: str
    created: str


@dataclass(frozen=True)
class ConditionSetting:
    words: str
    since: str


@dataclass(frozen=True)
class CorpusSetting:
    corpus: str
    words: str
    vocab: Count


def _computable(value: Any) -> Any:
    """JSON without a whole number that is too large for a float."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict | list):
            left += item.values() if isinstance(item, dict) else item
        elif type(item) is int and abs(item) >= INT_LIMIT:
            raise ValueError("holds a number that is out of range")
    return value


Number = Annotated[float, _computable]


PATHS = ("path", "file", "into", "base", "location")
"""Fields that may name a file."""
ANY_ACT = {"at": str, "who": NotRequired[str]}
WEEK = {"week": str}
VARIANT = {**WEEK, "variant": str}
STEP = {**WEEK, "step": str}

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "tick": {**STEP, "done": bool},
    "answer": {**STEP, "text": Text},
    "recall": {**STEP, "right": bool, "missed": NotRequired[str]},
    "time": {**WEEK, "seconds": dict[str, Number], "entry": Count},
    "choose": {**VARIANT, "shared": list[str]},
    "file": {**VARIANT, "file": str, "base": Text},
    "hint": {**VARIANT, "stage": Count},
    "reference": VARIANT,
    "predict": {
        **VARIANT,
        "direction": Annotated[str, one_of("lower", "higher", "same")],
        "size": Number,
        "matters": Number,
        "confidence": Number,
        "reasoning": str,
    },
    "lock": {**VARIANT, "by": str},
    "check": {**VARIANT, "file": str, "sha256": str},
    "merge": {**WEEK, "file": str, "into": str, "commit": Text},
    "document": {**VARIANT, "path": str, "committed": bool, "prediction": int | None},
    "look": {**VARIANT, "command": str, "what": str},
    "kpi": {"name": str, "target": Number | None, "actual": Number | None},
    "paper": {
        "title": str,
        "was": NotRequired[Text],
        "link": NotRequired[Text],
        "week": NotRequired[Text],
        "depth": NotRequired[Text],
        "notes": NotRequired[Text],
    },
    "read": {"title": str, "depth": Text, "notes": Text},
    "artifact": {
        "kind": str,
        "title": str,
        "location": NotRequired[Text],
        "week": NotRequired[Text],
        "removed": NotRequired[bool],
    },
    "post": {**WEEK, "title": str, "path": Text},
    "publish": {**WEEK, "url": str, "title": str},
    "share": {**WEEK, "channel": str, "url": Text},
    "begin": {"plan": BegunPlan | None, "declares": NotRequired[dict | None]},
    "levels": {"levels": list[Any]},
    "delete": {"study": str, "plan": BegunPlan | None, "runs": Annotated[dict, _computable]},
    "label": {"study": str, "note": str, "tags": list[str], "name": NotRequired[str]},
    "setting": {"key": str, "value": Any},
}
"""The kind of each field of each act, as json_records.py reads kinds; NotRequired: it may be
missing."""

WRITTEN = {**WEEK, "path": str, "commit": NotRequired[Text]}
"""The same of an act that is noted as having written its document (`is_document`)."""

SETTINGS: Mapping[str, Any] = {
    "data": CorpusSetting,
    "recall": dict[str, str],
    "asked": list[str],
    "offered": dict[str, Number],
    "timer": Count,
    "empty": Count,
    "evidence": dict[str, ConditionSetting],
}
"""The kind of each setting that is read, by the part of its key before the first colon."""

FOLDED, PLUGINS, UNREAD = "folded", "plugins", "unread"
OFFSET, LOST = "journal", "lost"
OWN_SETTINGS = (OFFSET, FOLDED, PLUGINS, UNREAD, LOST)
"""Settings that the index keeps of itself, which no entry has: how far the journal is folded into
the tables, on which day (UTC) and by which plug-ins all of it was, how many of its lines could not
be read, and in a copy what the journal had lost (lost_lines.py)."""


def is_document(act: str) -> bool:
    """True if an entry of this kind says that a document of the week was written."""
    documents = (each.name_in_journal for each in acts().values() if each.commits)
    return act not in FIELDS and act in documents


def check_body(body: Body) -> bool:
    """True if this version knows the act. ValueError, naming the field, for one that makes no
    sense."""
    act = str(body.get("act", ""))
    fields = WRITTEN if is_document(act) else FIELDS.get(act)
    if (
        fields is None
        and (kind := plugin_finder.find("entries", act, shipped_alone=True)) is not None
    ):
        fields = plugin_finder.load(kind.fields)
    if fields is None:
        return False
    for name, kind in {**ANY_ACT, **fields}.items():
        if name in body:
            kind = get_args(kind)[0] if get_origin(kind) is NotRequired else kind
            json_records.from_json(kind, body[name], name)
        elif get_origin(kind) is not NotRequired:
            raise ValueError(f"{name} is missing")
    if any("\0" in str(body.get(name)) for name in PATHS):
        raise ValueError("no file can have this name")
    if body["act"] == "setting":
        _check_setting(body["key"], body["value"])
    return True


def _check_setting(key: str, value: Any) -> None:
    name = key.partition(":")[0]
    if name in OWN_SETTINGS:
        raise ValueError(f"{name} is the index's own")
    if name in SETTINGS:
        json_records.from_json(SETTINGS[name], value, name)
