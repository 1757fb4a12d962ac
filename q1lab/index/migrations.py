"""The database's schema: append-only migrations. Add a function at the end; never change one that
shipped.

``store.SCHEMA`` must equal the number of migrations here (a test says so): it lets a viewer see
with one PRAGMA that there is nothing to do, without importing sqlite_utils.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Migrations

migrations = Migrations("q1lab")


@migrations()
def m001_runs(db: Any) -> None:
    """An index of the runs' files: it can be dropped and rebuilt from events at any time."""
    db.executescript(
        """
        CREATE TABLE studies (
            id TEXT PRIMARY KEY, variant TEXT NOT NULL, baseline TEXT NOT NULL, preset TEXT NOT NULL,
            data_name TEXT NOT NULL, data_sha256 TEXT NOT NULL, device TEXT NOT NULL, dtype TEXT NOT NULL,
            headline TEXT NOT NULL, seeds INTEGER NOT NULL, created TEXT NOT NULL, plan TEXT NOT NULL
        ) STRICT;
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY, study_id TEXT NOT NULL REFERENCES studies(id) ON DELETE CASCADE,
            arm TEXT NOT NULL, variant TEXT NOT NULL, seed INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 0,
            iter INTEGER NOT NULL DEFAULT 0, max_iters INTEGER NOT NULL, train_loss REAL, val_loss REAL,
            eval_loss REAL, tokens_per_s REAL, seconds REAL NOT NULL DEFAULT 0, started TEXT, ended TEXT,
            message TEXT, reused_from TEXT, events_offset INTEGER NOT NULL DEFAULT 0,
            bad_lines INTEGER NOT NULL DEFAULT 0,
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
        """
    )


@migrations()
def m002_week(db: Any) -> None:
    """What the learner did and typed (until the journal, this was its only home)."""
    db.executescript(
        """
        CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated TEXT NOT NULL) STRICT;
        CREATE TABLE step_records (
            week TEXT NOT NULL, step_id TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, answer TEXT,
            done_at TEXT, updated TEXT NOT NULL, PRIMARY KEY (week, step_id)
        ) STRICT;
        CREATE TABLE part_times (
            week TEXT NOT NULL, part_id TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0, started TEXT,
            finished TEXT, updated TEXT NOT NULL, PRIMARY KEY (week, part_id)
        ) STRICT;
        CREATE TABLE predictions (
            id INTEGER PRIMARY KEY, week TEXT NOT NULL, variant TEXT NOT NULL, direction TEXT NOT NULL,
            size REAL, matters REAL, confidence REAL, reasoning TEXT, created TEXT NOT NULL, locked TEXT,
            locked_by TEXT, amends INTEGER REFERENCES predictions(id)
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
            id INTEGER PRIMARY KEY, week TEXT NOT NULL, title TEXT NOT NULL, path TEXT, url TEXT,
            published TEXT, updated TEXT NOT NULL
        ) STRICT;
        CREATE TABLE shares (
            post_id INTEGER NOT NULL REFERENCES posts(id) ON DELETE CASCADE, channel TEXT NOT NULL,
            url TEXT, shared TEXT NOT NULL, PRIMARY KEY (post_id, channel)
        ) STRICT;
        CREATE TABLE modifications (
            week TEXT PRIMARY KEY, variant TEXT NOT NULL, file TEXT, base TEXT, chosen TEXT NOT NULL
        ) STRICT;
        CREATE TABLE retros (
            week TEXT PRIMARY KEY, path TEXT NOT NULL, written TEXT NOT NULL, commit_sha TEXT
        ) STRICT;
        CREATE TABLE hints (
            week TEXT NOT NULL, variant TEXT NOT NULL, stage INTEGER NOT NULL, used TEXT NOT NULL,
            PRIMARY KEY (week, variant, stage)
        ) STRICT;
        """
    )


@migrations()
def m003_room(db: Any) -> None:
    """For thousands of studies: which plan a row was made from, and which runs are open, each found
    without a look at the file or at every run."""
    db.executescript(
        """
        ALTER TABLE studies ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
        CREATE INDEX open_runs ON runs (study_id) WHERE state NOT IN ('finished', 'diverged');
        """
    )


@migrations()
def m004_journal(db: Any) -> None:
    """The database became an index of the journal: everything in it can be made again."""


@migrations()
def m005_questions(db: Any) -> None:
    """Questions that were begun, studies that were deleted, and labels are acts of the journal."""
    db.executescript(
        """
        CREATE TABLE begun (
            id INTEGER PRIMARY KEY, study_id TEXT NOT NULL, created TEXT NOT NULL, at TEXT NOT NULL,
            plan TEXT
        ) STRICT;
        CREATE INDEX begun_studies ON begun (study_id, created);
        CREATE TABLE deleted (
            study_id TEXT NOT NULL, created TEXT NOT NULL, at TEXT NOT NULL, plan TEXT,
            runs TEXT NOT NULL, PRIMARY KEY (study_id, created)
        ) STRICT;
        CREATE TABLE labels (
            study_id TEXT PRIMARY KEY, note TEXT NOT NULL, tags TEXT NOT NULL
        ) STRICT;
        """
    )


@migrations()
def m006_gated(db: Any) -> None:
    """What a gate decided of a proposal is an act of the journal."""
    db.executescript(
        """
        CREATE TABLE gated (
            study_id TEXT NOT NULL, created TEXT NOT NULL, at TEXT NOT NULL, kept INTEGER NOT NULL,
            facts TEXT NOT NULL, PRIMARY KEY (study_id, created)
        ) STRICT;
        """
    )


@migrations()
def m007_evidence(db: Any) -> None:
    """What an act left behind, by which steps tick themselves, is a row."""
    db.executescript(
        """
        CREATE TABLE evidence (
            week TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL, variant TEXT NOT NULL,
            file TEXT, sha TEXT, facts TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (week, act, subject)
        ) STRICT;
        """
    )
