"""The key of a finding: what tells it from the others of its organization, and survives being judged again."""

from __future__ import annotations

from uuid import UUID

from policies.engine.lint import Code

_SUBJECTS = ("policy", "application", "rule")


def key_of(code: str, subject_type: str, subject: str, field: str, remedy: str) -> str:
    return "~".join((code, subject_type, subject, field, remedy))


def subject_of(key: str) -> tuple[Code, str, UUID]:
    """(code, subject type, subject) of the finding. Raises ValueError for what is no key."""
    parts = key.split("~")
    if len(parts) != 5 or parts[1] not in _SUBJECTS:
        raise ValueError(key)
    try:
        return Code(parts[0]), parts[1], UUID(parts[2])
    except ValueError as error:
        raise ValueError(key) from error
