"""Model files: each one is complete, and reads from top to bottom.

`baseline` is a plain GPT-2 style decoder; each other file changes one piece of it, and `llama`
four. What a variant changes is the text difference between its file and the baseline's.
"""
