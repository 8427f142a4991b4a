"""A bad day: when each service was away, when each client was killed, and how the log grew meanwhile."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .theme import Drawing, Figure, text_width

WIDE, ROW, HIGH = 560.0, 24.0, 120.0
SMALL = 12.0


def draw(
    took: float,
    services: Mapping[str, Sequence[tuple[float, float]]],
    clients: Mapping[str, Sequence[tuple[float, float, bool]]],
    grown: Sequence[tuple[float, int]],
) -> Figure:
    """The picture of `took` seconds.

    `services`: (from, to) of each outage; `clients`: (from, to, killed?) of each life; `grown`: how many
    entries were decided when.
    """
    rows = len(services) + len(clients)
    left = max(text_width(name, 13, "bold") for name in (*services, *clients)) + 22
    bottom = 34 + rows * ROW + 22 + HIGH
    title = "What was away, who was killed, and the log"
    sheet = Drawing(left + WIDE + 56, bottom + 66, title, told(services, clients, grown))

    def x(time: float) -> float:
        return left + WIDE * time / took

    y = 34.0
    for name, outages in services.items():
        sheet.text(left - 14, y + 4, name, "ink", 13, "bold", "end")
        sheet.rect(x(0), y - 7, WIDE, 14, "line", "panel")
        for start, end in outages:
            sheet.rect(x(start), y - 7, x(end) - x(start), 14, "refused", "paper", 0, 1.4, "3 2")
        y += ROW
    for name, lives in clients.items():
        sheet.text(left - 14, y + 4, name, "ink", 13, "bold", "end")
        for start, end, killed in sorted(lives):
            sheet.line(x(start), y, x(end), y, "ink", 3)
            if killed:
                sheet.cross(x(end), y)
        y += ROW
    curve(sheet, x, left, bottom, took, grown)
    legend(sheet, left, bottom + 50)
    return sheet.figure()


def curve(
    sheet: Drawing,
    x: object,
    left: float,
    bottom: float,
    took: float,
    grown: Sequence[tuple[float, int]],
) -> None:
    """How many entries were decided, over time."""
    assert callable(x)
    most = max((count for _, count in grown), default=1)
    for part in (0.0, 0.5, 1.0):
        height = bottom - HIGH * part
        sheet.line(left, height, left + WIDE, height, "line", 1)
        sheet.text(left - 14, height + 4, f"{part * most:,.0f}", "muted", SMALL, "regular", "end")
    points = [(x(time), bottom - HIGH * count / most) for time, count in ((0.0, 0), *grown)]
    for (x1, y1), (x2, y2) in pairwise([*points, (left + WIDE, points[-1][1])]):
        sheet.line(x1, y1, x2, y1, "gold", 2.4)
        sheet.line(x2, y1, x2, y2, "gold", 2.4)
    step = next(one for one in (1, 2, 5, 10, 20, 50, 100, 200) if took / one <= 10)
    for second in range(0, int(took) + 1, step):
        sheet.text(x(second), bottom + 18, f"{second} s", "muted", SMALL, "regular", "middle")


def legend(sheet: Drawing, x: float, y: float) -> None:
    """What the marks mean."""
    sheet.rect(x, y - 6, 18, 12, "refused", "paper", 0, 1.4, "3 2")
    sheet.text(x + 24, y + 4, "away", "muted", SMALL)
    sheet.line(x + 76, y, x + 94, y, "ink", 3)
    sheet.text(x + 100, y + 4, "a client at work", "muted", SMALL)
    sheet.cross(x + 216, y)
    sheet.text(x + 228, y + 4, "killed", "muted", SMALL)
    sheet.line(x + 284, y, x + 302, y, "gold", 2.4)
    sheet.text(x + 308, y + 4, "entries decided", "muted", SMALL)


def told(
    services: Mapping[str, Sequence[tuple[float, float]]],
    clients: Mapping[str, Sequence[tuple[float, float, bool]]],
    grown: Sequence[tuple[float, int]],
) -> str:
    """The picture in words."""
    away = [f"{name} was away {len(its)} times" for name, its in services.items()]
    killed = {name: sum(one[2] for one in lives) for name, lives in clients.items()}
    dead = [f"{name} was killed {count} times" for name, count in killed.items() if count]
    end = f"{grown[-1][1]:,} entries were decided." if grown else "Nothing was decided."
    return "; ".join([*away, *dead]) + ". " + end
