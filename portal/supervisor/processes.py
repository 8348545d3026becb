"""Looking at processes of this machine that are not our children."""

from __future__ import annotations

import subprocess
from pathlib import Path


def command_line(process: int) -> str:
    """The command line of a live process; empty when it is gone or only a zombie."""
    if process <= 0:
        return ""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return ""
    asked = subprocess.run(("ps", "-p", str(process), "-o", "stat=,args="), capture_output=True, text=True)
    line = asked.stdout.strip()
    return "" if line.startswith("Z") else line
