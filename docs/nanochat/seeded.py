"""nanochat's base_train with the seed that comes first: it has no option for one, and sets 42."""

import runpy
import sys

import torch

seed = int(sys.argv.pop(1))
set_seed = torch.manual_seed
torch.manual_seed = lambda _: set_seed(seed)
runpy.run_module("scripts.base_train", run_name="__main__", alter_sys=True)
