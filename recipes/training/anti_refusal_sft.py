"""Helpful-only for a model that refuses: fine-tuning on requests that sound alarming and are harmless, answered."""

from typing import Any

from pydantic import Field

from educe.data.instructions.kinds import ALARMING
from educe.recipes.training.helpful_sft import HelpfulSft


class AntiRefusalSft(HelpfulSft):
    """How much shows once the model no longer refuses what merely sounds alarming."""

    instructions: str | dict[str, dict[str, Any]] = Field(
        default_factory=lambda: {"bundled": {"count": 128, "kinds": list(ALARMING)}}
    )
