"""A model: loading, identity, forward passes, sampling, FLOPs and memory."""

from educe.eval.model.hub_kernels import keep_out

keep_out()
