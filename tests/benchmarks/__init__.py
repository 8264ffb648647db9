"""Paired speed comparisons: correctness first, then both sides in turns in one process, medians and ratios."""
