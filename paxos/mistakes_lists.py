"""The table of broken rules of Passive Paxos and of the log: see `mistakes`."""

from functools import partial

from .mistakes import BINDING, Mutation, wrong

on_lists, in_a_log = partial(wrong, protocol="passive"), partial(wrong, protocol="log")

STEP, HEAR, START = "protocol.passive:step", "protocol.passive:hear", "protocol.passive:start"
READ, KEEP = "protocol.lists:read", "protocol.lists:keep"
ANSWERS, LAST = "answers = (*replies,", "from .quorum import Flexible"
OVERWRITES = ("now = List((*mine.things, thing))", "now = List((mine.things[0], thing))")

LISTS: tuple[Mutation, ...] = (
    on_lists(
        "own entry not required",
        HEAR,
        (
            ANSWERS,
            f"{ANSWERS} *(no for its in requests(me.member) for no in fold(view.memory, its)[1]),",
        ),
        (LAST, f"{LAST}\nfrom .votes import fold\nfrom .member import requests"),
        why="A client reads a list in which its own request does not stand yet, and takes it for a yes.",
    ),
    on_lists(
        "an acknowledged append counted",
        STEP,
        ("case Answer(name, Appended()):  # fetch", "case Answer(name, Appended(entry)):"),
        (
            "return me, (Send(name, me.view(name).fetch),)",
            "said = fold(me.view(name).memory, entry.content)[1]\n"
            "            return carry_out(me, *advance(me.member, *(Answer(name, no) for no in said)))",
        ),
        (LAST, f"{LAST}\nfrom .votes import fold"),
        why="The service has stored the entry, but what others had stored before it was never read.",
        acks=1,
    ),
    on_lists(
        "a failed fetch counted as an answer",
        HEAR,
        (
            "if replies is None:  # no answer",
            "if not news.entries:\n        replies = [Promise(me.member.ballot, None)]\n"
            "    if replies is None:",
        ),
        ("Refused, Value", "Promise, Refused, Value"),
        why="Nothing came back, and that is taken for a list on which nobody has voted.",
        failed=1,
    ),
    on_lists(
        "promises on lists adopt no vote",
        "protocol.proposer:binding_value",
        (BINDING, "return wish"),
        why="A proposer asks for its own wish although a list shows a vote for another.",
    ),
    on_lists(
        "votes on lists below a promise",
        "protocol.acceptor:step",
        (" if ballot >= acceptor.promised:  # 2b", ":  # 2b"),
        why="Every reader counts an entry that comes after a higher promise.",
    ),
    on_lists(
        "votes of two ballots added up",
        "protocol.learner:step",
        ("{*me.votes, (b, who)}", "{*me.votes, (Ballot(0, str(value)), who)}"),
        ("me.enough(b, who)", "me.enough(Ballot(0, str(value)), who)"),
        ("Accepted(b)) if not", "Accepted(b, value)) if not"),
        dies="decided is chosen",
        why="One list votes in one ballot, one in the next: the same value twice, and no quorum.",
        clients=1,
        rounds=2,
    ),
    on_lists(
        "identity used again after a restart",
        START,
        ("opened(who, quorums, many)", 'opened(who.rstrip("\'"), quorums, many)'),
        ("Client(who, me,", 'Client(who.rstrip("\'"), me,'),
        why="A client takes the answers to its former self for its own, and asks for two values in one ballot.",
        crashes=1,
    ),
    on_lists(
        "an append that overwrites",
        KEEP,
        OVERWRITES,
        why="The list keeps the last entry only, so no later reader sees a promise or a vote.",
        services=1,
        forgetful=0,
    ),
    on_lists(
        "rewriting accepted",
        READ,
        (
            'return replace(view, trouble="what was read before has changed"), None',
            "old = View(view.genesis, type(view.memory)())\n"
            "        return read(read(old, 0, view.things[:after])[0], after, things)",
        ),
        OVERWRITES,
        dies="a view only grows",
        why="What a reader has counted on is gone, and it reads on as if nothing had been.",
        clients=1,
        services=1,
        forgetful=0,
    ),
    on_lists(
        "a newer version skipped",
        READ,
        (
            'return replace(view, trouble="a newer version wrote to it"), replies',
            "pass",
        ),
        dies="nobody reads past a newer version",
        why="A newer client may have promised something there, which this one overlooks.",
        clients=1,
        services=1,
        newer=1,
        forgetful=0,
    ),
    on_lists(
        "foreign things stop the reader",
        READ,
        (
            "case _:  # genesis, or nothing of ours: whoever wrote it, it changes nothing\n"
            "                pass",
            'case _ if view.things:\n                return replace(view, trouble="foreign"), None\n'
            "            case _:\n                pass",
        ),
        dies="a value can be chosen",
        why="Whoever can write to the folder can stop everybody, with a shopping list.",
        clients=1,
        junk=1,
    ),
    on_lists(
        "the last reply taken for all",
        HEAR,
        (ANSWERS, "answers = (*replies[-1:],"),
        dies="who reads a decision knows it",
        why="A reply that stands at its own entry is missed, because another entry came after it.",
        forgetful=0,
        services=1,
    ),
    on_lists(
        "repeats not dropped",
        READ,
        ("case Entry(author, number) if (author, number) in ids:", "case Entry() if False:"),
        dies=None,
        why="A request folded twice gets no better answer the second time.",
        services=2,
        repeats=1,
    ),
    on_lists(
        "behind taken for an answer",
        READ,
        ("if len(things) < len(known):", "if False:"),
        dies=None,
        why="An old answer holds no new reply, so it harms nobody; but it hides that a list is behind.",
        services=2,
        forgetful=0,
    ),
)

