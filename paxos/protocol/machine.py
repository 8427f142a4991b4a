"""A deterministic machine fed by the log: a board of names, each with one value.

Same start, same commands, same order: same board. That is all a replicated state
machine is (Schneider 1990).
"""

from collections.abc import Iterable

from .messages import Command

Board = tuple[tuple[str, str], ...]  # (name, value), in order of name


def commands(log: Iterable[tuple[Command, ...]]) -> tuple[Command, ...]:
    """The entries of a log, in order. A command that was decided twice counts once.

    Of slots asked for at once a later one may be decided first, and what one client asked
    first be asked again behind it: only within a batch its commands keep their order.
    """
    return tuple(dict.fromkeys(one for batch in log for one in batch))


def apply(board: Board, command: str) -> Board:
    """Run one command: `set NAME VALUE`, `book NAME VALUE` (if free), or `clear NAME`.

    Anything else leaves the board as it is, on every machine alike: a command that
    stopped one machine would stop them all, at the same entry, for ever.
    """
    held = dict(board)
    match command.split():
        case ["set", name, value]:
            held[name] = value
        case ["book", name, value] if name not in held:
            held[name] = value
        case ["clear", name]:
            held.pop(name, None)
    return tuple(sorted(held.items()))


def run(log: Iterable[str], board: Board = ()) -> Board:
    """The board after all of these commands."""
    for command in log:
        board = apply(board, command)
    return board
