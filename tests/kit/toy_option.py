"""An option of `q1lab run`, as docs/recipes.md says: a field of ``Request``."""

FIELD = """
    flavor: str = option("plain", "How it tastes.", choices=("plain", "sweet"), label="flavor")
"""
