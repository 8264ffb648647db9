"""What a cell would cost before a model is loaded: FLOPs from the model's known shape and the text.

Token counts are estimated from the text (a tokenizer would have to be fetched), so FLOPs are good to about a third.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.data.example import Example, Instruction
from educe.data.formats.render import Prompt, answer_text, option_texts, render
from educe.eval.model.flops import Shape, Trained, answer_flops, forward_flops, generation_flops, training_flops
from educe.eval.prompting.prompts import resolve_format, style_of
from educe.recipes.method import Workload
from educe.recipes.runner.cell import Cell

BYTES_PER_TOKEN = 3.5
CHAT_TOKENS = 30  # what a chat template writes around one question
# Planned FLOPs per second of whole cells over the float32 matmul rate: kernels reach less, but training multiplies in
# bfloat16 and sharing saves more than is planned; see docs/log.md.
EFFICIENCY = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """FLOPs of one cell. Useful: to elicit (training and search), for one test answer, and for all of the cell.

    Executed: what its machine computes when shared prefixes are computed once.
    """

    elicitation_flops: float
    flops_per_answer: float
    total_flops: float
    executed_flops: float


def estimate(cell: Cell, workload: Workload, *, already: bool = False) -> Estimate | None:
    """A cell's FLOPs from the model's known shape; None where the shape is only known after loading.

    `already` says that an earlier cell made the same training.
    """
    if not workload.prompt_configs:  # it prompts no model
        return Estimate(elicitation_flops=0.0, flops_per_answer=0.0, total_flops=0.0, executed_flops=0.0)
    shape = cell.source.shape
    demonstrator = workload.demonstrator and workload.demonstrator.shape
    if shape is None or (workload.demonstrator and demonstrator is None):
        return None
    prompt_config = workload.prompt_configs[-1]
    style = style_of(prompt_config.template, kind=cell.source.kind)
    form = resolve_format(cell.task, prompt_config, style=style)
    shots = cell.recipe_task.draw("train", workload.shots, seed=cell.seed)
    sample = cell.items[:32]
    prompts = [render(item, form, style=style, shots=shots) for item in sample]
    shared = sum(_tokens(shot.question + answer_text(shot, form)) for shot in shots)
    shared += CHAT_TOKENS if style == "chat" else 0
    answer = _answer(shape, cell, prompts, sample)
    saved = forward_flops(shape, shared, scored=0)
    row = sum(map(_prompt_tokens, prompts)) // len(prompts)
    num_rows = 0 if already else workload.training_rows
    if workload.instructions:
        train = executed_train = num_rows * _instruction_flops(shape, workload.instructions)
    else:
        target = max(1, sum(_tokens(answer_text(item, form)) for item in sample) // len(sample))
        train = num_rows * training_flops(shape, row + target, scored=target, trained=Trained())
        executed_train = train * (1 - 0.85 * shared / (row + target))
    new_tokens = max(workload.generated_tokens, cell.task.max_new_tokens)
    search = workload.sampled_rows * generation_flops(shape, prompt_tokens=row, new_tokens=new_tokens)
    if demonstrator:
        search += workload.demonstrated_rows * _answer(demonstrator, cell, prompts, sample)
    written = 0.0
    if workload.generated_tokens:
        written = generation_flops(shape, prompt_tokens=row, new_tokens=workload.generated_tokens)
    answers = len(cell.items) * workload.prompts_per_item
    search += workload.scored_rows * answer
    return Estimate(
        elicitation_flops=train + search,
        flops_per_answer=workload.prompts_per_item * (answer + written),
        total_flops=train + search + answers * (answer + written),
        executed_flops=executed_train
        + search
        + answers * (answer + written)
        - (answers + workload.scored_rows) * saved,
    )


def _instruction_flops(shape: Shape, rows: Sequence[Instruction]) -> float:
    """Training on one of these, on average."""
    request = sum(_tokens(each.request) for each in rows) // len(rows) + CHAT_TOKENS
    response = max(1, sum(_tokens(each.response) for each in rows) // len(rows))
    return training_flops(shape, request + response, scored=response, trained=Trained())


def _answer(shape: Shape, cell: Cell, prompts: Sequence[Prompt], sample: Sequence[Example]) -> float:
    """The mean FLOPs of one answer to these prompts."""
    return sum(_answer_to(shape, cell, *each) for each in zip(prompts, sample, strict=True)) / len(sample)


def _answer_to(shape: Shape, cell: Cell, prompt: Prompt, item: Example) -> float:
    tokens = _prompt_tokens(prompt)
    if cell.task.kind == "generation":
        return generation_flops(shape, prompt_tokens=tokens, new_tokens=cell.task.max_new_tokens)
    options = [max(1, _tokens(text)) for text in option_texts(item, prompt.format)]
    return answer_flops(shape, prompt_tokens=tokens, option_tokens=options)


def _prompt_tokens(prompt: Prompt) -> int:
    return _tokens(prompt.text()) + (CHAT_TOKENS if prompt.style == "chat" else 0)


def _tokens(text: str) -> int:
    return round(len(text.encode()) / BYTES_PER_TOKEN)
