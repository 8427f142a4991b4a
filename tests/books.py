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
    assert done.returncode == 0, f"the book does not build:\n{done.stdout}{done.stderr}"
