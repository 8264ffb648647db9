"""Ways to answer beyond asking once: votes, chains of thought, calibration, neighbours, many formats."""
