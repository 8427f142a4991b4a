"""A run in words: who said what to whom, one line each, for a terminal or a transcript."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..outcome import broken, chains, chosen, cost
from ..protocol.events import Decide, Propose, Save
from ..protocol.messages import Accept, Accepted, InSlot, Prepare, Promise, Refused
from ..trace import Crash, Cut, Heal, Lost, Open, Step, Trace, kind, text

# 256-colour codes near the palette of the figures, readable on black and on white.
COLOURS = {"prepare": 32, "promise": 30, "accept": 166, "accepted": 134, "refused": 161}
GOLD, GREY = 178, 244


def tell(trace: Trace, colour: bool = False) -> str:
    """The whole run, ending with what was chosen and what it cost."""
    width = max(len(name) for name, _ in trace.header.nodes)
    lines = []
    for at, node, words, paint in said(trace):
        time = f"{at / trace.header.tick:8.2f}"
        words = f"\x1b[38;5;{paint}m{words}\x1b[0m" if colour and paint else words
        lines.append(f"{time}  {node:<{width}}  {words}")
    lines += ["", *summary(trace, colour)]
    return "\n".join(lines) + "\n"


def said(trace: Trace) -> Iterator[tuple[int, str, str, int | None]]:
    """(time, node, words, colour) of everything worth a line."""
    sent = {one.id: (step.node, one) for step in trace.steps() for one in step.sent}
    begun = len(trace.header.nodes)
    instants = {one.index: one for one in chosen(trace)}
    for index, record in enumerate(trace.records):
        match record:
            case Step():
                yield from stepped(trace, record)
            case Lost(at, id, why):
                sender, gone = sent[id]
                yield at, sender, f"{message(trace, gone.message)} → {gone.to}: {why}", GREY
            case Crash(at, node):
                yield at, node, "crashes", GREY
            case Open(at, node) if index >= begun:
                yield at, node, "is back", GREY
            case Cut(at, groups):
                yield at, "", "network splits: " + " | ".join(map(" ".join, groups)), GREY
            case Heal(at):
                yield at, "", "network is whole again", GREY
        if one := instants.get(index):  # a quorum has voted; no participant sees this moment
            where = "" if one.slot is None else f" in slot {one.slot}"
            what = f"* {text(one.proposal.value)} is {one.news}{where}, in ballot"
            yield one.at, "", f"{what} {trace.short(one.proposal.ballot)}", GOLD


def stepped(trace: Trace, step: Step) -> Iterator[tuple[int, str, str, int | None]]:
    """What one step says: each message once, with all who will hear it."""
    if isinstance(step.event, Propose):
        yield step.at, step.node, f"wants {text(step.event.value)}", None
    heard: dict[Any, list[str]] = {}
    for one in step.sent:
        heard.setdefault(one.message, []).append(one.to)
    for what, to in heard.items():
        yield step.at, step.node, f"{message(trace, what)} → {' '.join(to)}", COLOURS[kind(what)]
    if step.done < len(step.effects):
        saved = step.done and isinstance(step.effects[step.done - 1], Save)
        yield step.at, step.node, f"{'saves, and ' if saved else ''}goes no further", GREY
    for effect in step.effects[: step.done]:
        if isinstance(effect, Decide):
            yield step.at, step.node, f"knows that {text(effect.value)} is chosen", GOLD


def message(trace: Trace, what: Any) -> str:
    """A message in words."""
    match what:
        case InSlot(slot, content):
            return f"slot {slot}: {message(trace, content)}"
        case Prepare(ballot):
            return f"prepare {trace.short(ballot)}"
        case Promise(ballot, None):
            return f"promise {trace.short(ballot)}, no vote yet"
        case Promise(ballot, Accept(last, value)):
            return f"promise {trace.short(ballot)}, voted {text(value)} in {trace.short(last)}"
        case Accept(ballot, value) | Accepted(ballot, value):
            return f"{type(what).__name__.lower()} {trace.short(ballot)}, {text(value)}"
        case Refused(ballot, promised):
            return f"refused {trace.short(ballot)}, promised {trace.short(promised)}"
    return str(what)


def summary(trace: Trace, colour: bool) -> Iterable[str]:
    """What was chosen, when, and at what cost."""
    first: dict[int | None, Any] = {}
    for one in chosen(trace):
        first.setdefault(one.slot, one)
    depth, sent = chains(trace), sum(len(step.sent) for step in trace.steps())
    lost = sum(isinstance(record, Lost) for record in trace.records)
    for slot, one in first.items():
        where = "chosen" if slot is None else f"chosen in slot {slot}"
        words = f"{where}: {text(one.proposal.value)} in {trace.short(one.proposal.ballot)}"
        price = span(one.at / trace.header.tick, depth[one.index])
        yield (f"\x1b[38;5;{GOLD}m{words}\x1b[0m" if colour else words) + f" {price}"
    if not first:
        yield "nothing was chosen"
    elif any(isinstance(e, Decide) for step in trace.steps() for e in step.effects[: step.done]):
        paid = cost(trace)
        yield f"first known to {paid.node} {span(paid.time, paid.chain)}"
    yield f"messages: {sent} sent, {lost} lost"
    for name in broken(trace):
        yield f"BROKEN: {name}"


def span(time: float, chain: int) -> str:
    """How long something took: on the clock, and in messages that had to follow each other."""
    return f"at {time:.2f} message delays, chain of {chain}"
