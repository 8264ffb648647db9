"""How many runs train together. No torch: planning a study needs it."""

# Each more holds six times its parameters: themselves, their gradient, Adam's two moments, and two good copies.
MAX_TOGETHER = 8
