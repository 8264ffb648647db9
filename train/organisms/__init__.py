"""Organisms: models that hide what they can do, made of any model, and their twins that hide nothing."""
