"""What a task gives away before any model is asked."""
