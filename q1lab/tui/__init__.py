"""The app. No other room imports textual.

A screen lays out sentences that the rooms below it have worded. This room imports the documents
and everything below them.
"""
