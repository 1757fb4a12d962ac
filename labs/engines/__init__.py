"""Programs that run on somebody else's engine beside the trainer."""
