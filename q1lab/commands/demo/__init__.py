"""A first verdict in a minute: eight real pairs of runs, replayed, and judged as they come."""
