"""RMSNorm and LayerNorm of four features to which the same number s is added."""

from math import sqrt

X = (-1.5, -0.5, 0.5, 1.5)
CELLS = 8  # for 1.0


def layernorm(x):
    mean = sum(x) / len(x)
    return rmsnorm([value - mean for value in x])


def rmsnorm(x):
    size = sqrt(sum(value * value for value in x) / len(x))
    return [value / size for value in x]


def bar(value):
    """A bar to the left or to the right of a middle line."""
    many = round(abs(value) * CELLS)
    left, right = ("█" * many, "") if value < 0 else ("", "█" * many)
    return f"{left:>12}│{right:<13}"


def frame(delta):
    x = [value + delta for value in X]
    rows = [f"{'LayerNorm':^34}{'RMSNorm':^34}".rstrip()]
    for layer, rms in zip(layernorm(x), rmsnorm(x), strict=True):
        rows.append(
            f"{layer:+.2f} {bar(layer)}  {rms:+.2f} {bar(rms)}".rstrip()
        )
    values = ", ".join(f"{value:+.1f}" for value in x)
    return "\n".join(
        [f"s = {delta:g}", f"features ({values})", "", *rows]
    )


if __name__ == "__main__":
    print(
        "\n---\n".join(
            frame(delta) for delta in (0, 0.5, 1, 2.5, 12.5)
        )
    )
