"""What all tests share: the book, the flag that writes transcripts anew, and reproducible examples."""

from pathlib import Path

import pytest
from books import PARTS, ROOT, build
from hypothesis import settings

# The same examples on every machine and every run: a failure that nobody can repeat helps nobody.
settings.register_profile("book", deadline=None, derandomize=True, database=None)
settings.load_profile("book")


def pytest_addoption(parser):
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write tests/transcripts/*.txt anew; read the difference before you commit it",
    )


def pytest_collection_modifyitems(items):
    """The rules first: whoever broke one need not wait for what follows from it."""
    rules = {path.stem for path in (ROOT / "paxos" / "protocol").glob("*.py")}
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in rules)


@pytest.fixture(scope="session")
def book() -> Path:
    """The whole book, built as `make book` builds it (strictly: any warning fails)."""
    build(ROOT, *PARTS)
    return ROOT / "build"
