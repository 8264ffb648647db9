"""Runs `python -m educe.recipes`, then says whether this process is still in the group of its launch."""

import torch

from educe.recipes.cli import launch

if __name__ == "__main__":
    launch()
    print(f"in the group: {torch.distributed.is_initialized()}")
