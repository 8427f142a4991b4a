"""The bundled font: how wide each character is, and how a text is fitted into a width."""

# Advance widths in thousandths of the size, of the bundled font (IBM Plex Sans, here named Paxos
# Sans; Mono is 600 throughout), for U+0020 to U+007E and SPECIAL. A test compares with the file.
SPECIAL = "→←≥≤×–—“”‘’…·′•"
_REGULAR = """236 284 419 713 598 927 694 242 335 335 450 600 272 399 272 383 600 600 600 600 600 600
600 600 600 600 292 292 600 600 600 477 891 641 653 621 671 583 559 695 707 400 510 634 501 812 707
708 606 708 640 581 572 678 609 891 613 593 580 317 383 317 600 565 600 534 580 503 580 549 324 528
568 250 250 527 272 873 568 560 580 580 367 487 351 568 492 768 507 499 464 343 314 343 600
820 820 600 600 600 588 780 475 474 273 273 803 326 242 396"""
_BOLD = """236 309 471 656 600 960 713 260 337 337 556 600 298 402 298 437 600 600 600 600 600 600 600
600 600 600 318 318 600 600 600 493 899 672 663 642 689 600 577 712 719 423 545 678 521 816 719 712
641 712 664 611 580 690 638 949 655 632 599 329 437 329 600 559 600 559 600 513 600 558 350 545 588
276 276 562 294 888 588 563 600 600 393 499 374 588 524 819 544 524 502 363 376 363 600
876 876 600 600 600 588 780 517 517 292 292 868 350 260 420"""
_CHARACTERS = [chr(code) for code in range(0x20, 0x7F)] + list(SPECIAL)
WIDTHS = {
    "regular": dict(zip(_CHARACTERS, map(int, _REGULAR.split()), strict=True)),
    "bold": dict(zip(_CHARACTERS, map(int, _BOLD.split()), strict=True)),
    "mono": dict.fromkeys(_CHARACTERS, 600),
}
FONTS = {
    "regular": "font-family:'Paxos Sans','IBM Plex Sans',sans-serif",
    "bold": "font-family:'Paxos Sans','IBM Plex Sans',sans-serif;font-weight:600",
    "mono": "font-family:'Paxos Mono','IBM Plex Mono',monospace",
}
ASCENT, DESCENT = 0.78, 0.24  # of the size: what a line of text really covers


def text_width(words: str, size: float, font: str = "regular") -> float:
    """The length of a text in px. A character that the font lacks counts as a wide one."""
    return sum(WIDTHS[font].get(one, 700) for one in words) * size / 1000


def fit(words: str, width: float, size: float, font: str = "regular") -> str:
    """The text, or as much of it as there is room for."""
    if text_width(words, size, font) <= width:
        return words
    while words and text_width(words + "…", size, font) > width:
        words = words[:-1]
    return words.rstrip() + "…"


def wrap(words: str, width: float, size: float, font: str = "regular") -> list[str]:
    """The text in lines of at most `width`, broken between words."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fit(line, width, size, font) for line in lines]
