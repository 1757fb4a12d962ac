"""The judge: numbers in, a verdict out, with its words, figure, picture and page.

It knows no study, no index and no disk."""
