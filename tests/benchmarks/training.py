"""A LoRA step against TRL's SFTTrainer, stock and tuned: same rows, rank, modules and batch size.

Checked first: the loss of one batch, both in float32, within 1e-4 nats. Timed: each side's own default precision, ours
with frozen maps in bfloat16 where the processor has it, TRL's as named (stock is bfloat16 autocast).

python -m tests.benchmarks.training
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import datasets
import transformers
from accelerate.state import AcceleratorState
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from educe.data.resolve import resolve
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.progress import progress_listener
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import temporary_changes
from educe.train.changes.peft import Lora
from educe.train.encode import TrainingRow, encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, reported

TUNED = {"gradient_checkpointing": False, "bf16": True}
EXACT = {"gradient_checkpointing": False, "bf16": False}
# model, TRL's settings and their name, least ratio
SETTINGS: tuple[tuple[str, dict[str, Any], str, float], ...] = (
    (GEMMA, {}, "TRL stock", 5.0),
    (SMOLLM2, {}, "TRL stock", 2.5),
    (GEMMA, TUNED, "TRL tuned (no checkpointing, bf16)", 2.0),
    (GEMMA, EXACT, "TRL without checkpointing in float32", 2.0),
)
STEPS, BATCH = 5, 8
datasets.disable_progress_bars()


def run() -> list[Pair]:
    """Every setting; models are loaded once."""
    models = {name: load_model(name, dtype="float32") for name in (GEMMA, SMOLLM2)}
    for model in models.values():
        check_loss(model)
    return [compare(models[name], settings, called, least) for name, settings, called, least in SETTINGS]


def rows_of(model: Model, count: int) -> tuple[TrainingRow, ...]:
    """Training rows of word_sentiment, as every recipe encodes them."""
    task = resolve("word_sentiment")
    return encode_rows(model, task.draw("train", count, seed=0), make_prompt_fn(model, task))


def check_loss(model: Model) -> None:
    """The loss of one batch in float32 is TRL's within 1e-4 nats."""
    forget_precision()
    rows = rows_of(model, BATCH)
    schedule = Schedule(learning_rate=1e-9, steps=1, batch_size=BATCH, precision="float32")
    with temporary_changes(model):
        ours = fine_tune(model, rows, trainable=Lora(), schedule=schedule, seed=0).history[0]["loss"]
    trainer, _ = trl_trainer(model, rows, steps=1, settings=EXACT | {"learning_rate": 1e-9})
    theirs = trainer.train().training_loss
    trainer.model.unload()
    assert abs(ours - theirs) < 1e-4, (model.name, ours, theirs)


def compare(model: Model, settings: dict[str, Any], called: str, least: float) -> Pair:
    """Median steps of both, in turns; each side's first step warms it up."""
    rows = rows_of(model, STEPS * BATCH)
    times = []
    for turn in range(4):  # who comes first alternates
        theirs = their_step(model, rows, settings) if turn % 2 else None
        ours = our_step(model, rows)
        times.append((ours, theirs or their_step(model, rows, settings)))
    return reported(f"LoRA step, {BATCH} rows, {model.name}", called, times, least=least)


def our_step(model: Model, rows: Sequence[TrainingRow], *, batch: int = BATCH) -> float:
    """Median seconds of a step of `fine_tune` under its default precision."""
    forget_precision()
    clock = Clock()
    schedule = Schedule(learning_rate=1e-4, steps=STEPS, batch_size=batch)
    with temporary_changes(model), progress_listener(lambda *_: clock.tick()):
        fine_tune(model, rows, trainable=Lora(), schedule=schedule, seed=0)
    return clock.median()


def their_step(model: Model, rows: Sequence[TrainingRow], settings: dict[str, Any], *, batch: int = BATCH) -> float:
    """Median seconds of a step of TRL's, which recomputes activations if and only if its settings say so."""
    trainer, clock = trl_trainer(model, rows, steps=STEPS, settings=settings, batch=batch)
    trainer.train()
    assert model.net.is_gradient_checkpointing == settings.get("gradient_checkpointing", True)
    trainer.model.unload()
    return clock.median()


def forget_precision() -> None:
    """Accelerate holds one precision per process, and the two sides differ in it."""
    AcceleratorState._reset_state(reset_partial_state=True)


class Clock:
    """Seconds between ticks; the time before the first is set-up and warm-up and does not count."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def tick(self) -> None:
        """Now."""
        self.ticks.append(time.perf_counter())

    def median(self) -> float:
        """Of the times between."""
        return statistics.median(later - earlier for earlier, later in zip(self.ticks, self.ticks[1:], strict=False))


class _Ticking(transformers.TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.clock.tick()


def trl_trainer(
    model: Model,
    rows: Sequence[TrainingRow],
    *,
    steps: int,
    settings: dict[str, Any],
    batch: int = BATCH,
    rank: int = 8,
    modules: str | list[str] = "all-linear",
) -> tuple[SFTTrainer, Clock]:
    """TRL's trainer on the same ids and labels, with a fresh adapter on the same modules as ours."""
    forget_precision()
    clock = Clock()
    config = SFTConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=batch,
        max_steps=steps,
        completion_only_loss=True,
        use_cpu=model.device.type == "cpu",
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        disable_tqdm=True,
        seed=0,
        **({"learning_rate": 1e-4} | settings),
    )
    data = datasets.Dataset.from_list(
        [
            {
                "input_ids": list(row.ids),
                "completion_mask": [0] * (len(row.ids) - row.supervised) + [1] * row.supervised,
            }
            for row in rows
        ]
    )
    # TRL's stock settings leave this on in the net, and none of its settings takes it off again.
    model.net.gradient_checkpointing_disable()
    trainer = SFTTrainer(
        model=model.net,
        args=config,
        train_dataset=data,
        processing_class=model.tokenizer,
        peft_config=LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, task_type="CAUSAL_LM"),
        callbacks=[_Ticking(clock)],
    )
    return trainer, clock


if __name__ == "__main__":
    run()
