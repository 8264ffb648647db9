"""Copies of a run for W&B, trackio and TensorBoard, while its cells train. They are never read back."""
