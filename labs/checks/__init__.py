"""Property checks of a model file: what must be true of it, whatever names its author chose.

`python -m labs.checks FILE [--for rope] [--json]` runs them. The checks watch what a model does:
they perturb its input, read attention weights off its output, and look at the operands of the
products and softmaxes that it calls. A convention that leaves the function right (which pairs RoPE
turns, which half of a fused projection is the gate) is named and passes.

    suite.py     the order of the checks, and how one is run and timed
    probe.py     building models of a file, and watching one run
    generic.py   what every model file must do
    rope.py, rmsnorm.py, swiglu.py, gqa.py   what each modification must do
    __main__.py  the process that q1lab starts: limits, streams, exit codes
"""
