"""The demo's cast and its policies, as data: Northwind IT, an MSP, and its customers.

The structure and the naming of Able Moose's policies are those of the seed about policy design; its negative order
numbers are not (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.accounts.models import Role


@dataclass(frozen=True, slots=True)
class PersonPlan:
    name: str
    role: Role
    organization: str  # slug
    may_act_globally: bool = False


@dataclass(frozen=True, slots=True)
class GroupPlan:
    name: str
    os: str = "windows"
    computers: tuple[str, ...] = ()
    profile: str = "office"
    is_global: bool = False
    learns_days: int = 0  # in learning mode from now on, and in the history told


@dataclass(frozen=True, slots=True)
class RulePlan:
    hash: str = ""
    path: str = ""
    process: str = ""
    created_by: str = ""
    certificate: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationPlan:
    name: str
    description: str
    rules: tuple[RulePlan, ...]
    os: str = "windows"
    learned: bool = False  # a rule by hash for each build of `programs.LEARNED` in the history, but the newest


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """`target`: "" for the whole organization, a group's name, or `computer:NAME`. Applications by name; a built-in
    one by its catalogue name."""

    name: str
    applications: tuple[str, ...]
    target: str = ""
    action: str = "permit"
    status: str = "inherit"
    reason: str = ""
    ticket: str = ""
    enabled: bool = True
    ringfence: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class OrganizationPlan:
    slug: str
    name: str
    color: str
    time_zone: str
    groups: tuple[GroupPlan, ...]
    applications: tuple[ApplicationPlan, ...] = ()
    policies: tuple[PolicyPlan, ...] = ()
    people: tuple[PersonPlan, ...] = field(default=())


def numbered(prefix: str, count: int, first: int = 1) -> tuple[str, ...]:
    return tuple(f"{prefix}-{number:02d}" for number in range(first, first + count))


RMM = r"c:\program files (x86)\ninjarmmagent\ninjarmmagent.exe"
HUBSPOT_UPDATER = r"c:\users\*\appdata\local\hubspot\update.exe"
POSTMAN_UPDATER = r"c:\users\*\appdata\local\postman\update.exe"
LEDGER_UPDATER = r"c:\program files\acme ledger\updater.exe"
FENCE: dict[str, object] = {
    "child_processes": {"mode": "enforce", "entries": [r"*\powershell.exe", r"*\cmd.exe"]},
    "files": {"mode": "log_only", "entries": [r"c:\users\*\documents\*"]},
}

NORTHWIND = OrganizationPlan(
    slug="northwind-it",
    name="Northwind IT",
    color="navy",
    time_zone="Europe/Berlin",
    groups=(
        GroupPlan("All Windows", is_global=True),
        GroupPlan("All Linux", os="linux", is_global=True),
        GroupPlan("Northwind Workstations", computers=numbered("NW-LT", 2)),
    ),
    applications=(
        ApplicationPlan(
            "Known-bad utilities",
            "Miners and remote shells nobody here needs.",
            (
                RulePlan(path=r"*\xmr-stak.exe", note="Monero miner"),
                RulePlan(path=r"*\xmrig.exe", note="Monero miner"),
                RulePlan(path=r"*\psexec.exe", note="Lateral movement; technicians use the RMM instead"),
                RulePlan(path=r"*\ncat.exe", note="Remote shell"),
            ),
        ),
    ),
    policies=(
        PolicyPlan("glb-known-bad-deny-baseline", ("Known-bad utilities",), "All Windows", "deny", "secured",
                   "MSP baseline: blocked whatever a customer permits further down.", "NW-1001"),
        PolicyPlan("glb-windows-permit-baseline", ("Windows core components", "Microsoft Defender"), "All Windows",
                   reason="MSP baseline"),
        PolicyPlan("glb-rmm-permit-baseline", ("NinjaOne agent",), "All Windows",
                   reason="The RMM agent itself, never the scripts it runs."),
        PolicyPlan("glb-linux-permit-baseline", ("Linux system programs",), "All Linux", reason="MSP baseline"),
        PolicyPlan("org-office-permit-baseline", ("Microsoft 365 Apps",), reason="Standard allowlist"),
        PolicyPlan("org-browsers-permit-baseline", ("Google Chrome", "Microsoft Edge"), reason="Standard allowlist"),
        PolicyPlan("org-tools-permit-baseline", ("Adobe Acrobat Reader", "Zoom Workplace", "7-Zip"),
                   reason="Standard allowlist"),
    ),
    people=(
        PersonPlan("Olive Owner", Role.OWNER, "northwind-it"),
        PersonPlan("Tom Berg", Role.TECHNICIAN, "northwind-it", may_act_globally=True),
        PersonPlan("Ana Ruiz", Role.APPROVER, "northwind-it"),
    ),
)  # fmt: skip

ABLE_MOOSE = OrganizationPlan(
    slug="able-moose",
    name="Able Moose Accounting",
    color="teal",
    time_zone="America/New_York",
    groups=(  # 120 computers of 120 people in three offices, as in the seed
        GroupPlan("Finance", computers=numbered("FIN-LT", 38), profile="finance"),
        GroupPlan("Sales", computers=numbered("SAL-LT", 36), profile="sales"),
        GroupPlan("Engineering", computers=(*numbered("ENG-WS", 35), "able-cad-01"), profile="engineering",
                  learns_days=9),
        GroupPlan("Servers", computers=numbered("SRV-APP", 10), profile="servers"),
        GroupPlan("Linux Workstations", os="linux"),
    ),
    applications=(
        ApplicationPlan(
            "Acme Ledger",
            "Line-of-business ledger of a small vendor, unsigned. Learned in Finance, then turned into path rules.",
            (
                RulePlan(path=r"c:\program files\acme ledger\*", created_by=LEDGER_UPDATER, note="By its own updater"),
                RulePlan(path=LEDGER_UPDATER, process=r"c:\windows\system32\svchost.exe"),
            ),
        ),
        ApplicationPlan(
            "Xero",
            "Xero itself runs in the browser; this is the small program that sends scanned receipts to it.",
            (RulePlan(path=r"c:\program files\xero receipt sender\*", process=r"c:\windows\explorer.exe"),),
        ),
        ApplicationPlan(
            "Finance plugins",
            "Add-ins of the finance team, unpacked by their own installer.",
            (RulePlan(path=r"c:\program files\able moose\finance plugins\*"),),
        ),
        ApplicationPlan(
            "HubSpot Sales",
            "Sales plug-in, installed per user.",
            (RulePlan(path=r"c:\users\*\appdata\local\hubspot\*", created_by=HUBSPOT_UPDATER),),
        ),
        ApplicationPlan(
            "Brightline Quotes",
            "Learned build by build: every update asked to be approved again. Collapse its hashes.",
            (),
            learned=True,
        ),
        ApplicationPlan(
            "DocuSign printer",
            "Print driver that sends documents to be signed.",
            (RulePlan(path=r"c:\program files\docusign\*"),),
        ),
        ApplicationPlan(
            "Presentation tools",
            "What the sales team shows slides with.",
            (RulePlan(path=r"c:\program files\slideshow tools\*"),),
        ),
        ApplicationPlan(
            "Postman",
            "Installed per user; only copies that its own updater wrote.",
            (RulePlan(path=r"c:\users\*\appdata\local\postman\*", created_by=POSTMAN_UPDATER),),
        ),
        ApplicationPlan("Acme CAD", "A contractor's licensed tool.", (RulePlan(path=r"c:\cad\acme cad\*"),)),
        ApplicationPlan(
            "NinjaOne scripts, tested",
            "Scripts we have tested, by file name pattern. Turned on only while they are used.",
            (
                RulePlan(
                    path=r"regex:c:\\programdata\\ninjarmmagent\\scripting\\customscript_[0-9a-f]{8}\.ps1",
                    process=RMM,
                    created_by=RMM,
                ),
            ),
        ),
    ),
    policies=(
        # On built-in applications, from 101. The first one keeps the servers narrow.
        PolicyPlan("grp-servers-end-user-apps-deny",
                   ("Microsoft 365 Apps", "Microsoft Teams", "Zoom Workplace", "Adobe Acrobat Reader"), "Servers",
                   "deny", "secured", "No end-user applications on servers.", "AM-120"),
        PolicyPlan("org-office-permit-baseline", ("Microsoft 365 Apps",), reason="Standard allowlist"),
        PolicyPlan("org-adobe-permit-baseline", ("Adobe Acrobat Reader", "Adobe Creative Cloud"),
                   reason="Standard allowlist"),
        PolicyPlan("org-browsers-permit-baseline", ("Google Chrome", "Microsoft Edge"), reason="Standard allowlist"),
        PolicyPlan("org-teams-permit-baseline", ("Microsoft Teams",), reason="Standard allowlist"),
        PolicyPlan("org-zoom-permit-baseline", ("Zoom Workplace",), reason="Standard allowlist"),
        PolicyPlan("org-7zip-permit-baseline", ("7-Zip",), reason="Standard allowlist"),
        PolicyPlan("grp-finance-quickbooks-permit-ringfenced", ("QuickBooks Desktop",), "Finance", "permit_ringfenced",
                   reason="Books; needs no shell.", ringfence=FENCE),
        PolicyPlan("grp-engineering-vscode-permit", ("Visual Studio Code",), "Engineering", reason="Editor"),
        PolicyPlan("grp-engineering-docker-permit-elevated", ("Docker Desktop (Windows)",), "Engineering",
                   reason="Containers"),
        PolicyPlan("grp-engineering-wireshark-permit", ("Wireshark", "Npcap"), "Engineering", reason="Network faults"),
        PolicyPlan("grp-engineering-git-permit", ("Git",), "Engineering", reason="Version control"),
        PolicyPlan("grp-servers-sql-server-permit", ("Microsoft SQL Server",), "Servers",
                   reason="Database of the ledger"),
        # On custom applications, from 100,001.
        PolicyPlan("org-ninjaone-scripts-permit-maintenance", ("NinjaOne scripts, tested",), enabled=False,
                   reason="Off unless a tested script is being rolled out.", ticket="AM-204"),
        PolicyPlan("grp-finance-acme-ledger-permit", ("Acme Ledger",), "Finance", reason="Learned", ticket="AM-117"),
        PolicyPlan("grp-finance-xero-permit", ("Xero",), "Finance", reason="Receipts"),
        PolicyPlan("grp-finance-plugins-permit", ("Finance plugins",), "Finance", reason="Month end"),
        PolicyPlan("grp-sales-hubspot-permit", ("HubSpot Sales",), "Sales", reason="CRM"),
        PolicyPlan("grp-sales-brightline-permit", ("Brightline Quotes",), "Sales", reason="Learned", ticket="AM-131"),
        PolicyPlan("grp-sales-docusign-permit", ("DocuSign printer",), "Sales", reason="Contracts"),
        PolicyPlan("grp-sales-presentation-permit", ("Presentation tools",), "Sales", reason="Slides"),
        PolicyPlan("grp-engineering-postman-permit", ("Postman",), "Engineering", reason="API work"),
        PolicyPlan("cmp-able-cad-01-acme-cad-permit", ("Acme CAD",), "computer:able-cad-01",
                   reason="Contractor laptop", ticket="AM-198"),
    ),
    people=(
        PersonPlan("Maya Lopez", Role.CUSTOMER_ADMIN, "able-moose"),
        PersonPlan("Jon Doe", Role.CUSTOMER_READER, "able-moose"),
        PersonPlan("Iris Tech", Role.TECHNICIAN, "able-moose"),
    ),
)  # fmt: skip

BRISK_OTTER = OrganizationPlan(
    slug="brisk-otter",
    name="Brisk Otter Dental",
    color="plum",
    time_zone="America/Chicago",
    groups=(
        GroupPlan("Front Desk", computers=numbered("BOD-FD", 4), profile="dental"),
        GroupPlan("Surgery", computers=numbered("BOD-SU", 3), profile="dental"),
    ),
    applications=(
        ApplicationPlan("Open Dental", "Practice management.", (RulePlan(path=r"c:\dental\opendental\*"),)),
    ),
    policies=(
        PolicyPlan("org-open-dental-permit", ("Open Dental",), reason="Practice management"),
    ),
    people=(
        PersonPlan("Dora Hill", Role.CUSTOMER_ADMIN, "brisk-otter"),
        PersonPlan("Sam Stone", Role.TECHNICIAN, "brisk-otter"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BaselinePlan:
    """What the MSP's customers start from. `followers`: slugs. `exception`: (follower, policy, reason)."""

    name: str
    description: str
    policies: tuple[PolicyPlan, ...]
    followers: tuple[str, ...]
    exception: tuple[str, str, str]


