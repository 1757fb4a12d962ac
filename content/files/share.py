"""GQA: which of four query heads read which keys and values, and what is cached per token."""

HEADS, WIDTH, LAYERS = 4, 32, 4  # the small model


def frame(groups):
    """``groups``: how many heads of keys and values there are, G."""
    each = HEADS // groups
    queries = "".join(f"   q{head}   " for head in range(HEADS))
    reach, names = "", ""
    for group in range(groups):
        room = 8 * each
        reach += (
            "  └" + "─" * (room - 5) + "┘ "
            if each > 1
            else "   │    "
        )
        names += f"k{group} v{group}".center(room)
    cached = 2 * groups * WIDTH * LAYERS
    whole = 2 * HEADS * WIDTH * LAYERS
    return "\n".join(
        [
            f"G = {groups}",
            queries.rstrip(),
            reach.rstrip(),
            names.rstrip(),
            "",
            f"cached per token: 2 · {groups} · {WIDTH} · {LAYERS} = {cached:,} numbers "
            f"({cached / whole:.0%})",
            "█" * (cached * 32 // whole)
            + "░" * (32 - cached * 32 // whole),
            f"each k and v is read by {each} query head{'s' * (each > 1)}",
        ]
    )


if __name__ == "__main__":
    print("\n---\n".join(frame(groups) for groups in (4, 2, 1)))
