"""Answers that are written out, greedily or drawn: what a subject says, beside which option it finds likeliest."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.example import Example
from data.grade import named_choice
from data.render import option_texts
from data.task import Task
from eval.ask import Prompter
from eval.encode import encode_prompt
from eval.measure import Answers, stops
from eval.measurement import Outcome
from eval.sample import generate
from eval.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Written:
    """Every item is answered, at a `temperature` (0 is greedy), drawn with the seed.

    At most `tokens` tokens are written where the task has no limit of its own. A multiple-choice answer is the option
    that the text names, by its text or its label; a text that names none is wrong, and the share of texts that do name
    one is recorded.
    """

    temperature: float = 0.0
    tokens: int = 16
    seed: int = 0

    def __call__(self, subject: Subject, task: Task, ask: Prompter, items: Sequence[Example]) -> Answers:
        """Write, then grade."""
        prompts = [ask(item) for item in items]
        tokens = self.tokens if task.kind == "choice" else task.max_new_tokens
        samples = generate(
            subject,
            [encode_prompt(subject, prompt, room=tokens) for prompt in prompts],
            max_new_tokens=tokens,
            stops=stops(prompts[0]),
            temperature=self.temperature,
            seed=self.seed,
        )
        outcomes = []
        for item, prompt, text in zip(items, prompts, samples.texts, strict=True):
            if task.grade is not None:
                outcomes.append(_outcome(item, task.grade(item, text), text))
                continue
            labels = option_texts(item, prompt.format) if prompt.format.answer_as == "letter" else ()
            picked = named_choice(item.choices, text, labels=labels)
            outcomes.append(_outcome(item, float(picked == item.answer), text, picked))
        named = {"named_an_option": sum(outcome.picked is not None for outcome in outcomes) / len(outcomes)}
        how = "written" if self.temperature == 0 else f"drawn at temperature {self.temperature:g}"
        return Answers(
            outcomes=tuple(outcomes),
            metric=f"{task.grade.__name__.replace('_', ' ') if task.grade else 'accuracy'} ({how})",
            flops_per_answer=samples.flops / len(items),
            executed_flops_per_answer=samples.executed_flops / len(items),
            about={} if task.grade else named,
        )


def _outcome(item: Example, score: float, text: str, picked: str | None = None) -> Outcome:
    return Outcome(id=item.id, cluster=item.cluster, score=score, answer=item.answer, picked=picked, text=text)
