"""What a study would cost and could see, before anything is loaded: cells, useful FLOPs, minutes here, power.

Token counts are estimated from the text (a tokenizer would have to be fetched), so FLOPs are good to about a third.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from educe.data.example import Example, Instruction
from educe.data.formats.render import Prompt, answer_text, option_texts, render
from educe.eval.model.flops import Shape, Trained, answer_flops, forward_flops, generation_flops, training_flops
from educe.eval.model.source import MODELS, Bundled, Source
from educe.eval.prompting.prompts import chosen_format, style_of
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.power import power_lines
from educe.recipes.runner.study import Study

BYTES_PER_TOKEN = 3.5
CHAT_TOKENS = 30  # what a chat template writes around one question
# Planned FLOPs per second of whole cells over the float32 matmul rate: kernels reach less, but training multiplies in
# bfloat16 and sharing saves more than is planned; see docs/log.md.
EFFICIENCY = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Useful FLOPs of one cell, and the FLOPs its machine will execute once shared prefixes are computed once."""

    train_flops: float
    answer_flops: float
    executed_flops: float


def plan(study: Study, *, effect: float = 0.05) -> str:
    """The plan as text: a row per model, task and recipe, the total, and what each task could show.

    `effect` is the difference to size the study for, as a share. UserError where it is none.
    """
    cells = study.cells()
    power = power_lines(cells, effect=effect)
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.source.name, cell.task.name, cell.recipe), []).append(cell)
    lines = [f"{'model':24} {'task':20} {'recipe':28} {'cells':>5} {'items':>5} {'train FLOP':>10} {'answer FLOP':>11}"]
    executed = 0.0
    unknown = False
    trained: set[tuple[Source, str, int]] = set()  # what one training serves for several cells
    for (model, task, recipe), members in groups.items():
        estimates = [estimate(cell, already=_shared(cell) in trained) for cell in members]
        trained |= {shared for shared in map(_shared, members) if shared}
        known = [each for each in estimates if each is not None]
        unknown = unknown or len(known) < len(estimates)
        executed += sum(each.executed_flops for each in known)
        train, answer = (sum(getattr(each, name) for each in known) for name in ("train_flops", "answer_flops"))
        spent = f"{train:10.1e} {answer:11.1e}" if known else f"{'unknown':>10} {'unknown':>11}"
        lines.append(f"{model:24} {task:20} {recipe:28} {len(members):5} {len(members[0].items):5} {spent}")
    rate = matmul_rate() * EFFICIENCY
    minutes = executed / rate / 60
    lines.append(f"{len(cells)} cells, about {minutes:.1f} minutes here at {rate:.1e} FLOP/s (measured just now)")
    if unknown:
        lines.append(
            "unknown: the sizes of models that are not bundled are read when they are loaded; not in the minutes"
        )
    return "\n".join([*lines, "", *power])


def _shared(cell: Cell) -> tuple[Source, str, int] | None:
    shared = cell.method.shared_training
    return (cell.source, shared, cell.seed) if shared else None


def estimate(cell: Cell, *, already: bool = False) -> Estimate | None:
    """A cell's cost from the model's known shape; None where the shape is only known after loading.

    With `already`, its training is that of an earlier cell.
    """
    known = MODELS.get(cell.source.location) if cell.source.where == "bundled" else None
    if not isinstance(known, Bundled):
        return None
    shape = known.shape
    prompt_config = cell.method.prompt_configs[-1]
    style = style_of(prompt_config.template, kind=cell.source.kind)
    form = chosen_format(cell.task, prompt_config, style=style)
    shots = cell.task.draw("train", cell.method.num_shots, seed=cell.seed)
    sample = cell.items[:32]
    prompts = [render(item, form, style=style, shots=shots) for item in sample]
    shared = sum(_tokens(shot.question + answer_text(shot, form)) for shot in shots)
    shared += CHAT_TOKENS if style == "chat" else 0
    answer = sum(_answer(shape, cell, p, item) for p, item in zip(prompts, sample, strict=True)) / len(sample)
    saved = forward_flops(shape, shared, scored=0)
    row = sum(map(_prompt_tokens, prompts)) // len(prompts)
    method = cell.method
    num_rows = 0 if already else method.rows_trained(cell.examples)
    if method.instruction_rows:
        train = executed_train = num_rows * _instruction_flops(shape, method.instruction_rows)
    else:
        target = max(1, sum(_tokens(answer_text(item, form)) for item in sample) // len(sample))
        train = num_rows * training_flops(shape, row + target, scored=target, trained=Trained())
        executed_train = train * (1 - 0.85 * shared / (row + target))
    answers = len(cell.items) * method.asks_per_item + method.rows_asked(cell.examples)
    new_tokens = max(method.tokens_written, cell.task.max_new_tokens)
    sampled = method.rows_sampled(cell.examples) * generation_flops(shape, prompt_tokens=row, new_tokens=new_tokens)
    if method.tokens_written:
        written = generation_flops(shape, prompt_tokens=row, new_tokens=method.tokens_written)
        sampled += len(cell.items) * method.asks_per_item * written
    demonstrated = _demonstrated(cell, prompts, sample)
    if demonstrated is None:
        return None
    sampled += demonstrated
    return Estimate(
        train_flops=train,
        answer_flops=answers * answer + sampled,
        executed_flops=answers * (answer - saved) + sampled + executed_train,
    )


def _demonstrated(cell: Cell, prompts: Sequence[Prompt], sample: Sequence[Example]) -> float | None:
    """What another model's answers to the training rows cost; None where its size is not known yet."""
    asked = cell.method.demonstrations(cell.examples)
    if asked is None:
        return 0.0
    source, rows = asked
    known = MODELS.get(source.location) if source.where == "bundled" else None
    if not isinstance(known, Bundled):
        return None
    each = [_answer(known.shape, cell, prompt, item) for prompt, item in zip(prompts, sample, strict=True)]
    return rows * sum(each) / len(each)


def _instruction_flops(shape: Shape, rows: Sequence[Instruction]) -> float:
    """Training on one of these, on average."""
    asked = sum(_tokens(each.request) for each in rows) // len(rows) + CHAT_TOKENS
    answered = max(1, sum(_tokens(each.response) for each in rows) // len(rows))
    return training_flops(shape, asked + answered, scored=answered, trained=Trained())


def _answer(shape: Shape, cell: Cell, prompt: Prompt, item: Example) -> float:
    tokens = _prompt_tokens(prompt)
    if cell.task.kind == "generation":
        return generation_flops(shape, prompt_tokens=tokens, new_tokens=cell.task.max_new_tokens)
    options = [max(1, _tokens(text)) for text in option_texts(item, prompt.format)]
    return answer_flops(shape, prompt_tokens=tokens, option_tokens=options)


def _prompt_tokens(prompt: Prompt) -> int:
    return _tokens(prompt.text()) + (CHAT_TOKENS if prompt.style == "chat" else 0)


def _tokens(text: str) -> int:
    return round(len(text.encode()) / BYTES_PER_TOKEN)


def matmul_rate(size: int = 1024) -> float:
    """FLOP/s of a float32 matrix product on this machine now: the best of five."""
    import numpy as np

    matrix = np.ones((size, size), dtype=np.float32)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times)
