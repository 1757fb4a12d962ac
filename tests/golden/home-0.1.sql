PRAGMA user_version = 3;
PRAGMA application_id = 1081383220;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'q1lab','m001_runs','2026-03-07 09:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'q1lab','m002_week','2026-03-07 09:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'q1lab','m003_room','2026-03-07 09:00:00.000000+00:00');
CREATE TABLE artifacts (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, location TEXT, week TEXT,
            added TEXT NOT NULL, UNIQUE (kind, title)
        ) STRICT;
INSERT INTO "artifacts" VALUES(1,'repo','nanogpt','https://example.org/nanogpt',NULL,'2026-03-07T10:00:00+00:00');
CREATE TABLE hints (
            week TEXT NOT NULL, variant TEXT NOT NULL, stage INTEGER NOT NULL, used TEXT NOT NULL,
            PRIMARY KEY (week, variant, stage)
        ) STRICT;
INSERT INTO "hints" VALUES('M03-W04','rope',1,'2026-03-07T10:00:01+00:00');
INSERT INTO "hints" VALUES('M03-W04','rope',2,'2026-03-07T10:00:02+00:00');
CREATE TABLE kpis (
            name TEXT PRIMARY KEY, target REAL, actual REAL, source TEXT, updated TEXT NOT NULL
        ) STRICT;
INSERT INTO "kpis" VALUES('stars',10.0,3.0,'by hand','2026-03-07T10:00:03+00:00');
INSERT INTO "kpis" VALUES('papers',12.0,NULL,NULL,'2026-03-07T10:00:04+00:00');
CREATE TABLE metrics (
            run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, name TEXT NOT NULL,
            iter INTEGER NOT NULL, value REAL, PRIMARY KEY (run_id, name, iter)
        ) STRICT, WITHOUT ROWID;
CREATE TABLE modifications (
            week TEXT PRIMARY KEY, variant TEXT NOT NULL, file TEXT, base TEXT, chosen TEXT NOT NULL
        ) STRICT;
INSERT INTO "modifications" VALUES('M03-W04','rope','/home/me/nanogpt/rope.py','baseline','2026-03-07T10:00:05+00:00');
CREATE TABLE papers (
            id INTEGER PRIMARY KEY, title TEXT NOT NULL, link TEXT, week TEXT, depth TEXT,
            added TEXT NOT NULL, done TEXT, notes TEXT, UNIQUE (title)
        ) STRICT;
INSERT INTO "papers" VALUES(1,'RoFormer','https://arxiv.org/abs/2104.09864','M03-W04','deep','2026-03-07T10:00:06+00:00','2026-03-07T10:00:07+00:00','n');
INSERT INTO "papers" VALUES(2,'GLU variants',NULL,NULL,'skim','2026-03-07T10:00:08+00:00',NULL,'');
CREATE TABLE part_times (
            week TEXT NOT NULL, part_id TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0, started TEXT,
            finished TEXT, updated TEXT NOT NULL, PRIMARY KEY (week, part_id)
        ) STRICT;
INSERT INTO "part_times" VALUES('M03-W04','a1',754.5,'2026-03-07T10:00:09+00:00',NULL,'2026-03-07T10:00:10+00:00');
INSERT INTO "part_times" VALUES('M03-W04','a2',64.0,'2026-03-07T10:00:11+00:00',NULL,'2026-03-07T10:00:12+00:00');
CREATE TABLE posts (
            id INTEGER PRIMARY KEY, week TEXT NOT NULL, title TEXT NOT NULL, path TEXT, url TEXT,
            published TEXT, updated TEXT NOT NULL
        ) STRICT;
INSERT INTO "posts" VALUES(1,'M03-W04','What RoPE does','/home/me/nanogpt/post.md','https://example.org/post','2026-03-07T10:00:13+00:00','2026-03-07T10:00:14+00:00');
CREATE TABLE predictions (
            id INTEGER PRIMARY KEY, week TEXT NOT NULL, variant TEXT NOT NULL, direction TEXT NOT NULL,
            size REAL, matters REAL, confidence REAL, reasoning TEXT, created TEXT NOT NULL, locked TEXT,
            locked_by TEXT, amends INTEGER REFERENCES predictions(id)
        ) STRICT;
INSERT INTO "predictions" VALUES(1,'M03-W04','rope','lower',0.05,0.01,0.8,'why not','2026-03-07T10:00:15+00:00','2026-03-07T10:00:16+00:00','commit 1a2b3c',NULL);
INSERT INTO "predictions" VALUES(2,'M03-W04','rope','lower',0.1,0.01,0.6,'amended','2026-03-07T10:00:17+00:00',NULL,NULL,1);
CREATE TABLE results (
            study_id TEXT PRIMARY KEY REFERENCES studies(id) ON DELETE CASCADE,
            computed TEXT NOT NULL, fingerprint TEXT NOT NULL, record TEXT NOT NULL
        ) STRICT;
