"""Break a rule: Paxos with one text of its source replaced, in memory.

Each `Mutation` names the text of a module, what to put in its place, the property that dies, and the
smallest world in which it dies. The rest of the package is loaded beside the ordinary one, under a
name of its own, so the checker, the traces and the command line that look for the mistake are the
ones that find none without it.
"""

import difflib
import importlib
import re
import sys
import textwrap
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .trace import Trace, loads


@dataclass(frozen=True)
class Mutation:
    """A rule gone wrong."""

    name: str
    rule: str  # what is shown of the source: the object, as module:name
    module: str  # the texts below are of this module of the package
    changes: tuple[tuple[str, str], ...]  # (text, what takes its place)
    dies: str | None  # the property; None if nothing unsafe follows
    why: str  # in a sentence, what goes wrong or what it costs
    world: dict[str, int] = field(default_factory=dict)  # sizes, where they are not the usual ones


def wrong(
    name: str,
    rule: str,
    *changes: tuple[str, str],
    why: str,
    dies: str | None = "agreement",
    **world: int,
) -> Mutation:
    """A mutation of the module that the rule is in."""
    return Mutation(name, rule, rule.split(":")[0], changes, dies, why, {"rounds": 1} | world)


HOME = Path(__file__).parent
ACCEPTOR, PROPOSER = "protocol.acceptor:step", "protocol.proposer:step"
SAVE, PROMISE = "Save(now)", 'Send("sender", Promise(ballot, acceptor.vote))'
VOTE = 'Send("sender", news), Send("learners", news)'
BINDING = "return max(cast, key=lambda vote: vote.ballot).value if cast else wish"

