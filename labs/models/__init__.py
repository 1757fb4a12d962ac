"""Model files: each one is complete, and reads from top to bottom.

`baseline` is a plain GPT-2 style decoder; `rmsnorm`, `rope`, `swiglu` and `gqa` change one piece of
it, and `llama` changes all four. What a variant changes is the text difference between its file and
the baseline's.
"""
