"""Make `.venv` from the committed lock, and again only when the lock changes.

    python3 tools/environment.py [--lab]

It is written for any Python 3, so that an old one gets an explanation instead of a syntax error.
With uv (pinned by the same lock) this takes seconds; where uv has no wheel, pip reads the same hashes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
UV = os.path.join(BIN, "uv.exe" if os.name == "nt" else "uv")


def stop(problem, cure):
    sys.stderr.write("%s %s\n" % (problem, cure))
    raise SystemExit(2)


def digest(*names):
    seen = hashlib.sha256(("%s %s" % (sys.version_info[:2], VENV)).encode())
    for name in names:
        with open(os.path.join(ROOT, name), "rb") as file:
            seen.update(file.read())
    return seen.hexdigest()


def stamped(name):
    try:
        with open(os.path.join(VENV, name)) as file:
            return file.read().strip()
    except OSError:
        return ""


def stamp(name, value):
    with open(os.path.join(VENV, name), "w") as file:
        file.write(value + "\n")


def run(*command, **options):
    return subprocess.call(list(command), cwd=ROOT, **options) == 0


def create():
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        stop(
            "This Python (%s) cannot make a virtual environment." % sys.executable,
            "On Debian or Ubuntu: apt install python3-venv. Elsewhere: install Python from python.org.",
        )
    if os.path.isdir(VENV):
        shutil.rmtree(VENV)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        stop("Making .venv failed: %s." % error, "Is there space, and may you write here?")


def locked(package):
    """The lines of the lock that pin one package, hashes included."""
    with open(os.path.join(ROOT, "requirements.txt")) as file:
        found = re.search(r"^%s==(?:.*\\\n)*.*$" % re.escape(package), file.read(), re.M)
    return found.group(0) + "\n" if found else ""


def install(lock, exact):
    """Install a lock, by uv if it can be had, else by pip. `exact` also removes what it does not name."""
    hashed = ["--quiet", "--require-hashes"]
    if not os.path.exists(UV):
        only = os.path.join(VENV, "uv.txt")
        with open(only, "w") as file:
            file.write(locked("uv"))
        quietly = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        wheel = ["--no-deps", "--only-binary", ":all:", "-r", only]
        run(PYTHON, "-m", "pip", "install", *(hashed + wheel), **quietly)
    if os.path.exists(UV):
        verb = ["sync", lock] if exact else ["install", "-r", lock]
        if run(UV, "pip", *(verb[:1] + hashed + ["--python", PYTHON] + verb[1:])):
            return
        sys.stderr.write("uv could not install the lock; trying pip.\n")
    if not run(PYTHON, "-m", "pip", "install", *(hashed + ["-r", lock])):
        cure = "The first run needs a package index: is the network (or your mirror) there?"
        stop("Installing %s failed, as said above." % lock, cure)


def install_package():
    """This package itself, editable, with the build backend of the lock: no network."""
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "-e", "."]
    quietly = {"stderr": subprocess.DEVNULL}  # should it fail, pip says why
    if os.path.exists(UV) and run(UV, "pip", "install", "--python", PYTHON, *flags, **quietly):
        return
    if not run(PYTHON, "-m", "pip", "install", *flags):
        stop("Installing this package into .venv failed, as said above.", "Try `make clean` first.")


def main():
    if sys.version_info < (3, 11):
        found = "%d.%d" % sys.version_info[:2]
        cure = "Install one, or name it: make PYTHON=python3.12 book"
        stop("This book needs Python 3.11 or newer; %s is %s." % (sys.executable, found), cure)
    lock = digest("requirements.txt")
    if stamped("lock") != lock:
        sys.stderr.write("Making .venv (once; the packages come from the lock) ...\n")
        if stamped("made-by") != digest() or not os.path.exists(PYTHON):
            create()
        stamp("lock", "")
        stamp("lab", "")
        stamp("package", "")
        install("requirements.txt", exact=True)
        stamp("made-by", digest())
        stamp("lock", lock)
    package = digest("pyproject.toml")
    if stamped("package") != package:
        install_package()
        stamp("package", package)
    lab = digest("requirements-lab.txt")
    if "--lab" in sys.argv[1:] and stamped("lab") != lab:
        sys.stderr.write("Adding JupyterLab to .venv (once) ...\n")
        install("requirements-lab.txt", exact=False)
        stamp("lab", lab)


if __name__ == "__main__":
    main()
