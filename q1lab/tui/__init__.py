"""The app. No other room imports textual.

A screen lays out what the rooms below it have worded. It imports the documents and below.
"""
