"""Runs that were trained elsewhere become a study here."""
