"""One pane a file. A widget gets plain values; none of them opens a file or the database."""
