"""Small charts side by side: what was measured as dots, what was predicted as a line."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .theme import Drawing, Figure

WIDE, TALL, LEFT, TOP, BELOW = 158, 112, 34, 30, 34
SMALL = 12.0


def draw(
    measured: Mapping[str, Sequence[float]],
    predicted: Mapping[str, Sequence[float]],
    along: str,
    title: str,
    level: Mapping[str, float] | None = None,
) -> Figure:
    """One chart for each name, up to three in a row; a `level` is one more number, dashed."""
    names, level = list(measured), level or {}
    rows, columns = -(-len(names) // 3), min(3, len(names))
    high = TOP + TALL + BELOW
    sheet = Drawing(
        columns * (LEFT + WIDE + 18), rows * high + 34, title, told(measured, predicted, level)
    )
    for number, name in enumerate(names):
        x, y = LEFT + number % 3 * (LEFT + WIDE + 18), TOP + number // 3 * high
        panel(sheet, x, y, name, measured[name], predicted[name], level.get(name))
        sheet.text(x + WIDE / 2, y + TALL + 30, along, "muted", SMALL, "regular", "middle")
    legend(sheet, LEFT, rows * high + 16, bool(level))
    return sheet.figure()


def panel(
    sheet: Drawing,
    x: float,
    y: float,
    name: str,
    dots: Sequence[float],
    line: Sequence[float],
    level: float | None,
) -> None:
    """One chart, from zero up to a round number above everything in it."""
    top = round_up(max(*dots, *line, level or 0))

    def at(number: int, value: float) -> tuple[float, float]:
        return x + WIDE * (number + 0.5) / len(dots), y + TALL * (1 - value / top)

    sheet.text(x, y - 12, name, "ink", 13, "bold")
    for part in (0, 0.5, 1):
        height = y + TALL * (1 - part)
        sheet.line(x, height, x + WIDE, height, "line", 1)
        words = f"{part * top:g}" + (" s" if part == 1 else "")
        sheet.text(x - 5, height + 4, words, "muted", 11, "regular", "end")
    for number in range(len(dots)):
        sheet.text(at(number, 0)[0], y + TALL + 15, str(number + 1), "muted", 11, anchor="middle")
    if level is not None:
        sheet.line(x, at(0, level)[1], x + WIDE, at(0, level)[1], "muted", 1.6, "5 4")
    points = [at(number, value) for number, value in enumerate(line)]
    for one, other in pairwise(points):
        sheet.line(*one, *other, "ink", 2)
    for number, value in enumerate(dots):
        left, height = at(number, value)
        sheet.rect(left - 4, height - 4, 8, 8, "ink", "paper", 4, 1.6)


def legend(sheet: Drawing, x: float, y: float, level: bool) -> None:
    """What the marks mean."""
    sheet.rect(x, y - 4, 8, 8, "ink", "paper", 4, 1.6)
    sheet.text(x + 14, y + 4, "measured", "muted", SMALL)
    sheet.line(x + 92, y, x + 116, y, "ink", 2)
    sheet.text(x + 122, y + 4, "predicted", "muted", SMALL)
    if level:
        sheet.line(x + 200, y, x + 224, y, "muted", 1.6, "5 4")
        sheet.text(x + 230, y + 4, "on lists, measured", "muted", SMALL)


def round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 6, 8 or 10 times a power of ten."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next(power * step for step in (1, 2, 4, 5, 6, 8, 10) if power * step >= value)


def told(
    measured: Mapping[str, Sequence[float]],
    predicted: Mapping[str, Sequence[float]],
    level: Mapping[str, float],
) -> str:
    """The charts in words."""
    parts = []
    for name, its in measured.items():
        words = ", ".join(f"{one:.2f}" for one in its)
        said = ", ".join(f"{one:.2f}" for one in predicted[name])
        more = f"; on lists {level[name]:.2f}" if name in level else ""
        parts.append(f"{name}: measured {words}; predicted {said}{more}.")
    return "Seconds. " + " ".join(parts)
