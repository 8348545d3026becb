"""The files that the agent itself runs from: what no bundle may deny."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def own_programs() -> tuple[str, ...]:
    """Their real paths, sorted."""
    package = Path(__file__).parent / "__main__.py"
    wanted = (sys.executable, sys.argv[0], str(package))
    return tuple(sorted({os.path.realpath(path) for path in wanted if path}))
