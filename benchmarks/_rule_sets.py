"""Synthetic rule sets, policies and facts of realistic shape, the same for every run of one seed.

Per 100,000 rules some 800 applications: six of ten rules are hashes, one of ten a hash with its path, two of ten
wildcards (most with a certificate), the rest literal paths, certificates alone and a few regular expressions.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace

from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy
from policies.engine.rules import FileRule

SYLLABLES = [
    "ac",
    "bel",
    "cor",
    "dex",
    "eon",
    "fer",
    "gam",
    "hal",
    "ion",
    "jet",
    "kov",
    "lum",
    "mar",
    "nex",
    "or",
    "pix",
    "qua",
    "rho",
    "syn",
    "tek",
    "ul",
    "vor",
    "wex",
    "xen",
    "yor",
    "zed",
]
EXTENSIONS = [".exe"] * 5 + [".dll"] * 6 + [".ps1", ".msi", ".bat", ".js", ".sys"]
WINDOWS = "c:\\windows\\"
LAUNCHERS = [
    WINDOWS + "explorer.exe",
    WINDOWS + r"system32\cmd.exe",
    WINDOWS + r"system32\svchost.exe",
    WINDOWS + r"system32\windowspowershell\v1.0\powershell.exe",
    WINDOWS + r"system32\services.exe",
    WINDOWS + r"system32\msiexec.exe",
    r"c:\program files\google\chrome\application\chrome.exe",
]
RMM = [rf"c:\program files (x86)\{name}\agent.exe" for name in ("screenwise", "kasent", "ninjoid", "datlo", "atrex")]
NOW_MS = 1_774_600_000_000


@dataclass(frozen=True)
class Market:
    """Applications with their rules; the first `builtin` of them come from the catalogue."""

    applications: tuple[Application, ...]
    builtin: int

    @property
    def rules(self) -> list[FileRule]:
        return [rule for application in self.applications for rule in application.rules]


def word(pick: random.Random, syllables: int = 3) -> str:
    return "".join(pick.choice(SYLLABLES) for _ in range(syllables))


def sha(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def market(size: int, *, seed: int = 1, hostile: bool = False) -> Market:
    """`size` rules. Hostile: every one a wildcard under each user's temporary folder."""
    pick = random.Random(seed)
    builtin, custom = min(300, max(3, size // 133)), min(500, max(5, size // 80))
    vendors = [word(pick) for _ in range(max(20, size // 200))]
    products = [(pick.choice(vendors), word(pick, 2)) for _ in range(builtin + custom)]
    weights = [40.0] * builtin + [min(2_000.0, pick.paretovariate(0.9) * 20) for _ in range(custom)]
    rules: list[list[FileRule]] = [[] for _ in products]
    for number, index in enumerate(pick.choices(range(len(products)), weights=weights, k=size)):
        make = _hostile_rule if hostile else _rule
        rules[index].append(make(pick, f"r{number}", *products[index], 0.35 if index < builtin else 0.8))
    return Market(
        tuple(
            Application(f"a{index}", f"{vendor} {product}", index < builtin, tuple(rules[index]))
            for index, (vendor, product) in enumerate(products)
        ),
        builtin,
    )


def _hostile_rule(pick: random.Random, name: str, vendor: str, product: str, hashes: float) -> FileRule:
    return FileRule(name, path=rf"c:\users\*\appdata\local\temp\{word(pick, 4)}*{pick.choice(EXTENSIONS)}")


def _rule(pick: random.Random, name: str, vendor: str, product: str, hashes: float) -> FileRule:
    folder = rf"c:\program files{pick.choice(('', ' (x86)'))}\{vendor}\{product}"
    file = word(pick) + pick.choice(EXTENSIONS)
    if pick.random() < hashes:
        return FileRule(name, hash=sha(name, file), path=rf"{folder}\{file}" if pick.random() < 0.12 else "")
    return _path_rule(pick, name, vendor, product, folder, file)


def _path_rule(pick: random.Random, name: str, vendor: str, product: str, folder: str, file: str) -> FileRule:
    signer = f"cn={vendor} inc., o={vendor} inc., c=us"
    sub = word(pick, 2)
    shapes = [
        (30, FileRule(name, path=rf"{folder}\{sub}\{file}", certificate=signer if pick.random() < 0.5 else "")),
        (25, FileRule(name, path=rf"{folder}\{sub}\*", certificate=signer)),
        (8, FileRule(name, path=rf"{folder}\{sub}\*{pick.choice(('.exe', '.dll', ''))}")),
        (9, FileRule(name, path=rf"c:\users\*\appdata\local\{vendor}\{product}\*\{file}", certificate=signer)),
        (5, FileRule(name, path=rf"*\{vendor}\*\{file}", certificate=signer)),
        (5, FileRule(name, path=rf"{folder}\app-*\bin\{file}")),
        (6, FileRule(name, path=rf"{folder}\*", process=pick.choice(LAUNCHERS + RMM), certificate=signer)),
        (5, FileRule(name, path=rf"c:\windows\temp\{vendor}*{file[-4:]}", created_by=pick.choice(RMM))),
        (2, FileRule(name, certificate=signer)),
        (2, FileRule(name, path=_expression(vendor, file), process=pick.choice(RMM))),
        (3, FileRule(name, path=rf"{folder}\{product}-?.?.*\*", certificate=signer)),
    ]
    return pick.choices([rule for _, rule in shapes], weights=[weight for weight, _ in shapes])[0]


def _expression(vendor: str, file: str) -> str:
    return rf"regex:c:\\programdata\\{vendor}\\[a-z0-9]{{8}}-[a-z0-9]{{4}}\\{file}".replace(".", r"\.")


def policies(goods: Market, count: int, *, organizations: int = 1, groups: int = 1, seed: int = 2) -> list[Policy]:
    """Global permits for the catalogue, then custom policies of all scopes, then the Default Deny of every group."""
    pick = random.Random(seed)
    found = [
        _policy(
            f"p{number}",
            "global",
            "msp",
            101 + number,
            number,
            "permit" if pick.random() < 0.8 else "permit_ringfenced",
        )
        for number in range(goods.builtin)
    ]
    used: dict[tuple[str, str], int] = {}
    while len(found) < count:
        level, target = _scope(pick, organizations, groups)
        order = used[level, target] = used.get((level, target), 99_901) + 100
        action = pick.choices(("deny", "permit_ringfenced", "permit"), (12, 30, 58))[0]
        policy = _policy(f"p{len(found)}", level, target, order, pick.randrange(len(goods.applications)), action)
        rare = pick.random()
        found.append(replace(policy, enabled=rare > 0.03, expires_at=NOW_MS - 1 if rare > 0.98 else None))
    for group in range(organizations * groups):
        found.append(
            Policy(f"d{group}", f"Default - (g{group})", "group", f"g{group}", "deny", order=1_000_000, is_default=True)
        )
    return found


def _policy(name: str, level: str, target: str, order: int, application: int, action: str) -> Policy:
    return Policy(name, name, level, target, action, order=order, applications=(f"a{application}",))  # type: ignore[arg-type]


def _scope(pick: random.Random, organizations: int, groups: int) -> tuple[str, str]:
    share = pick.random()
    if share < 0.08:
        return "global", "msp"
    if share < 0.5:
        return "organization", f"o{pick.randrange(organizations)}"
    return "group", f"g{pick.randrange(organizations * groups)}"


def place(organization: int = 0, group: int = 0) -> Place:
    return Place("c0", f"g{group}", f"o{organization}", above=("msp",))


def events(goods: Market, count: int, *, seed: int = 3) -> list[FileFacts]:
    """Half meet a rule, a third nearly do, the rest are strangers in downloads and temporary folders."""
    pick = random.Random(seed)
    rules = goods.rules
    return [_meeting(pick, pick.choice(rules)) if pick.random() < 0.85 else _stranger(pick) for _ in range(count)]


def _meeting(pick: random.Random, rule: FileRule) -> FileFacts:
    path = filled(pick, rule.path) if rule.path else rf"c:\program files\{word(pick)}\{word(pick, 2)}\{word(pick)}.dll"
    facts = FileFacts(
        path,
        sha256=rule.hash or sha(path),
        certificates=(rule.certificate,) if rule.certificate else (),
        process=rule.process or pick.choice(LAUNCHERS + RMM),
        created_by=rule.created_by or (pick.choice(LAUNCHERS + RMM) if pick.random() < 0.6 else ""),
        user=rf"org\u{pick.randrange(200)}",
    )
    if pick.random() < 0.6:
        return facts
    if rule.hash:
        return replace(facts, sha256=sha("changed", path))
    return replace(facts, certificates=(f"cn=unknown {pick.randrange(50)}",), path=path.replace("files", "data"))


def _stranger(pick: random.Random) -> FileFacts:
    folder = pick.choice(("downloads", r"appdata\local\temp", "desktop"))
    path = rf"c:\users\{word(pick, 2)}\{folder}\{word(pick)}{pick.choice(EXTENSIONS)}"
    return FileFacts(path, sha256=sha(path), process=pick.choice(LAUNCHERS), user=rf"org\u{pick.randrange(200)}")


def filled(pick: random.Random, pattern: str) -> str:
    """A path that matches the pattern."""
    if pattern.startswith("regex:"):
        text = pattern[6:].replace("\\\\", "\\").replace("\\.", ".")
        return text.replace("[a-z0-9]{8}", sha(pick.random())[:8]).replace("[a-z0-9]{4}", sha(pick.random())[:4])
    return "".join(word(pick, 2) if char == "*" else "7" if char == "?" else char for char in pattern)
