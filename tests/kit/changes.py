"""The changes that the week offers: what is tested of one is tested of each that is added."""

from q1lab.week.content import load_week
from tests.kit.places import CONTENT

CHANGES = tuple(variant.name for variant in load_week(CONTENT).variants)
