"""Slurm: studies train on a cluster, from its login node."""

from __future__ import annotations

from q1lab.ground.hooks import EngineKind, Plugin

PLUGIN = Plugin(
    about="--engine slurm: train on a Slurm cluster",
    engines={
        "slurm": EngineKind(
            "q1lab.plugins.slurm.slurm_engine:Slurm",
            "slurm",
            "partition=gpu (Slurm)",
            runs_commands=True,
        )
    },
)
