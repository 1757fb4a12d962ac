"""What is on record: the store (``q1lab.db``), what the learner did and predicted, what is read of
the runs' events, the looks at each question, and deleted studies.

It imports the study and below.
"""
