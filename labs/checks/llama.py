"""Llama: the checks of its parts, which a file has to pass together."""

PARTS = ("rmsnorm", "rope", "swiglu", "gqa")
