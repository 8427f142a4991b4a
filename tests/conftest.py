"""What all tests share: the book, the flag that writes transcripts anew, and reproducible examples."""

import os
from pathlib import Path
from typing import NoReturn

import pytest
import racers
from books import PARTS, ROOT, build
from hypothesis import settings
from odd_lists import world  # noqa: F401  a fixture

# The same examples on every machine and every run: a failure that nobody can repeat helps nobody.
settings.register_profile("book", deadline=None, derandomize=True, database=None)
settings.load_profile("book")


def unavailable(reason: str, required: bool = True) -> NoReturn:
    """Skip: a server cannot be had here. But in CI what is required must be there, or nothing is tested."""
    if required and os.environ.get("PAXOS_CI") == "1":
        pytest.fail(f"CI must have it: {reason}", pytrace=False)
    pytest.skip(reason)


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
def eight():
    """Eight processes that race for the positions of a list."""
    them = racers.Racers(8)
    yield them
    them.stop()


@pytest.fixture(scope="session")
def book() -> Path:
    """The whole book, built as `make book` builds it (strictly: any warning fails)."""
    build(ROOT, *PARTS)
    return ROOT / "build"
