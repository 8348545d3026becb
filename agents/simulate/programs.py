"""What the demo's computers run: believable programs with their places, signers and hashes.

Names and places of programs are those of the real products; hashes are made from name and build, so the same build
has the same hash on every computer, and an update has another.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.engine.facts import FileFacts

EXPLORER = r"c:\windows\explorer.exe"
SERVICES = r"c:\windows\system32\services.exe"
CHROME = r"c:\program files\google\chrome\application\chrome.exe"
EDGE = r"c:\program files (x86)\microsoft\edge\application\msedge.exe"
RMM_AGENT = r"c:\program files (x86)\ninjarmmagent\ninjarmmagent.exe"
POWERSHELL = r"c:\windows\system32\windowspowershell\v1.0\powershell.exe"
ACME_UPDATER = r"c:\program files\acme ledger\updater.exe"

MICROSOFT = "CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
WINDOWS = "CN=Microsoft Windows, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
GOOGLE = "CN=Google LLC, O=Google LLC, L=Mountain View, S=California, C=US"


def build_hash(*parts: object) -> str:
    """The hash of one build of one program."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """One program and how often it is run: `weight` is relative within a profile.

    `path`, when it holds `{user}`, `{random}`, `{day}` or `{build}`, is filled in a run; `build_days` says how many
    days one build lives (0 = the hash never changes).
    """

    path: str
    weight: float
    process: str = EXPLORER
    certificate: str = ""
    created_by: str = ""
    command_line: str = ""
    build_days: int = 0
    per_run_hash: bool = False
    action_type: str = "execute"
    profiles: tuple[str, ...] = ()
    system: bool = False


_PF = r"c:\program files"
_PF86 = r"c:\program files (x86)"

RUNS: Sequence[Run] = (
    Run(
        r"c:\windows\system32\svchost.exe",
        30,
        SERVICES,
        WINDOWS,
        system=True,
        command_line="svchost.exe -k netsvcs -p",
    ),
    Run(r"c:\windows\system32\taskhostw.exe", 14, r"c:\windows\system32\svchost.exe", WINDOWS, system=True),
    Run(r"c:\windows\system32\conhost.exe", 12, r"c:\windows\system32\cmd.exe", WINDOWS),
    Run(r"c:\windows\system32\searchindexer.exe", 5, SERVICES, WINDOWS, system=True),
    Run(r"c:\windows\system32\notepad.exe", 3, EXPLORER, WINDOWS),
    Run(CHROME, 16, EXPLORER, GOOGLE, _PF + r"\google\chrome\application\chrome_updater.exe", build_days=14),
    Run(EDGE, 10, EXPLORER, MICROSOFT, _PF86 + r"\microsoft\edgeupdate\microsoftedgeupdate.exe", build_days=14),
    Run(_PF + r"\microsoft office\root\office16\winword.exe", 6, EXPLORER, MICROSOFT, build_days=30),
    Run(_PF + r"\microsoft office\root\office16\excel.exe", 9, EXPLORER, MICROSOFT, build_days=30),
    Run(_PF + r"\microsoft office\root\office16\outlook.exe", 8, EXPLORER, MICROSOFT, build_days=30),
    Run(
        _PF86 + r"\adobe\acrobat reader dc\reader\acrord32.exe",
        4,
        EXPLORER,
        "CN=Adobe Inc., OU=Acrobat DC, O=Adobe Inc., L=San Jose, S=ca, C=US",
        build_days=30,
    ),
    Run(
        r"c:\program files\zoom\bin\zoom.exe",
        3,
        EXPLORER,
        "CN=Zoom Video Communications\\, Inc., O=Zoom Video Communications\\, Inc., L=San Jose, S=California, C=US",
        build_days=21,
    ),
    Run(_PF + r"\7-zip\7zfm.exe", 1.5, EXPLORER),
    Run(
        RMM_AGENT,
        5,
        SERVICES,
        "CN=NinjaOne LLC, O=NinjaOne LLC, L=Austin, S=Texas, C=US",
        system=True,
        build_days=30,
    ),
    Run(
        _PF86 + r"\intuit\quickbooks 2026\qbw.exe",
        6,
        EXPLORER,
        "CN=Intuit Inc., O=Intuit Inc., L=Mountain View, S=California, C=US",
        profiles=("finance",),
        build_days=45,
    ),
    Run(_PF + r"\acme ledger\ledger.exe", 5, EXPLORER, "", ACME_UPDATER, profiles=("finance",), build_days=9),
    Run(
        _PF + r"\acme ledger\plugins\tax-tables.dll",
        2,
        _PF + r"\acme ledger\ledger.exe",
        "",
        ACME_UPDATER,
        profiles=("finance",),
        build_days=9,
    ),
    Run(_PF + r"\microsoft vs code\code.exe", 8, EXPLORER, MICROSOFT, profiles=("engineering",), build_days=28),
    Run(
        _PF + r"\docker\docker\docker desktop.exe",
        3,
        EXPLORER,
        "CN=Docker Inc, O=Docker Inc, L=Palo Alto, S=California, C=US",
        profiles=("engineering",),
        build_days=28,
    ),
    Run(
        _PF + r"\git\cmd\git.exe",
        7,
        _PF + r"\microsoft vs code\code.exe",
        "",
        profiles=("engineering",),
        build_days=60,
    ),
    Run(
        _PF + r"\wireshark\wireshark.exe",
        1,
        EXPLORER,
        "CN=Wireshark Foundation, O=Wireshark Foundation, L=Davis, S=California, C=US",
        profiles=("engineering",),
        build_days=40,
    ),
    Run(
        r"c:\users\{user}\appdata\local\postman\app-11\postman.exe",
        2,
        EXPLORER,
        "CN=Postman\\, Inc., O=Postman\\, Inc., S=California, C=US",
        r"c:\users\{user}\appdata\local\postman\update.exe",
        profiles=("engineering",),
        build_days=20,
    ),
    Run(_PF + r"\xero receipt sender\sender.exe", 2, EXPLORER, profiles=("finance",)),
    Run(_PF + r"\able moose\finance plugins\month-end.dll", 2, EXPLORER, profiles=("finance",)),
    Run(_PF + r"\docusign\print.exe", 2, EXPLORER, profiles=("sales",)),
    Run(_PF + r"\slideshow tools\present.exe", 2, EXPLORER, profiles=("sales",)),
    Run(
        r"c:\users\{user}\appdata\local\hubspot\sales.exe",
        4,
        EXPLORER,
        "",
        r"c:\users\{user}\appdata\local\hubspot\update.exe",
        profiles=("sales",),
        build_days=20,
    ),
    Run(r"c:\cad\acme cad\acad.exe", 4, EXPLORER, "", profiles=("cad",)),
    Run(
        _PF + r"\microsoft sql server\mssql16.mssqlserver\mssql\binn\sqlservr.exe",
        3,
        SERVICES,
        MICROSOFT,
        profiles=("servers",),
        system=True,
    ),
    Run(r"c:\dental\opendental\opendental.exe", 8, EXPLORER, "", profiles=("dental",), build_days=60),
)

# A made-up vendor's sales tool, renewed every other day: what an application of learned hashes drowns in.
BRIGHTLINE = "CN=Brightline Software Inc, O=Brightline Software Inc, L=Albany, S=New York, C=US"
_BRIGHTLINE_UPDATER = r"c:\users\{user}\appdata\local\brightline\update.exe"
_BRIGHTLINE_SYNC = r"c:\program files\brightline service\brightline_sync.exe"
LEARNED: Sequence[Run] = (
    *(
        Run(
            rf"c:\users\{{user}}\appdata\local\brightline\app-4.{{build}}.0\{name}",
            4,
            EXPLORER,
            BRIGHTLINE,
            _BRIGHTLINE_UPDATER,
            build_days=2,
            profiles=("sales",),
        )
        for name in ("brightline.exe", "quote_render.dll")
    ),
    Run(
        r"c:\programdata\brightline\plugins\catalog-{build}.dll",
        4,
        SERVICES,
        "",
        _BRIGHTLINE_SYNC,
        build_days=2,
        profiles=("sales",),
        system=True,
    ),
    Run(r"c:\users\{user}\downloads\price-list.exe", 1, EXPLORER, "", CHROME, build_days=7, profiles=("sales",)),
)

DENIED: Sequence[Run] = (
    Run(
        r"c:\programdata\ninjarmmagent\scripting\customscript_{random}.ps1",
        7,
        RMM_AGENT,
        "",
        RMM_AGENT,
        per_run_hash=True,
        action_type="script",
        system=True,
        command_line="powershell.exe -ExecutionPolicy Bypass -File customscript_{random}.ps1",
    ),
    Run(
        r"c:\users\{user}\appdata\local\temp\7zs{random}\setup_x64.exe",
        3,
        EXPLORER,
        "",
        CHROME,
        per_run_hash=True,
        command_line="setup_x64.exe /S /norestart",
    ),
    Run(
        r"c:\users\{user}\downloads\teamviewerqs.exe",
        2,
        CHROME,
        "CN=TeamViewer Germany GmbH, O=TeamViewer Germany GmbH, L=Göppingen, C=DE",
        CHROME,
        build_days=40,
    ),
    Run(r"c:\users\{user}\downloads\pdf-merge-free.exe", 1.5, EDGE, "", EDGE),
    Run(
        r"c:\users\{user}\appdata\roaming\acme ledger\acme_update_4.{day}.exe",
        3,
        ACME_UPDATER,
        "",
        ACME_UPDATER,
        build_days=1,
        profiles=("finance",),
    ),
    Run(
        "c:\\users\\{user}\\downloads\\invoice_\u202efdp.exe",
        0.4,
        EXPLORER,
        "",
        r"c:\program files\microsoft office\root\office16\outlook.exe",
    ),
    Run(r"c:\users\{user}\appdata\local\temp\xmr-stak.exe", 0.3, POWERSHELL, "", POWERSHELL),
    Run(
        r"c:\users\{user}\appdata\local\programs\postman\postman.exe",
        2,
        EXPLORER,
        "CN=Postman\\, Inc., O=Postman\\, Inc., S=California, C=US",
        CHROME,
        build_days=20,
        profiles=("engineering",),
    ),
)

LINUX: Sequence[Run] = (
    Run("/opt/tools/backup.sh", 3, "/usr/sbin/cron", action_type="script", command_line="/opt/tools/backup.sh"),
    Run("/srv/scripts/hello.sh", 2, "/usr/bin/bash", action_type="script", command_line="./hello.sh"),
    Run("/usr/bin/git", 5, "/usr/bin/bash"),
)

USERS = {
    "finance": ("jdoe", "mlopez", "akim"),
    "sales": ("rpatel", "tbaker"),
    "engineering": ("nchen", "gfox"),
    "cad": ("nchen",),
    "servers": ("svc-backup",),
    "dental": ("drhill", "frontdesk"),
    "linux": ("dev",),
}


def choose(profile: str, day: int, dice: random.Random, *, denied_share: float = 0.02) -> FileFacts:
    """What a computer of this profile runs next. `day` counts from any fixed date; builds change with it."""
    if profile == "linux":
        return replace(facts_of(dice.choices(LINUX, [r.weight for r in LINUX])[0], profile, day, dice), os="linux")
    pool = DENIED if dice.random() < denied_share else (*RUNS, *LEARNED)
    fitting = [run for run in pool if not run.profiles or profile in run.profiles]
    run = dice.choices(fitting, [r.weight for r in fitting])[0]
    return facts_of(run, profile, day, dice)


def build_of(run: Run, day: int) -> int:
    """The number of the build that runs on a day; 0 when there is only one."""
    return day // run.build_days if run.build_days else 0


def learned_hashes(first_day: int, last_day: int) -> list[str]:
    """The hashes of every build of the learned programs between two days, oldest first."""
    days = range(first_day, last_day + 1)
    return list(dict.fromkeys(build_hash(run.path, build_of(run, day)) for day in days for run in LEARNED))


def facts_of(run: Run, profile: str, day: int, dice: random.Random) -> FileFacts:
    """One run of `run` as the computer would report it."""
    user = dice.choice(USERS.get(profile, ("user",)))
    mark = f"{dice.randrange(16**8):08x}"

    build = mark if run.per_run_hash else build_of(run, day)

    def fill(text: str) -> str:
        filled = text.replace("{user}", user).replace("{random}", mark).replace("{day}", str(day % 60))
        return filled.replace("{build}", str(build)[-2:])

    return FileFacts(
        path=fill(run.path),
        sha256=build_hash(run.path, build),
        certificates=(run.certificate,) if run.certificate else (),
        process=run.process,
        created_by=fill(run.created_by),
        command_line=fill(run.command_line),
        user="NT AUTHORITY\\SYSTEM" if run.system else f"CORP\\{user}",
        os="windows",
        action_type=run.action_type,
    )
