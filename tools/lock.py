"""Write the two locks again: exact versions with hashes, for every platform, naming no package index."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
QUIET = [
    "--no-emit-index-url",
    "--no-header",
    "--no-annotate",
    "--no-emit-package",
    "passive-paxos",
]
UNIVERSAL = [
    "--universal",
    "--python-version",
    "3.11",
    "--fork-strategy",
    "fewest",
    "--generate-hashes",
]


def compile_lock(target: str, *options: str) -> None:
    command = [
        str(UV),
        "pip",
        "compile",
        "--quiet",
        "pyproject.toml",
        *UNIVERSAL,
        *QUIET,
        *options,
        "-o",
        target,
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    print(target)


if __name__ == "__main__":
    compile_lock("requirements.txt", "--extra", "dev", "--upgrade")
    compile_lock(
        "requirements-lab.txt",
        "--extra",
        "dev",
        "--extra",
        "lab",
        "-c",
        "requirements.txt",
        "--upgrade",
    )
