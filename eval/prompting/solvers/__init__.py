"""Solvers: functions from a model, a task, a prompt function and items to outcomes and their cost."""
