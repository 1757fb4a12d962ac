"""A viewer to be killed: takes in a study's events and ticks steps for as long as it lives, and
says on standard output which answers were acknowledged. ``fault_viewer.py STUDY FIRST``"""

from __future__ import annotations

import os
import sys

from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.week import progress

study = studies.load(sys.argv[1])
n = int(sys.argv[2])
with Store() as store:
    while True:
        ingest_events.ingest_study(store, study)
        progress.save_answer(store, "week", f"step-{n}", f"answer {n} {'é' * (n % 50)}")
        os.write(1, f"{n}\n".encode())
        n += 1
