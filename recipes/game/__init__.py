"""The blind game: models of which nobody says what they hide, audited within a budget, and then the truth."""
