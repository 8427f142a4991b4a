"""Paxos you can run: the protocols of the book, and the library made of them."""

__version__ = "0.1.0"
