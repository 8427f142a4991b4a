"""A run in words: who said what to whom, one line each, for a terminal or a transcript."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..outcome import broken, chains, chosen, cost
from ..protocol.events import Decide, Distrust, Propose, Save
from ..trace import Crash, Cut, Heal, Lost, Open, Sent, Step, Trace, text
from .words import Sense, Senses, message, senses

# 256-colour codes near the palette of the figures, readable on black and on white.
GOLD, GREY, REFUSED = 178, 244, 161
COLOURS = {"prepare": 32, "promise": 30, "accept": 166, "accepted": 134} | {
    "refused": REFUSED,
    "chosen": GOLD,
    "lost": REFUSED,
}
Line = tuple[int, str, str, int | None]  # time, node, words, colour


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


def said(trace: Trace) -> Iterator[Line]:
    """Everything worth a line."""
    sent = {one.id: (step.node, one) for step in trace.steps() for one in step.sent}
    instants = chosen(trace)
    means, before, opened = senses(trace), dict[str, Any](), set[str]()
    for index, record in enumerate(trace.records):
        match record:
            case Step():
                yield from learned(record, before.get(record.node), means.heard.get(index))
                yield from stepped(record, means)
            case Lost(at, id, why):
                sender, gone = sent[id]
                yield at, sender, f"{worded(trace, gone, means)} → {gone.to}: {why}", GREY
            case Crash(at, node):
                yield at, node, "crashes" if computes(trace, node) else "is out of reach", GREY
            case Open(at, node) if node in opened:
                yield at, node, "is back", GREY
            case Cut(at, groups):
                yield at, "", "network splits: " + " | ".join(map(" ".join, groups)), GREY
            case Heal(at):
                yield at, "", "network is whole again", GREY
        if isinstance(record, Step | Open):
            before[record.node] = record.state
            opened.add(record.node)
        # A quorum has voted; no participant sees this moment. A block may vote in several slots.
        for one in (one for one in instants if one.index == index):
            where = "" if one.slot is None else f" in slot {one.slot}"
            what = f"* {text(one.proposal.value)} is {one.news}{where}, in ballot"
            yield one.at, "", f"{what} {trace.short(one.proposal.ballot)}", GOLD


def computes(trace: Trace, node: str) -> bool:
    """Is it a process, and no disk and no list?"""
    return trace.role(node) not in ("disk", "list")


def worded(trace: Trace, one: Sent, means: Senses) -> str:
    """What was sent, in words."""
    return means.sent[one.id].words if one.id in means.sent else message(trace, one.message)


def learned(step: Step, was: Any, mean: Sense | None) -> Iterator[Line]:
    """What one step heard, and whether a client of disks or lists can work then."""
    at, node = step.at, step.node
    waits = isinstance(step.event, Propose) and bool(getattr(step.state, "wishes", ()))
    if isinstance(step.event, Propose):
        yield at, node, f"wants {text(step.event.value)}", None
    if mean:
        yield at, node, mean.words, COLOURS.get(mean.kind, GREY)
    if hasattr(was, "online") and was.online != step.state.online:
        yield at, node, "is online" if step.state.online else "is offline", GREY
    elif hasattr(was, "online") and waits:
        yield at, node, "is offline, and keeps it", GREY
    elif waits:
        yield at, node, "must read its own blocks first", GREY


def stepped(step: Step, means: Senses) -> Iterator[Line]:
    """What one step says: each message once, with all who will hear it."""
    heard: dict[Sense, list[str]] = {}
    for one in step.sent:  # to read, and that it was written, goes without saying
        if one.id in means.sent:
            heard.setdefault(means.sent[one.id], []).append(one.to)
    for what, to in heard.items():
        yield step.at, step.node, f"{what.words} → {' '.join(to)}", COLOURS.get(what.kind, GREY)
    if step.done < len(step.effects):
        saved = step.done and isinstance(step.effects[step.done - 1], Save)
        yield step.at, step.node, f"{'saves, and ' if saved else ''}goes no further", GREY
    for effect in step.effects[: step.done]:
        if isinstance(effect, Decide):
            yield step.at, step.node, f"knows that {text(effect.value)} is chosen", GOLD
        elif isinstance(effect, Distrust):
            yield step.at, step.node, f"uses {effect.name} no more: {effect.why}", REFUSED


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
