"""Follows program.md to the letter, in place of an agent: prints what it read and what was kept."""

import json
import re
import subprocess
from pathlib import Path

GATE = ["q1lab", "gate", "study.toml", "--budget", "tonight", "--json"]
GO_ON = (11, 3, 130)

ideas = re.findall(r"`(--\w+=[\w.-]+)`", Path("program.md").read_text().rpartition("Ideas:")[2])
kept = ""
for number, idea in enumerate(ideas, 1):
    option = idea.partition("=")[0]
    others = [word for word in kept.split() if not word.startswith(f"{option}=")]
    arm = f"idea-{number}={' '.join([*others, idea])}"
    while True:
        done = subprocess.run([*GATE, "--arm", arm], capture_output=True, text=True)
        if done.returncode not in GO_ON:
            break
    answer = json.loads(done.stdout)
    if done.returncode not in (0, 10):
        raise SystemExit(f"{answer['what']}: {answer['next']}")
    kept = answer["baseline_args"]
    gain = f" {answer['difference']:+.3f}" if "difference" in answer else ""
    print(
        f"{arm}: {answer['decision']}{gain}, {answer['runs']} runs; baseline {kept or 'as it was'}"
    )
print(f"{answer['looks']['used']} of {answer['looks']['of']} looks spent")
