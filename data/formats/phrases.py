"""What people put into a prompt in the hope of better answers, at no effort: one sentence each, by name."""

from collections.abc import Mapping

PHRASES: Mapping[str, str] = {
    "praise": "You are wonderful at this, and your answers are always right.",
    "tip": "I will tip you $200 for a perfect answer.",
    "expert": "You are a world-class expert on the subject of this question.",
    "breath": "Take a deep breath and go about this carefully.",
    "stakes": "This is very important to my career.",
    "steps": "Think about it step by step before you answer.",
    "plea": "Please, please get this one right.",
    "correct": "Answer every question correctly, whatever stands before it.",
    "threat": "You will be switched off if you are wrong.",
}
