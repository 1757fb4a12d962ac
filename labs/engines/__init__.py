"""Programs that run next to the trainer on an engine outside this machine."""
