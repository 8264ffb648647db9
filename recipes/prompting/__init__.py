"""Recipes that prompt a model and leave it unchanged, one file each."""
