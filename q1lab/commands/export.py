"""`q1lab export`: write studies into files: results, charts, an archive, or a plug-in's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from q1lab.commands._output import force_option, print_json, say_written
from q1lab.commands.completion import study_argument
from q1lab.documents.result_files import SUFFIXES
from q1lab.ground import plugin_finder
from q1lab.ground.errors import FAILED, NOTICES, OK, Problem
from q1lab.ground.hooks import ExportFormat
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.study.studies import Study

ARCHIVE = "archive"
ARCHIVE_SUFFIX = ".q1lab.zip"
PLUGINS = tuple(plugin_finder.plugins(installed=True))
ADDED: Mapping[str, ExportFormat] = {
    name: form
    for plugin in PLUGINS
    for name, form in plugin.formats.items()
    if name not in (*SUFFIXES, ARCHIVE)
}
"""The formats of plug-ins. Each is of one study."""

BY_SUFFIX: Mapping[str, str] = {
    **{suffix: name for name, added in ADDED.items() for suffix in added.suffixes},
    **{suffix: name for name, suffix in SUFFIXES.items()},
    ".zip": ARCHIVE,
}
"""Suffix → format."""


class Format(click.Choice[str]):
    """A format, by its name or by the suffix of its files, with or without the dot."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        suffix = f".{str(value).lower().removeprefix('.')}"
        return super().convert(BY_SUFFIX.get(suffix, value), param, ctx)


@click.command(
    epilog="""\b
Examples:
  q1lab export --format csv
  q1lab export rope-1 swiglu-1 --format json --output results.json
  q1lab export rope-1 --format svg --output plots/
  q1lab export rope-1 --format html        one page, to send to someone
  q1lab export rope-1 --format csv --curves
  q1lab export --tag draft --format csv
  q1lab export rope-1 --format archive     the whole study as rope-1.q1lab.zip
"""
    + "".join(f"  {line}\n" for added in PLUGINS for line in added.export_examples)
    + """
\b
Exit status: 0 written, 1 a file can't be written, 2 usage."""
)
@study_argument(nargs=-1)
@click.option(
    "--format",
    "form",
    type=Format((*SUFFIXES, ARCHIVE, *ADDED)),
    help="Or a suffix, such as csv or zip. Default: by --output's suffix, else json.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file, a folder, or - for standard output. Default: this folder.",
)
@force_option
@click.option("--all", "everything", is_flag=True, help="All studies.")
@click.option("--tag", metavar="TAG", help="All studies that have this tag.")
@click.option(
    "--curves",
    is_flag=True,
    help="All numbers that the runs reported: a row per point instead of per run, or in the JSON.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the names of the written files as JSON."
)
def export(
    study: tuple[str, ...],
    form: str | None,
    output: Path | None,
    force: bool,
    everything: bool,
    tag: str | None,
    curves: bool,
    as_json: bool,
) -> int:
    """Write STUDY (several are fine; default: the latest) into files.

    An archive holds the whole study: plan, sources, events, logs, weights, labels, and its text.
    `q1lab restore` brings it back.
    """
    from q1lab.commands._store import open_store
    from q1lab.documents.result_files import export_studies as write
    from q1lab.index import study_labels

    if bool(study) + everything + (tag is not None) > 1:
        raise Problem("give studies, --all or --tag: one of them")
    form = form or _format_of(output)
    if curves and form not in ("csv", "json"):
        raise Problem(f"--curves makes a CSV or JSON; it does not go with --format {form}")
    unreadable: dict[str, str] = {}
    with open_store() as store:
        if everything or tag is not None:
            names = studies.ids() if tag is None else study_labels.studies_tagged(store, tag)
            readable, unreadable = studies.load_each(names)
            ids = [study_on_disk.id for study_on_disk in readable]
        else:
            ids = list(dict.fromkeys(study)) or [studies.latest()]
        if form in SUFFIXES:
            written = write(
                store, ids, form, output, curves=curves, force=force, unreadable=unreadable
            )
        else:
            written = [_write_study(store, ids, form, output, force)]
    NOTICES.extend(f"{name} can't be read: {why}" for name, why in unreadable.items())
    if as_json:
        paths = [str(path) for path in written]
        print_json({"format": form, "studies": ids, "unreadable": unreadable, "written": paths})
        return OK
    back = {ARCHIVE: "`q1lab restore` brings it back"}
    after = ADDED[form].after if form in ADDED else back.get(form, "")
    for path in written:
        say_written(path, f"; {after}" if after else "")
    return OK


def _format_of(output: Path | None) -> str:
    """The format that the suffix of ``output`` stands for; json without a suffix. Problem for a
    suffix of no format."""
    if output is None or output.is_dir() or not output.suffix:
        return "json"
    form = BY_SUFFIX.get(output.suffix.lower())
    if form is None:
        raise Problem(
            f"{output}: nothing is exported as {output.suffix}",
            next=f"give a name that ends in {', '.join(BY_SUFFIX)}, or a --format",
            file=output,
        )
    return form


def _write_study(store: Store, ids: list[str], form: str, output: Path | None, force: bool) -> Path:
    """Write one study as an archive, or in a plug-in's format."""
    if len(ids) != 1:
        raise Problem(f"--format {form} takes one study", next="name one")
    study = studies.load(ids[0])
    added = ADDED.get(form)
    path = output or Path()
    if path.is_dir():
        path /= f"{study.id}{ARCHIVE_SUFFIX if added is None else added.suffixes[0]}"
    fits = (".zip",) if added is None else added.suffixes
    if path.suffix not in fits:
        raise Problem(
            f"--output {path}: ", next=f"give a name that ends in {' or '.join(fits)}", file=path
        )
    if added is None:
        _write_archive(store, study, path, force)
    else:
        _write_added(store, study, added, path, force)
    return path


def _write_archive(store: Store, study: Study, path: Path, force: bool) -> None:
    from q1lab.index import study_labels
    from q1lab.study import bundle
    from q1lab.verdict import claim

    labels = study_labels.read_labels(store, study.id)
    labels_record = asdict(labels) if labels != study_labels.Labels() else {}
    bundle.write_archive(
        study.id, path, labels_record, claim.make_provenance(store, study), force=force
    )


def _write_added(store: Store, study: Study, added: ExportFormat, path: Path, force: bool) -> None:
    from q1lab.ground.files import os_reason
    from q1lab.ground.write_intents import write_output

    try:
        content = plugin_finder.load(added.write)(store, study, path.suffix)
        write_output(path, content, force=force)
    except OSError as error:
        raise Problem(
            f"{study.id} can't be exported: {error.filename}: {os_reason(error)}", FAILED
        ) from None
