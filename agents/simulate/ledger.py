"""What one pretend computer knows of itself, apart from what the portal says of it: the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """Everything generated, acknowledged, applied and refused, in the order it happened."""

    generated: list[tuple[str, int]] = field(default_factory=list)  # (boot id, sequence)
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    rejected: list[tuple[str, int, str]] = field(default_factory=list)  # with the portal's reason
    applied: list[tuple[int, int, str]] = field(default_factory=list)  # (epoch, version, manifest sha256)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (code, detail)

    @property
    def running(self) -> tuple[int, int, str]:
        """(epoch, version, sha256) of the bundle in force; (0, 0, "") before the first."""
        return self.applied[-1] if self.applied else (0, 0, "")
