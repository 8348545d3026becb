"""Runs every benchmark, one process each, so that none warms the next: `python -m benchmarks [--full] [NAME...]`.

Each module here measures its own baseline in the same run and prints a ratio; `--full` is handed to all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="full size; takes long")
    parser.add_argument("names", nargs="*", help="only these")
    chosen = parser.parse_args(arguments)
    failed = [name for name in chosen.names or names() if not succeeded(name, full=chosen.full)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def succeeded(name: str, *, full: bool) -> bool:
    print(f"\n== {name} ==", flush=True)
    started = time.monotonic()
    command = (sys.executable, "-m", f"benchmarks.{name}", *(("--full",) if full else ()))
    done = subprocess.run(command, cwd=HERE.parent)
    print(f"({time.monotonic() - started:.0f} s)", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
