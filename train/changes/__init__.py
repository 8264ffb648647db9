"""What of a model may train, one file a kind, from a single number to every weight."""