MUTATIONS = (
    wrong(
        "accept ignores the promise",
        ACCEPTOR,
        (" if ballot >= acceptor.promised:  # 2b", ":  # 2b"),
        why="A vote slips in below a promise, unseen by whoever holds that promise.",
    ),
    wrong(
        "promise to whoever asks",
        ACCEPTOR,
        (" if ballot > acceptor.promised:  # 1b", ":  # 1b"),
        why="An old question takes the newer promise back.",
    ),
    wrong(
        "promise hides the vote",
        ACCEPTOR,
        (PROMISE, PROMISE.replace("acceptor.vote", "None")),
        why="The next proposer is not told what may be chosen already, and asks for its own.",
    ),
    wrong(
        "accept does not raise the promise",
        ACCEPTOR,
        ("Acceptor(promised=ballot, vote=request)", "replace(acceptor, vote=request)"),
        why="A lower ballot can overwrite a higher vote.",
        rounds=2,
    ),
    wrong(
        "promise not saved before the reply",
        ACCEPTOR,
        (f"{SAVE}, {PROMISE}", f"{PROMISE}, {SAVE}"),
        why="A crash between the reply and the disk takes a promise back that was already told.",
        crashes=1,
    ),
    wrong(
        "a vote forgotten after restart",
        ACCEPTOR,
        (f"{SAVE}, {VOTE}", VOTE),
        why="An acceptor comes back without its vote, and promises as if it had never voted.",
        crashes=1,
    ),
    wrong(
        "adopt no vote",
        "protocol.proposer:binding_value",
        (BINDING, "return wish"),
        why="A proposer asks for its own wish although another may be chosen.",
    ),
    wrong(
        "adopt the oldest vote",
        "protocol.proposer:binding_value",
        ("max(cast", "min(cast"),
        why="The oldest vote is the one that was overruled.",
        rounds=2,
    ),
    wrong(
        "adopt any vote",
        "protocol.proposer:binding_value",
        (BINDING, "return min(cast, key=lambda vote: str(vote.value)).value if cast else wish"),
        why="An older vote is taken for the newest, and a chosen value is overruled.",
        rounds=2,
    ),
    wrong(
        "two values in one ballot",
        PROPOSER,
        ('if p.phase == "prepare" and p.enough(1, who):', "if p.enough(1, who):"),
        ("value=value, promises=())", "value=value)"),
        why="A late promise makes the proposer ask again in the same ballot, for another value.",
    ),
    wrong(
        "promises kept for the next ballot",
        "protocol.proposer:prepare",
        ("promises=(), accepted=(),", "accepted=(),"),
        why="A promise for an old ballot is counted for a new one.",
        rounds=2,
    ),
    wrong(
        "answers to an earlier ballot",
        PROPOSER,
        ("if b != p.ballot:", "if False:"),
        why="A promise for a lower ballot shuts out less than the proposer believes.",
        rounds=2,
    ),
    wrong(
        "votes kept for the next ballot",
        "protocol.proposer:prepare",
        ("accepted=(), value=None", "value=None"),
        dies="decided is chosen",
        why="A proposer counts votes for an old ballot and tells its user too early.",
        proposers=1,
        rounds=2,
    ),
    wrong(
        "one acceptor counted twice",
        "protocol.quorum:Flexible.reached",
        ("len(set(acceptors))", "len(list(acceptors))"),
        why="A repeated message makes a quorum of one.",
    ),
    wrong(
        "chosen by equal value",
        "protocol.learner:step",
        ("{*me.votes, (b, who)}", "{*me.votes, (Ballot(0, str(value)), who)}"),
        ("me.enough(b, who)", "me.enough(Ballot(0, str(value)), who)"),
        ("Accepted(b)) if not", "Accepted(b, value)) if not"),
        why="Votes of different ballots for one value are added up, though no quorum stands behind it.",
        learners=1,
        rounds=2,
    ),
    wrong(
        "quorums that do not meet",
        "protocol.quorum:Flexible",
        ("if self.phase1 + self.phase2 <= self.of:", "if False:"),
        why="Phase 1 asks only acceptors that know nothing of the decision.",
        phase1=1,
    ),
    wrong(
        "a ballot used twice",
        "protocol.static:start",
        (
            "proposer.Proposer(identity, quorums)",
            'proposer.Proposer(identity.rstrip("\'"), quorums)',
        ),
        why="A proposer back from a crash takes promises made to its former self for its own.",
        crashes=1,
        forgetful=False,
    ),
    wrong(
        "accept refuses its own promise",
        ACCEPTOR,
        ("if ballot >= acceptor.promised:  # 2b", "if ballot > acceptor.promised:  # 2b"),
        dies="a value can be chosen",
        why="Nothing wrong is ever chosen, for nothing is: every acceptor has promised the very ballot.",
    ),
    wrong(
        "promise the same ballot again",
        ACCEPTOR,
        ("if ballot > acceptor.promised:  # 1b", "if ballot >= acceptor.promised:  # 1b"),
        dies=None,
        why="A repeated question is answered again. More states, and no harm.",
    ),
)
SIZES = {
    "proposers": "1 person",
    "crashes": "1 crash",
    "learners": "1 learner",
    "phase1": "1 promise is enough",
}
IDLE = re.compile(r'\s+(#|"""|$)')  # context that says nothing of the rule
BY_NAME = {one.name: one for one in MUTATIONS}


class Loader(SourceFileLoader):
    """Loads one module with its source changed, and never from a cache."""

    changes: tuple[tuple[str, str], ...] = ()

    def get_code(self, fullname: str) -> CodeType:
        source = changed(Path(self.path).read_text(encoding="utf-8"), self.changes, self.path)
        code: CodeType = compile(source, self.path, "exec")
        return code


def changed(source: str, changes: tuple[tuple[str, str], ...], where: str) -> str:
    """The source with these texts replaced. Raises ValueError unless each is there just once."""
    for old, new in changes:
        text = r"\s+".join(re.escape(word) for word in old.split())  # however its lines are broken
        text = r"\s+" + text if old.startswith(" ") else text
        source, times = re.subn(text, lambda _, new=new: new, source)  # type: ignore[misc]
        if times != 1:
            raise ValueError(
                f"{where} has the text {old!r} {times} times; a mutation needs it once"
            )
    return source


class Finder:
    """Finds the one changed module; everything else is found as usual."""

    def __init__(self, fullname: str, changes: tuple[tuple[str, str], ...]) -> None:
        self.fullname, self.changes = fullname, changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.fullname:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        loader = Loader(name, spec.origin)
        loader.changes = self.changes
        spec.loader = loader
        return spec


