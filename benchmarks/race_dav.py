"""WebDAV servers under a race of eight processes for each of many names, by each way to create a name.

    python benchmarks/race_dav.py [--names N] [SERVER ...]

Each row: what a second writer is told that comes later, and what became of names that eight went for at the
same moment. "One winner" on all names is no proof. wsgidav is installed under build/; Apache is measured
where it is installed.
"""

import argparse
import contextlib
import queue
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import common
import httpx

sys.path.insert(0, str(common.ROOT / "tests"))
import dav_servers
import object_servers
from object_servers import Missing, Server, free_ports, running
from servers_that_break import install, installed

RACERS, PATIENCE = 8, 120.0
WSGIDAV, CHEROOT = "4.4.0", "12.0.0"
APACHE = """
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
DocumentRoot {folder}/root
DavLockDB {folder}/locks
{modules}
{user}
<Directory {folder}/root>
  Dav On
  Require all granted
</Directory>
"""
MODULES = ("mpm_event", "authn_core", "authz_core", "dav", "dav_fs", "dav_lock")


@contextlib.contextmanager
def apache(folder: Path) -> Iterator[Server]:
    program = Path("/usr/sbin/apache2")
    where = Path("/usr/lib/apache2/modules")
    if not program.exists():
        raise Missing("Apache is not installed: apt-get install apache2")
    dav_servers.prepared(folder)
    [port] = free_ports(1)
    names = [name for name in MODULES if (where / f"mod_{name}.so").exists()]
    modules = "\n".join(f"LoadModule {name}_module {where}/mod_{name}.so" for name in names)
    user = "User www-data\nGroup www-data" if folder.owner() == "root" else ""
    subprocess.run(["chmod", "-R", "a+rwX", str(folder), str(folder.parent)], check=True)
    text = APACHE.format(folder=folder, port=port, modules=modules, user=user)
    (folder / "conf").write_text(text)
    with running([str(program), "-D", "FOREGROUND", "-f", str(folder / "conf")], port) as process:
        yield Server(process, port, f"http://127.0.0.1:{port}/{{}}")


@contextlib.contextmanager
def wsgidav(folder: Path) -> Iterator[Server]:
    program = installed("wsgidav", WSGIDAV)
    python = str(program / "python")
    install("uv", "pip", "install", "--quiet", "--python", python, "cheroot", "lxml")
    dav_servers.prepared(folder)
    [port] = free_ports(1)
    command = [str(program / "wsgidav"), "--host", "127.0.0.1", "--port", str(port), "-q"]
    with running(
        [*command, "--root", str(folder / "root"), "--auth", "anonymous"], port
    ) as process:
        yield Server(process, port, f"http://127.0.0.1:{port}/{{}}")


def version_of(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"[0-9]+\.[0-9.]+[0-9]", said.stdout + said.stderr)
    return found[0] if found else "?"


SERVERS: dict[str, tuple[Callable[[Path], Any], Callable[[], str]]] = {
    "nginx": (dav_servers.nginx, lambda: version_of(["/usr/sbin/nginx", "-v"])),
    "lighttpd": (dav_servers.lighttpd, lambda: version_of(["/usr/sbin/lighttpd", "-v"])),
    "Apache": (apache, lambda: version_of(["/usr/sbin/apache2", "-v"])),
    "wsgidav": (wsgidav, lambda: WSGIDAV),
}


# The ways to create a name. Each says: created, refused, or something else.


def put(client: httpx.Client, base: str, name: str, content: str) -> int:
    return client.put(f"{base}/{name}", content=content, headers={"If-None-Match": "*"}).status_code


def move_file(client: httpx.Client, base: str, name: str, content: str) -> int:
    client.put(f"{base}/draft-{content}", content=content)
    return move(client, f"{base}/draft-{content}", f"{base}/{name}")


