"""Build the parts of the book: site, notebooks, paper; or serve the site; or open the pages in JupyterLab."""

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import paper as maker

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SITE = BUILD / "site"


def strict() -> bool:
    return os.environ.get("STRICT", "1") != "0"


def sphinx(builder: str, target: Path) -> None:
    flags = ["-n", *(["-W", "--keep-going"] if strict() else []), "-q"]
    command = [
        sys.executable,
        "-m",
        "sphinx",
        *flags,
        "-b",
        builder,
        "-c",
        ".",
        "-d",
        str(BUILD / "doctrees"),
    ]
    done = subprocess.run([*command, "docs", str(target)], cwd=ROOT, check=False)
    if done.returncode:
        cure = "Mend what it says, or look at the pages as they are: make site STRICT=0"
        raise SystemExit(f"The build of {target.relative_to(ROOT)} stopped, as said above. {cure}")


def site() -> None:
    sphinx("html", SITE)


def notebooks() -> None:
    """The executed notebooks, as the site offers them: nothing runs a second time."""
    target = BUILD / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SITE / "_notebooks", target)


def paper() -> None:
    sphinx("singlehtml", BUILD / "single")
    maker.make(BUILD / "single" / "index.html", BUILD / "paxos.pdf")


PARTS = {  # what makes it, what it makes, what to say meanwhile
    "site": (site, "build/site/index.html", "Reading the pages, running their cells ..."),
    "notebooks": (notebooks, "build/notebooks/", "Writing the notebooks ..."),
    "paper": (paper, "build/paxos.pdf", "Setting the paper ..."),
}


def inputs() -> str:
    """A digest of every file that the book is made from, and of the two settings that change it."""
    seen = hashlib.sha256(f"{sys.version} {strict()} {maker.commit_time()}".encode())
    names = ["conf.py", "references.bib", "requirements.txt"]
    for folder in ("docs", "paxos", "_static", "tools", "benchmarks/results"):
        names += [str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*")]
    for path in (ROOT / name for name in sorted(names)):
        if path.is_file() and path.suffix != ".pyc" and ".ipynb_checkpoints" not in path.parts:
            seen.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return seen.hexdigest()


def build(parts: list[str]) -> None:
    """Make the parts whose inputs changed since they were last made without a complaint."""
    now = inputs()
    for part in parts:
        make, made, doing = PARTS[part]
        stamp = BUILD / "stamps" / part
        if not ((ROOT / made).exists() and stamp.exists() and stamp.read_text() == now):
            stamp.unlink(missing_ok=True)
            print(doing, file=sys.stderr, flush=True)
            make()
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(now)
    print("\n".join(PARTS[part][1] for part in parts))


def serve(port: int) -> None:
    """Its own folder, and never strict: a reader who breaks a rule sees the failed cell in the page."""
    os.environ["STRICT"] = "0"
    free(port, "serve")
    print("Reading the pages and running their cells; the address comes when they are ready.")
    watched = ("paxos", "_static", "references.bib", "conf.py")
    watch = [word for name in watched for word in ("--watch", name)]
    ignore = ["--re-ignore", r"__pycache__|\.pyc$|\.ipynb_checkpoints|~$"]
    flags = ["-n", "-q", "-c", ".", "-d", "build/serve/doctrees", "docs", "build/serve/site"]
    command = [sys.executable, "-m", "sphinx_autobuild", "--port", str(port), *ignore, *watch]
    raise SystemExit(run([*command, *flags]))


def lab(port: int) -> None:
    """JupyterLab opens copies of the executed notebooks, with the rules in them, to play with."""
    os.environ["STRICT"] = "0"
    build(["site", "notebooks"])
    free(port, "lab")
    copies = BUILD / "lab"
    for path in sorted((BUILD / "notebooks").rglob("*.ipynb")):
        copy = copies / path.relative_to(BUILD / "notebooks")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            shutil.copyfile(path, copy)
    print("Your copies are in build/lab/ and stay as you leave them; remove it to begin anew.")
    os.environ["PYTHONPATH"] = str(ROOT)
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    flags = [f"--notebook-dir={copies}", f"--port={port}", *as_root]
    flags += ["--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]
    flags += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    flags += ["--ServerApp.answer_yes=True"]
    raise SystemExit(run([sys.executable, "-m", "jupyterlab", *flags]))


def run(command: list[str]) -> int:
    """Run a server until it ends, or until Ctrl-C ends it."""
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.wait()
            return 0


def free(port: int, what: str) -> None:
    """Stop with a cure if nothing can listen there."""
    if not 0 < port < 65536:
        raise SystemExit(
            f"There is no port {port}. Pick one from 1024 to 65535: make {what} PORT=8000"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SystemExit(
                f"Port {port} is in use. Pick another: make {what} PORT={port + 1}"
            ) from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=["site", "notebooks", "paper", "serve", "lab"])
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if "serve" in options.parts:
        serve(options.port)
    if "lab" in options.parts:
        lab(options.port)
    started = time.monotonic()
    build(options.parts)
    print(f"in {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
