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
    [(" Qb6", 1), ("Qb6 4. Nf3", 1), ("3... Qb6", 1), ("3… Qb6", 1), ("3 Qb6", 1), ("cxd4", 1), ("Qb6+", 1),
     ("**Qb6**", 1), ("d8b6", 1), ("Nd5 or Qb6", 1),
     ("Qb3", 0), ("Ke7", 0), ("O-O", 0), ("N6", 0), ("--", 0), ("0000", 0), ("", 0), ("Qb6th", 0),
     ("The move is Qb6", 0), ("Nbd7", 0), ("4... Qb6", 0), ("2... Qb6", 0), ("Qxb6", 0), ("exd4", 0), ("cxb4", 0)],
)  # fmt: skip
def test_a_written_move_is_graded_by_the_rules(text: str, score: int) -> None:
    """After 1. d4 Nf6 2. c4 c5 3. Qb3, Black to move. A check that it does not give does not matter."""
    assert legal_move(asked("1. d4 Nf6 2. c4 c5 3. Qb3", "Black"), text) == score


def asked(moves: str, side: str) -> Example:
    question = f"A game of chess began with these moves: {moves}\nWrite a legal move for {side}."
    return Example(id="a", question=question, answer="Qb6")


@pytest.mark.parametrize(
    ("moves", "side", "right", "wrong"),
    [
        ("1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4.", "White",
         ["O-O", "0-0", "Bxc6", "4. O-O"], ["O-O-O", "4... O-O", "xc6", "Bxb6"]),
        # Both knights can go to d2.
        ("1. d4 d5 2. Nf3 Nf6 3.", "White", ["Nbd2", "Nfd2", "b1d2"], ["Nd2", "Nxd2", "Nad2"]),
        ("1. a4 b5 2. axb5 a6 3. bxa6 Bb7 4. axb7 Nc6 5.", "White",
         ["bxa8=Q", "bxa8Q", "b8=N"], ["bxa8", "bxc8=Q", "b8"]),
        ("1. e4 a6 2. e5 d5 3.", "White", ["exd6", "exd6 e.p."], ["exf6", "e6xd7"]),
    ],
)  # fmt: skip
def test_castling_promotion_and_two_knights(moves: str, side: str, right: list[str], wrong: list[str]) -> None:
    row = asked(moves, side)
    assert [text for text in right if not legal_move(row, text)] == []
    assert [text for text in wrong if legal_move(row, text)] == []


def test_every_legal_move_is_right_and_no_other() -> None:
    """By the package's own list: other quiet moves, and quiet moves that are said to take something."""
    task = chess_moves(write=True)
    assert task.name == "chess_moves_written" and task.kind == "generation" and task.mistake is not None
    for row in task.rows["test"][:40]:
        board = board_after(movetext(row))
        moves = {board.san(move): move for move in board.legal_moves}
        assert legal_move(row, row.answer) == 1 and all(legal_move(row, text) == 1 for text in moves)
        quiet = [
            text
            for text, move in moves.items()
            if not board.is_capture(move) and re.fullmatch("[NBRQ][a-h][1-8]", text)
        ]
        assert [text for text in quiet if legal_move(row, f"{text[0]}x{text[1:]}")] == []
        squares = {(board.piece_at(move.from_square).symbol().upper(), move.to_square) for move in moves.values()}
        others = [f"{piece}{chess.square_name(square)}" for piece in "NBRQK" for square in chess.SQUARES
                  if (piece, square) not in squares]  # fmt: skip
        assert [text for text in others if legal_move(row, text)] == []
        assert not legal_move(row, task.mistake(row)), "a wrong demonstration is wrong"


def test_right_moves_are_the_same_where_the_squares_are() -> None:
    row = asked("1. d4 Nf6 2. c4 c5 3. Qb3", "Black")
    key = chess_moves(write=True).answer_key
    assert key is not None
    assert key(row, "Qb6 4. Nf3") == key(row, "3... Qb6+") == "d8b6" != key(row, "Qa5+") and key(row, "Ke7") == ""


def test_an_option_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(UserError, match="write: 'false' is neither true nor false"):
        chess_moves(write="false")  # type: ignore[arg-type]


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
