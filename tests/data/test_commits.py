"""Names of the hub without a commit: the line that refuses them has the one to write."""

from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi

from educe.data.errors import UserError
from educe.data.hub_cache import RepoKind, parse_hub_path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("written", "kind", "message"),
    [
        (
            "org/name",
            "dataset",
            f"x has no revision; write hub:org/name@{COMMIT}, the hub's newest commit, so that it can",
        ),
        ("org/name", "model", f"write hub:org/name@{'b' * 40}, the hub's newest commit"),
        (
            "org/name@v1",
            "dataset",
            f"'v1' is no full commit hash and can move; write hub:org/name@{'a' * 40}, the commit of 'v1' now",
        ),
        ("org/gone", "dataset", "x has no revision; write hub:org/gone@COMMIT, so that it can be repeated"),
        ("org/name@gone", "dataset", "'gone' is no full commit hash and can move; write hub:org/name@COMMIT, its 40"),
        ("org/odd", "dataset", "x has no revision; write hub:org/odd@COMMIT, so that it can be repeated"),
    ],
)
def test_a_name_without_a_commit_is_told_the_one_to_write(
    written: str, kind: RepoKind, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken: the study says which it was."""
    known = {
        ("org/name", "dataset", None): COMMIT,
        ("org/name", "model", None): "b" * 40,
        ("org/name", "dataset", "v1"): "a" * 40,
        ("org/odd", "dataset", None): "a line\nof text",
    }

    def repo_info(_: HfApi, name: str, *, revision: str | None, repo_type: str, timeout: float) -> SimpleNamespace:
        return SimpleNamespace(sha=known[name, repo_type, revision])

    monkeypatch.setattr(HfApi, "repo_info", repo_info)
    with pytest.raises(UserError, match="COMMIT"):  # the hub is not asked where it is not to be
        parse_hub_path(written, kind=kind, what="x")
    monkeypatch.setattr("educe.data.hub_cache._hub_answers", lambda: True)
    with pytest.raises(UserError) as raised:
        parse_hub_path(written, kind=kind, what="x")
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert parse_hub_path(f"org/name@{COMMIT}", kind=kind, what="x") == ("org/name", COMMIT)
