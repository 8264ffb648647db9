"""Statistics: intervals, comparisons, tests and power."""
