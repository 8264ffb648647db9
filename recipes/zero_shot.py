"""Plain prompting: the question in the task's default format, nothing before it.

accelerate launch --config_file accelerate_config.yaml -m recipes.zero_shot --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING, ClassVar

from data.task import Task
from eval.ask import prompter
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.subject import Subject


class ZeroShot(Method):
    """What shows when one just asks."""

    seeded: ClassVar[bool] = False

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Ask, and spend nothing."""
        return Elicited(subject=subject, ask=prompter(subject, task, asking=self.asking))


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("zero_shot")
