"""The command line in a process of its own, which counts the tokens that its models read.

python -m tests.recipes.counting COUNTS run study.yaml --out DIR --workers 1

One line in COUNTS is the forward of one batch.
"""

import os
import sys
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook

from tests.recipes.small import main_without_figures


def main(counts: str, arguments: list[str]) -> None:
    """Run the command; a forward is on the list before it begins."""
    number = os.open(counts, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def count(module: Any, given: tuple[Any, ...]) -> None:
        if type(module).__name__ == "Embedding":  # every forward reads its tokens once, and nothing else
            os.write(number, f"{given[0].numel()}\n".encode())

    register_module_forward_pre_hook(count)
    main_without_figures(arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
