"""The trainers of a study, one module each: q1lab's own loop, and a command.

Each is found through `study.part_registry`, never by its name. They import the runner and below;
the code that plans what they train is in the planning room.
"""