def named(rule: str) -> Mutation:
    """The mutation of this name. Raises ValueError where there is none."""
    if rule not in BY_NAME:
        names = "".join(f"\n  {name}" for name in BY_NAME)
        near = difflib.get_close_matches(rule.lower(), BY_NAME, 1, 0.3)
        mean = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no rule is called {rule!r}.{mean} There are:{names}")
    return BY_NAME[rule]


def standing() -> list[Mutation]:
    """Those whose text is in the source; all of them, unless somebody has edited it."""
    return [one for one in MUTATIONS if stands(one)]


def stands(mutation: Mutation) -> bool:
    """Is its text in the source?"""
    path = HOME / f"{mutation.module.replace('.', '/')}.py"
    try:
        return bool(changed(path.read_text(encoding="utf-8"), mutation.changes, str(path)))
    except ValueError:
        return False


@cache
def searched(rule: str) -> tuple[Any, Any]:
    """(the size of its world, the verdict of the checker), both of the package that breaks a rule."""
    mutation = named(rule)
    package = load(mutation)
    checker, worlds = package("drivers.checker"), package("drivers.worlds")
    size = worlds.Size(**mutation.world)
    only = [mutation.dies] if mutation.dies else None
    return size, checker.check(worlds.static_world(size), only=only)


@cache
def bad_run(rule: str) -> Trace:
    """A shortest run in which the property dies without this rule, and the news of it.

    Raises ValueError where there is no such run, because nothing unsafe follows.
    """
    mutation, (size, verdict) = named(rule), searched(rule)
    if not verdict.run:
        raise ValueError(f"without {rule!r} no run goes wrong: {mutation.why}")
    package = load(mutation)
    run = package("drivers.worlds").bad_run(size, verdict, news=True)
    # As text, so that it comes out of that package as a trace of this one.
    return loads(package("trace").dumps(run))


def simulated(rule: str, **world: Any) -> Trace:
    """One run of the simulator in a world in which this rule is broken."""
    package = load(named(rule))
    return loads(package("trace").dumps(package("drivers.simulator").simulate(**world)))


def difference(rule: str) -> str:
    """The mutation as an edit of the source: Markdown, with the lines that go and that come."""
    mutation = named(rule)
    path = HOME / f"{mutation.module.replace('.', '/')}.py"
    old = path.read_text(encoding="utf-8")
    new = changed(old, mutation.changes, str(path))
    edit = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))
    edit = [line for line in edit[3:] if line[0] in "-+@" or not IDLE.match(line)]
    lines = [" " if line[0] == "@" else line for line in edit]
    text = textwrap.dedent("\n".join(line[1:] for line in lines)).split("\n")
    marked = (line[0] + now for line, now in zip(lines, text, strict=True))
    return "\n".join(["```diff", *marked, "```"])


def overview() -> str:
    """All mutations as a Markdown table, each a link to a target of its name on the same page."""
    lines = ["| without the rule | what dies | steps | states found | the world |"]
    lines.append("|---|---|---:|---:|---|")
    for one in standing():
        _, found = searched(one.name)
        sizes = [f"{one.world['rounds']} round{'s' * (one.world['rounds'] > 1)}"]
        sizes += [said for size, said in SIZES.items() if size in one.world]
        cells = [f"[{one.name}](#{one.name.replace(' ', '-')})", one.dies or "nothing"]
        cells += [str(found.length or "–"), f"{found.classes:,}", ", ".join(sizes)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def load(mutation: Mutation) -> Any:
    """Import modules of a package of their own, in which the mutation lives."""
    alias = f"{__package__}_without_{re.sub(r'[^a-z]+', '_', mutation.name)}"
    finder = Finder(f"{alias}.{mutation.module}", mutation.changes)
    if alias not in sys.modules:
        package = ModuleType(alias)
        package.__path__ = [str(HOME)]
        sys.modules[alias] = package
        exec(
            compile((HOME / "__init__.py").read_text(encoding="utf-8"), alias, "exec"),
            package.__dict__,
        )

    def module(name: str) -> ModuleType:
        sys.meta_path.insert(0, finder)
        try:
            return importlib.import_module(f"{alias}.{name}")
        finally:
            sys.meta_path.remove(finder)

    module(mutation.module)  # at once, so that a mutation that no longer applies is noticed
    return module
