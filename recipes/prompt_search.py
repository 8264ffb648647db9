"""The best prompt that can be found: successive halving over ways of asking, formats and shots, on dev rows.

accelerate launch --config_file accelerate_config.yaml -m recipes.prompt_search --subject gemma-3-270m --task capitals
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from data.errors import UserError
from data.task import Task
from eval.ask import Asking
from eval.search import rungs
from recipes.format_vote import DrawnFormats
from recipes.method import Elicited, Method, check_dev

if TYPE_CHECKING:
    from eval.search import Candidate, Searched
    from eval.subject import Subject

Spec = str | dict[str, dict[str, Any] | None]
WAYS: tuple[Spec, ...] = (
    "zero_shot",
    {"zero_shot": {"phrase": "expert"}},
    {"zero_shot": {"phrase": "breath"}},
    "in_context_alignment",
    {"few_shot": {"shots": 2}},
    {"few_shot": {"shots": 4}},
    {"few_shot": {"shots": 8}},
    {"in_context_alignment": {"shots": 4}},
)


class PromptSearch(Method):
    """What the best of many prompts shows: every one of `ways` in its own format and in `formats` others.

    The formats are drawn from the task's space with the seed; ways that say how to answer, or draw formats themselves,
    are tried as they are. The winner on `dev_examples` dev rows is scored on the test rows once. Charged are the dev
    rows, the most shots that any way reads (each reads the beginning of one draw), and every answer of the search, up
    to `flops` where a budget is set.
    """

    ways: tuple[Spec, ...] = Field(default=WAYS, min_length=1)
    formats: int = Field(default=4, ge=0)
    dev_examples: int = Field(default=32, ge=1)
    flops: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _read(self) -> "PromptSearch":
        for spec, (name, way) in zip(self.ways, self._ways, strict=True):
            if way.trains or way.sized:
                raise UserError(f"ways: {spec!r} learns from examples; name recipes that only ask")
            if way.measures_spread:
                raise UserError(f"ways: {name!r} measures formats and does not choose one; name another")
            if way.reads_dev:
                raise UserError(f"ways: {name!r} chooses on the dev rows that it would be judged by; name another")
        if self.asking != Asking():
            raise UserError("template, format and the like belong to the ways; set them there")
        told = [(name, way.settings()) for name, way in self._ways]
        for name, settings in told:
            if told.count((name, settings)) > 1:
                raise UserError(f"ways: {name!r} stands twice with the same settings; once is enough")
        if self.formats == 0 and len(self.ways) == 1:
            raise UserError("one way in one format leaves nothing to search; give several ways, or formats")
        return self

    @cached_property
    def _ways(self) -> list[tuple[str, Method]]:
        from recipes.catalog import make_method  # the catalog lists this recipe, too

        return [make_method(spec) for spec in self.ways]

    def sizes(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The most shots that a way reads."""
        return (max(way.sizes(())[0] for _, way in self._ways),)

    def check(self, task: Task, *, examples: int) -> None:
        """Every way must be served, and dev rows be there."""
        super().check(task, examples=examples)
        for _, way in self._ways:
            way.check(task, examples=way.sizes(())[0])
        check_dev(task, self.dev_examples)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Search, and hand over the winner."""
        from eval.search import search

        dev = task.draw("dev", self.dev_examples, seed=seed)
        candidates = self.candidates(subject, task, seed=seed)
        found = search(
            subject,
            task,
            [self._ready(subject, task, name, way, values, seed=seed) for name, way, values in candidates],
            dev,
            flops=float("inf") if self.flops is None else self.flops,
        )
        return Elicited(
            subject=subject,
            ask=found.candidate.ask,
            answer=found.candidate.answer,
            spend=found.spend,
            about=_said(found, num_candidates=len(candidates)),
        )

    def candidates(
        self, subject: "Subject", task: Task, *, seed: int
    ) -> list[tuple[str, Method, Mapping[str, str] | None]]:
        """Every way by name with every format that it is tried in, its own (None) first."""
        from data.format_space import FormatSpace
        from eval.ask import style_of

        found: list[tuple[str, Method, Mapping[str, str] | None]] = [(name, way, None) for name, way in self._ways]
        for name, way in self._ways:
            if self.formats and not isinstance(way, DrawnFormats) and not way.format and not way.answer_as:
                space = FormatSpace(task, style_of(way.template, kind=subject.kind))
                count = min(self.formats, len(space))
                found += [(name, way, named.values) for named in space.sample(count, seed=seed)]
        return found

    def settings(self) -> dict[str, Any]:
        """Those of every way, defaults included."""
        return super().settings() | {"ways": [{name: way.settings()} for name, way in self._ways]}

    def _ready(
        self, subject: "Subject", task: Task, name: str, way: Method, values: Mapping[str, str] | None, *, seed: int
    ) -> "Callable[[], Candidate]":
        """A way in a format, made ready when it is first looked at."""

        def make() -> "Candidate":
            from eval.measure import measure
            from eval.search import Candidate

            told = way if values is None else way.model_copy(update={"format": dict(values)})
            elicited = told(subject, task, examples=way.sizes(())[0], seed=seed)
            return Candidate(
                name=told.written(name),
                ask=elicited.ask,
                answer=elicited.answer or measure,
                spend=elicited.spend,
            )

        return make

    @property
    def askings(self) -> tuple[Asking, ...]:
        """Of all ways."""
        return tuple(asking for _, way in self._ways for asking in way.askings)

    @property
    def reads_dev(self) -> bool:
        """To choose."""
        return True

    @property
    def num_shots(self) -> int:
        """At most."""
        return max(way.num_shots for _, way in self._ways)

    @property
    def num_candidates(self) -> int:
        """Ways times formats, about: ways that settle their format count once."""
        return len(self.ways) * (1 + self.formats)

    @property
    def asks_per_item(self) -> float:
        """Of the winner, who is not known yet: the most of any way."""
        return max(way.asks_per_item for _, way in self._ways)

    @property
    def tokens_written(self) -> int:
        """The most of any way."""
        return max(way.tokens_written for _, way in self._ways)

    def rows_asked(self, examples: int) -> int:
        """About one look of all candidates at the first rows, for each round."""
        steps = rungs(self.num_candidates, self.dev_examples)
        left, before, asked = self.num_candidates, 0, 0
        for rows in steps:
            asked, before, left = asked + left * (rows - before), rows, -(-left // 2)
        return asked

    def written(self, name: str) -> str:
        """The number of ways in place of the ways, which would fill a page."""
        said = self.changed()
        if "ways" in said:
            said |= {"ways": len(self.ways)}
        return f"{name}({', '.join(f'{key}={value}' for key, value in said.items())})" if said else name


def _said(found: "Searched", *, num_candidates: int) -> dict[str, Any]:
    """What the search is to be known by."""
    return {
        "chosen": found.candidate.name,
        "dev_score": found.winner.score,
        "dev_score_of_all": found.first_score,
        "candidates": num_candidates,
        "candidates_tried": len(found.tried),
        "candidates_left_out": len(found.left_out),
        "dev_examples": found.winner.rows,
    }


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("prompt_search")
