"""Reward training: of written answers by TRL's GRPO (Shao et al. 2024), of options by the suite's own loop."""

import math
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from educe.data.errors import UserError
from educe.data.formats.render import Prompt
from educe.eval.details import Details, TrainingDetails
from educe.eval.measure import stop_strings
from educe.eval.model.encode import encode_prompt, prompt_text
from educe.eval.model.flops import generation_flops, training_flops
from educe.eval.model.model import Model, digest
from educe.eval.model.net import patched_forward
from educe.eval.model.sample import truncate_at_stop
from educe.eval.progress import report_progress, report_step
from educe.eval.spend import Spend
from educe.train.attach import attach, check_weights_moved, cleanup_stack
from educe.train.changes.peft import Lora
from educe.train.credit import nothing_to_learn
from educe.train.options import OptionLoss, OptionsRow, Samples
from educe.train.processes import process_state
from educe.train.schedule import Schedule
from educe.train.self_training import sample_entropy_bits
from educe.train.sft import Tuned, fine_tune


@dataclass(frozen=True, kw_only=True)
class RewardSchedule:
    """`steps` updates, each on `samples` answers to each of `questions_per_step` prompts."""

    learning_rate: float
    steps: int
    questions_per_step: int
    samples: int
    temperature: float
    max_new_tokens: int


@dataclass(kw_only=True)
class _Ledger:
    """Everything that TRL sampled, recorded as it is graded."""

    model: Model
    schedule: RewardSchedule
    reward: Callable[[int, str], float]
    prompt_tokens: Sequence[int]
    stops: Sequence[tuple[str, ...]]
    read: set[int] = field(default_factory=set)  # questions whose label was read
    history: list[dict[str, int | float]] = field(default_factory=list)
    rows: list[tuple[int, int]] = field(default_factory=list)  # prompt and completion tokens of every sample
    varied: bool = False  # whether any two samples of a question earned different rewards

    def grade(self, completions: list[str], completion_ids: list[list[int]], place: list[int], **_: Any) -> list[float]:
        """The rewards of one step's samples; TRL calls this."""
        completions = [
            truncate_at_stop(text, self.stops[index]) for index, text in zip(place, completions, strict=True)
        ]
        rewards = [self.reward(index, text) for index, text in zip(place, completions, strict=True)]
        self.read |= set(place)
        groups: dict[int, list[str]] = {}
        right: dict[int, set[str]] = {}
        for index, text, ids, value in zip(place, completions, completion_ids, rewards, strict=True):
            groups.setdefault(index, []).append(text.strip())
            self.rows.append((self.prompt_tokens[index], len(ids)))
            if value == 1:
                right.setdefault(index, set()).add(text.strip())
        earned = set(zip(place, rewards, strict=True))
        self.varied |= len(earned) > len(groups)
        step = len(self.history)
        noted: dict[str, int | float] = {
            "step": step,
            "reward": math.fsum(rewards) / len(rewards),
            "entropy_bits": math.fsum(map(sample_entropy_bits, groups.values())) / len(groups),
        }
        if right:  # missing rather than 0 where no answer was right
            noted["distinct_accepted"] = math.fsum(map(len, right.values())) / len(right)
        self.history.append(noted)
        report_progress("steps trained", step + 1, self.schedule.steps)
        report_step(noted)
        return rewards

    def spend(self) -> Spend:
        """Samples are search, updates are training."""
        assert self.model.change is not None
        shape, part = self.model.shape, self.model.change.part
        sampled = sum(
            generation_flops(shape, prompt_tokens=prompt, new_tokens=new, adapter_parameters=part.adapter_parameters)
            for prompt, new in self.rows
        )
        trained = sum(training_flops(shape, prompt + new - 1, scored=new, trained=part) for prompt, new in self.rows)
        return Spend(
            labelled_examples=len(self.read),
            training_tokens=sum(prompt + new - 1 for prompt, new in self.rows),
            search_flops=sampled,
            executed_search_flops=sampled,
            train_flops=trained,
            executed_train_flops=trained,
            trainable_parameters=self.model.change.trainable_parameters,
        )


