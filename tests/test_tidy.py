"""The house rules: who imports whom, how long a thing may be, and that every rule is on a page."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "paxos").rglob("*.py"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PYTHON = [path for part in ("paxos", "tools", "tests") for path in (ROOT / part).rglob("*.py")]

# What each part of the package may import of the package. `cli` may import all.
MAY_IMPORT = {
    "__init__": {"client"},
    "protocol": {"protocol"},
    "codec": {"protocol"},
    "trace": {"protocol", "codec"},
    "outcome": {"protocol", "trace"},
    "drivers": {"protocol", "trace", "drivers"},
    "costs": {"protocol", "trace", "drivers"},
    "figures": {"protocol", "trace", "outcome", "figures"},
    "proof": {"protocol", "proof"},
    "mistakes": set(),
    "mistakes_lists": {"mistakes"},
    "mutations": {"mistakes", "mistakes_lists", "trace"},  # and, by name, a package of its own
    "__main__": {"cli"},
    "checking": {"mistakes", "mutations", "trace", "drivers", "figures"},
    "services": {"protocol", "codec", "services"},
    "agreeing": {"services"},
    "opening": {"protocol", "services", "drivers"},
    "remembering": {"protocol", "drivers", "opening"},
    "client": {"protocol", "trace", "services", "drivers", "opening", "remembering"},
    "sharing": {"client"},
    "demo": {"client"},
    "storing": {"services", "__init__"},
    "verifying": {"protocol", "trace"},
    "judging": {"trace", "drivers", "verifying"},
    "cli": {"protocol", "trace", "outcome", "drivers", "figures", "proof", "__init__"}
    | {"checking", "agreeing", "sharing", "demo", "storing", "judging"},
}
# The script that draws the committed figures needs runs to draw; runs are matched with the proof.
EXCEPTIONS = {"figures/__main__.py": {"drivers"}, "drivers/matching.py": {"proof"}} | {
    # The live drivers are those of real services.
    "drivers/live.py": {"services"},
    "drivers/places.py": {"services"},
    "drivers/wire.py": {"codec"},
}
OF_THE_WORLD = {"time", "datetime", "random", "secrets", "os", "io", "pathlib", "asyncio"} | {
    *("logging", "threading", "multiprocessing", "subprocess", "socket", "sys")
}
RENDERER = "figures/render.py"  # calls `dot`
STARTERS = {"paxos/figures/render.py", "paxos/services/git.py"}
NEEDS = {  # beyond the standard library
    RENDERER: {"graphviz"},
    "proof/solver.py": {"z3"},
    "services/objects.py": {"obstore"},
    "services/append_blob.py": {"azure"},
    "services/webdav.py": {"httpx"},
    "services/dropbox.py": {"dropbox", "requests"},
    "services/box.py": {"box_sdk_gen", "requests"},
    "services/gdrive.py": {"google", "google_auth_httplib2", "googleapiclient", "httplib2"},
    "services/onedrive.py": {"httpx"},
    "services/baidu.py": {"httpx"},
}

LONGEST_FUNCTION, LONGEST_RULES, LONGEST_FILE = 40, 150, 400
LONGEST_CELL = 6
EXERCISES = {"docs/every-schedule.md"}  # pages on which readers write functions of their own

# Every heading of the outline: the page that has it, and its words there.
OUTLINE = {
    "consensus": ("consensus.md", "Consensus"),
    "Paxos": ("index.md", "Paxos You Can Run"),
    "Static Paxos": ("static-paxos/index.md", "Static Paxos"),
    "Black box: the big picture": ("static-paxos/black-box.md", "Black box: the big picture"),
    "Open the box:": ("static-paxos/open-the-box.md", "Open the box"),
    "Core description": ("static-paxos/core-description.md", "Core description"),
    "White box: in action": ("static-paxos/in-action.md", "White box: in action"),
    "review": ("static-paxos/review.md", "Review"),
    "Disk Paxos": ("disk-paxos.md", "Disk Paxos"),
    "Quorum": ("disk-paxos.md", "Quorum"),
    "Synod": ("disk-paxos.md", "Synod"),
    "define": ("disk-paxos.md", "Definitions"),
    "the need / context": ("disk-paxos.md", "The need"),
    "overview": ("disk-paxos.md", "Overview"),
    "protocol of disks": ("disk-paxos.md", "Protocol"),
    "conclusion": ("disk-paxos.md", "Conclusion"),
    "protocol passive paxos with one storage service": (
        "passive-paxos/services.md",
        "One service and many",
    ),
    "Role": ("passive-paxos/protocol.md", "Roles"),
    "client state": ("passive-paxos/protocol.md", "The states of a client"),
    "Passive Paxos": ("passive-paxos/index.md", "Passive Paxos"),
    "what is a list append only": (
        "passive-paxos/append-only-list.md",
        "What is an append-only list",
    ),
    "protocol": ("passive-paxos/protocol.md", "Protocol"),
    "how simulate a list append only with storage service API": (
        "storage-services/index.md",
        "How to simulate an append-only list with a storage service",
    ),
    "bibliography": ("bibliography.md", "Bibliography"),
}


def name(path):
    return path.relative_to(ROOT).as_posix()


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=name)


def imported(path):
    """What a file imports: (dotted module, whether it is in the package), one for each name."""
    package = ["paxos", *path.relative_to(ROOT / "paxos").parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def part(dotted):
    """The part of the package that `paxos.X...` names; a name of the package itself is __init__."""
    first = dotted.split(".")[1] if "." in dotted else "__init__"
    return first if first in MAY_IMPORT else "__init__"


# Imports.


@each(PACKAGE)
def test_each_part_imports_only_what_is_below_it(path):
    here = path.relative_to(ROOT / "paxos")
    mine = here.parts[0].removesuffix(".py")
    assert mine in MAY_IMPORT, f"say in MAY_IMPORT what {mine} may import"
    used = {part(module) for module in imported(path) if module.split(".")[0] == "paxos"}
    allowed = MAY_IMPORT[mine] | EXCEPTIONS.get(here.as_posix(), set())
    assert used <= allowed, f"{name(path)} must not import {', '.join(sorted(used - allowed))}"


@each(PACKAGE)
def test_the_package_needs_the_standard_library_only(path):
    foreign = {module.split(".")[0] for module in imported(path)} - sys.stdlib_module_names
    assert foreign <= {"paxos"} | NEEDS.get(path.relative_to(ROOT / "paxos").as_posix(), set())


@each([path for path in PACKAGE if path.parent.name == "protocol"])
def test_the_rules_know_no_clock_no_chance_and_no_world(path):
    assert not {module.split(".")[0] for module in imported(path)} & OF_THE_WORLD


def test_only_two_files_start_another_program():
    starters = {name(path) for path in PACKAGE if "subprocess" in "".join(imported(path))}
    assert starters <= STARTERS


def test_the_import_checker_sees_through_relative_imports():
    assert "paxos.trace.Trace" in set(imported(ROOT / "paxos/drivers/simulator.py"))
    assert "paxos.protocol.acceptor" in set(imported(ROOT / "paxos/protocol/static.py"))


# Lengths.


@each(PYTHON)
def test_no_file_is_too_long(path):
    limit = LONGEST_RULES if path.parent == ROOT / "paxos/protocol" else LONGEST_FILE
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= limit


@each(PYTHON)
def test_no_function_is_too_long(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = {
        node.name: length
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


# Pages.


def included():
    """What the pages show of the source: (file, object), or (file, None) for all of a file."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target, options in re.findall(r"\{literalinclude\} *(\S+)\n((?::.*\n)*)", text):
            found = re.search(r":pyobject: *(\S+)", options)
            if found or not re.search(r":(lines|start|end)", options):
                yield (page.parent / target).resolve(), found and found[1]


