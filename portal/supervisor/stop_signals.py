"""Ctrl-C, TERM and a closed terminal all mean: stop in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that is set by the first of these signals while the block runs; nothing is interrupted by them."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in STOP_SIGNALS}
    try:
        yield stopping
    finally:
        for number, action in before.items():
            signal.signal(number, action)
