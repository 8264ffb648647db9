"""A model, asked and measured: models, scoring, sampling, cost, statistics, curves, report."""
