"""What nobody may lose by a policy: the agent, the tool that manages the computer, a browser to ask with, logging on,
and the updates of the operating system itself. Paths as the makers of the systems document them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.engine.patterns import is_regex, normal_pattern
from policies.engine.rules import FileRule

Kind = Literal["agent", "logon", "updates", "rmm", "browser"]

KINDS: Mapping[Kind, str] = {
    "agent": "the Portcullis agent",
    "logon": "logging on",
    "updates": "updates of the operating system",
    "rmm": "the tool that manages the computer",
    "browser": "every browser that people ask with",
}
_MICROSOFT = "O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
_WINDOWS = (f"CN=Microsoft Windows, {_MICROSOFT}", f"CN=Microsoft Windows Publisher, {_MICROSOFT}")
_SAMPLE = "x"


@dataclass(frozen=True, slots=True)
class Essential:
    """Programs of one kind, in normal form. Each of them must run; of browsers any one is enough."""

    kind: Kind
    name: str
    os: str
    facts: tuple[FileFacts, ...]
    application: str = ""

    @property
    def any_is_enough(self) -> bool:
        return self.kind == "browser"

    @property
    def explicitly_only(self) -> bool:
        """Whether only a deny of somebody's counts: the computer's own test knows if the agent's files are watched."""
        return self.kind == "agent"


def _programs(kind: Kind, name: str, os: str, paths: Iterable[str], certificates: tuple[str, ...] = ()) -> Essential:
    found = (FileFacts(path=path, certificates=certificates, os=os) for path in paths)
    return Essential(kind, name, os, tuple(normal_facts(facts) for facts in found))


_BUILTIN = (
    _programs(
        "logon",
        "Windows logon and session",
        "windows",
        (
            *(
                rf"c:\windows\system32\{name}.exe"
                for name in ("smss", "csrss", "wininit", "winlogon", "logonui", "userinit", "lsass", "services")
            ),
            r"c:\windows\system32\svchost.exe",
            r"c:\windows\system32\consent.exe",
            r"c:\windows\explorer.exe",
        ),
        _WINDOWS,
    ),
    _programs(
        "updates",
        "Windows Update",
        "windows",
        (r"c:\windows\system32\usoclient.exe", r"c:\windows\servicing\trustedinstaller.exe"),
        _WINDOWS,
    ),
    _programs(
        "browser",
        "Browsers",
        "windows",
        (
            r"c:\program files (x86)\microsoft\edge\application\msedge.exe",
            r"c:\program files\google\chrome\application\chrome.exe",
            r"c:\program files\mozilla firefox\firefox.exe",
        ),
    ),
    _programs(
        "logon",
        "Linux logon and sessions",
        "linux",
        (
            "/usr/lib/systemd/systemd",
            "/usr/bin/bash",
            "/usr/bin/login",
            "/usr/bin/su",
            "/usr/bin/sudo",
            "/usr/sbin/sshd",
        ),
    ),
    _programs("updates", "Package manager", "linux", ("/usr/bin/dpkg", "/usr/bin/apt-get", "/usr/bin/rpm")),
    _programs(
        "logon",
        "macOS logon",
        "macos",
        ("/sbin/launchd", "/System/Library/CoreServices/loginwindow.app/Contents/MacOS/loginwindow"),
    ),
    _programs("updates", "macOS Software Update", "macos", ("/usr/sbin/softwareupdate",)),
    _programs("browser", "Browsers", "macos", ("/Applications/Safari.app/Contents/MacOS/Safari",)),
)


def builtin_essentials(os: str) -> tuple[Essential, ...]:
    """What every computer with this operating system needs."""
    return tuple(essential for essential in _BUILTIN if essential.os == os)


def agent_essential(os: str, programs: Iterable[str]) -> Essential:
    """The agent's own programs, by the paths that the computer itself told."""
    return _programs("agent", "Portcullis agent", os, programs)


def essential_of_rules(application: str, name: str, os: str, rules: Iterable[FileRule]) -> Essential:
    """An application that manages computers: one sample file for each of its rules (`*` and `?` become a letter).

    A rule by regex gives no sample.
    """
    samples = (_sample(rule, os) for rule in rules)
    return Essential("rmm", name, os, tuple(facts for facts in samples if facts is not None), application)


def _sample(rule: FileRule, os: str) -> FileFacts | None:
    texts = (rule.path, rule.process, rule.created_by)
    if not rule.path or any(is_regex(text) for text in texts):
        return None
    path, process, created_by = (_filled(text, os) for text in texts)
    return normal_facts(
        FileFacts(
            path=path,
            sha256=rule.hash,
            certificates=(rule.certificate,) if rule.certificate else (),
            process=process,
            created_by=created_by,
            os=os,
        )
    )


def _filled(pattern: str, os: str) -> str:
    if not pattern or pattern.strip() == "[]":
        return ""
    return normal_pattern(pattern, os).replace("*", _SAMPLE).replace("?", _SAMPLE)
