"""Runs from elsewhere: the bytes of a table or of a trainer's logs become arms, and are judged.

They know no study of this home.
"""
