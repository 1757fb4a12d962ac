"""Make the tables and the picture in the documents that commands make.

    python tools/docs/make.py            all tables, two minutes (`make docs`)
    python tools/docs/make.py verdict    docs/verdict.md's, and README's verdict
    python tools/docs/make.py examples   docs/runs-and-programs.md's table of public runs
    python tools/docs/make.py together   docs/card.md's table of all four against their sum
    python tools/docs/make.py film       README's pictures: a range that really trains, some minutes

Tables are written between `<!-- made: NAME -->` and `<!-- /made -->`, and nowhere else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from q1lab.study.command_line import Request

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

    put(DOCS / "runs-and-programs.md", "changes", page.changes_table())


def verdict() -> None:
    import verdict as page

    for name, text in page.TABLES.items():
        put(DOCS / "verdict.md", name, text())


def together() -> None:
    import together as page

    put(DOCS / "card.md", "together", page.text())


FILM_SETTINGS = {
    **{"max_iters": "300", "n_layer": "2", "n_head": "2", "n_embd": "64", "block_size": "32"},
    **{"eval_windows": "120", "eval_interval": "15", "log_interval": "5"},
}
"""A model so small that a range of pairs trains in minutes, and that seeds matter."""


def film_request() -> Request:
    """The study that the film shows."""
    return Request("relu_squared", seeds="3..8", preset="cpu", overrides=FILM_SETTINGS, jobs=2)


def film() -> None:
    """The lab while a range trains, then its verdict, in a home of its own."""
    import os
    import tempfile

    import film as camera

    from q1lab.journal.store import Store
    from q1lab.train import begin_study, launch, study_plan

    with tempfile.TemporaryDirectory() as home:
        os.environ.update(Q1LAB_HOME=home, WANDB_MODE="disabled")
        with Store() as store:
            declared = study_plan.declare(film_request(), ["relu_squared"], store)
            (study,) = begin_study.begin_studies(declared, store).studies
        try:
            pictures = camera.film_study(study)
        finally:
            launch.stop_study(study)
    for name, svg in pictures.items():
        (DOCS / "screens" / f"{name}.svg").write_text(svg)
        print(f"{name}.svg: {len(svg.encode()) >> 10} kB")


TABLES = (verdict, examples, together)


def main(*names: str) -> None:
    makers = {maker.__name__: maker for maker in (*TABLES, film)}
    if not set(names) <= set(makers):
        sys.exit(__doc__)
    for name in names or [maker.__name__ for maker in TABLES]:
        makers[name]()


if __name__ == "__main__":
    main(*sys.argv[1:])
