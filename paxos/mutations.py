"""Break a rule: Paxos with one text of its source replaced, in memory.

Each `Mutation` names the text of a module, what to put in its place, the property that dies, and the
smallest world in which it dies (the table is in `mistakes`). The rest of the package is loaded beside
the ordinary one, under a name of its own, so the checker, the traces and the command line that look
for the mistake are the ones that find none without it.
"""

import difflib
import importlib
import re
import sys
import textwrap
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .mistakes import DISK, STATIC, Mutation
from .mistakes_lists import LISTS, LOGS
from .trace import Trace, loads

HOME = Path(__file__).parent
MUTATIONS: tuple[Mutation, ...] = (*STATIC, *DISK, *LISTS, *LOGS)
SIZES = {  # in words, one and more
    "rounds": ("round", "rounds"),
    "proposers": ("person", "people"),
    "clients": ("client", "clients"),
    "crashes": ("crash", "crashes"),
    "learners": ("learner", "learners"),
    "disks": ("disk", "disks"),
    "services": ("list", "lists"),
    "acceptors": ("acceptor", "acceptors"),
    "commands": ("command", "commands"),
    "repeats": ("repeat", "repeats"),
    "newer": ("entry of a newer version", "entries of a newer version"),
    "junk": ("foreign thing", "foreign things"),
    "failed": ("fetch may fail", "fetches may fail"),
    "acks": ("acknowledgement", "acknowledgements"),
    "phase1": ("promise is enough", "promises are enough"),
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


def standing(protocol: str = "static") -> list[Mutation]:
    """Those of a protocol whose text is in the source; all, unless somebody has edited it."""
    return [one for one in MUTATIONS if one.protocol == protocol and stands(one)]


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
    package, only = load(mutation), [mutation.dies] if mutation.dies else None
    small = package("drivers.small").WORLDS[mutation.protocol]
    size = small.size(**mutation.world)
    return size, package("drivers.checker").check(small.world(size), only=only)


@cache
def bad_run(rule: str) -> Trace:
    """A shortest run in which the property dies without this rule, and the news of it.

    Raises ValueError where there is no such run, because nothing unsafe follows.
    """
    mutation, (size, verdict) = named(rule), searched(rule)
    if not verdict.run:
        raise ValueError(f"without {rule!r} no run goes wrong: {mutation.why}")
    package = load(mutation)
    run = package("drivers.small").WORLDS[mutation.protocol].bad_run(size, verdict, news=True)
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


def overview(protocol: str = "static") -> str:
    """The mutations of a protocol as a Markdown table, each a link to its name on the same page."""
    lines = ["| without the rule | what dies | steps | states found | the world |"]
    lines.append("|---|---|---:|---:|---|")
    for one in standing(protocol):
        _, found = searched(one.name)
        sizes = [f"{n} {SIZES[what][n > 1]}" for what in SIZES if (n := one.world.get(what))]
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
