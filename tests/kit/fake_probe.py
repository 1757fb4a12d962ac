"""A probe without torch: answers as ``python -m labs.probe`` would on a plain CPU."""

import json
import sys

request = json.load(sys.stdin)
if request.get("device") in ("cuda", "mps"):
    json.dump({"error": f"no {request['device']} device here; there is: cpu"}, sys.stdout)
else:
    arm = {"n_params": 1000, "flops_per_token": 2000, "seconds_per_iter": 0.001}
    json.dump(
        {
            "device": "cpu",
            "dtype": "fp32" if request.get("dtype", "auto") == "auto" else request["dtype"],
            "torch": "0.0",
            "device_name": "cpu",
            "bf16": False,
            "arms": {name: dict(arm) for name in request.get("files", {})},
        },
        sys.stdout,
    )
