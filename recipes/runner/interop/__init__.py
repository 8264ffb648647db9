"""Results of this suite and of other tools, read as the scores of single items."""
