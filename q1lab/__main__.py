"""The ``q1lab`` command's entry, and ``python -m q1lab``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its status. Without a word it is the app, which needs no
    parser (a shell that asks what could be typed gives no word either)."""
    if len(sys.argv) == 1 and "_Q1LAB_COMPLETE" not in os.environ:
        from q1lab.commands.error_boundary import run_guarded

        sys.exit(run_guarded(_app))
    from q1lab.commands.cli import run_command_line

    sys.exit(run_command_line())


def _app() -> int:
    from q1lab.commands.app import start_app

    start_app(None, None)
    return 0


if __name__ == "__main__":
    main()
