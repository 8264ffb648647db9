"""Files and datasets of others, read into tasks."""
