"""The judge: numbers in, a verdict out, with its statistics, sentences, figures and page; in
``tables``, the tables and logs of outside runs.

It knows no study and no home, and loads without the rooms above it. It imports the ground.
"""