BASELINE = BaselinePlan(
    name="Standard workstation",
    description="The allowlist that most customers share. What must hold everywhere is a global policy instead.",
    policies=(
        PolicyPlan("org-remote-tools-deny-baseline", ("TeamViewer", "AnyDesk"), "", "deny", "secured",
                   "Remote support goes through our RMM.", "NW-1010"),
        PolicyPlan("org-office-permit-baseline", ("Microsoft 365 Apps",), reason="Standard allowlist"),
        PolicyPlan("org-browsers-permit-baseline", ("Google Chrome", "Microsoft Edge"), reason="Standard allowlist"),
        PolicyPlan("org-tools-permit-baseline", ("Adobe Acrobat Reader", "Zoom Workplace", "7-Zip"),
                   reason="Standard allowlist"),
    ),
    followers=("brisk-otter",),
    exception=("brisk-otter", "org-remote-tools-deny-baseline",
               "The maker of the X-ray unit services it by TeamViewer until the new one comes."),
)  # fmt: skip

ORGANIZATIONS: Sequence[OrganizationPlan] = (NORTHWIND, ABLE_MOOSE, BRISK_OTTER)

LIVE_GROUP = ("able-moose", "Linux Workstations")
LIVE_COMPUTERS = ("fin-01", "eng-01")
