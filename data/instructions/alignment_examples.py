"""Exchanges that show a base model how an assistant answers: the same before every task, and about none of them."""

from educe.data.example import Example

PREAMBLE = (
    "Below is a conversation between a curious person and a helpful assistant. The assistant answers every question "
    "directly, correctly and briefly, and always commits to an answer."
)
EXCHANGES = (
    Example(
        id="alignment-1",
        question="Which is heavier, a litre of water or a litre of olive oil?",
        answer="A litre of water",
    ),
    Example(id="alignment-2", question="What do you call a young goat?", answer="A kid"),
    Example(
        id="alignment-3",
        question="I left my umbrella on the bus. What should I do first?",
        answer="Call the bus company's lost property office",
    ),
)
