"""How long to wait after a failure: growing, random, never past five minutes; or as long as the portal asked."""

from __future__ import annotations

import random

FIRST_SECONDS, LAST_SECONDS = 1.0, 300.0


class Backoff:
    """Full jitter: a random time up to a bound that doubles with every failure in a row."""

    def __init__(self) -> None:
        self._failures = 0

    def succeeded(self) -> None:
        """Start from the beginning."""
        self._failures = 0

    def failed(self, asked_seconds: float | None = None) -> float:
        """Seconds to wait now. What the portal asked for is the least, with a little on top so that not all return at
        once.
        """
        bound = min(LAST_SECONDS, FIRST_SECONDS * 2 ** min(self._failures, 16))
        self._failures += 1
        if asked_seconds is not None:
            return min(LAST_SECONDS, max(0.0, asked_seconds)) + random.uniform(0, bound)  # noqa: S311
        return random.uniform(0, bound)  # noqa: S311
