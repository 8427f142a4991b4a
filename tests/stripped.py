"""What each client of a simulated run would have written down by itself, as a live client does."""

from dataclasses import replace

from paxos.protocol.events import Send
from paxos.trace import Crash, Header, Open, Sent, Step, Trace


def stripped(whole: Trace) -> list[Trace]:
    """A trace for each life of each client: no states, no lists, requests in the place of answers.

    None at all if one was answered in another life than that in which it asked: that cannot happen live.
    """
    asked = origins(whole)
    if strayed(whole, asked):
        return []
    lives, open_now, numbers = [], {}, {}
    for record in whole.records:
        node = getattr(record, "node", None)
        if node is None or whole.role(node) != "client":
            continue
        if isinstance(record, Open):
            open_now[node] = []
            lives.append((node, open_now[node]))
            open_now[node].append(record)
        elif isinstance(record, Step):
            open_now[node].append(alone(record, asked, numbers))
        else:
            assert isinstance(record, Crash)
    lists = tuple(one for one in whole.header.nodes if one[1] == "list")
    return [
        Trace(
            Header(whole.header.protocol, 0, whole.header.quorums, ((name, "client"), *lists)),
            tuple(records),
        )
        for name, records in lives
    ]


def strayed(whole, asked):
    """Did an answer to a former life arrive?"""
    life = {}
    mine = {}
    for record in whole.records:
        if isinstance(record, Open):
            life[record.node] = life.get(record.node, 0) + 1
        elif isinstance(record, Step) and whole.role(record.node) == "client":
            if record.received and mine[asked[record.received]] != life[record.node]:
                return True
            mine.update({one.id: life[record.node] for one in record.sent})
    return False


def origins(whole):
    """The id of an answer -> of the request."""
    return {
        one.id: step.received
        for step in whole.steps()
        if whole.role(step.node) == "list"
        for one in step.sent
    }


def alone(step, asked, numbers):
    """The step as its client writes it, before anything is sent: a crash can only follow."""
    sends = [one for one in step.effects if isinstance(one, Send)]
    sent = []
    for count, one in enumerate(sends):
        id = step.sent[count].id if count < len(step.sent) else 10**6 + len(numbers)
        numbers[id] = len(numbers) + 1
        sent.append(Sent(numbers[id], one.to, one.message))
    received = None if step.received is None else numbers[asked[step.received]]
    done = len(step.effects)
    return replace(step, state=None, done=done, sent=tuple(sent), received=received)
