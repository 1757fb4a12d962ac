"""SwiGLU's gate: what SiLU makes of z, and how much of a value it lets through."""

from math import exp

LEFT, RIGHT = -5.0, 2.0
WIDE, HIGH = 57, 11
TOP, BOTTOM = 2.0, -0.5
VALUE = 2.0


def silu(z):
    return z / (1 + exp(-z))


def frame(z):
    cells = [[" "] * WIDE for _ in range(HIGH)]

    def put(x, y, mark):
        column = round((x - LEFT) / (RIGHT - LEFT) * (WIDE - 1))
        line = round((TOP - y) / (TOP - BOTTOM) * (HIGH - 1))
        cells[line][column] = mark

    for column in range(WIDE):
        x = LEFT + (RIGHT - LEFT) * column / (WIDE - 1)
        put(x, 0, "─")
        put(x, silu(x), "s")
        put(x, max(0.0, x), "r")
    put(z, silu(z), "●")
    lines = ["".join(line).rstrip() for line in cells]
    slope = (silu(z + 1e-4) - silu(z - 1e-4)) / 2e-4 + 0.0
    return "\n".join(
        [
            f"z = {z:+.3f}",
            *lines,
            f"s  SiLU(z) {silu(z):+.3f}, slope {slope:+.2f}",
            f"r  ReLU(z) {max(0.0, z):+.3f}, slope {float(z > 0):+.2f}",
            f"a value of {VALUE} becomes {silu(z) * VALUE:+.3f}",
        ]
    )


if __name__ == "__main__":
    print(
        "\n---\n".join(
            frame(z) for z in (-4.0, -1.278, 0.0, 1.0, 2.0)
        )
    )
