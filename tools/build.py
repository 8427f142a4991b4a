"""Build the parts of the book: site, notebooks, paper; or serve the site; or open the pages in JupyterLab."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import paper as maker

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SITE = BUILD / "site"
STRICT = os.environ.get("STRICT", "1") != "0"


def sphinx(builder: str, target: Path, strict: bool) -> None:
    flags = ["-n", *(["-W", "--keep-going"] if strict else []), "-q"]
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
    sphinx("html", SITE, STRICT)


def notebooks() -> None:
    """The executed notebooks, as the site offers them: nothing runs a second time."""
    target = BUILD / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SITE / "_notebooks", target)


def paper() -> None:
    sphinx("singlehtml", BUILD / "single", STRICT)
    maker.make(BUILD / "single" / "index.html", BUILD / "paxos.pdf")


PARTS = {  # what makes it, what it makes
    "site": (site, "build/site/index.html"),
    "notebooks": (notebooks, "build/notebooks/"),
    "paper": (paper, "build/paxos.pdf"),
}


def inputs() -> str:
    """A digest of every file that the book is made from, and of the two settings that change it."""
    seen = hashlib.sha256(f"{sys.version} {STRICT} {maker.commit_time()}".encode())
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
        make, made = PARTS[part]
        stamp = BUILD / "stamps" / part
        if not ((ROOT / made).exists() and stamp.exists() and stamp.read_text() == now):
            stamp.unlink(missing_ok=True)
            make()
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(now)
    print("\n".join(PARTS[part][1] for part in parts))


def serve(port: int) -> None:
    """Its own folder, and never strict: a reader who breaks a rule sees the failed cell in the page."""
    os.environ["STRICT"] = "0"
    watched = ("paxos", "_static", "references.bib", "conf.py")
    watch = [word for name in watched for word in ("--watch", name)]
    ignore = ["--re-ignore", r"__pycache__|\.pyc$|\.ipynb_checkpoints|~$"]
    flags = ["-n", "-q", "-c", ".", "-d", "build/serve/doctrees", "docs", "build/serve/site"]
    command = [sys.executable, "-m", "sphinx_autobuild", "--port", str(port), *ignore, *watch]
    raise SystemExit(subprocess.call([*command, *flags], cwd=ROOT))


def lab() -> None:
    """JupyterLab opens the Markdown pages themselves: jupytext reads and writes them as notebooks."""
    viewers = '{"defaultViewers": {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}}'
    name = "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"
    settings = BUILD / "lab" / name
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(viewers, "utf-8")
    os.environ["JUPYTERLAB_SETTINGS_DIR"] = str(BUILD / "lab")
    os.environ["PYTHONPATH"] = str(ROOT)
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir=docs", *as_root]
    raise SystemExit(subprocess.call(command, cwd=ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=["site", "notebooks", "paper", "serve", "lab"])
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if "serve" in options.parts:
        serve(options.port)
    if "lab" in options.parts:
        lab()
    started = time.monotonic()
    build(options.parts)
    print(f"in {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
