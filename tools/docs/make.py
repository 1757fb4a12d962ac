"""Make the pages and pictures in docs that commands make.

    python tools/docs/make.py            the screenshots, from the studies in Q1LAB_HOME
    python tools/docs/make.py film       README's moving picture: a range that really trains, some minutes
    python tools/docs/make.py assumed    docs/statistics.md's table of broken assumptions
    python tools/docs/make.py together   docs/card.md's table of all four against their sum
    python tools/docs/make.py floor      docs/floor.md's table of regrouped runs
    python tools/docs/make.py examples   docs/examples.md's tables, from docs/results/public.json

The pages are written between `<!-- made: NAME -->` and `<!-- /made -->`, and nowhere else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def put(file: Path, name: str, text: str) -> None:
    """Replace what stands between the marks called ``name``."""
    old = file.read_text()
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- /made -->)", re.DOTALL)
    if not pattern.search(old):
        sys.exit(f"{file}: no marks called {name!r}")
    file.write_text(pattern.sub(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", old))
    print(f"{file.name}: {name}")


def examples() -> None:
    import examples as page

    put(DOCS / "examples.md", "changes", page.changes_table())
    put(DOCS / "examples.md", "contest", page.contest_table())


def assumed() -> None:
    import assumed as page

    put(DOCS / "statistics.md", "assumed", page.text())


def floor() -> None:
    import floor as page

    put(DOCS / "floor.md", "regrouped", page.regrouped_text())


def together() -> None:
    import together as page

    put(DOCS / "card.md", "together", page.text())


def screens() -> None:
    import shots

    for file in shots.shoot(DOCS / "screens"):
        print(file.name)


FILM_SETTINGS = {
    **{"max_iters": "200", "n_layer": "2", "n_head": "2", "n_embd": "64", "block_size": "32"},
    **{"eval_windows": "20", "eval_interval": "10", "log_interval": "4"},
}
"""A model so small that a range of pairs trains in minutes, and that seeds matter."""


def film() -> None:
    """The lab while a range trains, then its verdict, in a home of its own."""
    import os
    import tempfile

    import film as camera

    from q1lab.index.store import Store
    from q1lab.planning import study_plan
    from q1lab.runner import launch
    from q1lab.study.command_line import Request

    with tempfile.TemporaryDirectory() as home:
        os.environ.update(Q1LAB_HOME=home, WANDB_MODE="disabled")
        request = Request(
            "relu_squared",
            seeds="3..8",
            preset="cpu",
            overrides=FILM_SETTINGS,
            jobs=2,
        )
        with Store() as store:
            study = study_plan.begin_study(request, store).study
        try:
            svg = camera.film_study(study)
        finally:
            launch.stop_study(study)
    (DOCS / "screens" / "film.svg").write_text(svg)
    print(f"film.svg: {len(svg.encode()) >> 10} kB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            screens()
        case ["film"]:
            film()
        case ["assumed"]:
            assumed()
        case ["floor"]:
            floor()
        case ["together"]:
            together()
        case ["examples"]:
            examples()
        case _:
            sys.exit(__doc__)
