"""A gate: it keeps or discards one proposal after the other, at 5% for all."""

from __future__ import annotations

from q1lab.ground.hooks import PartKind, Plugin

PLUGIN = Plugin(
    about="q1lab gate: keep or discard one proposal after the other",
    designs={"gate": PartKind("q1lab.designs.gate:Gate")},
)
