"""The tables and indexes. Nothing migrates them: where a definition here is another than
before, all but ``acts`` are made again."""

from __future__ import annotations

import sqlite3
import zlib

TABLES = """
CREATE TABLE studies (
    id TEXT PRIMARY KEY, variant TEXT NOT NULL, baseline TEXT NOT NULL, preset TEXT NOT NULL,
    data_name TEXT NOT NULL, data_sha256 TEXT NOT NULL, dtype TEXT NOT NULL,
    seeds INTEGER NOT NULL, created TEXT NOT NULL, plan TEXT NOT NULL,
    stamp TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, study_id TEXT NOT NULL REFERENCES studies(id) ON DELETE CASCADE,
    arm TEXT NOT NULL, variant TEXT NOT NULL, seed INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 0,
    iter INTEGER NOT NULL DEFAULT 0, max_iters INTEGER NOT NULL, train_loss REAL, val_loss REAL,
    eval_loss REAL, tokens_per_s REAL, seconds REAL NOT NULL DEFAULT 0, started TEXT, ended TEXT,
    message TEXT, reused_from TEXT, farthest INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '[]', parts TEXT NOT NULL DEFAULT '[]',
    events_offset INTEGER NOT NULL DEFAULT 0, bad_lines INTEGER NOT NULL DEFAULT 0,
    UNIQUE (study_id, arm, seed)
) STRICT;
CREATE TABLE metrics (
    run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, name TEXT NOT NULL,
    iter INTEGER NOT NULL, value REAL, PRIMARY KEY (run_id, name, iter)
) STRICT, WITHOUT ROWID;
CREATE TABLE results (
    study_id TEXT PRIMARY KEY REFERENCES studies(id) ON DELETE CASCADE,
    computed TEXT NOT NULL, fingerprint TEXT NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE step_records (
    week TEXT NOT NULL, step_id TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, answer TEXT,
    done_at TEXT, updated TEXT NOT NULL, PRIMARY KEY (week, step_id)
) STRICT;
CREATE TABLE part_times (
    week TEXT NOT NULL, part_id TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (week, part_id)
) STRICT;
CREATE TABLE predictions (
    id INTEGER PRIMARY KEY, week TEXT NOT NULL, variant TEXT NOT NULL, direction TEXT NOT NULL,
    size REAL, matters REAL, confidence REAL, reasoning TEXT, created TEXT NOT NULL, locked TEXT,
    locked_by TEXT
) STRICT;
CREATE TABLE kpis (
    name TEXT PRIMARY KEY, target REAL, actual REAL, source TEXT, updated TEXT NOT NULL
) STRICT;
CREATE TABLE papers (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, link TEXT, week TEXT, depth TEXT,
    added TEXT NOT NULL, done TEXT, notes TEXT, UNIQUE (title)
) STRICT;
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, location TEXT, week TEXT,
    added TEXT NOT NULL, UNIQUE (kind, title)
) STRICT;
CREATE TABLE posts (
    week TEXT PRIMARY KEY, title TEXT NOT NULL, path TEXT, url TEXT, published TEXT,
    updated TEXT NOT NULL
) STRICT;
CREATE TABLE shares (
    week TEXT NOT NULL REFERENCES posts(week), channel TEXT NOT NULL, url TEXT,
    shared TEXT NOT NULL, PRIMARY KEY (week, channel)
) STRICT;
CREATE TABLE modifications (
    week TEXT PRIMARY KEY, variant TEXT NOT NULL, file TEXT, base TEXT, chosen TEXT NOT NULL
) STRICT;
CREATE TABLE hints (
    week TEXT NOT NULL, variant TEXT NOT NULL, stage INTEGER NOT NULL,
    PRIMARY KEY (week, variant, stage)
) STRICT;
CREATE TABLE begun (
    id INTEGER PRIMARY KEY, study_id TEXT NOT NULL, created TEXT NOT NULL, at TEXT NOT NULL,
    plan TEXT
) STRICT;
CREATE TABLE deleted (
    study_id TEXT NOT NULL, created TEXT NOT NULL, plan TEXT, runs TEXT NOT NULL,
    PRIMARY KEY (study_id, created)
) STRICT;
CREATE TABLE names (study_id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE evidence (
    week TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL, variant TEXT NOT NULL,
    file TEXT, sha TEXT, facts TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (week, act, subject)
) STRICT;
CREATE INDEX begun_studies ON begun (study_id, created);
CREATE INDEX open_runs ON runs (study_id) WHERE state NOT IN ('finished', 'diverged');
"""
"""Rows of the runs' events, then of the journal."""


FORMAT = 1
"""Of the acts. Raise it when an older q1lab would take new ones in wrongly."""


def version() -> int:
    """Another number for other definitions: ``FORMAT``, then 24 bits of their checksum."""
    return FORMAT << 24 | zlib.crc32(TABLES.encode()) & 0xFFFFFF


def is_newer(found: int) -> bool:
    """True of the version of a database whose acts a newer q1lab wrote."""
    return found >> 24 > FORMAT


def make_again(db: sqlite3.Connection) -> None:
    """Drop what there is but ``acts`` (a person may have added tables and views of their own), and
    make all of it."""
    if db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        import sqlite_utils  # as slow as a command, and a new home needs nothing dropped

        old = sqlite_utils.Database(db, execute_plugins=False)
        for each in (*old.views, *reversed(old.tables)):
            if each.name != "acts" and not each.name.startswith("sqlite_"):
                each.drop()
    db.execute(
        "CREATE TABLE IF NOT EXISTS acts (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT"
    )
    for definition in TABLES.split(";")[:-1]:
        db.execute(definition)
