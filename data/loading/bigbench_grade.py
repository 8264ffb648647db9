"""BIG-bench's own grade of written answers, `exact_str_match`: a target to the letter, after its cuts."""

import re
from collections.abc import Callable

from educe.data.example import Example

# What BIG-bench keeps of an answer where a task names neither a pattern nor a string to stop at: json_task.py.
_DEFAULT_REGEX = r"[^\.\?\!\;\n]+"


def exact_str_match(*, regex: str = "", stop: str = "") -> Callable[[Example, str], float]:
    """A grader: 1 where what is left of the text equals the answer or an alias to the letter, else 0.

    The text is cut after the first `stop`, unless it begins with it; of that, the first match of `regex` is left, or
    nothing (`postprocess_output` in models/model_utils.py and `exact_str_match_fn` in api/task_metrics.py of BIG-bench
    1.0.0, arXiv:2206.04615). BIG-bench ends a prompt with the space before the answer; here the answer begins with it,
    so a first space is dropped.
    """
    pattern = re.compile(regex or ("" if stop else _DEFAULT_REGEX))

    def graded(example: Example, text: str) -> float:
        given = text.removeprefix(" ")
        if stop and (place := given.find(stop)) > 0:
            given = given[: place + len(stop)]
        if pattern.pattern:
            given = next(iter(pattern.findall(given)), "")
        return float(given in (example.answer, *example.aliases))

    graded.__name__ = "exact_str_match"
    graded.__qualname__ = f"exact_str_match({pattern.pattern!r}, {stop!r})"
    return graded
