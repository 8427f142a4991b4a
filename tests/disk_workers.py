"""Processes that agree through folders, and some that die on the way. Whole, or with a rule broken."""

import importlib
import multiprocessing
import os
import random
import signal
import threading
import time
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path

from paxos.mistakes import wrong
from paxos.mutations import load
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.blocks import Block
from paxos.protocol.messages import Write
from paxos.services import blocks, disks

# Forked from a process that has no threads and has imported all this: a few milliseconds each.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])
NAMES = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hana")

OURS = "Blocks(tuple({**dict(blocks), me.name: me.block}.items()))"  # as if it were there
READ_FIRST = wrong(
    "read before write, on real disks",
    "protocol.disk:step",
    ("if ( dict(blocks).get(me.name) == me.block ):", "if me.block:"),
    ("return hear(me, disk, all)", f"return hear(me, disk, {OURS})"),
    ('(Send("disks", Write(me.name', '(Send("disks", Read()), Send("disks", Write(me.name'),
    why="Two who read before they write miss each other.",
)
NO_RECOVERY = wrong(
    "no recovery, on real disks",
    "protocol.disk:step",
    ("mine = dict(blocks).get(me.name, Block(blank(me.member)))", "mine = Block(blank(me.member))"),
    why="Whoever comes back overwrites its own vote.",
)


def package(broken=None):
    """Imports modules of the package, in which a rule may be broken."""
    if broken is None:
        return lambda name: importlib.import_module(f"paxos.{name}")
    module = load(BROKEN[broken])
    if broken == "read first":  # nor does the driver put a write before a read
        module("services.disks").Worker.run = in_order
    else:  # nor does the disk refuse what takes back a vote
        module("services.blocks").join = lambda _, new: new
    return module


def in_order(worker):
    """One request after the other, as they come."""
    while (request := worker.requests.get()) is not None:
        worker.serve(request)
    worker.folder.close()


BROKEN = {"read first": READ_FIRST, "no recovery": NO_RECOVERY}
for _rule in BROKEN:
    package(_rule)("services.disks")  # so that those who are forked have it


def shelf(folder, number=3, **options):
    """A new shelf of disks."""
    paths = [Path(folder) / f"disk{which}" for which in range(1, number + 1)]
    for path in paths:
        path.mkdir(parents=True)
    blocks.create(paths, **options)
    return paths


