"""A model, changed: adapters and fine-tuning."""

import educe.eval.model  # noqa: F401 - before any library here imports bitsandbytes (hub_kernels.py)