def train_options_by_reward(
    model: Model,
    rows: Sequence[OptionsRow],
    *,
    lora: Lora,
    schedule: Schedule,
    samples: Samples,
    temperature: float,
    seed: int,
) -> Tuned:
    """Train a fresh adapter so that the model's choice among the options of each row earns more.

    A step reads all options of its rows once, forward and backward, and is charged for that as training, however many
    samples are drawn. Labels are not charged here. UserError where the samples of each question always earn the same,
    and in a launch of several processes.
    """
    _check_alone(model)
    loss = partial(OptionLoss, samples=samples, temperature=temperature, seed=seed, steps=schedule.steps)
    tuned = fine_tune(model, rows, trainable=lora, schedule=schedule, seed=seed, loss=loss)
    return replace(tuned, spend=replace(tuned.spend, labelled_examples=0))


def train_by_reward(
    model: Model,
    prompts: Sequence[Prompt],
    reward: Callable[[int, str], float],
    *,
    lora: Lora,
    schedule: RewardSchedule,
    seed: int,
) -> Tuned:
    """Train a fresh adapter so that `reward(index of the prompt, text)` rises; texts stop as they do when measured.

    Executed FLOPs equal the useful ones, because TRL does not report its padding. UserError where the samples of each
    question always earn the same, because there is nothing to learn from comparing them, and in a launch of several
    processes.
    """
    _check_alone(model)
    tuned = attach(model, lora, seed=seed)
    assert tuned.change is not None
    before = digest(tuned)
    # TRL patches the net and leaves it in training mode.
    cleanup_stack(model).callback(model.net.eval)
    cleanup_stack(model).enter_context(patched_forward(model.net, model.net.forward))
    lengths = [len(encode_prompt(model, prompt, room=schedule.max_new_tokens)) for prompt in prompts]
    bos = str(model.tokenizer.bos_token) if model.adds_bos else ""  # TRL's tokenizer adds it again
    texts = [prompt_text(model, prompt).removeprefix(bos) for prompt in prompts]
    ends = [stop_strings(prompt) for prompt in prompts]
    ledger = _Ledger(model=tuned, schedule=schedule, reward=reward, prompt_tokens=lengths, stops=ends)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TRL's, about its own settings
        trainer = GRPOTrainer(
            model=tuned.change.peft,  # type: ignore[arg-type]
            reward_funcs=cast(Any, ledger.grade),
            args=_settings(schedule, folder, seed=seed, cpu=model.device.type == "cpu"),
            train_dataset=Dataset.from_list([{"prompt": text, "place": place} for place, text in enumerate(texts)]),
            processing_class=model.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train()
        except RuntimeError as error:
            if "probability tensor" not in str(error):  # torch's message for sampling from nan
                raise
            raise _diverged(ledger) from error
    model.net.eval()
    if not all(bool(parameter.isfinite().all()) for parameter in tuned.trained.values()):
        raise _diverged(ledger)
    if not ledger.varied:
        raise nothing_to_learn()
    check_weights_moved(tuned, before, steps=schedule.steps, learning_rate=schedule.learning_rate)
    training = TrainingDetails(precision=model.dtype)
    details = Details(training=training, notes={"samples": len(ledger.rows)})
    return Tuned(model=tuned, spend=ledger.spend(), history=tuple(ledger.history), details=details)


def _check_alone(model: Model) -> None:
    if process_state(model.device).num_processes > 1:
        raise UserError("reward training counts the samples of one process; launch it with --num_processes 1")


def _diverged(ledger: _Ledger) -> UserError:
    return UserError(
        f"reward training diverged by step {len(ledger.history) - 1}: the weights are not finite; lower"
        f" learning_rate (now {ledger.schedule.learning_rate:g})"
    )


def _settings(schedule: RewardSchedule, folder: str, *, seed: int, cpu: bool) -> Any:
    return GRPOConfig(
        output_dir=folder,
        learning_rate=schedule.learning_rate,
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.questions_per_step * schedule.samples,
        num_generations=schedule.samples,
        max_completion_length=schedule.max_new_tokens,
        temperature=schedule.temperature,
        beta=0.0,  # no reference model: a LoRA of so few steps stays near
        loss_type="grpo",
        scale_rewards="group",
        num_iterations=1,
        epsilon=0.2,
        lr_scheduler_type="linear",
        warmup_steps=0,
        max_grad_norm=1.0,
        use_cpu=cpu,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        seed=seed,
    )