def move_folder(client: httpx.Client, base: str, name: str, content: str) -> int:
    client.request("MKCOL", f"{base}/draft-{content}/")
    client.put(f"{base}/draft-{content}/entry", content=content)
    return move(client, f"{base}/draft-{content}/", f"{base}/{name}/")


def move(client: httpx.Client, source: str, target: str) -> int:
    header = {"Destination": target, "Overwrite": "F"}
    return client.request("MOVE", source, headers=header).status_code


def make_folder(client: httpx.Client, base: str, name: str, content: str) -> int:
    return client.request("MKCOL", f"{base}/{name}/").status_code


WAYS = {
    "PUT, If-None-Match: *": put,
    "MOVE a file, Overwrite: F": move_file,
    "MOVE a folder with content, Overwrite: F": move_folder,
    "MKCOL (no content)": make_folder,
}
WON = (200, 201, 204)


def work(who: int, way: str, base: str, names: int, barrier: Any, said: Any) -> None:
    """One racer: what it was answered for each name."""
    found = []
    with httpx.Client(timeout=30) as client:
        for number in range(names):
            barrier.wait(PATIENCE)
            try:
                found.append(WAYS[way](client, base, f"n{number}", f"{number}-{who}"))
            except httpx.HTTPError:
                found.append(0)
    said.put((who, found))


def race(way: str, base: str, names: int) -> list[list[int]]:
    """What each racer was answered."""
    context = get_context("spawn")
    barrier, said = context.Barrier(RACERS), context.Queue()
    running_ = [
        context.Process(target=work, args=(who, way, base, names, barrier, said), daemon=True)
        for who in range(RACERS)
    ]
    for one in running_:
        one.start()
    answers, end = [], time.monotonic() + 10 * PATIENCE
    while len(answers) < RACERS and time.monotonic() < end:
        with contextlib.suppress(queue.Empty):
            answers.append(said.get(timeout=1)[1])
        if any(one.exitcode for one in running_):
            raise RuntimeError("a racer died")
    for one in running_:
        one.join()
    return answers


def tried(server: Server, way: str, names: int) -> dict[str, Any]:
    base = f"http://127.0.0.1:{server.port}/{re.sub('[^a-z]', '', way.lower())}"
    with httpx.Client(timeout=30) as client:
        client.request("MKCOL", f"{base}/")
        client.request("MKCOL", f"{base}two/")
        first, second = (WAYS[way](client, f"{base}two", "n", word) for word in ("one", "two"))
    later = "refused" if first in WON and second not in WON else f"accepted ({second})"
    rounds = list(zip(*race(way, base, names), strict=True))
    winners = [sum(status in WON for status in one) for one in rounds]
    odd = Counter(status for one in rounds for status in one if status not in (*WON, 412))
    return {
        "later": later,
        "names": names,
        "one": sum(count == 1 for count in winners),
        "most": max(winners),
        "none": sum(count == 0 for count in winners),
        "odd": ", ".join(
            f"{many} × {status or 'no answer'}" for status, many in odd.most_common(3)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("servers", nargs="*", default=list(SERVERS))
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for name in options.servers:
        start, version = SERVERS[name]
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    with start(Path(folder)) as server:
                        found = tried(server, way, options.names)
                except (common.Skipped, object_servers.Missing, RuntimeError) as why:
                    results[name] = {"skipped": str(why)[:200]}
                    break
            results[f"{name}: {way}"] = {"version": version(), **found}
            print(name, way, found, file=sys.stderr, flush=True)
    common.write("race_dav", table(results), results, processes=RACERS)


def table(results: dict[str, Any]) -> list[str]:
    shown = [(name, its) for name, its in results.items() if "skipped" not in its]
    names = ("later", "names", "one", "most")
    rows = []
    for name, its in shown:
        server, _, way = name.partition(": ")
        rows.append((f"{server} {its['version']}: {way}", *(its[one] for one in names)))
    header = ("server, and how the name is created", "a second writer, later", "names")
    return common.rows((*header, "with one winner", "most winners"), *rows)


if __name__ == "__main__":
    main()
