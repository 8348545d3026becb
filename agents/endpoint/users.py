"""Names of users by number, read in the background: the hot path never opens a file."""

from __future__ import annotations

import pwd

from agents.endpoint.kernel import process


class Users:
    """`refresh` in any thread but the one that answers events."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the user database again."""
        self._names = {entry.pw_uid: process.visible(entry.pw_name) for entry in reversed(pwd.getpwall())}

    def name(self, uid: int) -> str:
        """The user's name, or the number as text."""
        return self._names.get(uid) or str(uid)
