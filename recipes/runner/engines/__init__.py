"""Engines: where the workers of a run are started. What they do, and in which order, is the pool's."""
