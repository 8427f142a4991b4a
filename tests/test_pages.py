"""The book as built: every page ran, every link leads somewhere, nothing is stale, nothing is fetched from outside."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from books import ROOT, build
from bs4 import BeautifulSoup

NOT_PAGES = {"genindex.html", "search.html", "py-modindex.html"}
OUTSIDE = re.compile(r"^(?:https?:|wss?:|ftp:)?//")
# What a script or style could fetch by itself. Plain text (licences, name spaces, comments) is not a request.
FETCHING = re.compile(
    r"""(?:fetch|import|importScripts|EventSource|WebSocket|sendBeacon|\.open)\s*\(\s*["'`](?:https?:|wss?:)?//"""
    r"""|url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//|\.src\s*=\s*["'`](?:https?:)?//"""
)


@pytest.fixture(scope="session")
def pages(book: Path) -> dict[str, BeautifulSoup]:
    site = book / "site"
    found = (p for p in sorted(site.rglob("*.html")) if "_static" not in p.relative_to(site).parts)
    return {
        p.relative_to(site).as_posix(): BeautifulSoup(p.read_text("utf-8"), "html.parser")
        for p in found
    }


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if ".ipynb_checkpoints" not in path.parts:
            yield (
                path.relative_to(ROOT / "docs").with_suffix("").as_posix(),
                path.read_text("utf-8"),
            )


def notebook_pages() -> list[str]:
    return [name for name, text in sources() if "{code-cell}" in text]


# ---- the site ------------------------------------------------------------------------------------------------


def test_every_cell_of_every_page_was_executed(book: Path) -> None:
    assert notebook_pages(), "the book has no executed page"
    for name in notebook_pages():
        cells = json.loads((book / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code, f"{name} has no cell"
        assert all(cell["execution_count"] for cell in code), f"{name} has a cell that did not run"
        outputs = [output for cell in code for output in cell["outputs"]]
        assert not [o for o in outputs if o["output_type"] == "error"], f"{name} has a failed cell"


def test_notebooks_read_well_where_myst_is_unknown(book: Path) -> None:
    for name in notebook_pages():
        path = book / "notebooks" / f"{name}.ipynb"
        cells = json.loads(path.read_text("utf-8"))["cells"]
        text = "\n".join(
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
        )
        assert not re.findall(r"^[`:]{3,}\{.*|\{[\w:-]+\}`.*", text, re.M), (
            f"{name} shows directives"
        )
        for target in re.findall(r"\]\(([^)#\s]+\.ipynb)\)", text):
            assert (path.parent / target).is_file(), f"{name} links to {target}"


def link_targets(page: BeautifulSoup) -> set[str]:
    return {tag["id"] for tag in page.find_all(id=True)} | {
        tag["name"] for tag in page.find_all("a", attrs={"name": True})
    }


def broken_links(site: Path, pages: dict[str, BeautifulSoup]) -> list[str]:
    broken, targets = [], {name: link_targets(page) for name, page in pages.items()}
    for name, page in pages.items():
        for tag in page.select("a[href], link[href], img[src], script[src]"):
            href = tag.get("href") or tag.get("src")
            if urlsplit(href).scheme or OUTSIDE.match(href):
                continue
            address, fragment = urldefrag(href)
            address = unquote(urlsplit(address).path)
            path = (site / name).parent / address if address else site / name
            path = Path(os.path.normpath(path))
            key = path.relative_to(site).as_posix() if path.is_relative_to(site) else ""
            if not key or not path.is_file():
                broken.append(f"{name}: {href} leads nowhere")
            elif fragment and key in targets and unquote(fragment) not in targets[key]:
                broken.append(f"{name}: {href} has no such place in it")
    return broken


def test_internal_links_and_fragments_lead_somewhere(
    book: Path, pages: dict[str, BeautifulSoup]
) -> None:
    assert broken_links(book / "site", pages) == []


def test_the_link_check_finds_a_broken_link(book: Path) -> None:
    wrong = BeautifulSoup(
        '<a href="nowhere.html">x</a><a href="#nobody">x</a><a href="#me" id="me">x</a>',
        "html.parser",
    )
    assert len(broken_links(book / "site", {"index.html": wrong})) == 2


def outside_requests(name: str, page: BeautifulSoup) -> list[str]:
    """What a browser would fetch for this page by itself. A link that a reader may click is not a request."""
    asked = [
        tag[key]
        for tag in page.find_all(True)
        if tag.name != "a"
        for key in ("src", "data", "poster")
        if tag.get(key)
    ]
    asked += [tag["href"] for tag in page.select("link[href], image[href], use[href]")]
    asked += re.findall(r"\S+", " ".join(tag["srcset"] for tag in page.select("[srcset]")))
    found = [f"{name}: {url}" for url in asked if OUTSIDE.match(url)]
    inline = [tag.get_text() for tag in page.find_all(["script", "style"])] + [
        tag["style"] for tag in page.select("[style]")
    ]
    return found + [f"{name}: {hit[0]}" for text in inline for hit in FETCHING.finditer(text)]


def test_the_site_makes_no_outside_request(book: Path, pages: dict[str, BeautifulSoup]) -> None:
    found = [request for name, page in pages.items() for request in outside_requests(name, page)]
    for path in (book / "site" / "_static").rglob("*"):
        if path.suffix in {".css", ".js", ".mjs", ".svg"}:
            text = path.read_text("utf-8", errors="replace")
            found += [f"{path.name}: {hit[0]}" for hit in FETCHING.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://a.example/x.js"></script>',
        '<link rel="stylesheet" href="//a.example/x.css">',
        '<p style="background: url(https://a.example/x.png)"></p>',
        "<script>fetch('https://a.example/x.json')</script>",
        "<style>@import 'https://a.example/x.css';</style>",
    ],
)
def test_the_request_check_finds_a_request(markup: str) -> None:
    assert outside_requests("page", BeautifulSoup(markup, "html.parser"))


def test_figures_are_part_of_the_page_and_described(pages: dict[str, BeautifulSoup]) -> None:
    figures = [
        (name, svg) for name, page in pages.items() for svg in page.select("article .px-svg > svg")
    ]
    assert figures, "no figure is inlined"
    for name, svg in figures:
        assert svg.get("role") == "img", name
        title, desc = svg.find("title"), svg.find("desc")
        assert title and title.get_text(strip=True), f"{name}: a figure without title"
        assert desc and desc.get_text(strip=True), f"{name}: a figure without description"
        assert "prefers-color-scheme" not in str(svg), (
            f"{name}: the reader's choice of theme would not reach the figure"
        )
    loose = [
        f"{name}: {i['src']}"
        for name, page in pages.items()
        for i in page.select("article img")
        if i["src"].endswith(".svg")
    ]
    assert loose == []


def test_ids_are_unique_on_each_page(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert sorted(set(ids)) == sorted(ids), name


def test_every_page_offers_its_notebook_and_the_way_on(
    book: Path, pages: dict[str, BeautifulSoup]
) -> None:
    for name in notebook_pages():
        page = pages[name + ".html"]
        link = page.find("a", string="Download as notebook")
        assert link is not None, f"{name} cannot be downloaded"
        path = ((book / "site" / name).parent / link["href"]).resolve()
        assert json.loads(path.read_text("utf-8"))["nbformat"] == 4
    order = [name for name in pages if name not in NOT_PAGES]
    first = [name for name in order if not pages[name].select_one("a.left-prev")]
    last = [name for name in order if not pages[name].select_one("a.right-next")]
    assert first == ["index.html"]
    assert len(last) == 1, f"pages outside the order of the book: {last}"


# ---- nothing stale -------------------------------------------------------------------------------------------

PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
---
# One page

```{code-cell} python3
from paxos.protocol.acceptor import Acceptor, step
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept
promised = Acceptor(promised=Ballot(1, "p"))
print("the answer:", type(step(promised, Accept(Ballot(1, "p"), "Ann"))[1][-1].message).__name__)
```

```{literalinclude} ../paxos/protocol/acceptor.py
:pyobject: step
```

```{toctree}
other
```
"""
OTHER = (
    PAGE.split("# One page")[0] + "# Another page\n\n```{code-cell} python3\nprint(6 * 7)\n```\n"
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of this repository whose book is two pages."""
    root = tmp_path / "copy"
    for name in ("paxos", "tools", "_static"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conf.py", "references.bib", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    (root / "docs").mkdir()
    (root / "docs" / "index.md").write_text(PAGE)
    (root / "docs" / "other.md").write_text(OTHER)
    return root


@pytest.mark.parametrize("part", ["paxos/protocol/acceptor.py", "requirements.txt"])
def test_the_outputs_of_other_rules_or_other_packages_are_not_used(
    copy: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    digest = importlib.import_module("book").digest
    before = digest(copy)
    assert digest(copy) == before
    (copy / part).write_text((copy / part).read_text("utf-8") + "# edited\n", "utf-8")
    assert digest(copy) != before


def runs(root: Path) -> dict[str, int]:
    """The notebooks that were executed and kept: name and time."""
    found = (root / "build" / "cache").glob("*/executed/*/base.ipynb")
    return {str(path): path.stat().st_mtime_ns for path in found}


def test_an_edited_rule_changes_the_page_and_nothing_else_runs_again(copy: Path) -> None:
    page = copy / "build" / "site" / "index.html"
    build(copy, "site")
    assert "the answer: Accepted" in page.read_text("utf-8")
    first = runs(copy)
    assert len(first) == 2

    for forgotten in ("stamps", "doctrees", "jupyter_execute"):
        shutil.rmtree(copy / "build" / forgotten)
    build(copy, "site", "notebooks")
    assert runs(copy) == first, "nothing changed, so nothing may run"
    kept = json.loads((copy / "build" / "notebooks" / "other.ipynb").read_text("utf-8"))
    assert kept["cells"][-1]["outputs"], "a notebook without its outputs"

    other = copy / "docs" / "other.md"
    other.write_text(other.read_text().replace("6 * 7", "6 * 8"))
    build(copy, "site")
    assert len(runs(copy).items() - first.items()) == 1, (
        "an edit in one page must run that page only"
    )

    rule = copy / "paxos" / "protocol" / "acceptor.py"
    text = rule.read_text("utf-8")
    assert text.count("if ballot >= acceptor.promised") == 1
    rule.write_text(
        text.replace("if ballot >= acceptor.promised", "if ballot > acceptor.promised"), "utf-8"
    )
    build(copy, "site")
    shown = BeautifulSoup(page.read_text("utf-8"), "html.parser").get_text()
    assert "the answer: Refused" in shown, "the page shows the output of the old rule"
    assert "if ballot > acceptor.promised" in shown, "the page shows the old rule"


def test_a_failed_cell_stops_the_strict_build_and_shows_in_the_lax_one(copy: Path) -> None:
    other = copy / "docs" / "other.md"
    other.write_text(
        other.read_text().replace("print(6 * 7)", 'assert 6 * 7 == 41, "a planted mistake"')
    )
    command = [sys.executable, str(copy / "tools" / "build.py"), "site"]
    lax = subprocess.run(
        command, cwd=copy, env=os.environ | {"STRICT": "0"}, capture_output=True, text=True
    )
    assert lax.returncode == 0, lax.stderr
    said = "cell 1 of 1: AssertionError: a planted mistake"
    assert f"docs/other.md: {said}" in lax.stderr
    assert said in (copy / "build" / "site" / "other.html").read_text("utf-8")
    strict = subprocess.run(
        command, cwd=copy, env=os.environ | {"STRICT": "1"}, capture_output=True, text=True
    )
    assert strict.returncode != 0
    assert said in strict.stderr and "STRICT=0" in strict.stderr
    again = subprocess.run(command, cwd=copy, env=os.environ | {"STRICT": "1"}, capture_output=True)
    assert again.returncode != 0, "what was read before must not hide the mistake"


def test_text_that_arrives_in_pieces_is_shown_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a kernel cuts its output differs from run to run; the page must not."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    join = importlib.import_module("book").join_text
    whole = {"output_type": "stream", "name": "stdout", "text": "3 proposers: 3\n3 proposers: 3\n"}
    other = {"output_type": "stream", "name": "stderr", "text": "3 proposers: 3\n"}
    pieces = [{**whole, "text": text} for text in ("3", " proposers: 3\n", "3", " proposers: 3\n")]
    last = {**whole, "text": "3"}
    outputs = [*pieces, other, {"output_type": "display_data"}, last]
    join(outputs)
    assert outputs == [whole, other, {"output_type": "display_data"}, last]
