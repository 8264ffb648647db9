"""Claims that measurements support, with their assumptions, or the reason for a refusal."""