def start(target, *arguments):
    """Start a process. That of Python that forks must find this module, to have it at hand."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), before])
    forkserver.ensure_running()
    os.environ["PYTHONPATH"] = before
    process = CONTEXT.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


# Races.


def racer(name, shelves, barrier, pipe, broken):
    """Decide once on each shelf, at the same moment as the others."""
    told, decide = [], package(broken)("services.disks").decide
    for number, paths in enumerate(shelves):
        barrier.wait(60)
        chance = random.Random(f"{name} {number}")
        told.append(decide(paths, name, f"{name}'s {number}", timeout=60, chance=chance))
    pipe.send(told)


def race(shelves, names=NAMES, broken=None):
    """What each of them was told, on each shelf."""
    barrier, pipes, running = CONTEXT.Barrier(len(names)), [], []
    for name in names:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        pipes.append(ours)
        running.append(start(racer, name, shelves, barrier, theirs, broken))
        theirs.close()
    told = [pipe.recv() for pipe in pipes]
    for process in running:
        process.join()
    return [set(one) for one in zip(*told, strict=True)]


# Deaths.


class Diary:
    """What nobody may take back: a file to which each process appends lines."""

    def __init__(self, path):
        self.path = Path(path)

    def note(self, *words):
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (" ".join(words) + "\n").encode())
        os.close(file)

    def lines(self):
        return [line.split(" ", 2) for line in self.path.read_text().splitlines()]


def watch(diary, points):
    """Die at the given call of the system, before or after it; and look at every replacement."""
    left, lock, real = [points], threading.Lock(), os.replace

    def count():
        with lock:
            left[0] = left[0] and left[0] - 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def replace(draft, name, *, src_dir_fd, dst_dir_fd):
        def its(file):
            try:
                with os.fdopen(os.open(file, os.O_RDONLY, dir_fd=src_dir_fd), "rb") as stream:
                    return blocks.unpack(stream.read(), blocks.Stored, file).block
            except FileNotFoundError:
                return None

        before, after = its(name), its(draft)
        if before and blocks.join(before, after) != after:
            diary.note("back", name, f"{before} -> {after}")
        real(draft, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def counted(call):
        def counting(*arguments, **options):
            count()
            result = call(*arguments, **options)
            count()
            return result

        return counting

    os.open, os.fsync, os.replace = counted(os.open), counted(os.fsync), counted(replace)


def mortal(name, wish, paths, diary, points, broken):
    """Propose, and write down what it was told before anything else. `points`: see `watch`."""
    module = package(broken)("services.disks")
    note = diary.note
    watch(diary, points)
    with module.Disks(paths, name, timeout=60) as mine:
        value = mine.decide(wish)
        note("told", name, value)


def campaign(folder, chance, names=NAMES[:4], lives=4, broken=None):
    """One decision, with these processes killed again and again: the diary, and how many were killed.

    Half of them die at a call of the system, half at a moment. The last life is spared. Meanwhile a
    disk goes away, and comes back, and another one goes: lives meet other majorities.
    """
    paths, diary, away = shelf(folder), Diary(Path(folder) / "diary"), {}
    left, running, killed = dict.fromkeys(names, lives), {}, 0
    while True:
        for path, elsewhere in list(away.items()):
            if chance.random() < 0.3:
                elsewhere.rename(path)
                del away[path]
        if not away and chance.random() < 0.3:
            path = chance.choice(paths)
            away[path] = path.rename(path.with_name(f"away {path.name}"))
        for name in sorted(set(left) - {name for name, _ in running.values()}):
            left[name] -= 1
            by_call = chance.random() < 0.5
            points = chance.randint(1, 120) if left[name] and by_call else None
            end = chance.uniform(0, 0.12) if left[name] and not by_call else 60
            wish = f"{name}'s {left[name]}"
            process = start(mortal, name, wish, paths, diary, points, broken)
            running[process] = name, time.monotonic() + end
        soon = min(end for _, end in running.values()) - time.monotonic()
        wait([process.sentinel for process in running], max(0.0, soon))
        for process, (name, end) in list(running.items()):
            if time.monotonic() >= end:
                process.kill()
                process.join()
            if not process.is_alive():
                del running[process]
                killed += process.exitcode == -signal.SIGKILL
                assert process.exitcode in (0, -signal.SIGKILL), f"{name}: {process.exitcode}"
                if not left[name]:
                    del left[name]
        if not left:
            for path, elsewhere in away.items():
                elsewhere.rename(path)
            return diary, killed


# Others.


def appender(name, paths, pipe):
    """Append five entries, one after the other."""
    with disks.Disks(paths, name, timeout=60) as mine:
        for number in range(5):
            log = mine.append([f"{name} {number}"])
    pipe.send([one.text for one in log])


def dies_when_told(wish, paths, diary, broken):
    """Is told a decision, and dies before anybody else can know."""
    module, heard, real = package(broken)("services.disks"), threading.Event(), os.replace

    def replace(draft, name, *, src_dir_fd, dst_dir_fd):
        with os.fdopen(os.open(draft, os.O_RDONLY, dir_fd=src_dir_fd), "rb") as stream:
            stored = blocks.unpack(stream.read(), blocks.Stored, draft)
        if stored.block.chosen:
            heard.wait()
            os.kill(os.getpid(), 9)
        real(draft, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    os.replace = replace
    with module.Disks(paths, "ann", timeout=60) as ann:
        diary.note("told", "ann", ann.decide(wish))
        heard.set()


def as_nobody(paths, pipe):
    """Decide, as somebody who may not write everywhere."""
    if os.getuid() == 0:  # whom nothing is forbidden
        os.setuid(65534)
    said = []
    pipe.send((disks.decide(paths, "ann", "Ann", timeout=60, tell=said.append), said))


def hold(path, pipe):
    """Have a name, and a block, until somebody says otherwise."""
    folder = blocks.Folder(path, "ann")
    folder.answer(Write("ann", Block(Acceptor(Ballot(1, "ann")))))
    pipe.send("held")
    pipe.recv()
