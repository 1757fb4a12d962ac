"""A probe without torch: answers as ``python -m labs.probe`` would on a plain CPU. A file with an
``n_hidden`` has as many parameters more."""

import json
import sys
from pathlib import Path


def n_params(file: str) -> int:
    fewer = (
        200 - request["config"].get("n_hidden", 0) if "n_hidden" in Path(file).read_text() else 0
    )
    return 1000 - fewer


request = json.load(sys.stdin)
if request.get("device") in ("cuda", "mps"):
    json.dump({"error": f"no {request['device']} device here; there is: cpu"}, sys.stdout)
else:
    arm = {"flops_per_token": 2000, "seconds_per_iter": 0.001}
    json.dump(
        {
            "device": "cpu",
            "dtype": "fp32" if request.get("dtype", "auto") == "auto" else request["dtype"],
            "torch": "0.0",
            "device_name": "cpu",
            "bf16": False,
            "arms": {
                name: {"n_params": n_params(file), **arm}
                for name, file in request.get("files", {}).items()
            },
        },
        sys.stdout,
    )
