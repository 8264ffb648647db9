"""How an example is written: formats, their space, and rendering to a prompt."""
