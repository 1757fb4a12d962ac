"""A notebook: a study is planned here, and trained where a person takes it."""

from __future__ import annotations

from q1lab.ground.hooks import EngineKind, ExportFormat, Plugin

PLUGIN = Plugin(
    about="--engine notebook: train in Colab, Kaggle, or wherever you take it",
    engines={
        "notebook": EngineKind(
            "q1lab.plugins.notebook.notebook_engine:Notebook",
            "notebook",
            by_hand="q1lab export {study} --format notebook · then q1lab import "
            "{study}-results.zip",
        )
    },
    formats={
        "notebook": ExportFormat(
            (".ipynb", ".zip"),
            "q1lab.plugins.notebook.notebook_files:export",
            after="back home: q1lab import",
        )
    },
    export_examples=(
        "q1lab export rope-1 --format notebook    a planned study for Colab or Kaggle",
        "q1lab export rope-1 --format notebook --output rope-1.zip   the same with one script",
    ),
)
