"""Statistics: intervals, comparisons, tests, power. Pure arithmetic, the same answer every time it is asked."""
