"""The messages that travel through the app: small, frozen, without behavior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from q1lab.tui.snapshot import Snapshot


@dataclass
class SnapshotTaken(Message):
    """The desk looked: here is everything as it stands now."""

    snapshot: Snapshot


@dataclass
class Failed(Message):
    """Something went wrong that a person should read. The app goes on."""

    text: str
    title: str = "That did not work"
