"""What a task gives away before any model sees it."""
