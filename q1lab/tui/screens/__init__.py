"""One screen a file: each a subclass of base.Page, fed by the app's one snapshot."""
