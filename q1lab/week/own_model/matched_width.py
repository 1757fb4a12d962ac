"""The width at which a modified model has as many parameters as its baseline.

Two models of different size differ in more than the idea. Where a model file takes the width of its
MLP from a config field of its own, the width can be chosen so that the sizes agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.week.own_model.parents import Pair

NAMES = (
    "n_hidden",
    "hidden",
    "hidden_size",
    "d_ff",
    "d_hidden",
    "n_inner",
    "ffn_dim",
    "mlp_width",
    "intermediate_size",
)
"""Names of such a field."""


def match_width(
    pair: Pair,
    config: Mapping[str, Any],
    arms: Callable[[dict[str, Any]], Mapping[str, Mapping[str, Any]]],
) -> dict[str, str]:
    """The field and the value at which both arms have equally many parameters, as a person types
    them.

    ``arms`` builds both models with a config and says their ``n_params``. Found by counting at two
    widths: parameters grow in proportion to a width. Problem where the file has no such field of
    its own, or no width fits.
    """
    name = pair.modified.path.name
    own_fields = [field for field in pair.modified.fields if field not in pair.baseline.fields]
    field = next((name_of_width for name_of_width in NAMES if name_of_width in own_fields), None)
    if field is None:
        raise Problem(
            f"--match params: {name} has no width to match",
            next=(
                f"give its GPTConfig a field such as "
                f"{NAMES[0]} that the baseline does not have, or compare as they are"
            ),
        )
    low, high = config["n_embd"], 4 * config["n_embd"]
    at_low, at_high = (arms({**config, field: width}) for width in (low, high))
    slope = (at_high["modified"]["n_params"] - at_low["modified"]["n_params"]) / (high - low)
    missing_params = at_low["baseline"]["n_params"] - at_low["modified"]["n_params"]
    width = low + round(missing_params / slope) if slope > 0 else 0
    if width < 1:
        raise Problem(
            f"--match params: no {field} gives {name} as many parameters as "
            f"{pair.baseline.name} has"
        )
    return {field: str(width)}
