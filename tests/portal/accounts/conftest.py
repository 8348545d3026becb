"""The real browser of the shell's tests, for the sign-in screens."""

from __future__ import annotations

from tests.portal.shell.conftest import browser_type_launch_args, complaints, tom, visit

__all__ = ["browser_type_launch_args", "complaints", "tom", "visit"]
