"""What this book adds to Sphinx: no stale output, figures inside the page, formulas without a script, notebooks to take away."""

import hashlib
import html
import json
import os
import pydoc
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import notebook
from docutils import nodes
from myst_nb.core.execute.cache import NotebookClientCache
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)
SVG = "{http://www.w3.org/2000/svg}"
DARK_BLOCK = re.compile(r"/\*dark\*/.*?/\*end\*/", re.S)


# ---- no stale output -------------------------------------------------------------------------------------------


def digest(root: Path) -> str:
    """A digest of everything that a cell can call: an edit there makes every page run again."""
    seen = hashlib.sha256(f"{sys.version_info[:2]} {root}".encode())
    parts = ("paxos/**/*.py", "benchmarks/results/*.json", "requirements.txt")
    for path in sorted(path for part in parts for path in root.glob(part)):
        seen.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return seen.hexdigest()[:16]


def forget_old_caches(folder: Path, keep: int = 4) -> None:
    others = sorted(folder.parent.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in [path for path in others if path != folder][keep - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


# ---- figures ---------------------------------------------------------------------------------------------------


def svg_file(app: Sphinx, node: nodes.image) -> Path | None:
    uri = node["uri"]
    if "://" in uri or not uri.endswith(".svg"):
        return None
    path = (Path(app.srcdir) / uri.lstrip("/")).resolve()
    return path if path.is_file() else None


def svg_words(text: str) -> tuple[str, str]:
    """The title and the description that a figure carries."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return "", ""
    words = (root.findtext(SVG + name, "") for name in ("title", "desc"))
    title, desc = (" ".join(word.split()) for word in words)
    return title, desc


def describe_images(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Every figure has a text for those who cannot see it: its own title and description."""
    for node in doctree.findall(nodes.image):
        wanting = not node.get("alt") or node["alt"].endswith(".svg")
        if wanting and (path := svg_file(app, node)):
            node["alt"] = ": ".join(filter(None, svg_words(path.read_text("utf-8"))))


def inline_svg(text: str, prefix: str, alt: str = "", width: str = "") -> str:
    """The figure as a part of the page: selectable text, the site's colours, ids that are its own."""
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->", "", text, flags=re.S).strip()
    text = DARK_BLOCK.sub("", text)
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', text)
    text = re.sub(r"url\((['\"]?)#", rf"url(\1#{prefix}", text)
    text = re.sub(r'href="#', f'href="#{prefix}', text)
    for attribute in ("aria-labelledby", "aria-describedby"):
        renamed = lambda m: f'{m[1]}="' + " ".join(prefix + word for word in m[2].split()) + '"'  # noqa: E731
        text = re.sub(rf'({attribute})="([^"]*)"', renamed, text)
    for name in ids:
        text = re.sub(rf"(?<=[\s,{{}}>])#{re.escape(name)}(?=[\s,.:{{])", f"#{prefix}{name}", text)
    head, rest = text.split(">", 1)
    if 'role="' not in head:
        head += ' role="img"'
    if "<title" not in rest and alt:
        rest = f"<title>{html.escape(alt)}</title>" + rest
    size = re.search(r'viewBox="[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)', head) or re.search(
        r'\bwidth="([\d.]+)', head
    )
    natural = f"{float(size[1]):.0f}px" if size else "100%"
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    head += f' style="--px-width: {width or natural}"'
    return head + ">" + rest


def visit_image(translator: Any, node: nodes.image) -> None:
    app = translator.builder.app
    path = svg_file(app, node) if translator.builder.name == "html" else None
    if path is None:
        type(translator).visit_image(translator, node)
        raise nodes.SkipDeparture
    count = translator.__dict__["px_figures"] = translator.__dict__.get("px_figures", 0) + 1
    text = path.read_text("utf-8")
    alt = node.get("alt") or ""
    label = html.escape(svg_words(text)[0] or alt or "Figure", quote=True)
    width = node.get("width", "")
    width += "px" if width.isdigit() else ""
    svg = inline_svg(text, f"f{count}-", alt, width)
    translator.body.append(
        f'<div class="px-svg" role="group" aria-label="{label}" tabindex="0">{svg}</div>\n'
    )
    raise nodes.SkipNode


def depart_image(translator: Any, node: nodes.image) -> None:
    type(translator).depart_image(translator, node)


def write_figure_colours(app: Sphinx, error: Exception | None) -> None:
    """The colours that figures take from the site's theme, from the table that draws them."""
    if error or app.builder.format != "html":
        return
    from paxos.figures import theme

    css = f"@media screen {{\n{theme.site_css()}}}\n"  # on paper a figure has the colours of its own file
    target = Path(app.outdir) / "_static" / "figures.css"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text("utf-8") != css:
        target.write_text(css, "utf-8")


# ---- formulas --------------------------------------------------------------------------------------------------


def visit_math(translator: Any, node: nodes.math | nodes.math_block) -> None:
    block = isinstance(node, nodes.math_block)
    tex = node.astext()
    if translator.builder.name == "html":
        from latex2mathml.converter import convert

        markup = convert(tex, display="block" if block else "inline")
        markup = re.sub(
            r'<mo stretchy="false">(&#x0007C;)',
            r'<mo stretchy="false" lspace="0" rspace="0">\1',
            markup,
        )
    else:  # the paper takes the TeX
        markup = html.escape(tex)
    kind = "px-math" if translator.builder.name == "html" else "px-tex"
    number = str(node.get("number") or "")
    if block:
        name = f' id="{node["ids"][0]}"' if node.get("ids") else ""
        if number and kind == "px-math":
            markup += f'<span class="eqno">({number})</span>'
        markup = f'<div class="{kind}" tabindex="0" data-number="{number}"{name}>{markup}</div>'
    elif kind == "px-tex":
        markup = f'<span class="px-tex">{markup}</span>'
    translator.body.append(markup)
    raise nodes.SkipNode


# ---- notebooks to take away ------------------------------------------------------------------------------------


def executed(app: Sphinx, docname: str) -> Path | None:
    path = Path(app.outdir).parent / "jupyter_execute" / (docname + ".ipynb")
    cells = app.env.metadata[docname].get("kernelspec") is not None
    return path if cells and path.is_file() else None


def mend_execution() -> None:
    """Two faults of MyST-NB, mended where it runs a notebook.

    It writes the notebook it was given; with a cached run the outputs are in another object: put
    them back. And text arrives in pieces that differ from run to run, which it joins by new lines.
    """
    start = NotebookClientCache.start_client

    def start_client(self: NotebookClientCache) -> None:
        given = self._notebook
        start(self)
        given.cells = self._notebook.cells
        for cell in given.cells:
            join_text(cell.get("outputs", []))

    NotebookClientCache.start_client = start_client


def join_text(outputs: list[Any]) -> None:
    """Make one output of neighbouring pieces of the same stream."""
    for number in range(len(outputs) - 1, 0, -1):
        one, after = outputs[number - 1 : number + 1]
        if one["output_type"] == after["output_type"] == "stream" and one["name"] == after["name"]:
            one["text"] += after["text"]
            del outputs[number]


def offer_notebook(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if pagename in app.env.found_docs and executed(app, pagename):
        context["px_notebook"] = f"_notebooks/{pagename}.ipynb"


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    target = Path(app.outdir) / "_notebooks"
    shutil.rmtree(target, ignore_errors=True)
    for docname in sorted(app.env.found_docs):
        if source := executed(app, docname):
            path = target / (docname + ".ipynb")
            path.parent.mkdir(parents=True, exist_ok=True)
            page = Path(app.env.doc2path(docname))
            path.write_text(notebook.plain_notebook(source.read_text("utf-8"), page), "utf-8")


# ---- pages that everybody can use ------------------------------------------------------------------------------


def mend_page(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Small faults of markup, mended where the page is made."""
    body = context.get("body", "")
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    body = re.sub(r'(<div class="citation"[^>]*?) role="doc-biblioentry"', r"\1", body)
    body = re.sub(r"<pre(?! tabindex)(?=[ >])", '<pre tabindex="0"', body)
    body = re.sub(
        r'<div class="pst-scrollable-table-container">',
        r'<div class="pst-scrollable-table-container" tabindex="0">',
        body,
    )
    body = re.sub(r'<th class="head[^"]*">(?:<p></p>)?</th>', "<td></td>", body)
    context["body"] = body


def find_failed_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Say at the top of a page which of its cells failed, hidden ones too."""
    docname = app.env.docname
    failed = app.env.metadata[docname]["failed_cells"] = list(failures(executed(app, docname)))
    if failed:
        items = [nodes.list_item("", nodes.paragraph(text=words)) for words in failed]
        say = "Cells of this page failed, some of them hidden. If you broke a rule: make test names it."
        box = nodes.warning("", nodes.paragraph(text=say))
        box += nodes.bullet_list("", *items)
        top = next(doctree.findall(nodes.section), doctree)
        top.insert(1, box)


def failures(path: Path | None) -> Iterator[str]:
    """Each failed cell of an executed notebook, in one line."""
    notebook = json.loads(path.read_text("utf-8")) if path else {"cells": []}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                words = f"{output['ename']}: {output['evalue']}".rstrip(": ").splitlines()[0]
                yield f"cell {number} of {len(cells)}: {words}"


def read_failed_pages_again(app: Sphinx, env: Any, *_: Any) -> list[str]:
    """A page that failed is never up to date: else its mistake would be forgotten."""
    return [name for name in sorted(env.found_docs) if env.metadata[name].get("failed_cells")]


def name_failed_cells(app: Sphinx, env: Any) -> None:
    """Name every failed cell in the terminal, at every build; in a strict one they are warnings."""
    strict = os.environ.get("STRICT", "1") != "0"
    failed = [
        (docname, words)
        for docname in sorted(env.found_docs)
        for words in env.metadata[docname].get("failed_cells", ())
    ]
    for docname, words in failed:
        if strict:
            log.warning("%s: %s", f"docs/{docname}.md", words, type="book", subtype="cell")
        else:
            print(f"docs/{docname}.md: {words}", file=sys.stderr, flush=True)
    if failed:
        print("If you broke a rule: `make test` names it.", file=sys.stderr, flush=True)


def real_name(app: Sphinx, env: Any, node: nodes.Element, shown: nodes.Node) -> nodes.Node | None:
    """A name in a signature that no page describes is fine as text, if there is such a thing."""
    target = node.get("reftarget", "")
    known = node.get("refdomain") == "py" and target.startswith("paxos.") and pydoc.locate(target)
    return shown if known else None


def tidy(app: Sphinx) -> None:
    folder = Path(app.config.nb_execution_cache_path)
    if folder.parent.is_dir():
        forget_old_caches(folder)


def setup(app: Sphinx) -> dict[str, Any]:
    mend_execution()
    app.add_config_value("book_digest", "", "env", str)
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    app.connect("builder-inited", tidy)
    app.connect("env-get-outdated", read_failed_pages_again)
    app.connect("doctree-read", find_failed_cells)
    app.connect("env-check-consistency", name_failed_cells)
    app.connect("doctree-resolved", describe_images)
    app.connect("missing-reference", real_name)
    app.connect("html-page-context", offer_notebook)
    app.connect("html-page-context", mend_page)
    app.connect("build-finished", write_figure_colours)
    app.connect("build-finished", write_notebooks)
    os.environ.setdefault("PYTHONHASHSEED", "0")
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
