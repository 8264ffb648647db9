"""Moves of generated games: legal where they should be, by the rules of chess, and nothing gives them away."""

import re
from collections import Counter

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.tasks import chess_moves as module
from educe.data.tasks.chess_moves import MAX_PLY, chess_moves, legal_move, movetext, written

chess = pytest.importorskip("chess", reason="the package chess is not installed; pip install 'educe[chess]'")
TASK = chess_moves()
ROWS = [row for rows in TASK.rows.values() for row in rows]


def board_after(text: str):  # type: ignore[no-untyped-def]
    board = chess.Board()
    for move in re.sub(r"\d+\.", "", text).split():
        board.push_san(move)
    return board


def test_one_option_is_legal_and_the_other_is_not() -> None:
    for row in ROWS:
        board = board_after(movetext(row))
        legal = {board.san(move).rstrip("+#").replace("x", "") for move in board.legal_moves}
        (wrong,) = (choice for choice in row.choices if choice != row.answer)
        pieces = {choice[0] if choice[0].isupper() else "" for choice in row.choices}
        assert row.answer in legal and len(pieces) == 1, row
        kind, square = (wrong[0], wrong[1:]) if wrong[0].isupper() else ("", wrong)
        moves = [move for move in board.legal_moves if chess.square_name(move.to_square) == square]
        symbols = {board.piece_at(move.from_square).symbol().upper() for move in moves}
        assert (kind or "P") not in symbols, row


def test_the_forms_are_golden() -> None:
    row = next(row for row in ROWS if movetext(row).count(".") == 3 and movetext(row)[-1] != ".")
    text = movetext(row)
    assert row.question == f"A game of chess began with these moves: {text}\nWhich move is legal for Black?"
    assert written(["e4", "e5", "Nf3"]) == "1. e4 e5 2. Nf3" and written(["e4", "e5"]) == "1. e4 e5 2."
    assert all(("White" in row.question) == movetext(row).endswith(".") for row in ROWS)


def test_neither_place_nor_move_gives_the_answer_away() -> None:
    """The wrong move of one position is the right one of another, so frequencies tell little."""
    assert 0.45 < sum(row.choices[0] == row.answer for row in ROWS) / len(ROWS) < 0.55
    right = Counter(row.answer for row in TASK.rows["train"])
    known = [max(row.choices, key=lambda choice: right[choice]) == row.answer for row in TASK.rows["test"]]
    assert 0.35 < sum(known) / len(known) < 0.65
    assert {choice for row in ROWS for choice in row.choices} == {row.answer for row in ROWS}


@pytest.mark.parametrize(
    ("text", "score"),
    [(" Qb6", 1), ("Qb6 4. Nf3", 1), ("3... Qb6", 1), ("cxd4", 1), ("Qb6+", 1), ("Qb3", 0), ("Ke7", 0), ("O-O", 0),
     ("N6", 0), ("--", 0), ("0000", 0), ("", 0), ("Qb6th", 0), ("The move is Qb6", 0), ("Nd5 or Qb6", 1), ("Nbd7", 0)],
)  # fmt: skip
def test_a_written_move_is_graded_by_the_rules(text: str, score: int) -> None:
    """After 1. d4 Nf6 2. c4 c5 3. Qb3, Black to move. The check that it does not give does not matter."""
    question = "A game of chess began with these moves: 1. d4 Nf6 2. c4 c5 3. Qb3\nWrite a legal move for Black."
    assert legal_move(Example(id="a", question=question, answer="Qb6"), text) == score


def test_every_legal_move_is_right_and_no_other() -> None:
    written_task = chess_moves(write=True)
    assert written_task.name == "chess_moves_written" and written_task.kind == "generation"
    for row in written_task.rows["test"][:40]:
        board = board_after(movetext(row))
        legal = {board.san(move) for move in board.legal_moves}
        assert legal_move(row, row.answer) == 1 and all(legal_move(row, move) == 1 for move in legal)
        others = {option for other in ROWS for option in other.choices} - legal
        # Other captures are written with a mark in `legal`, and without it here.
        others -= {move.replace("x", "").rstrip("+#") for move in legal}
        others -= {f"{move[0]}{move[2:]}" for move in legal if len(move) > 3}
        assert not [move for move in others if legal_move(row, move)], row


def test_games_are_those_of_every_machine_and_share_a_split() -> None:
    assert len(ROWS) > 700 and all(1 < len(re.findall(r"[a-hO]\S*", movetext(row))) <= MAX_PLY for row in ROWS)
    splits = {split: {row.cluster for row in rows} for split, rows in TASK.rows.items()}
    assert not splits["train"] & splits["test"] and not splits["dev"] & splits["test"]
    assert chess_moves().fingerprint == TASK.fingerprint != chess_moves(games=20).fingerprint
    assert FIRST in TASK.rows["test"]


FIRST = Example(
    id="game-1-5",
    question="A game of chess began with these moves: 1. d4 Nf6 2. c4 c5 3. Qb3\nWhich move is legal for Black?",
    answer="Qb6",
    choices=("Qb6", "Qd5"),
    cluster="game-1",
)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "chess", None)
    with pytest.raises(UserError, match=r"task 'chess_moves' needs the package chess; pip install 'educe\[chess\]'"):
        _ = chess_moves().rows
    with pytest.raises(UserError, match="games"):
        chess_moves(games=0)
    assert module.NUM_GAMES == 200
