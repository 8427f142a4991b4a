"""The colours of the site are readable in both themes, and its logo is described."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from colours import contrast

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(theme: str) -> None:
    css = (ROOT / "_static" / "book.css").read_text("utf-8")
    blocks = css.split(f'html[data-theme="{theme}"] {{')[1:]
    block = next(block for block in blocks if "--px-paper" in block.split("}")[0])
    colour = dict(re.findall(r"--px-([a-z-]+): (#[0-9a-f]{6})", block.split("}")[0]))
    for name in (
        "ink",
        "muted",
        "link",
        "link-strong",
        "gold-ink",
        "string",
        "keyword",
        "number",
        "bad",
    ):
        for ground in ("paper", "panel"):
            assert contrast(colour[name], colour[ground]) >= 4.5, f"{theme}: {name} on {ground}"


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == contrast("#ffffff", "#000000") == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


def test_logo_is_well_formed_and_named() -> None:
    logo = ET.parse(ROOT / "_static" / "logo.svg").getroot()
    assert logo.findtext("{http://www.w3.org/2000/svg}title")