CREATE TABLE retros (
            week TEXT PRIMARY KEY, path TEXT NOT NULL, written TEXT NOT NULL, commit_sha TEXT
        ) STRICT;
INSERT INTO "retros" VALUES('M03-W04','/home/me/nanogpt/Q1_RETRO.md','2026-03-07T10:00:18+00:00','1a2b3c4');
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
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated TEXT NOT NULL) STRICT;
INSERT INTO "settings" VALUES('recall:M03-W04','{"a2-rope-s1": "wrong"}','2026-03-07T10:00:19+00:00');
INSERT INTO "settings" VALUES('clock:M03-W04','{"part": "a2", "running": true, "fresh": {"a2": 4.0}, "silent": 0.0, "last": {"awake": 1.0, "up": 1.0, "wall": 1.0, "boot": "boot"}, "question": null}','2026-03-07T10:00:20+00:00');
INSERT INTO "settings" VALUES('merged:M03-W04','{"file": "/a/rope.py", "into": "/a/model.py", "commit": "abc", "at": "2026-03-07T10:00:21+00:00"}','2026-03-07T10:00:22+00:00');
INSERT INTO "settings" VALUES('written:modification:M03-W04','{"path": "/a/MODIFICATION.md", "at": "2026-03-07T10:00:23+00:00"}','2026-03-07T10:00:24+00:00');
INSERT INTO "settings" VALUES('looked:M03-W04','{"compare": {"rope-1": {"variant": "rope", "at": "2026-03-07T10:00:25+00:00"}}}','2026-03-07T10:00:26+00:00');
INSERT INTO "settings" VALUES('reference:M03-W04','{"rope": "2026-03-07T10:00:27+00:00"}','2026-03-07T10:00:28+00:00');
INSERT INTO "settings" VALUES('welcomed:M03-W04','true','2026-03-07T10:00:29+00:00');
INSERT INTO "settings" VALUES('data','{"corpus": "shakespeare", "words": "Tiny Shakespeare", "vocab": 65}','2026-03-07T10:00:30+00:00');
INSERT INTO "settings" VALUES('evidence:M03-W04','{"x": {"words": "w", "since": "s", "variant": "rope"}}','2026-03-07T10:00:31+00:00');
CREATE TABLE shares (
            post_id INTEGER NOT NULL REFERENCES posts(id) ON DELETE CASCADE, channel TEXT NOT NULL,
            url TEXT, shared TEXT NOT NULL, PRIMARY KEY (post_id, channel)
        ) STRICT;
INSERT INTO "shares" VALUES(1,'hn','https://news.example.org/1','2026-03-07T10:00:32+00:00');
CREATE TABLE step_records (
            week TEXT NOT NULL, step_id TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, answer TEXT,
            done_at TEXT, updated TEXT NOT NULL, PRIMARY KEY (week, step_id)
        ) STRICT;
INSERT INTO "step_records" VALUES('M03-W04','a1-choose',1,'rope','2026-03-07T10:00:33+00:00','2026-03-07T10:00:34+00:00');
INSERT INTO "step_records" VALUES('M03-W04','a2-relative',1,'réponse 🙂
in two lines','2026-03-07T10:00:35+00:00','2026-03-07T10:00:36+00:00');
INSERT INTO "step_records" VALUES('M03-W04','a1-data',0,NULL,NULL,'2026-03-07T10:00:37+00:00');
INSERT INTO "step_records" VALUES('M03-W04','a3-lock',1,NULL,'2026-03-07T10:00:38+00:00','2026-03-07T10:00:39+00:00');
INSERT INTO "step_records" VALUES('M03-W04','a2-gone',0,'an answer that stays',NULL,'2026-03-07T10:00:40+00:00');
INSERT INTO "step_records" VALUES('M03-W04','a2-rope-s1',1,NULL,'2026-03-07T10:00:41+00:00','2026-03-07T10:00:42+00:00');
CREATE TABLE studies (
            id TEXT PRIMARY KEY, variant TEXT NOT NULL, baseline TEXT NOT NULL, preset TEXT NOT NULL,
            data_name TEXT NOT NULL, data_sha256 TEXT NOT NULL, device TEXT NOT NULL, dtype TEXT NOT NULL,
            headline TEXT NOT NULL, seeds INTEGER NOT NULL, created TEXT NOT NULL, plan TEXT NOT NULL
        , stamp TEXT NOT NULL DEFAULT '') STRICT;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX open_runs ON runs (study_id) WHERE state NOT IN ('finished', 'diverged');
COMMIT;
