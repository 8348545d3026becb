"""The audit store in tests: rows go in through `ingest_batch`, as an agent's would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit import dictionaries


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    """A test that is rolled back takes its dictionary rows along: this process must not remember them."""
    dictionaries.forget_all()
    yield
    dictionaries.forget_all()
