"""What is asked: a study's arms, seeds, design and presets, its files and the format of its events;
in ``own_model``, what the learner's model file was made from and its checks.

It imports the judgment and the ground.
"""
