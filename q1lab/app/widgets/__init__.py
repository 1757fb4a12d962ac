"""One widget per file. A widget gets plain values; none opens a file or the database."""
