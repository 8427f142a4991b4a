"""Paxos you can run: the protocols of the book, and the library made of them."""

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Blocking, Entry, Log, Mismatch, ServiceError, Status, Undecided, open

__all__ = ["Blocking", "Entry", "Log", "Mismatch", "ServiceError", "Status", "Undecided", "open"]


def __getattr__(name: str) -> Any:
    """The public door is opened by whoever asks for it: the rules alone need none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import client

    return getattr(client, name)
