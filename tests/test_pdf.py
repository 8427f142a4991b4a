"""The paper: what a PDF for everybody must have, and no ink outside its margins."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import typst
from books import ROOT
from ink import outside
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

# The margins of tools/paper.typ are wider: room for hanging hyphens, the running head and the number.
ROOM = {"left": 60, "right": 60, "low": 40, "high": 45}


@pytest.fixture(scope="session")
def paper(book: Path) -> PdfReader:
    return PdfReader(book / "paxos.pdf")


def test_the_paper_has_title_language_tags_and_outline(paper: PdfReader) -> None:
    root = paper.root_object
    assert paper.metadata is not None
    assert paper.metadata.title == "Paxos You Can Run"
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert [item for item in paper.outline if not isinstance(item, list)], "no outline"
    assert paper.xmp_metadata is not None
    xmp = paper.xmp_metadata.stream.get_data()
    assert b"pdfuaid:part" in xmp
    assert b"pdfaid:part" in xmp


def test_the_paper_carries_its_fonts_and_asks_for_nothing(paper: PdfReader) -> None:
    names = set()
    for page in paper.pages:
        for font in page["/Resources"].get("/Font", DictionaryObject()).values():
            whole = font.get_object()
            names.add(str(whole["/BaseFont"]))
            for part in whole.get("/DescendantFonts", [whole]):
                kept = part.get_object()["/FontDescriptor"]
                assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(kept), (
                    f"{whole['/BaseFont']} is not embedded"
                )
    assert any("PaxosSerif" in name for name in names), names
    for item in range(1, len(paper.xref[0]) + 1):
        thing = paper.get_object(item) if item in paper.xref[0] else None
        if isinstance(thing, DictionaryObject):
            assert thing.get("/S") not in {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData"}
            assert "/EmbeddedFiles" not in thing


def overflowing(paper: PdfReader) -> list[str]:
    return [
        f"page {number}: {thing}"
        for number, page in enumerate(paper.pages, 1)
        for thing in outside(page, paper, **ROOM)
    ]


def test_nothing_in_the_paper_leaves_its_margins(paper: PdfReader) -> None:
    assert overflowing(paper) == []


@pytest.mark.parametrize(
    ("planted", "where"),
    [
        ("Words that fit on their line. `and code`", []),
        (f"#box(`{'x' * 90}`)", ["text"]),  # a line that begins inside and ends outside
        ("#move(dx: -20pt)[left]", ["text"]),
        ("#place(bottom, dy: 60pt)[below]", ["text"]),
        ("#place(top, dy: -60pt)[above]", ["text"]),
        ("#line(length: 480pt)", ["line"]),
        ("#rect(width: 480pt, fill: red)", ["line"]),
    ],
)
def test_the_check_sees_what_leaves_the_margins(planted: str, where: list[str]) -> None:
    setting = '#set page(paper: "a4", margin: (x: 67pt, top: 76pt, bottom: 72pt))\n'
    paper = PdfReader(io.BytesIO(typst.compile((setting + planted).encode(), format="pdf")))
    found = overflowing(paper)
    assert [line.split()[2] for line in found] == where, found


def test_the_paper_is_the_same_bytes_again(book: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "tools" / "paper.py"),
        str(book / "single" / "index.html"),
        str(tmp_path / "again.pdf"),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    assert (tmp_path / "again.pdf").read_bytes() == (book / "paxos.pdf").read_bytes()
