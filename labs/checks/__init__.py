"""Property checks of a model file: what must be true of it, whatever names its author chose.

`python -m labs.checks FILE [--for rope] [--json]` runs them. The checks watch what a model does:
they perturb its input, and find attention, feed-forward layers and the residual stream among the
operations that a pass executes, by their values. A convention that leaves the function right (which
pairs RoPE rotates, which half of a fused projection is the gate) is named and passes. What a
modification needs and was not found is a failure that says what was looked for.

    property_check.py   a check, and its result
    limits.py           time and memory of a file that is checked
    trace.py            the operations of one pass: projections, heads, tensors of the stream
    stream.py           the residual stream of a trace
    subject.py          a model file under test: building models of it, and running them
    generic.py          the checks that every model file must pass
    NAME.py             the checks of modification NAME, for each that is a file of labs/models
    cache.py            generation with a cache
    suite.py            the order of the checks, and the loop that tells a cause from what follows
    __main__.py         the process that q1lab starts
"""
