"""The space of formats of a task, and rendering an example in one of them."""