BOUND = "value = binding_value((its for n, its in w.votes if n == slot), NOOP)"

LOGS: tuple[Mutation, ...] = (
    in_a_log(
        "a no-op over a chosen value",
        "protocol.log:take_over",
        (BOUND, "value = NOOP"),
        why="The new leader closes a slot with a no-op in which a value may be chosen.",
        commands=1,
    ),
    in_a_log(
        "a takeover that forgets a slot",
        "protocol.log:take_over",
        ("end = max((slot + 1 for", "end = max((slot for"),
        why="The new leader takes the last slot that was voted on for free, and puts its own there.",
        commands=1,
    ),
    in_a_log(
        "a gap that is not filled",
        "protocol.log:take_over",
        ("for slot in range(len(w.log), end):", "for slot in sorted({n for n, _ in w.votes}):"),
        dies="the log can grow past a gap",
        why="Nothing wrong is decided, but the log ends at the gap, whatever is decided after it.",
        acceptors=2,
    ),
    in_a_log(
        "two values in one slot and ballot",
        "protocol.log:ask",
        ("free, new = max(w.free, len(w.log)),", "free, new = len(w.log),"),
        dies="one value per ballot",
        why="A leader forgets which slots it has asked for, and asks for another value in one of them.",
        proposers=1,
    ),
    in_a_log(
        "a command asked for twice",
        "protocol.log:ask",
        ("[one for one in w.pending if one not in sure]", "w.pending"),
        dies="no command is chosen twice",
        why="A command that is on its way into one slot is put into the next one too.",
        proposers=1,
    ),
    in_a_log(
        "a promise for one slot only",
        "protocol.votes:vote",
        (
            "now, effects = acceptor.step(Acceptor(mine.promised, its), request.content)",
            "fresh = isinstance(request.content, Accept) and its is None\n"
            "    promised = NO_BALLOT if fresh else mine.promised\n"
            "    now, effects = acceptor.step(Acceptor(promised, its), request.content)",
        ),
        (
            "mine = Votes(now.promised, votes)",
            "mine = Votes(max(mine.promised, now.promised), votes)",
        ),
        why="In a slot in which it has not voted, an acceptor heeds no promise.",
        commands=1,
    ),
    in_a_log(
        "a promise reports too few slots",
        "protocol.votes:in_slot",
        ("if its[0] >= slot)", "if its[0] > slot)"),
        why="The first slot after the new leader's log is voted on, and nobody tells.",
        commands=1,
    ),
    in_a_log(
        "adopt the oldest vote in a slot",
        "protocol.log:take_over",
        (BOUND, "value = next((its.value for n, its in w.votes if n == slot), NOOP)"),
        why="The votes for a slot are in order of their ballots, and the first of them was overruled.",
        commands=1,
        rounds=2,
    ),
    in_a_log(
        "a log that jumps over a gap",
        "protocol.log:learn",
        (
            "while learners and learners[0][0] == len(log) and learners[0][1].chosen:\n"
            "        log = (*log, learners[0][1].chosen.value)\n"
            "        learners = learners[1:]",
            "while gone := next((one for one in learners if one[1].chosen), None):\n"
            "        log = (*log, gone[1].chosen.value)\n"
            "        learners = tuple(one for one in learners if one != gone)",
        ),
        dies="a log is what was chosen",
        why="What is decided above a gap is taken for the next entry.",
        proposers=1,
    ),
    in_a_log(
        "a command counts twice",
        "protocol.machine:commands",
        (
            "dict.fromkeys(one for batch in log for one in batch)",
            "one for batch in log for one in batch",
        ),
        dies="a command counts once",
        why="A command may be decided in two slots, and then it is done twice.",
        proposers=1,
        acceptors=2,
        rounds=3,
        phase1=1,
        phase2=2,
    ),
)
