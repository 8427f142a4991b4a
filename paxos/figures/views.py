"""Paxos from the outside in: the black box, its two phases, its four steps. And the log it makes.

Each is a view of the same trace: with everyone in one box, grouped by phase, grouped by step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..outcome import chosen, decision, logs
from ..protocol.ballot import Ballot
from ..protocol.events import Answer, Propose, Timeout
from ..protocol.messages import Accept, Accepted, Prepare, Promise, Refused
from ..protocol.proposer import Proposer
from ..trace import Sent, Trace, bare, kind, text
from .theme import KINDS, Drawing, Figure, fit, text_width


@dataclass(frozen=True)
class Attempt:
    """What became of one ballot: where it stopped, and why."""

    at: int
    proposer: str
    wish: str
    ballot: str
    asked: str | None = None  # the value of phase 2, once it got there
    end: str = "under way"
    chosen: bool = False


def attempts(trace: Trace) -> list[Attempt]:
    """Every ballot of a run of one decision, in the order in which they were prepared."""
    found: dict[str, Attempt] = {}
    asked: dict[str, tuple[Sent, ...]] = {}  # the last question of each ballot
    refusals: dict[str, str] = {}
    arrived = {step.received for step in trace.steps()}
    winners = {trace.short(one.proposal.ballot) for one in chosen(trace)}
    for step in trace.steps():
        if trace.role(step.node) != "proposer":
            continue
        p: Proposer = step.state
        name, end = "", ""
        match step.event:
            case Answer(_, Refused(ballot, rival)):
                name, refusals[trace.short(ballot)] = trace.short(ballot), trace.short(rival)
                end = f"{trace.short(rival)} is ahead" if p.phase == "wait" else ""
            case Timeout(Ballot() as ballot):
                name = trace.short(ballot)
                end = silence(asked.get(name, ()), arrived, refusals.get(name))
        if end and name in found and found[name].end == "under way":
            found[name] = replace(found[name], end=end)
        for one in step.sent[:1]:  # to all acceptors alike
            question = bare(one.message)[1]
            name = trace.short(question.ballot)
            asked[name] = step.sent
            if isinstance(question, Accept) and name in found:
                found[name] = replace(found[name], asked=str(question.value))
            elif isinstance(question, Prepare):
                found[name] = Attempt(step.at, step.node, str(p.wish), name)
    return [replace(one, chosen=one.ballot in winners) for one in found.values()]


def silence(asked: Sequence[Sent], arrived: set[int | None], refusal: str | None) -> str:
    """Why too few answered: were they against it, was the question lost, or were the answers?"""
    if refusal:
        return f"refused, promised {refusal}"
    if any(one.id in arrived for one in asked):
        return "too few answers"
    return f"all {kind(asked[0].message)}s lost" if asked else "too few answers"


def box(trace: Trace) -> Figure:
    """View 0. The black box: values go in, one comes out."""
    asks = [step for step in trace.steps() if isinstance(step.event, Propose)]
    wants = list(dict.fromkeys((step.node, str(step.event.value)) for step in asks))
    wins = sorted({text(one.proposal.value) for one in chosen(trace)})
    rows = max(len(wants), 1)
    height = 44 + 40 * rows
    said = ", ".join(f"{who} asks for {what}" for who, what in wants)
    told = " and ".join(wins) or "nothing"
    sheet = Drawing(590, height, "Paxos as a black box", f"{said}. Paxos answers: {told}.")
    middle = height / 2
    sheet.rect(210, 14, 140, height - 28, "ink", "panel", 16, 2)
    sheet.text(280, middle + 6, "Paxos", "ink", 19, "bold", "middle")
    for number, (who, what) in enumerate(wants):
        y = middle + 40 * (number - (rows - 1) / 2)
        wide = sheet.node(44, y, who, trace.role(who))
        line = sheet.flow(44 + wide / 2 + 4, y, 208)
        sheet.text(48 + wide / 2 + 10, y - 6, fit(what, 106, 13), "ink", 13, line=line)
    sheet.flow(352, middle, 432)
    if wins:
        sheet.star(450, middle)
    if len(wins) > 1:  # no run of the rules as they are comes here
        sheet.text(464, middle + 23, "two are chosen", "refused", 13, "bold")
    else:
        sheet.text(464, middle + 22, "chosen" if wins else "was chosen", "muted", 12)
    sheet.text(464, middle + 5, fit(told, sheet.width - 470, 16, "bold"), "ink", 16, "bold")
    return sheet.figure()


def two_at_one_car() -> Figure:
    """The picture of what agreement is for."""
    desc = "Ann and Ben were each told that the car is theirs, and meet at it."
    sheet = Drawing(400, 116, "Two people at one car", desc)
    for x, who in ((56.0, "ann"), (344.0, "ben")):
        sheet.rect(x - 54, 6, 108, 42, "muted", "panel", 10, 1.2)
        sheet.text(x, 24, "“Saturday?", "ink", 13, anchor="middle")
        sheet.text(x, 41, f"Yours, {who.capitalize()}.”", "ink", 13, anchor="middle")
        sheet.node(x, 86, who, "proposer", 58)
    sheet.flow(89, 86, 118)
    sheet.flow(311, 86, 282)
    sheet.polygon([(148, 64), (168, 40), (226, 40), (250, 64)], "ink", "paper")
    sheet.polygon([(126, 64), (274, 64), (274, 90), (126, 90)], "ink", "panel")
    sheet.line(198, 40, 198, 64, "ink")
    for x in (156.0, 244.0):
        sheet.rect(x - 12, 78, 24, 24, "ink", "paper", 12, 2)
    return sheet.figure()


def log(trace: Trace, moments: int = 4) -> Figure:
    """The companion of view 0: the log grows at its end, and may be collected from its front.

    An entry may be collected once every learner has it: those are drawn as empty outlines.
    """
    grown = [(at, entries, 0) for at, entries, _ in reversed(logs(trace))]
    grown = sorted({entries: one for one in grown for entries in [one[1]]}.values())  # first times
    grown = [*grown, *logs(trace)[-1:]]
    shown = [grown[len(grown) * (n + 1) // moments - 1] for n in range(min(moments, len(grown)))]
    cells = max((len(entries) for _, entries, _ in shown), default=0) + 1
    wide = max(64.0, min(118.0, 560 / cells))
    last = [text(one) for one in (shown[-1][1] if shown else ())]
    desc = (
        "The log at its last moment: "
        + "; ".join(f"slot {n}, {t}" for n, t in enumerate(last))
        + "."
    )
    sheet = Drawing(
        96 + wide * cells, 50 + 46 * len(shown) + 24, "An append-only log, growing", desc
    )
    for number in range(cells):
        sheet.text(84 + wide * (number + 0.5), 20, f"slot {number}", "muted", 12, anchor="middle")
    for row, (at, entries, everywhere) in enumerate(shown):
        y = 32 + 46 * row
        sheet.text(76, y + 22, f"time {at / trace.header.tick:.1f}", "muted", 12, anchor="end")
        for slot, entry in enumerate(entries):
            words = fit(text(entry), wide - 12, 12)
            gone = slot < everywhere and row == len(shown) - 1
            look = ("muted", None, 3, 1.2, "2 3") if gone else ("ink", "panel", 3, 1.4, "")
            sheet.rect(84 + wide * slot + 2, y, wide - 4, 34, *look)
            colour = "muted" if gone else "ink"
            sheet.text(84 + wide * (slot + 0.5), y + 21, words, colour, 12, anchor="middle")
        sheet.rect(84 + wide * len(entries) + 2, y, wide - 4, 34, "line", None, 3, 1.2)
        sheet.text(84 + wide * (len(entries) + 0.5), y + 21, "next", "muted", 12, anchor="middle")
    foot = "grows at the end; what every learner has may be collected from the front (dashed)"
    sheet.text(84, sheet.height - 12, fit(foot, sheet.width - 90, 12), "muted", 12)
    return sheet.figure()


BOX1, BOX2, WIDE, ROW, MOST = 176.0, 400.0, 172.0, 58.0, 60


def phases(*traces: Trace) -> Figure:
    """View 1. The box opened: each attempt goes through phase 1 and perhaps through phase 2."""
    rows = [one for trace in traces for one in attempts(trace)]
    rest, rows = len(rows[MOST:]), rows[:MOST]
    height = 62 + ROW * len(rows) + 16
    desc = " ".join(f"{one.proposer}, ballot {one.ballot}: {outcome(one)}." for one in rows)
    sheet = Drawing(740, height, "Paxos opened: two phases", desc)
    for left, phase, name in ((BOX1, "Phase 1", "prepare"), (BOX2, "Phase 2", "decide")):
        sheet.rect(left, 10, WIDE, height - 20, "muted", "panel", 14, 1.4)
        sheet.text(left + WIDE / 2, 33, phase, "ink", 15, "bold", "middle")
        sheet.text(left + WIDE / 2, 50, name, "muted", 13, anchor="middle")
    for number, one in enumerate(rows):
        attempt(sheet, one, 62 + ROW * (number + 0.5))
    if rest:
        sheet.text(12, height + 14, f"The run goes on: {rest} more ballots.", "ink", 13, "bold")
        sheet.height += 24
    return sheet.figure()


def outcome(one: Attempt) -> str:
    """What came of an attempt, in words."""
    if one.chosen:
        return f"phase 2 chooses {one.asked}"
    return f"phase {2 if one.asked else 1} chooses nothing, {one.end}"


def attempt(sheet: Drawing, one: Attempt, y: float) -> None:
    """One row: who wants what, how far it got, what came of it."""
    wide = sheet.node(50, y, one.proposer, "proposer")
    sheet.text(50, y + 27, fit(f"wants {one.wish}", 94, 12), "muted", 12, anchor="middle")
    line = sheet.flow(54 + wide / 2, y, BOX1 - 2)
    sheet.text(58 + wide / 2, y - 7, fit(one.ballot, 72, 12), "ink", 12, "bold", line=line)
    if one.asked is None:
        stopped(sheet, BOX1, y, "prepare", one.end)
        return
    through(sheet, BOX1, y, "prepare", "promise", "a quorum promises")
    adopted = "" if one.asked == one.wish else ", adopted"
    sheet.flow(BOX1 + WIDE + 2, y, BOX2 - 2)
    if not one.chosen:
        stopped(sheet, BOX2, y, "accept", one.end, f"vote for {one.asked}{adopted}")
        sheet.text(BOX2 + WIDE + 12, y + 5, "nothing chosen", "muted", 13)
        return
    through(sheet, BOX2, y, "accept", "accepted", f"vote for {one.asked}{adopted}")
    sheet.flow(BOX2 + WIDE + 2, y, BOX2 + WIDE + 34)
    sheet.star(BOX2 + WIDE + 48, y)
    sheet.text(
        BOX2 + WIDE + 62, y + 5, fit(f"{one.asked} chosen", 100, 13, "bold"), "ink", 13, "bold"
    )


def through(sheet: Drawing, left: float, y: float, ask: str, answer: str, words: str) -> None:
    """A phase that a quorum answered."""
    line = sheet.message(left + 12, y - 4, left + WIDE - 12, y - 4, ask)
    sheet.text(
        left + WIDE / 2, y - 12, fit(words, WIDE - 20, 12), "ink", 12, anchor="middle", line=line
    )
    sheet.message(left + WIDE - 12, y + 6, left + 12, y + 6, answer)


def stopped(sheet: Drawing, left: float, y: float, ask: str, why: str, words: str = "") -> None:
    """A phase that ended without a quorum: refused, or without enough answers."""
    refused = why.endswith("ahead") or why.startswith("refused")
    lost = why.startswith("all ")
    far = left + (WIDE * 0.62 if lost else WIDE - 12)
    line = sheet.message(left + 12, y - 4, far, y - 4, ask, lost=lost)
    if words:
        sheet.text(
            left + WIDE / 2,
            y - 13,
            fit(words, WIDE - 20, 12),
            "ink",
            12,
            anchor="middle",
            line=line,
        )
    if refused:
        sheet.message(left + WIDE - 12, y + 4, left + 12, y + 4, "refused")
    elif why == "too few answers":
        answer = {"prepare": "promise", "accept": "accepted"}[ask]
        sheet.message(left + WIDE - 12, y + 4, left + WIDE * 0.38, y + 4, answer, lost=True)
    colour = "muted" if why == "under way" else "refused"
    sheet.text(left + WIDE / 2, y + 19, fit(why, WIDE - 24, 12), colour, 12, anchor="middle")


@dataclass(frozen=True)
class Sending:
    """One message of the ballot that won, and whether it arrived."""

    sender: str
    to: str
    message: Any
    arrived: bool


def steps(trace: Trace) -> Figure:
    """View 2. The core: two phases of two steps, of the first ballot whose value was chosen."""
    won = decision(trace).proposal
    arrived = {step.received for step in trace.steps()}
    sent = [
        Sending(step.node, one.to, one.message, one.id in arrived)
        for step in trace.steps()
        for one in step.sent
        if bare(one.message)[1].ballot == won.ballot
    ]
    desc = (
        f"Ballot {trace.short(won.ballot)}. 1a: the proposer sends prepare to every acceptor. 1b: acceptors "
        f"answer with a promise and their last vote. 2a: the proposer sends accept for "
        f"{won.value}. 2b: acceptors vote and tell the proposer and the learners; a quorum "
        f"of votes has chosen it."
    )
    sheet = Drawing(740, 524, "Paxos: two phases of two steps", desc)
    for row, (phase, name) in enumerate((("Phase 1", "prepare"), ("Phase 2", "decide"))):
        top = 10 + 256 * row
        sheet.rect(10, top, 720, 246, "muted", "panel", 14, 1.4)
        sheet.text(30, top + 27, phase, "ink", 15, "bold")
        sheet.text(30 + text_width(phase, 15, "bold") + 10, top + 27, name, "muted", 13)
    for number, step in enumerate(("prepare", "promise", "accept", "accepted")):
        left, top = 20 + 352 * (number % 2), 50 + 256 * (number // 2)
        panel(sheet, trace, left, top, step, [one for one in sent if kind(one.message) == step])
    return sheet.figure()


def panel(
    sheet: Drawing, trace: Trace, left: float, top: float, step: str, sent: Sequence[Sending]
) -> None:
    """One step: who sends what to whom."""
    sheet.rect(left, top, 348, 196, "line", "paper", 8, 1)
    sheet.badge(left + 22, top + 20, step)
    sheet.text(left + 40, top + 24.5, step, step, 14, "bold")
    says = left + 48 + text_width(step, 14, "bold")
    sheet.text(says, top + 24.5, KINDS[step].says, "muted", 12.5)
    everyone = dict(trace.header.nodes)
    near = [
        name
        for name in everyone
        if everyone[name] != "acceptor" and any(name in (one.sender, one.to) for one in sent)
    ]
    places = column(left + 46, top + 110, 56, near)
    acceptors = trace.of("acceptor")
    places |= column(left + 300, top + 110, min(44.0, 132 / max(len(acceptors) - 1, 1)), acceptors)
    for one in sent:
        (x1, y1), (x2, y2) = places[one.sender], places[one.to]
        side = 34 if x1 < x2 else -34
        far = 1.0 if one.arrived else 0.6
        x1, x2 = x1 + side, x2 - side
        end = (x1 + (x2 - x1) * far, y1 + (y2 - y1) * far)
        sheet.message(x1, y1, *end, step, lost=not one.arrived)
    for name, (x, y) in places.items():
        sheet.node(x, y, name, trace.role(name), 48)
    words = content(trace, [bare(one.message)[1] for one in sent if one.arrived])
    sheet.text(left + 174, top + 186, fit(words, 336, 12.5, "bold"), step, 12.5, "bold", "middle")


def column(
    x: float, middle: float, gap: float, names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Places one below the other, around the middle."""
    first = middle - gap * (len(names) - 1) / 2
    return {name: (x, first + gap * number) for number, name in enumerate(names)}


def content(trace: Trace, messages: Sequence[Any]) -> str:
    """What the messages of a step say, to those who heard them."""
    match messages[0] if messages else None:
        case None:
            return "nobody heard it"
        case Promise(ballot):
            votes = [one.vote for one in messages if one.vote is not None]
            last = max(votes, key=lambda vote: vote.ballot, default=None)
            vote = f"{last.value} in {trace.short(last.ballot)}" if last else "none so far"
            return f"{trace.short(ballot)}; highest vote: {vote}"
        case Accept(ballot, value) | Accepted(ballot, value):
            return f"{trace.short(ballot)}, {value}"
    return trace.short(messages[0].ballot)
