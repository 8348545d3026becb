"""A finding as screens and the API show it: what, where, why, and what can be done about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from policies.engine.lint import Code, Severity
from policies.linting import words
from policies.models import AcceptedFinding


@dataclass(frozen=True, slots=True)
class Fix:
    """`is_done_here`: a POST does it, undoably; else `href` leads to the screen that can. `asks`: a preview first."""

    kind: str
    label: str
    is_done_here: bool
    asks: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """`organization_id` is where the subject lives; `inherited`: above the organization that was looked at.

    `rule`: its number and first condition. `key` tells it from the others of its organization. `accepted`: the
    acceptance in force.
    """

    code: Code
    severity: Severity
    subject_type: Literal["policy", "application", "rule"]
    subject_id: UUID
    subject_name: str
    message: str
    why: str
    fix: Fix | None
    link: str
    key: str = ""
    organization_id: UUID | None = None
    organization_name: str = ""
    inherited: bool = False
    seen_at: UUID | None = None
    level: str = ""
    field: str = ""
    application_id: UUID | None = None
    application_name: str = ""
    rule: str = ""
    others: tuple[UUID, ...] = ()
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    accepted: AcceptedFinding | None = None

    @property
    def title(self) -> str:
        return words.TITLES[self.code]
