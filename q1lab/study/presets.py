"""Presets: named sets of hyperparameters under nanoGPT's names, and overriding them safely."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from q1lab.ground.errors import Problem, nearest
from q1lab.ground.json_records import INT_LIMIT
from q1lab.study.hyperparameters import INTEGERS, NUMBERS

Config = dict[str, Any]

COMMON: Config = {
    "bias": False,
    "learning_rate": 1e-3,
    "min_lr": 1e-4,
    "weight_decay": 0.1,
    "beta1": 0.9,
    "beta2": 0.99,
    "grad_clip": 1.0,
    "log_interval": 10,
    "compile": "auto",
}

SMALL: Config = {
    **COMMON,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "block_size": 64,
    "batch_size": 12,
    "dropout": 0.0,
    "eval_windows": 64,
}

PRESETS: dict[str, Config] = {
    # a first honest look: the cpu model for half its iters
    "quick": {
        **SMALL,
        "max_iters": 1000,
        "lr_decay_iters": 1000,
        "warmup_iters": 50,
        "eval_interval": 100,
    },
    # the recipe of nanoGPT's README for a CPU
    "cpu": {
        **SMALL,
        "max_iters": 2000,
        "lr_decay_iters": 2000,
        "warmup_iters": 100,
        "eval_interval": 200,
    },
    # nanoGPT's config/train_shakespeare_char.py with 1,500 iters instead of 5,000: on a text of a
    # million characters 5,000 are 82 passes, and the val loss of public runs is lowest at 1,250 to
    # 1,750 (karpathy/nanoGPT#211, #493) and 0.23 nats higher at the end
    "gpu": {
        **COMMON,
        "n_layer": 6,
        "n_head": 6,
        "n_embd": 384,
        "block_size": 256,
        "batch_size": 64,
        "dropout": 0.2,
        "max_iters": 1500,
        "lr_decay_iters": 1500,
        "warmup_iters": 100,
        "eval_interval": 150,
        "eval_windows": 64,
    },
}

ABBREVIATIONS: Mapping[str, str] = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "batch": "batch_size",
    "iters": "max_iters",
    "steps": "max_iters",
    "ctx": "block_size",
    "warmup": "warmup_iters",
    "layers": "n_layer",
    "heads": "n_head",
    "d_model": "n_embd",
}
"""Common abbreviations of hyperparameters → their names here."""


def default_preset(device: str) -> str:
    """The preset that suits a device: ``gpu`` on CUDA, else ``cpu``, which takes minutes on Apple's
    MPS, too; six runs of ``gpu`` would take hours there."""
    return "gpu" if device == "cuda" else "cpu"


def resolve_config(
    preset: str, overrides: Mapping[str, str], model_fields: Iterable[str] = ()
) -> Config:
    """A preset with overrides as typed by a person (``learning_rate=3e-4``).

    ``model_fields`` are the config fields that the two model files take beyond the known ones.
    Problem for an unknown preset or key (naming the nearest) and for a value of the wrong kind or
    range.
    """
    if preset not in PRESETS:
        raise Problem(f"no preset called {preset!r}", next=nearest(preset, PRESETS))
    config = dict(PRESETS[preset])
    allowed_keys = [
        *config,
        *(name for name in model_fields if name not in config and name != "vocab_size"),
    ]
    for key, text in overrides.items():
        if key not in allowed_keys:
            hint = nearest(ABBREVIATIONS.get(key, key), allowed_keys)
            raise Problem(f"--set {key}: no such hyperparameter", next=hint)
        config[key] = parse_value(key, text, config.get(key))
    # a shorter run keeps the shape of its schedule unless told otherwise
    if "max_iters" in overrides:
        base = PRESETS[preset]
        scale = config["max_iters"] / base["max_iters"]
        if "lr_decay_iters" not in overrides:
            config["lr_decay_iters"] = config["max_iters"]
        if "warmup_iters" not in overrides and scale < 1:
            config["warmup_iters"] = int(base["warmup_iters"] * scale)
        if "eval_interval" not in overrides:
            config["eval_interval"] = max(1, min(base["eval_interval"], config["max_iters"] // 4))
        if "log_interval" not in overrides:
            config["log_interval"] = max(1, min(base["log_interval"], config["max_iters"] // 10))
    return _check_config(config)


def parse_value(key: str, text: str, default: Any = None) -> Any:
    """The value of --set KEY=TEXT, of the default's kind; Problem for one of another kind."""
    if key == "compile":
        if text not in ("auto", "on", "off"):
            raise Problem(f"--set compile={text}: it takes auto, on or off")
        return text
    if isinstance(default, bool) or text.lower() in ("true", "false"):
        if text.lower() not in ("true", "false"):
            raise Problem(f"--set {key}={text}: it takes true or false")
        return text.lower() == "true"
    for kind in (int,) if isinstance(default, int) else (int, float):
        with contextlib.suppress(ValueError):
            value = kind(text)
            if not abs(value) < INT_LIMIT:  # nor NaN
                raise Problem(f"--set {key}={text}: it is not a finite number, or it is too large")
            return value
    expected = "a whole number" if isinstance(default, int) else "a number"
    raise Problem(f"--set {key}={text}: it takes {expected}")


def _check_config(config: Config) -> Config:
    for key in INTEGERS:
        if config[key] < 1:
            raise Problem(f"{key} is {config[key]}", next="it must be at least 1")
    for key in NUMBERS:
        share = key in ("beta1", "beta2", "dropout")
        if not 0 <= config[key] < (1 if share else math.inf):
            requirement = "at least 0 and below 1" if share else "a finite number, 0 or more"
            raise Problem(f"{key} is {config[key]}", next=f"it must be {requirement}")
    if config["n_embd"] % config["n_head"]:
        raise Problem(f"n_embd {config['n_embd']} is not divisible by n_head {config['n_head']}")
    return config
