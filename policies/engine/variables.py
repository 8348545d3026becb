"""The `%VARIABLE%` names a Windows pattern may use, and what they stand for.

Machine variables have one value on a computer; its agent passes its own mapping. The portal, which judges for
no particular computer, uses `STANDARD_MACHINE`. A per-user variable stands for that folder of every user.
"""

from collections.abc import Mapping
from types import MappingProxyType

STANDARD_MACHINE: Mapping[str, str] = MappingProxyType(
    {
        "allusersprofile": r"c:\programdata",
        "commonprogramfiles": r"c:\program files\common files",
        "commonprogramfiles(x86)": r"c:\program files (x86)\common files",
        "commonprogramw6432": r"c:\program files\common files",
        "programdata": r"c:\programdata",
        "programfiles": r"c:\program files",
        "programfiles(x86)": r"c:\program files (x86)",
        "programw6432": r"c:\program files",
        "public": r"c:\users\public",
        "systemdrive": "c:",
        "systemroot": r"c:\windows",
        "windir": r"c:\windows",
    }
)

PER_USER: Mapping[str, str] = MappingProxyType(
    {
        "appdata": r"c:\users\*\appdata\roaming",
        "localappdata": r"c:\users\*\appdata\local",
        "temp": r"c:\users\*\appdata\local\temp",
        "tmp": r"c:\users\*\appdata\local\temp",
        "userprofile": r"c:\users\*",
    }
)
