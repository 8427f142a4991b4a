"""How long the book takes: from a clean clone, with nothing changed, and after an edit in one page.

    python benchmarks/bench_book.py

Packages come from the package cache of this machine (run it twice if that cache is cold).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

PAGE = Path("docs/consensus.md")
CELL = '\n```{code-cell} python3\nprint("one more cell, to see what runs again")\n```\n'


def timed(root: Path, *command: str) -> float:
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in {"PYTHONPATH", "VIRTUAL_ENV", "STRICT"}
    }
    started = time.monotonic()
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - started, 1)


def executed(root: Path) -> set[str]:
    return {str(path) for path in (root / "build" / "cache").glob("*/executed/*/base.ipynb")}


def measure(root: Path) -> dict[str, object]:
    python = f"PYTHON={sys._base_executable}"  # type: ignore[attr-defined]
    subprocess.run(["git", "clone", "--quiet", str(common.ROOT), str(root)], check=True)
    clean = timed(root, "make", python, "book")
    first = executed(root)
    unchanged = timed(root, "make", python, "book")
    page = root / PAGE
    page.write_text(page.read_text("utf-8") + CELL, "utf-8")
    one_page = timed(root, "make", python, "book")
    return {
        "clean_clone_to_book_seconds": clean,
        "nothing_changed_seconds": unchanged,
        "one_page_edited_seconds": one_page,
        "pages_executed_clean": len(first),
        "pages_executed_after_edit": len(executed(root) - first),
    }


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="book-"))
    try:
        result = measure(folder / "clone")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = common.rows(
        ("`make book`", "seconds", "pages run"),
        (
            "from a clean clone",
            result["clean_clone_to_book_seconds"],
            result["pages_executed_clean"],
        ),
        ("nothing changed", result["nothing_changed_seconds"], 0),
        ("one page edited", result["one_page_edited_seconds"], result["pages_executed_after_edit"]),
    )
    common.write("book", lines, result)


if __name__ == "__main__":
    main()
