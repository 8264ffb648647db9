"""Which move is legal here? Positions of generated games of chess, as movetext or as a question.

Source: generated; no data. The rules, and how moves are written, are those of the package chess (GPL-3.0), an extra of
its own.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.native import NativeForm
from educe.data.task import Task
from educe.data.validation import check_bool, check_size

NUM_GAMES = 200
MAX_PLY = 40
# One position of each game out of each of these ranges of half moves played.
_PLIES = ((2, 10), (11, 20), (21, 30), (31, MAX_PLY))
# A quiet move of one piece: its letter, none for a pawn, and the square. Captures and checks are marked, so not asked.
_PLAIN = re.compile(r"([KQRBN]?)([a-h][1-8])")
# A move at the beginning of a text, with its number or without: "12. Nf3", "12... exd5", "O-O", "0-0", "e8=Q+".
_WRITTEN = re.compile(
    r"[\s*]*(?:(?P<number>\d+)(?P<dots>\.{1,3}|…)?\s*)?"
    r"(?P<move>[KQRBN]?[a-h]?[1-8]?[x-]?[a-h][1-8](?:=?[QRBN])?|[O0]-[O0](?:-[O0])?)[+#]?(?![\w-])"
)
# First moves that people play, as far as they agree on them.
_OPENINGS = (
    "e4 e5 Nf3 Nc6 Bb5 a6", "e4 e5 Nf3 Nc6 Bc4 Bc5", "e4 e5 Nf3 Nf6", "e4 e5 f4", "e4 c5 Nf3 d6 d4", "e4 c5 Nc3 Nc6",
    "e4 e6 d4 d5", "e4 c6 d4 d5", "e4 d5", "e4 Nf6", "e4 g6 d4 Bg7", "d4 d5 c4 e6", "d4 d5 c4 c6", "d4 d5 Nf3 Nf6",
    "d4 Nf6 c4 e6 Nc3 Bb4", "d4 Nf6 c4 g6 Nc3 Bg7", "d4 Nf6 c4 c5", "d4 f5", "c4 e5", "c4 c5", "Nf3 d5 g3", "Nf3 Nf6",
)  # fmt: skip


@dataclass(frozen=True)
class _Position:
    game: int
    moves: tuple[str, ...]  # as they are written
    piece: str
    legal: str


def chess_moves(*, games: int = NUM_GAMES, write: bool = False) -> Task:
    """Two moves of the same kind of piece to choose from, of which one is legal: some 750 positions of 200 games.

    Games begin as people's do and go on with random legal moves, captures being likelier. Up to 40 half moves are
    shown. A wrong move is the right one of another position, so that neither looks likelier without the position. All
    positions of a game share a split. The native form is the movetext of PGN. With `write`, for large models, a move is
    written, and any legal one is right. UserError where the package chess is missing, and for an option out of range.
    """
    check_size("games", games)
    check_bool("write", write)
    name = "chess_moves" if games == NUM_GAMES else f"chess_moves_{games}_games"
    native = NativeForm(before=movetext)
    if not write:
        return Task(name=name, version=1, kind="choice", load=partial(_load, games), native=native)
    return Task(
        name=f"{name}_written",
        version=1,
        kind="generation",
        load=partial(_load, games, write=True),
        grade=legal_move,
        native=native,
        max_new_tokens=12,
        mistake=_illegal,
        answer_key=move_key,
    )


def legal_move(example: Example, text: str) -> float:
    """1 where a text begins with a move that is legal in the position, as PGN writes it or by its squares.

    A number before it has to be the position's, and an x has to take something. That a move takes or gives check need
    not be marked.
    """
    return float(move_key(example, text) != "")


def move_key(example: Example, text: str) -> str:
    """The squares of the legal move that a text begins with, as "g1f3"; empty where there is none."""
    found = _WRITTEN.match(text)
    if found is None:
        return ""
    board = _board(re.sub(r"\d+\.", "", movetext(example)).split())
    if found["number"] and int(found["number"]) != board.fullmove_number:
        return ""
    if found["dots"] in ("...", "…") and board.turn:  # it is White's move, and that is how Black's is written
        return ""
    try:
        move = board.parse_san(found["move"].replace("0", "O"))
    except ValueError:  # not legal, or not clear which piece
        return ""
    return "" if "x" in found["move"] and not board.is_capture(move) else str(move)


def _illegal(example: Example) -> str:
    """A move of the same kind of piece that is not legal."""
    letter = example.answer[:-2]
    moves = [f"{letter}{file}{rank}" for file in "abcdefgh" for rank in range(1, 9)]
    return next(move for move in shuffled(moves, key=f"{example.id}:wrong") if not legal_move(example, move))


def movetext(example: Example) -> str:
    """The game so far as PGN writes it, up to the number of the next move if that is White's."""
    return example.question.partition(": ")[2].partition("\n")[0]