def public():
    """Every public class and function of the rules: (file, name)."""
    for path in sorted((ROOT / "paxos/protocol").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield path, node.name


@pytest.mark.parametrize(
    ("path", "shown"), [pytest.param(*one, id=f"{one[0].stem}.{one[1]}") for one in public()]
)
def test_every_rule_is_shown_on_a_page(path, shown):
    assert {(path, shown), (path, None)} & set(included()), f"no page shows {shown} of {name(path)}"


def test_pages_show_only_what_exists():
    known = {*public(), *((path, None) for path in PACKAGE)}
    shown = {(path, what) for path, what in included() if path.suffix == ".py"}
    assert {(path, what) for path, what in shown if path.parent.name == "protocol"} <= known


def cells(page):
    """The code of each cell of a page, without the options at its top."""
    text = page.read_text(encoding="utf-8")
    for cell in re.findall(
        r"^```+\{code-cell\}[^\n]*\n(.*?)^```+$", text, re.DOTALL | re.MULTILINE
    ):
        yield re.sub(r"\A(---\n.*?\n---\n|(:[^\n]*\n)+)", "", cell, flags=re.DOTALL)


@each(PAGES)
def test_a_cell_calls_the_package_and_defines_nothing(path):
    for cell in [] if name(path) in EXERCISES else cells(path):
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(cell))), cell
        assert len([line for line in cell.splitlines() if line.strip()]) <= LONGEST_CELL, cell


def headings(page):
    """The headings of a page, without those that only look like one inside a block of code."""
    text = re.sub(
        r"^(```+|:::+).*?^\1$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return re.findall(r"^#+ (.+?) *$", text, re.MULTILINE)


@pytest.mark.parametrize("heading", OUTLINE)
def test_every_heading_of_the_outline_has_its_page(heading):
    page, words = OUTLINE[heading]
    assert words in headings(ROOT / "docs" / page)
