"""The app: screens and widgets. No other room imports textual.

A screen lays out sentences that the rooms below it have worded. It imports the documents and below.
"""
