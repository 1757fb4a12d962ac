"""Ray: studies train on a cluster, or on one rented box."""

from __future__ import annotations

from q1lab.ground.hooks import EngineKind, Plugin

PLUGIN = Plugin(
    about="--engine ray: train on a Ray cluster",
    engines={
        "ray": EngineKind(
            "q1lab.plugins.ray.ray_engine:Ray", "ray=http://HOST:8265", "gpus=0.5 (Ray)"
        )
    },
)
