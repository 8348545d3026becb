"""What the rules that an application gains or loses met lately: whether an update changes what runs anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.builtin.differences import Difference
from policies.builtin.schema import RuleEntry
from policies.previews import MatchPreview, match_preview
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class FilesMet:
    """What was seen in 30 days in the reader's reach that the new rules match, and that the old ones matched."""

    gained: MatchPreview | None
    lost: MatchPreview | None


def files_met(reach: Reach, one: Difference) -> FilesMet:
    """For one application of an update; None where it gains or loses no rule."""
    return FilesMet(_met(reach, one, one.added), _met(reach, one, one.removed))


def _met(reach: Reach, one: Difference, rules: Sequence[RuleEntry]) -> MatchPreview | None:
    return match_preview()(reach, one.os, rules) if rules else None
