"""Recipes that ask a model, one file each."""
