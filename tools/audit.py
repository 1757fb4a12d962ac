"""Look up what is installed for known vulnerabilities, with pip-audit in an environment of its own.

``make audit``; exit status 0 none known, 1 some are, 2 the index has no data on anything (a mirror,
say): then nothing was said either way. It asks the network, so it is run by hand, not by every CI
run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "pip-audit>=2.7,<3"]
        subprocess.run(install, check=True)
        audit = [python, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
        command = [*audit, "--path", sysconfig.get_path("purelib")]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(done.stderr.strip()[-2000:])
        return 2
    looked_at = [package for package in packages if "skip_reason" not in package]
    bad = [package for package in looked_at if package["vulns"]]
    for package in bad:
        for each in package["vulns"]:
            mended = ", ".join(each["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {each['id']}; mended in {mended}")
    print(f"{len(looked_at)} of {len(packages)} packages looked up, {len(bad)} with known faults")
    if not looked_at:
        print("this index has no data on vulnerabilities: nothing was said either way")
        return 2
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
