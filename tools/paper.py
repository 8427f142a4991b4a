"""The book as a typeset paper: one HTML page -> tidy HTML -> pandoc -> Typst -> PDF. Same commit, same bytes."""

import datetime
import json
import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import pypandoc
import typst
from bs4 import BeautifulSoup, NavigableString, Tag

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from paxos.figures import theme  # noqa: E402

NOT_IN_PAPER = {"api", "genindex", "search"}
SITE_ONLY = (
    ".px-hero, .px-doors, .px-site-only, a.headerlink, p.caption[role=heading], script, style, svg"
)
TEXT_WIDTH = 460  # points, as paper.typ sets the page
PIXEL = 0.75  # points
OPEN, CLOSE = "\ue000", "\ue001"  # marks that no text contains
HEADING = re.compile(r"^h[1-6]$")


def label(doc: str, name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{doc}-{name}").strip("-").lower()


# ---- from the site's one page to plain HTML ----------------------------------------------------------------------


def name_regions(article: Tag) -> None:
    """Every section says which page it is: ids repeat from page to page, and links name page and id."""
    for anchor in article.select("span[id^=document-]"):
        section = anchor.find_next_sibling("section")
        if section is not None:
            section["data-doc"] = anchor["id"].removeprefix("document-")
        anchor.decompose()


def doc_of(tag: Tag) -> str:
    owner = tag if tag.get("data-doc") else tag.find_parent(attrs={"data-doc": True})
    return owner["data-doc"] if owner else "index"


def rename_ids(article: Tag) -> dict[str, str]:
    """Ids unique in the whole paper, on elements that keep them on the way."""
    seen: dict[str, str] = {}
    for section in article.select("section[data-doc]"):
        heading = section.find(HEADING)
        if heading is not None:
            heading["id"] = "page"  # where a link to a whole page leads
    for tag in article.find_all(id=True):
        name = label(doc_of(tag), tag["id"])
        del tag["id"]
        if name in seen or (tag.name == "span" and "bibtex-citation" in tag.get("class", [])):
            continue
        seen[name] = name
        if tag.name == "section":
            holder = tag.find(HEADING, recursive=False)
            if holder is not None and holder.get("id"):
                seen[name] = label(doc_of(holder), holder["id"])
                continue
        else:
            holder = tag if tag.name in ("figure", "h1", "h2", "h3", "h4") else None
        if holder is not None:
            holder["id"] = name
        elif tag.name in ("dt", "dd", "p", "li", "td", "th", "div", "span", "section"):
            place = tag.find("p") if tag.name in ("div", "section") and tag.find("p") else tag
            place.insert(0, anchor_for(name))
        else:
            del seen[name]
    return seen


def anchor_for(name: str) -> NavigableString:
    """A place to link to, written as a mark that pandoc takes for text."""
    return NavigableString(f"{OPEN}anchor {name}{CLOSE}")


def repair_links(article: Tag, known: dict[str, str]) -> None:
    for link in article.find_all("a"):
        href = link.get("href", "")
        if href.startswith(("http://", "https://", "mailto:")):
            continue
        doc, _, name = href.removeprefix("#").partition("#")
        if not doc.startswith("document-"):
            doc, name = "document-" + doc_of(link), doc
        target = label(doc.removeprefix("document-"), name or "page")
        if target in known:
            link["href"] = "#" + known[target]
        else:
            link.unwrap()


def set_levels(article: Tag) -> None:
    """A page is a chapter, or a section of the chapter that its folder's index opens. The front page is not numbered."""
    pages = {tag["data-doc"] for tag in article.find_all(attrs={"data-doc": True})}
    shift: dict[str, int] = {}
    for heading in article.find_all(HEADING):
        doc, level = doc_of(heading), int(heading.name[1])
        opener = doc.rpartition("/")[0] + "/index"
        top = 2 if opener in pages and opener != doc else 1
        first = (
            2 if doc == "index" else level
        )  # the front page's own title is the title of the paper
        shift.setdefault(doc, top - first)
        heading.name = f"h{min(6, max(1, level + shift[doc]))}"
        if doc == "index":
            heading["class"] = "unnumbered"


def plain_code(article: Tag, soup: BeautifulSoup) -> None:
    for block in article.find_all("pre"):
        holder = block.find_parent("div", class_=re.compile("^highlight-"))
        classes = " ".join(holder.get("class", [])) if holder else ""
        said = block.find_parent(class_="cell_output") is not None
        cell = block.find_parent(class_="cell")
        joined = cell is not None and cell.select_one(".cell_output pre, pre.output") is not None
        language = "py" if joined else "python" if re.search("python", classes) else "text"
        language = "output" if said else language
        pre, code = soup.new_tag("pre"), soup.new_tag("code")
        pre["class"] = language
        code.string = block.get_text().strip("\n")
        pre.append(code)
        (holder or block).replace_with(pre)


def plain_boxes(article: Tag, soup: BeautifulSoup) -> None:
    for box in article.select("details"):
        box.name = "blockquote"
        summary = box.find("summary")
        if summary:
            summary.name = "p"
            summary.attrs = {}
            strong = soup.new_tag("strong")
            strong.extend(list(summary.contents))
            summary.append(strong)
    for box in article.select("div.admonition"):
        title = box.find(class_="admonition-title")
        if title:
            strong = soup.new_tag("strong")
            strong.extend(list(title.contents))
            title.append(strong)
        box.name = "blockquote"
    for box in article.select("blockquote"):
        first = box.find("p")
        if first is not None and (box.find(["pre", "img"]) or len(box.get_text()) > 1500):
            first.insert(0, NavigableString(f"{OPEN}long{CLOSE}"))
    for badge in article.select(".px-badge"):
        badge.replace_with(NavigableString(f"{OPEN}badge {badge.get_text(strip=True)}{CLOSE}"))
    for entry in article.select("div.citation"):
        tag, text = entry.find(class_="label"), entry.find("p")
        if tag and text:
            strong = soup.new_tag("strong")
            strong.string = tag.get_text()
            text.insert(0, strong)
            strong.insert_after(NavigableString(" "))
            tag.decompose()


def size_of(path: Path) -> tuple[float, float]:
    text = path.read_text("utf-8")
    box = re.search(r'viewBox="[-\d.]+[ ,]+[-\d.]+[ ,]+([\d.]+)[ ,]+([\d.]+)', text)
    return (float(box[1]), float(box[2])) if box else (640.0, 400.0)


def place_figures(article: Tag, folder: Path) -> list[str]:
    """Figures at their own size, or as wide as the text; captions keep the number that the site gives them."""
    options = []
    for image in article.find_all("img"):
        link = image.find_parent("a")
        if link is not None:
            link.unwrap()
        path = folder / image["src"]
        asked = re.search(r"width:\s*([\d.]+)px", image.get("style", ""))
        points = TEXT_WIDTH
        if path.suffix == ".svg":
            wide, high = size_of(path)
            points = min(
                TEXT_WIDTH, (float(asked[1]) if asked else wide) * PIXEL, 620 * wide / high
            )
        alt = " ".join(image.get("alt", "").split()) or "Figure"
        options.append(f"alt: {json.dumps(alt, ensure_ascii=False)}, width: {points:.0f}pt")
    for number in article.select(".caption-number"):
        number.name = "strong"
        number.string = number.get_text().strip() + "."
        number.insert_after(NavigableString(" "))
    return options


def take_formulas(article: Tag) -> list[str]:
    """Formulas leave as TeX, one by one, and come back as Typst with their TeX as alternative text."""
    found = []
    for formula in article.select(".px-tex"):
        tex = formula.get_text()
        number = formula.get("data-number", "")
        block = formula.name == "div"
        anchor = re.search(f"{OPEN}anchor (.*?){CLOSE}", tex)
        tex = re.sub(f"{OPEN}.*?{CLOSE}", "", tex).strip()
        options = [f"block: {str(block).lower()}", f"alt: {json.dumps(tex, ensure_ascii=False)}"]
        options += [f"numbering: _ => [({number})]"] if number else []
        found.append((tex, block, ", ".join(options), f" <{anchor[1]}>" if anchor else ""))
        formula.replace_with(NavigableString(f"{OPEN}formula {len(found) - 1}{CLOSE}"))
    if not found:
        return []
    html = "".join(f"<p>\\[{escape(tex)}\\]</p><hr>" for tex, *_ in found)
    pieces = [piece.strip().strip("$").strip() for piece in to_typst(html).split("#horizontalrule")]
    return [
        f"#math.equation({options}, ${' ' if block else ''}{piece}{' ' if block else ''}$){name}"
        for piece, (_, block, options, name) in zip(pieces, found, strict=False)
    ]


def plain_text(article: Tag) -> None:
    for code in article.find_all("code"):
        if code.parent.name != "pre":
            code.attrs = {}
            code.string = code.get_text()
    for cell in article.find_all(["td", "th"]):
        if len(cell.find_all("p")) == 1:
            cell.p.unwrap()


def tidy(article: Tag, soup: BeautifulSoup, folder: Path) -> tuple[str, list[str], list[str]]:
    for unwanted in article.select(SITE_ONLY):
        unwanted.decompose()
    name_regions(article)
    for section in article.find_all("section", attrs={"data-doc": True}):
        if section.get("data-doc") in NOT_IN_PAPER:
            section.decompose()
    title = article.find("h1")
    if title is not None:
        title.decompose()
    known = rename_ids(article)
    repair_links(article, known)
    set_levels(article)
    figures = place_figures(article, folder)
    formulas = take_formulas(article)
    plain_boxes(article, soup)
    plain_code(article, soup)
    plain_text(article)
    return article.decode(), figures, formulas


# ---- from plain HTML to Typst --------------------------------------------------------------------------------------


def to_typst(markup: str) -> str:
    source = "html+tex_math_single_backslash-native_divs-native_spans"
    return str(pypandoc.convert_text(markup, "typst", format=source, extra_args=["--wrap=none"]))


def finish(text: str, figures: list[str], formulas: list[str]) -> str:
    """Put back what pandoc does not carry: anchors, formulas, sizes and descriptions of images."""
    waiting = iter(figures)
    text = re.sub(r'image\(("[^"]*")[^)]*\)', lambda m: f"image({m[1]}, {next(waiting)})", text)
    text = re.sub(f"{OPEN}formula (\\d+){CLOSE}", lambda m: formulas[int(m[1])], text)
    text = re.sub(rf"#quote\(block: true\)\[(\s*){OPEN}long{CLOSE}", r"#longbox[\1", text)
    text = text.replace(f"{OPEN}long{CLOSE}", "")
    colours = {kind.badge: theme.COLOURS[kind.name][0] for kind in theme.KINDS.values()}
    for name in set(re.findall(f"{OPEN}badge (.*?){CLOSE}", text)):
        badge = f'#badge("{name}", rgb("{colours.get(name, theme.COLOURS["ink"][0])}"))'
        text = text.replace(f"{OPEN}badge {name}{CLOSE}", badge)
    return re.sub(f"{OPEN}anchor (.*?){CLOSE}", r"#metadata(none) <\1>", text)


def commit_time() -> int:
    """The time in the PDF is that of the commit, so that the same commit gives the same bytes."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def make(page: Path, target: Path) -> None:
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    assert article is not None, f"{page} has no article"
    abstract = article.select_one(".px-abstract")
    for link in abstract.select("a") if abstract else ():  # it also goes where links cannot
        link.unwrap()
    summary = to_typst(abstract.extract().decode_contents()) if abstract else ""
    markup, figures, formulas = tidy(article, soup, page.parent)
    body = finish(to_typst(markup), figures, formulas)
    when = commit_time()
    day = datetime.datetime.fromtimestamp(when, datetime.UTC)
    head = (
        '#import "/tools/paper.typ": *\n'
        f"#show: paper.with(date: datetime(year: {day.year}, month: {day.month}, day: {day.day}), "
        f"abstract: [{summary}], words: {json.dumps(' '.join(summary.split()))})\n\n"
    )
    source = page.parent / "paper.typ"
    source.write_text(head + body, "utf-8")
    pdf = typst.compile(
        str(source),
        root=str(ROOT),
        font_paths=[str(ROOT / "_static" / "fonts")],
        ignore_system_fonts=True,
        pdf_standards=["ua-1", "a-3a"],
        timestamp=when,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pdf)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
