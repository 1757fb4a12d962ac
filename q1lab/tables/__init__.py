"""Tables of numbers from elsewhere: the bytes of a CSV or a JSON become two arms, and are judged.

They know no study of this home.
"""
