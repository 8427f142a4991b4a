"""Build the parts of the book: site, notebooks, paper; or serve the site; or open the pages in JupyterLab."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

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


def site() -> str:
    sphinx("html", SITE, STRICT)
    return "build/site/index.html"


def notebooks() -> str:
    """The executed notebooks, as the site offers them: nothing runs a second time."""
    import shutil

    target = BUILD / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SITE / "_notebooks", target)
    return "build/notebooks/"


def paper() -> str:
    import paper as maker

    sphinx("singlehtml", BUILD / "single", STRICT)
    maker.make(BUILD / "single" / "index.html", BUILD / "paxos.pdf")
    return "build/paxos.pdf"


def serve(port: int) -> None:
    os.environ["STRICT"] = "0"
    watch = [
        word
        for name in ("paxos", "_static", "references.bib", "conf.py")
        for word in ("--watch", name)
    ]
    sphinx_part = ["-n", "-q", "-c", ".", "-d", "build/doctrees", "docs", "build/site"]
    ignore = ["--re-ignore", r"__pycache__|\.pyc$|\.ipynb_checkpoints|~$"]
    command = [
        sys.executable,
        "-m",
        "sphinx_autobuild",
        "--port",
        str(port),
        *ignore,
        *watch,
        *sphinx_part,
    ]
    raise SystemExit(subprocess.call(command, cwd=ROOT))


def lab() -> None:
    """JupyterLab opens the Markdown pages themselves: jupytext reads and writes them as notebooks."""
    viewer = '--LabDocumentManager.defaultViewers={"markdown":"Jupytext Notebook","myst":"Jupytext Notebook"}'
    del viewer  # kept in the settings file below, which JupyterLab reads
    settings = BUILD / "lab" / "overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"defaultViewers": {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}}
    import json

    settings.write_text(json.dumps({"@jupyterlab/docmanager-extension:plugin": chosen}), "utf-8")
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--notebook-dir=docs",
        f"--LabApp.app_settings_dir={settings.parent}",
    ]
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
    made = [
        {"site": site, "notebooks": notebooks, "paper": paper}[part]() for part in options.parts
    ]
    print("\n".join(made))
    print(f"in {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tools"))
    main()
