"""Claims: what measurements carry, each one sentence with its assumptions, or why it is not claimed."""
