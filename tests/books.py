"""Build the book, or a part of it, as `make` does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["site", "notebooks", "paper"]


def build(root: Path, *parts: str) -> None:
    command = [sys.executable, str(root / "tools" / "build.py"), *parts]
    environment = os.environ | {"STRICT": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    said = "\n".join(
        (done.stdout + done.stderr).splitlines()[-20:]
    )  # each test that needs it says it
    assert done.returncode == 0, f"the book does not build:\n{said}"
