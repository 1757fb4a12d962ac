"""Every seam of q1lab on one page: what a plug-in may add.

A plug-in is all of one feature in one folder: ``q1lab/plugins/NAME``, whose module has a Plugin as
PLUGIN. Another package adds one by an entry point of the group ``q1lab.plugins``, which names its
own. The core imports no plug-in, and a
plug-in no other: each is reached through this page alone. plugin_finder.py finds them.

A ``Place`` is code by its address, ``module:attribute``, imported at its first use. The signatures
below name ``Store`` (q1lab.index.store), ``Study`` (q1lab.study.studies), ``StudyView``
(q1lab.index.study_view), ``Request`` and ``TypedSeeds`` (q1lab.study.command_line, design),
``KeptStudy`` (q1lab.study.kept_folder) and ``Draft`` (q1lab.study.study_draft).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from q1lab.ground.act import Act

Place = str
VERSION = 1
"""The version of this page. A plug-in that names another one is left out, and said to be."""


@dataclass(frozen=True)
class Plugin:
    """All that one feature adds. Everything has a default: a plug-in names what it has."""

    about: str
    """One line that says what it is for."""
    version: int = VERSION
    """The version of this page that it was written for."""

    # from any package

    acts: tuple[Act, ...] = ()
    """Commands: ``Act(name, about, MORE, "module:attribute")`` with the click command's place.
    q1lab.ground.act says what else a row may hold; one without a section is no command."""
    trainers: Mapping[str, PartKind] = field(default_factory=dict)
    """Trainers by kind. `q1lab run` gives a request to the first that accepts it, plug-ins before
    the core."""
    designs: Mapping[str, PartKind] = field(default_factory=dict)
    """Designs by kind. The first that can parse --seeds reads it, plug-ins before the core."""
    formats: Mapping[str, ExportFormat] = field(default_factory=dict)
    """Formats of `q1lab export`, by the word after ``--format``."""
    logs: Mapping[str, LogForm] = field(default_factory=dict)
    """Forms in which programs write down a run, which `q1lab judge` reads, by what they are called
    in a sentence: ``an offline run of W&B``."""
    settings: Place = ""
    """``(Mapping) -> Mapping``: checks the plug-in's table of config.toml, ``[NAME]``, which it
    reads as ``load_settings().plugins["NAME"]``. ValueError for a value that doesn't fit."""
    export_examples: tuple[str, ...] = ()
    """Command lines for `q1lab export --help`, each with what it does."""
    skill_pages: Mapping[str, SkillPage] = field(default_factory=dict)
    """Pages of `q1lab skill`, by the word after it."""


@dataclass(frozen=True)
class PartKind:
    """A trainer or a design of a study."""

    place: Place
    """Its class: a q1lab.study.trainer.Trainer, or a q1lab.study.design.Design."""
    draft: Place = ""
    """Of a trainer: ``(Request, TypedSeeds, KeptStudy | None, Store) -> Draft``, the study that
    `q1lab run` would make."""


@dataclass(frozen=True)
class ExportFormat:
    """A format of `q1lab export`."""

    suffixes: tuple[str, ...]
    """The endings of files of this format, the usual one first."""
    write: Place
    """``(Store, Study, suffix) -> bytes``: one study as a file; the suffix has its dot."""
    after: str = ""
    """Advice on the file, said when it is written."""


@dataclass(frozen=True)
class LogForm:
    """A form in which a program writes down a run."""

    names: tuple[str, ...]
    """Patterns of its files' names: ``*.tfevents.*``."""
    read: Place
    """``(Sequence[Path], q1lab.tables.run_log.RunLog) -> None``: fills the log of one run from its
    files. ValueError, in words, for a damaged one."""
    by_folder: bool = False
    """True if all of its files in one folder are one run."""
    parts: str = ""
    """The pattern of folders that are parts of the run in the folder above: ``checkpoint-*``."""


@dataclass(frozen=True)
class SkillPage:
    """A page of `q1lab skill`."""

    about: str
    """Its line in the list of pages."""
    text: Place
    """``() -> str``: its text."""
