"""The processes that train a study: launch, runner, child processes, engines.

It imports the study room and below.
"""
