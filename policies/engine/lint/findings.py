"""One thing that lint found, and the codes there are."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Severity = Literal["danger", "warn", "info"]
SubjectType = Literal["policy", "application", "rule"]


class Code(StrEnum):
    """What a finding is called, on screen, in the API and in an acceptance. Never renamed."""

    SHADOWED = "shadowed-policy"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable-rule"
    UNKNOWN_VARIABLE = "unknown-variable"
    BROAD_WILDCARD = "broad-wildcard"
    USER_WRITABLE = "user-writable-path"
    BROAD_REGEX = "broad-regex"
    SLOW_REGEX = "literal-less-regex"
    INTERPRETER = "interpreter-unringfenced"
    HASH_ONLY = "hash-only-application"
    CERTIFICATE_ONLY = "certificate-only"
    PATH_ONLY = "path-only"
    TIE = "tie-across-scopes"
    SHORT_NAME = "short-name"
    STREAM = "alternate-stream"
    DUPLICATE = "duplicate-rule"
    COVERED = "covered-rule"
    SHARED_RULES = "rules-in-two-applications"
    EXPIRED = "expired"
    EXPIRING = "expiring"
    UNUSED = "unused"
    UNUSED_APPLICATION = "unused-application"
    FORWARD_SLASH = "forward-slash"


CODES: tuple[Code, ...] = tuple(Code)


@dataclass(frozen=True, slots=True)
class Found:
    """A finding about one policy, application or rule.

    `application` is the application of a rule. `others` are the ids of what it is about besides its subject: the
    policy that shadows, the twin of a rule. `field` names the box of a rule; `remedy` what would mend it, a word that
    `policies.linting.fixes` knows, empty when only a person can; `details` are plain values for texts and remedies.
    """

    code: Code
    severity: Severity
    subject_type: SubjectType
    subject: str
    message: str
    application: str = ""
    others: tuple[str, ...] = ()
    field: str = ""
    remedy: str = ""
    details: Mapping[str, str | int] = dataclasses.field(default_factory=dict)
