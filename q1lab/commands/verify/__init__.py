"""A stranger's check of a bundle: files, journal, claim, and runs that are trained again."""
