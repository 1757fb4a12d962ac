"""The week as commands read it."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.ground import config, paths
from q1lab.week import content
from q1lab.week.syllabus import Week


def current_week() -> Week:
    """The week named by ``--content``, else by the settings, else the one that ships."""
    context = click.get_current_context(silent=True)
    typed_folder = context.find_root().params.get("content") if context else None
    settings = config.load_settings()
    folder = typed_folder or settings.content or paths.content_dir()
    return content.load_week(Path(folder), settings.course)
