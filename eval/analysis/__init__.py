"""What measurements say: conditions, curves, fits, forecasts, claims."""
