"""A model: loading, identity, forward passes, sampling, FLOPs and memory."""
