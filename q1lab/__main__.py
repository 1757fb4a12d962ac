"""The ``q1lab`` command's entry, and ``python -m q1lab``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from q1lab.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
