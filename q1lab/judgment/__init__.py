"""The judge: numbers in, verdict out.

It knows no study, no index and no disk."""
