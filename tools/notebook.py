"""A page as a notebook to take away: executed, the same bytes every time, and readable where MyST is not known."""

import ast
import json
import re
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^(?P<mark>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ ]*(?P<title>.*)$")
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
TARGET = re.compile(r"^\([\w-]+\)=\n", re.M)
LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:)([^)\s#]+)\.md(?:#[^)\s]*)?\)")
SPAN = re.compile(r"\[([^\]]+)\]\{[.#][^}]*\}")


def source_of(path: Path, name: str) -> str:
    """The source of one function or class, decorators included."""
    text = path.read_text("utf-8")
    if not name:
        return text.rstrip()
    nodes: Any = ast.parse(text)
    for part in name.split("."):
        nodes = next(node for node in nodes.body if getattr(node, "name", "") == part)
    first = min([nodes.lineno, *(item.lineno for item in nodes.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : nodes.end_lineno])


def split_options(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    options = {}
    while lines and (found := re.match(r"^:([\w-]+):\s*(.*)$", lines[0])):
        options[found[1]] = found[2]
        lines = lines[1:]
    return options, lines


def show(name: str, title: str, lines: list[str], page: Path) -> list[str]:
    """What a directive looks like in plain Markdown."""
    options, body = split_options(lines)
    text = "\n".join(plain_lines(body, page)).strip("\n")
    match name:
        case "literalinclude":
            return ["```python", source_of(page.parent / title, options.get("pyobject", "")), "```"]
        case "dropdown":
            return [f"<details><summary>{title}</summary>", "", text, "", "</details>"]
        case "div":
            return [text]
        case "toctree":
            return []
        case "figure" | "image" | "glue:figure":
            return [f"*{text}*"] if text else []
        case "admonition" | "note" | "tip" | "hint" | "important" | "warning" | "caution":
            heading = title or name.capitalize()
            return [f"> **{heading}**", ">", *(f"> {line}".rstrip() for line in text.splitlines())]
        case _:
            return ["```text", *lines, "```"]


def plain_lines(lines: list[str], page: Path) -> list[str]:
    shown: list[str] = []
    waiting = list(lines)
    while waiting:
        line = waiting.pop(0)
        opened = FENCE.match(line)
        if not opened:
            shown.append(line)
            continue
        end = waiting.index(opened["mark"]) if opened["mark"] in waiting else len(waiting)
        shown += show(opened["name"], opened["title"], waiting[:end], page)
        waiting = waiting[end + 1 :]
    return shown


def plain_markdown(text: str, page: Path, numbers: dict[str, str]) -> str:
    def role(found: re.Match[str]) -> str:
        name, words = found[1], found[2]
        if name.startswith("cite"):
            return f"[{', '.join(word.strip() for word in words.split(','))}]"
        if name.startswith("glue"):
            return numbers.get(words.split(":")[0], words)
        return re.sub(r"\s*<[^>]+>$", "", words).lstrip("~")

    def link(found: re.Match[str]) -> str:
        target = page.parent / f"{found[2]}.md"
        runs = target.is_file() and "{code-cell}" in target.read_text("utf-8")
        return f"[{found[1]}]({found[2]}.ipynb)" if runs else found[1]

    text = TARGET.sub("", "\n".join(plain_lines(text.split("\n"), page)))
    for pattern, shown in ((ROLE, role), (SPAN, r"**\1**"), (LINK, link)):
        text = pattern.sub(shown, text)
    return text.strip("\n")


def glued(cells: list[dict[str, Any]]) -> dict[str, str]:
    """The numbers that cells handed to the text."""
    numbers = {}
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        name = output.get("metadata", {}).get("scrapbook", {}).get("name")
        if name:
            shown = output["data"].get("text/plain") or output["data"].get(
                "application/papermill.record/text/plain"
            )
            numbers[name] = "".join(shown or "").strip("'\"")
    return numbers


def plain_notebook(text: str, page: Path) -> str:
    """The executed notebook of the page at `page`: no random ids, no times, no directives."""
    notebook = json.loads(text)
    cells = notebook["cells"]
    numbers = glued(cells)
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{number}"
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "markdown":
            cell["source"] = plain_markdown("".join(cell["source"]), page, numbers)
    notebook["metadata"].pop("source_map", None)
    notebook["metadata"]["language_info"] = {"name": "python", "file_extension": ".py"}
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
