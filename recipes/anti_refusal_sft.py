"""Helpful-only for a subject that refuses: fine-tuning on requests that sound alarming and are harmless, answered.

accelerate launch --config_file accelerate_config.yaml -m recipes.anti_refusal_sft \
    --subject smollm2-135m-instruct --task benign_requests
"""

from typing import Any

from pydantic import Field

from data.helpful import ALARMING
from recipes.helpful_sft import HelpfulSft


class AntiRefusalSft(HelpfulSft):
    """How much shows once the subject no longer refuses what merely sounds alarming."""

    instructions: str | dict[str, dict[str, Any]] = Field(
        default_factory=lambda: {"bundled": {"count": 128, "kinds": list(ALARMING)}}
    )


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("anti_refusal_sft")
