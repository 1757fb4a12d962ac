"""Write q1lab/compare/levels.py: the levels of planned ranges, found by exact t paths.

Run it with ``python tools/docs/levels.py`` after a change of the integral in
q1lab/compare/looks.py; it takes some minutes. A test compares entries with simulation.
"""

from __future__ import annotations

from q1lab.compare import looks
from q1lab.compare.stats import ALPHA, ALPHA_LATER

HEAD = '''"""The α of each look of a planned range, written by tools/docs/levels.py (see looks.py).

(first, most): with the first α 5% of null studies make a claim at any of the looks, with the second
as many as one later look outside a plan costs (``stats.ALPHA_LATER``).
"""

LEVELS: dict[tuple[int, int], tuple[float, float]] = {
'''


def main() -> None:
    lines = []
    for first in range(looks.FIRST_LEAST, looks.FIRST_MOST + 1):
        for most in range(first + 1, looks.MOST + 1):
            found = (looks.find_level(first, most, total) for total in (ALPHA, ALPHA_LATER))
            lines.append(f"    ({first}, {most}): ({', '.join(f'{one:.5f}' for one in found)}),")
    from pathlib import Path

    target = Path(__file__).resolve().parents[2] / "q1lab" / "compare" / "levels.py"
    target.write_text(HEAD + "\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