def written(moves: Sequence[str]) -> str:
    """Moves with their numbers: "1. e4 e5 2."."""
    parts = []
    for ply, move in enumerate(moves):
        parts += [*([f"{ply // 2 + 1}."] if ply % 2 == 0 else []), move]
    return " ".join([*parts, *([f"{len(moves) // 2 + 1}."] if len(moves) % 2 == 0 else [])])


def _load(games: int, write: bool = False) -> dict[str, list[Example]]:
    # Games that begin alike share a first position, which is asked once.
    known = {position.moves: position for game in range(games) for position in _positions(game)}
    positions = list(known.values())
    rows = [example for position in positions if (example := _example(position, positions)) is not None]
    return {"all": [_to_write(row) for row in rows] if write else rows}


def _to_write(row: Example) -> Example:
    """The same position, asked for any move."""
    text, _, asked = row.question.partition("\n")
    side = asked.rpartition(" ")[2]
    return replace(row, question=f"{text}\nWrite a legal move for {side.rstrip('?')}.", choices=())


def _positions(game: int) -> Iterator[_Position]:
    moves = _game(game)
    for low, high in _PLIES:
        plies = [ply for ply in range(low, min(high, len(moves) - 1) + 1) if _PLAIN.fullmatch(moves[ply])]
        if plies:
            ply = random.Random(f"position {game} {low}").choice(plies)
            piece = _PLAIN.fullmatch(moves[ply]).group(1)  # type: ignore[union-attr]
            yield _Position(game=game, moves=tuple(moves[:ply]), piece=piece, legal=moves[ply])


def _game(game: int) -> list[str]:
    """The moves of a game, each as it is written where it is played; shorter where the game ends."""
    board, draw = _chess().Board(), random.Random(f"game {game}")
    moves: list[str] = []
    opening = draw.choice(_OPENINGS).split()
    while len(moves) <= MAX_PLY:
        if len(moves) < len(opening):
            move = board.parse_san(opening[len(moves)])
        else:
            known = sorted(board.legal_moves, key=str)
            if not known:
                break
            (move,) = draw.choices(known, weights=[4 if board.is_capture(each) else 1 for each in known])
        moves.append(board.san(move))
        board.push(move)
    return moves


def _example(position: _Position, positions: Sequence[_Position]) -> Example | None:
    """None for a position in which the other positions' moves of this piece are all legal."""
    board = _board(position.moves)
    side = len(position.moves) % 2
    others = {each.legal for each in positions if each.piece == position.piece and len(each.moves) % 2 == side}
    illegal = [move for move in others if not _is_legal(board, move)]
    if not illegal:
        return None
    text = written(position.moves)
    id = f"game-{position.game}-{len(position.moves)}"
    wrong = shuffled(illegal, key=id)[0]
    return Example(
        id=id,
        question=f"A game of chess began with these moves: {text}\nWhich move is legal for {('White', 'Black')[side]}?",
        answer=position.legal,
        choices=shuffled([position.legal, wrong], key=f"{id}:order"),
        cluster=f"game-{position.game}",
    )


def _board(moves: Sequence[str]) -> Any:
    board = _chess().Board()
    for move in moves:
        board.push_san(move)
    return board


def _is_legal(board: Any, move: str) -> bool:
    """Whether a piece of this kind may go to this square, capturing or not."""
    chess = _chess()
    letter, square = move[:-2], chess.parse_square(move[-2:])
    kind = chess.Piece.from_symbol(letter or "P").piece_type
    return any(each.to_square == square and board.piece_type_at(each.from_square) == kind for each in board.legal_moves)


def _chess() -> Any:
    try:
        import chess
    except ModuleNotFoundError as error:
        raise UserError("task 'chess_moves' needs the package chess; pip install 'educe[chess]'") from error
    return chess
