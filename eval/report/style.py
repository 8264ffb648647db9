"""How figures look: colours and markers that survive colour blindness and grey, labels that do not collide, saving."""

import io
import textwrap
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from educe.data.writing import write_whole
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.curves import Curve, join

# Fixed ids and no dates: the same results must give the same bytes. Text stays text, so that it can be searched and
# read aloud; the fallback fonts are all narrower than the one that the layout is measured with.
RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.labelsize": 8.5,
    "axes.edgecolor": "#444444",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "educe",
    "text.parse_math": False,  # a dollar in a user's name is a dollar
}

LINE_INCHES = 0.155  # height of one line of a label
LABEL_POINTS, LABEL_INCHES = 8, 1.6  # size of a label beside a panel, and its greatest width
_WRAP = 26

# Okabe & Ito (2008), without yellow (too light on white) and black (kept for zero-shot).
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "v", "P", "X")
_LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (8, 2, 1, 2, 1, 2)), (0, (1.5, 1)))


@dataclass(frozen=True, kw_only=True)
class Style:
    """Colour, marker and line of one recipe. The first six are filled, the next six are not, and so on."""

    color: str
    marker: str
    line: Any
    filled: bool = True

    @property
    def face(self) -> str:
        return self.color if self.filled else "white"

    @property
    def ink(self) -> str:
        """The colour for text: darker, because thin strokes in light colours cannot be read on white."""
        channels = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return "#" + "".join(f"{int(0.68 * channel):02x}" for channel in channels)


PLAIN = Style(color="#000000", marker="D", line=(0, (4, 1.5)))
CONTROL = Style(color="#777777", marker=".", line="-")
CHANCE = Style(color="#666666", marker="", line=(0, (1, 2)))


@dataclass(frozen=True, kw_only=True)
class Label:
    """A text that belongs at one height of a panel's right edge."""

    y: float
    text: str
    style: Style


def recipe_styles(conditions: Iterable[Condition]) -> dict[str, Style]:
    """One style per curve label, the same for every model and task; controls have CONTROL.

    Which label gets which style depends only on the set of labels, not on the order of the conditions.
    """
    labels = sorted({(curve.method, curve.label) for curve in join(without_controls(conditions), "examples")})
    return {label: numbered_style(i) for i, (_, label) in enumerate(labels)}


def numbered_style(place: int) -> Style:
    """A style for each place among things drawn together."""
    k = place % len(_COLORS)
    # From the third round on, recipes differ in their lines and labels only.
    shift = place // (2 * len(_COLORS))
    return Style(
        color=_COLORS[k],
        marker=_MARKERS[k],
        line=_LINES[(k + shift) % len(_LINES)],
        filled=(place // len(_COLORS)) % 2 == 0,
    )


def is_trained(curve: Curve) -> bool:
    """Whether any of its points spent FLOPs before the first answer, so that it has a place on a FLOPs axis."""
    return any(point.condition.elicitation_flops > 0 for point in curve.points)


def printable(text: str, *, width: int = 72) -> str:
    """Text as the figures' font can draw it, other characters as escapes, cut to `width` with an ellipsis."""
    known = _known_characters()
    drawn = "".join(c if ord(c) in known and c.isprintable() else ascii(c)[1:-1] for c in text)
    return drawn if len(drawn) <= width else drawn[: width - 1] + "…"


@cache
def _known_characters() -> Container[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def wrapped(text: str) -> str:
    """A name broken into at most three lines that fit beside a panel."""
    text = printable(text)
    for width in range(_WRAP, 0, -1):
        lines = textwrap.wrap(text, width, break_on_hyphens=True) or [""]
        if max(map(_inches, lines)) <= LABEL_INCHES:
            break
    return "\n".join(lines) if len(lines) <= 3 else "\n".join([*lines[:2], lines[2][:-1] + "…"])


def _inches(line: str) -> float:
    return sum(map(_letter_inches, line))


@cache
def _letter_inches(letter: str) -> float:
    font = get_font(findfont("DejaVu Sans"))
    font.set_size(LABEL_POINTS, 72)
    return font.load_char(ord(letter)).linearHoriAdvance / 65536 / 72


def spread(
    centers: Sequence[int | float], heights: Sequence[int | float], *, low: int | float, high: int | float
) -> list[float]:
    """Move centers as little as needed so that boxes of these heights neither overlap nor leave [low, high].

    Boxes that do not all fit are stacked from `low`.
    """
    order = sorted(range(len(centers)), key=lambda i: centers[i])
    # Overlapping neighbours become one block that sits at the mean of what its members want (pool adjacent violators).
    blocks: list[list[int]] = []
    starts: list[float] = []

    def start_of(block: list[int]) -> float:
        offset, wanted = 0.0, 0.0
        for i in block:
            wanted += centers[i] - (offset + heights[i] / 2)
            offset += heights[i]
        return float(max(low, min(wanted / len(block), high - offset)))

    for i in order:
        blocks.append([i])
        starts.append(start_of([i]))
        while len(blocks) > 1 and starts[-2] + sum(heights[j] for j in blocks[-2]) > starts[-1] + 1e-9:
            last = blocks.pop()
            starts.pop()
            blocks[-1] += last
            starts[-1] = start_of(blocks[-1])
    placed = [0.0] * len(centers)
    for block, start in zip(blocks, starts, strict=True):
        for i in block:
            placed[i] = start + heights[i] / 2
            start += heights[i]
    return placed


def label_right_edge(axes: Axes, labels: Sequence[Label], *, height_inches: float) -> None:
    """Write labels beside the right edge at their heights, shifted where they would overlap, with leader lines."""
    bottom, top = axes.get_ylim()
    line = (top - bottom) * LINE_INCHES / height_inches
    heights = [line * (label.text.count("\n") + 1.25) for label in labels]
    placed = spread([label.y for label in labels], heights, low=bottom - line, high=top)
    for label, y in zip(labels, placed, strict=True):
        axes.plot(
            [1.005, 1.03, 1.04],
            [label.y, y, y],
            transform=axes.get_yaxis_transform(),
            color=label.style.color,
            linewidth=0.7,
            clip_on=False,
        )
        axes.text(
            1.05,
            y,
            label.text,
            transform=axes.get_yaxis_transform(),
            color=label.style.ink,
            fontsize=LABEL_POINTS,
            va="center",
            linespacing=1.1,
        )


def labels_height(names: Iterable[str]) -> float:
    """Inches that direct labels of these names need beside a panel: each in up to three lines, and its score in one.

    Chance and zero-shot, which nearly every panel has, are counted in.
    """
    lines = [len(wrapped(name).splitlines()) + 1 for name in names]
    return LINE_INCHES * sum(count + 0.25 for count in [*lines, 1, 2])


def save(figure: Figure, stem: Path, *, pixels: bool = True) -> tuple[Path, Path]:
    """Write a figure as stem.svg and, if `pixels`, as stem.png, each whole. The same figure gives the same bytes."""
    svg, png = stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")
    write_whole(svg, svg_of(figure))
    if pixels:
        with matplotlib.rc_context(RC):
            # Packed lightly: the default packs a few percent tighter and takes four times as long.
            options: dict[str, Any] = {"dpi": 150, "metadata": {"Software": None}, "pil_kwargs": {"compress_level": 2}}
            write_whole(png, _drawn(figure, format="png", **options))
    return svg, png


def svg_of(figure: Figure) -> bytes:
    """A figure as the bytes of an SVG file."""
    with matplotlib.rc_context(RC):
        return _drawn(figure, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))


def _drawn(figure: Figure, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, **options)
    return stream.getvalue()
