"""README's moving picture: light, finite in time, and still where motion is off."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

from tests.kit.places import ROOT

sys.path.insert(0, str(ROOT / "tools" / "docs"))
from film import Frame, draw

FILM = ROOT / "docs" / "screens" / "film.svg"


def test_the_film_is_small_and_moves_for_a_quarter_of_a_minute() -> None:
    text = FILM.read_text()
    assert len(text.encode()) <= 500_000
    ElementTree.fromstring(text)
    (seconds,) = re.findall(r"animation:([\d.]+)s step-end infinite", text)
    assert 12 <= float(seconds) <= 20
    assert "HELPS" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_without_motion_the_last_frame_stands_still() -> None:
    svg = draw([Frame(("<text>a</text>", "<text>b</text>"), 1), Frame(("", "<text>b</text>"), 2)])
    still, _, moving = svg.partition("@media (prefers-reduced-motion:no-preference)")
    assert ".f{visibility:hidden}" in still
    assert "animation" not in still
    assert re.search(r'class="f0 f"[^>]*><text>a', moving)
    assert re.search(r"<g transform[^>]*><text>b", moving)
    assert "0.00%{visibility:visible}33.33%{visibility:hidden}" in moving
