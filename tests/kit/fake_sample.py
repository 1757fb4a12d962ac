"""A sampler without torch: both models write the same word and the passage's number, then their own
arm's name."""

import json
import sys

request = json.load(sys.stdin)
numbers = range(request["first"], request["first"] + request["passages"])
passages = {arm: [f"verily {number} says {arm}" for number in numbers] for arm in request["files"]}
json.dump({"prompts": ["A line"] * len(numbers), "passages": passages}, sys.stdout)
