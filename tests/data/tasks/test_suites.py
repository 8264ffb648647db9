"""Suites: they name bundled tasks, expand in a study, and are refused where one task is meant."""

import pytest

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.tasks.suites import SUITES, with_suites


def mistake(spec: object) -> str:
    with pytest.raises(UserError) as error:
        resolve(spec)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_holds_tasks_of_different_names(name: str) -> None:
    names = [resolve(spec).name for spec in SUITES[name].tasks]
    assert len(names) == len(set(names)) >= 5


def test_the_quick_suite_is_a_part_of_the_latent_one() -> None:
    assert all(spec in SUITES["latent"].tasks for spec in SUITES["quick"].tasks)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_says_what_it_is_in_a_terminal_line(name: str) -> None:
    description = SUITES[name].description
    assert description.endswith(".") and len(f"refusal_openings  {description}") <= 80


def test_suites_are_replaced_by_their_tasks_in_place() -> None:
    quick = list(SUITES["quick"].tasks)
    assert with_suites(["capitals", "suite:quick", "mmlu"]) == ["capitals", *quick, "mmlu"]
    unknown = ["suite:nope", {"suite:quick": {"typos": 0.1}}, {"arithmetic": {"digits": 3}}, 7]
    assert with_suites(unknown) == unknown


def test_an_unknown_suite_is_named_with_the_nearest() -> None:
    assert mistake("suite:nope") == "unknown suite 'nope'; known: latent, quick"
    assert mistake("suite:latnt") == "unknown suite 'latnt'; did you mean 'latent'?"
    assert mistake({"suite:latnt": {"typos": 0.1}}) == "unknown suite 'latnt'; did you mean 'latent'?"


def test_a_suite_has_no_options_and_is_no_task() -> None:
    assert mistake({"suite:quick": {"typos": 0.1}}).startswith(
        "suite 'quick' takes no options; list its tasks with theirs: element_symbols, "
    )
    assert mistake("suite:quick") == "suite 'quick' is a list of tasks, not one; write it in `tasks:` of a study"
