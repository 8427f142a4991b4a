"""Where the ink of a PDF page is: every text with its true width, every line and area that is painted.

It knows the operators that Typst writes, and stops at any other that could draw: it is never blind.
"""

from pypdf.generic import ArrayObject, ContentStream

IDLE = {"cs", "scn", "CS", "SCN", "M", "w", "d", "J", "j", "i", "gs", "Tr", "BT", "ET"} | {
    *("BDC", "BMC", "EMC", "W", "W*", "h", "n")
}
WAYS = {"m", "l", "c", "re"}
PAINTS = {"S", "s", "f", "f*", "F", "B", "B*", "b", "b*"}
UNIT = (1, 0, 0, 1, 0, 0)


def times(one, two):
    """First `one`, then `two`: matrices as PDF writes them."""
    a, b, c, d, e, f = map(float, one)
    g, h, i, j, k, m = two
    return (
        *(a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j),
        *(e * g + f * i + k, e * h + f * j + m),
    )


def widths(font):
    """glyph -> advance in thousandths, from the table of a font with two bytes a glyph."""
    assert font["/Subtype"] == "/Type0" and font["/Encoding"] == "/Identity-H", font["/BaseFont"]
    inner = font["/DescendantFonts"][0].get_object()
    known, rest = {}, list(inner["/W"].get_object())
    while rest:
        first, then = int(rest.pop(0)), rest.pop(0).get_object()
        if isinstance(then, list):
            known |= {first + n: float(width) for n, width in enumerate(then)}
        else:
            known |= dict.fromkeys(range(first, int(then) + 1), float(rest.pop(0)))
    return known, float(inner.get("/DW", 1000))


def length(text, known, default, size):
    """How far a Tj or TJ goes, in units of text space."""
    total = 0.0
    for part in text if isinstance(text, ArrayObject) else [text]:
        if isinstance(part, int | float):
            total -= float(part)
            continue
        raw = getattr(part, "original_bytes", part)
        glyphs = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
        total += sum(known.get(glyph, default) for glyph in glyphs)
    return total * size / 1000


def corners(operator, numbers):
    """The points of a piece of a path."""
    if operator == "re":
        x, y, wide, tall = numbers
        return [(x, y), (x + wide, y + tall)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


class Page:
    """The boxes of what is painted on a page: (what, left, bottom, right, top)."""

    def __init__(self, page, reader):
        self.fonts = page["/Resources"].get("/Font", {})
        self.now, self.stack, self.path, self.boxes = UNIT, [], [], []
        self.text, self.font, self.size = UNIT, "", 0.0
        for operands, name in ContentStream(page.get_contents(), reader).operations:
            self.take(name.decode(), operands)

    def take(self, name, operands):
        if name == "q":
            self.stack.append(self.now)
        elif name == "Q":
            self.now = self.stack.pop()
        elif name == "cm":
            self.now = times(operands, self.now)
        elif name == "Tf":
            self.font, self.size = operands[0], float(operands[1])
        elif name == "Tm":
            self.text = tuple(map(float, operands))
        elif name in ("Tj", "TJ"):
            self.write(operands[0])
        elif name in WAYS:
            self.path += corners(name, list(map(float, operands)))
        elif name in PAINTS:
            self.box("line", self.path, self.now)
        else:
            assert name in IDLE, f"an operator that the check does not know: {name}"
        if name in PAINTS or name == "n":
            self.path = []

    def write(self, text):
        wide = length(text, *widths(self.fonts[self.font].get_object()), self.size)
        # Nothing about height but the line itself: ascenders differ from font to font.
        self.box("text", [(0, 0), (wide, 0)], times(self.text, self.now))
        self.text = times((1, 0, 0, 1, wide, 0), self.text)

    def box(self, what, points, matrix):
        placed = [times((1, 0, 0, 1, x, y), matrix)[4:] for x, y in points]
        xs, ys = [x for x, _ in placed], [y for _, y in placed]
        self.boxes.append((what, min(xs), min(ys), max(xs), max(ys)))


def outside(page, reader, left, right, low, high):
    """What is painted beyond these distances from the edges of the page."""
    _, _, wide, tall = map(float, page.mediabox)
    return [
        f"{what} from {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f}"
        for what, x1, y1, x2, y2 in Page(page, reader).boxes
        if x1 < left or x2 > wide - right or y1 < low or y2 > tall - high
    ]
