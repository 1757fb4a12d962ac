"""Plug-ins: a folder each, all of one feature. The core reaches them through ground/hooks.py."""
