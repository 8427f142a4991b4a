"""How long the book takes: from a clean clone, with nothing changed, and after an edit in one page.

    python benchmarks/bench_book.py

Packages come from the package cache of this machine (run it twice if that cache is cold).
"""

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "book.json"
PAGE = Path("docs/consensus.md")
CELL = '\n```{code-cell} python3\nprint("one more cell, to see what runs again")\n```\n'


def machine() -> dict[str, object]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


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
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
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
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"date": day, "machine": machine(), **result}, indent=2) + "\n", "utf-8"
    )
    print(RESULT.read_text("utf-8"), end="")


if __name__ == "__main__":
    main()
