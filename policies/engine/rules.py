"""File rules and the check that every rule passes before it is saved."""

from dataclasses import dataclass
from typing import Literal

RuleField = Literal["hash", "path", "process", "created_by", "certificate"]


class RuleError(ValueError):
    """A rule that cannot be saved: which box, where in it (0-based, counted in the text as typed), and what to write."""

    def __init__(self, code: str, message: str, field: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.position = position


@dataclass(frozen=True, slots=True)
class FileRule:
    """Conditions joined by AND; an empty box is not looked at. `[]` in process or created_by: must be empty."""

    id: str
    hash: str = ""
    path: str = ""
    process: str = ""
    created_by: str = ""
    certificate: str = ""
