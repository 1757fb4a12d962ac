"""The designs of a study, one module each: which runs count, and when the study is over.

Each is found through `study.part_registry`, never by its name. They import the study room and
below.
"""
