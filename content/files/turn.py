"""RoPE in one pair of features: q at position m and k at position n, drawn as arrows."""

from math import atan2, cos, degrees, pi, sin

THETA = 0.5  # the angle per position, in radians
Q, K = (1.0, 0.0), (0.8, -0.6)  # before the rotation
WIDE, HIGH = 29, 13  # cells; a cell is about twice as high as wide


def rotated(pair, position):
    x, y = pair
    c, s = cos(position * THETA), sin(position * THETA)
    return x * c - y * s, x * s + y * c


def picture(arrows):
    """Arrows (letter → x, y) of length 1 from the middle, in a circle."""
    cells = [[" "] * WIDE for _ in range(HIGH)]

    def put(x, y, mark):
        column = round((1 + x) * (WIDE - 1) / 2)
        line = round((1 - y) * (HIGH - 1) / 2)
        cells[line][column] = mark

    for step in range(120):
        put(cos(step * pi / 60), sin(step * pi / 60), "·")
    for letter, (x, y) in arrows.items():
        for step in range(1, 9):
            put(x * step / 10, y * step / 10, letter.lower())
        put(x, y, letter)
    put(0, 0, "+")
    return ["".join(line).rstrip() for line in cells]


def frame(m, n):
    q, k = rotated(Q, m), rotated(K, n)
    angle = degrees(atan2(q[1], q[0]) - atan2(k[1], k[0])) % 360
    beside = [
        f"q at {m}: ({q[0]:+.3f}, {q[1]:+.3f})",
        f"k at {n}: ({k[0]:+.3f}, {k[1]:+.3f})",
        "",
        f"between them {angle:.1f}°",
        f"q · k = {q[0] * k[0] + q[1] * k[1]:+.3f}",
    ]
    lines = picture({"K": k, "Q": q})
    for at, text in enumerate(beside, 4):
        lines[at] = f"{lines[at]:{WIDE + 3}}{text}".rstrip()
    return "\n".join([f"m = {m}, n = {n}", *lines])


if __name__ == "__main__":
    # the distance stays 1, and in the last picture it is 4
    places = [(1, 0), (2, 1), (3, 2), (5, 4), (8, 7), (8, 4)]
    print("\n---\n".join(frame(m, n) for m, n in places))
