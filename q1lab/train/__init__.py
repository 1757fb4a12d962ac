"""From a request to runs: plans a study, starts its trainings, watches and stops them; in
``weights_and_biases``, what is sent to W&B.

It imports the journal and below, and doesn't know the week.
"""
