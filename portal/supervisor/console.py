"""What the person at the terminal sees: short lines with the time since the start."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Console:
    """Lines go to the standard error output, so that the output of a wrapped command stays its own."""

    verbose: bool = False
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.1f}s  {text}", file=sys.stderr, flush=True)

    def plain(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
