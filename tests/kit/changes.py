"""The changes that the week offers: what is tested of one is tested of each that is added."""

import re

from tests.kit.places import CONTENT

CHANGES = tuple(
    re.findall(r'^\[\[variants\]\]\nname = "(\w+)"', (CONTENT / "week.toml").read_text(), re.M)
)
