"""Reads ``metrics.csv`` of Lightning's CSVLogger, with the settings in ``hparams.yaml`` beside
it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from q1lab.ground.files import read_text
from q1lab.judgment.tables.outside_run import MAX_BYTES, MAX_ROWS
from q1lab.judgment.tables.run_log import RunLog

SETTING = re.compile(r"""([\w./-]+): +['"]?([^'"#{\[&*!|>]*[^'"#\s{\[&*!|>])['"]?\s*""")
"""A line of YAML with a plain value; nested settings are not read."""


def read(files: Sequence[Path], log: RunLog) -> None:
    """Fill the log of one run."""
    (file,) = files
    lines = csv.DictReader(read_text(file, MAX_BYTES, "utf-8-sig").splitlines(), strict=True)
    try:
        for place, row in enumerate(lines):
            if place >= MAX_ROWS:
                raise ValueError(f"it has more than {MAX_ROWS:,} rows")
            log.row({key: cell for key, cell in row.items() if key and cell}, place)
    except csv.Error as error:
        raise ValueError(f"line {lines.reader.line_num}: {error}") from None
    settings = file.with_name("hparams.yaml")
    if settings.is_file():
        for line in read_text(settings, MAX_BYTES).splitlines():
            if match := SETTING.fullmatch(line):
                log.tell({match[1]: match[2]})
