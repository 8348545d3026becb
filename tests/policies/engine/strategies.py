"""Generated rule sets that overlap: few words, so that patterns meet paths often, and nearly meet them more often."""

import random
from dataclasses import dataclass

from hypothesis import strategies as st

from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy, Window
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule

HASHES = tuple(digit * 64 for digit in "abc")
CERTIFICATES = ("CN=Acme  Inc., O=Acme", "cn=beta", "CN=ÉCLAIR")
USERS = (r"ACME\ann", r"acme\Bob")
NAMES = ("acme", "tool", "a", "tooltool", "Éa", "K", "x[1]", "a.b")
EXTENSIONS = (".exe", ".ps1", "")
WEEK_START_MS = 1_774_569_600_000  # Friday 27 March 2026: the clocks of Berlin change on the 29th
TIMES = tuple(WEEK_START_MS + hours * 3_600_000 + extra for hours in range(0, 96, 5) for extra in (0, -1, 59_999))
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
MODES = ("secured", "learning", "installation", "monitor_only")


@dataclass(frozen=True)
class World:
    """Applications and policies of one operating system, with facts, places and instants to judge them by."""

    os: str
    applications: tuple[Application, ...]
    policies: tuple[Policy, ...]
    facts: tuple[FileFacts, ...]
    places: tuple[Place, ...]

    def events(self, seed: int, count: int) -> list[tuple[FileFacts, Place, int]]:
        pick = random.Random(seed)
        return [(pick.choice(self.facts), pick.choice(self.places), pick.choice(TIMES)) for _ in range(count)]


def _join(os: str, parts: list[str]) -> str:
    return ("\\" if os == "windows" else "/").join(parts)


def _root(os: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("c:", "C:", "d:", r"\\srv\share") if os == "windows" else ("", "/opt"))


@st.composite
def paths(draw: st.DrawFn, os: str) -> str:
    parts = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    stream = draw(st.sampled_from(("", "", "", "", ":s", ":evil.exe"))) if os == "windows" else ""
    return _join(os, [draw(_root(os)), *parts]) + draw(st.sampled_from(EXTENSIONS)) + stream


@st.composite
def _wildcards(draw: st.DrawFn, os: str) -> str:
    """A path with some of it replaced by wildcards, so that it matches that path and its neighbours."""
    text = draw(paths(os))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 8))
        wildcard = draw(st.sampled_from(("*", "*", "?", "**", "*?")))
        taken = 1 if wildcard == "?" else length
        text = text[:start] + wildcard + text[start + taken :]
    return text


@st.composite
def _expressions(draw: st.DrawFn, os: str) -> str:
    name, other = draw(st.sampled_from(NAMES[:4])), draw(st.sampled_from(NAMES[:4]))
    separator = "\\\\" if os == "windows" else "/"
    shapes = (
        f".*{separator}{name}.*",
        f".*{separator}({name}|{other})[a-z.]*",
        f".*{name}?{separator}?{other}+\\.exe",
        f"[a-z/:]+{separator}({other}{separator})*{name}(\\.ps1)?",
        f".*[^{separator}]{{2,6}}{separator}{name}{{1}}\\.(exe|ps1)",
        f"(?:c:|d:|/opt)?{separator}?{name}{separator}.+",
        f".*\\Q{name}.\\E.*",
        f"(?i).*{name.upper()}.*",
    )
    return "regex:" + draw(st.sampled_from(shapes))


@st.composite
def patterns(draw: st.DrawFn, os: str) -> str:
    kind = draw(st.integers(0, 19))
    if kind < 11:
        return draw(_wildcards(os))
    if kind < 14:
        return draw(paths(os))
    if kind < 17:
        return draw(_expressions(os))
    if kind == 17:
        return draw(st.sampled_from(("*", "*.exe", "*a*", "?:\\*", "*:s", "*tool?*", " *acme* ", '"*.ps1"')))
    if kind == 18 and os == "windows":
        return draw(st.sampled_from((r"%ProgramFiles%\acme\*", r"%TEMP%\a*", r"%systemroot%\tool*")))
    return draw(st.sampled_from(("regex:(?!x)a", "%NOBODY%\\*", "*acme*", "*tool*", "*a")))


@st.composite
def rules(draw: st.DrawFn, os: str, number: int) -> FileRule:
    boxes = draw(st.sampled_from(("p", "p", "p", "h", "ph", "pr", "pc", "prc", "c", "w", "pw", "r", "hpr")))
    launcher = st.one_of(st.just("[]"), patterns(os), patterns(os))
    return FileRule(
        id=f"rule-{number}",
        hash=draw(st.sampled_from(HASHES)).upper() if "h" in boxes else "",
        path=draw(patterns(os)) if "p" in boxes else "",
        process=draw(launcher) if "r" in boxes else "",
        created_by=draw(launcher) if "w" in boxes else "",
        certificate=draw(st.sampled_from(CERTIFICATES)) if "c" in boxes else "",
    )


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start, end = draw(st.integers(0, 1_439)), draw(st.integers(1, 1_440))
    return Window(draw(st.integers(0, 6)), start, end if end != start else 1_440 if start else 1)


TARGETS = (
    ("computer", "c1"),
    ("group", "g1"),
    ("group", "g1"),
    ("group", "g2"),
    ("organization", "o1"),
    ("organization", "o2"),
    ("global", "msp"),
    ("global", "gg1"),
)


@st.composite
def policies(draw: st.DrawFn, number: int, applications: int) -> Policy:
    level, target = draw(st.sampled_from(TARGETS))
    rare = draw(st.integers(0, 9))
    return Policy(
        id=f"policy-{number:02}",
        name=f"policy {number}",
        level=level,
        target=target,
        action=draw(st.sampled_from(("permit", "permit", "permit_ringfenced", "deny", "deny"))),
        status=draw(st.sampled_from(("inherit", "inherit", "secured", "monitor_only"))),
        order=draw(st.sampled_from((101, 102, 100_000, 100_001, 100_001, 100_101, 100_201, 999_999))),
        applications=tuple(
            f"app-{index}"
            for index in draw(st.lists(st.integers(0, applications), min_size=1, max_size=3, unique=True))
        ),
        enabled=rare != 0,
        starts_at=draw(st.sampled_from(TIMES)) if rare == 1 else None,
        expires_at=draw(st.sampled_from(TIMES)) if rare in (1, 2) else None,
        schedule=tuple(draw(st.lists(windows(), min_size=1, max_size=3))) if rare in (3, 4) else (),
        time_zone=draw(st.sampled_from(ZONES)),
        users=(draw(st.sampled_from(USERS)),) if rare == 5 else (),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    os = draw(st.sampled_from(("windows", "windows", "linux")))
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    applications = tuple(
        Application(f"app-{index}", f"App {index}", False, tuple(draw(rules(os, index * 10 + n)) for n in range(count)))
        for index, count in enumerate(counts)
    )
    listed = [draw(policies(number, len(counts))) for number in range(draw(st.integers(1, 9)))]
    defaults = [
        Policy(f"default-{name}", f"Default - ({name})", "group", name, "deny", order=1_000_000, is_default=True)
        for name in draw(st.sampled_from((("g1", "g2"), ("g1",), ())))
    ]
    facts = draw(st.lists(_facts(os, applications), min_size=10, max_size=20))
    places = draw(st.lists(_places(os), min_size=3, max_size=6))
    return World(os, applications, tuple(listed + defaults), tuple(facts), tuple(places))


def _places(os: str) -> st.SearchStrategy[Place]:
    return st.builds(
        Place,
        computer=st.sampled_from(("c1", "c2")),
        group=st.sampled_from(("g1", "g1", "g2")),
        organization=st.sampled_from(("o1", "o1", "o2", "msp")),
        above=st.sampled_from((("msp", "gg1"), ("msp",), ())),
        mode=st.sampled_from(MODES),
        prioritize_builtin=st.booleans(),
        os=st.just(os),
    )


@st.composite
def _facts(draw: st.DrawFn, os: str, applications: tuple[Application, ...]) -> FileFacts:
    """Mostly made to meet one of the rules, sometimes with one thing wrong."""
    rule = draw(st.sampled_from([rule for application in applications for rule in application.rules]))
    wrong = draw(st.integers(0, 7))

    def near(pattern: str, box: int) -> str:
        if not pattern or pattern == "[]" or wrong == box or pattern.startswith("regex:"):
            return draw(st.one_of(st.just(""), paths(os))) if box else draw(paths(os))
        return filled(draw, pattern)

    subjects = [rule.certificate] if rule.certificate and wrong != 3 else []
    return normal_facts(
        FileFacts(
            path=near(rule.path, 0),
            sha256=rule.hash if rule.hash and wrong != 4 else draw(st.sampled_from(("", *HASHES))),
            certificates=tuple(subjects + draw(st.lists(st.sampled_from(CERTIFICATES), max_size=1))),
            process=near(rule.process, 1),
            created_by=near(rule.created_by, 2),
            user=draw(st.sampled_from(USERS)),
            os=os,
            action_type=draw(st.sampled_from(("execute", "write", "install"))),
        )
    )


def filled(draw: st.DrawFn, pattern: str) -> str:
    """A text for a wildcard: its stars and question marks replaced by something."""
    text = pattern.strip().strip('"')
    for name, folder in (("%TEMP%", r"c:\users\ann\appdata\local\temp"), ("%ProgramFiles%", r"c:\program files")):
        text = text.replace(name, folder)
    runs = st.sampled_from(("", "", "a", "tool", "\\x", "acme\\a", "\\", "k", ":s", "\u212a", "\n"))
    ones = st.sampled_from(("a", "7", "\\", "/", "é", "\udc80"))
    return "".join(draw(runs) if char == "*" else draw(ones) if char == "?" else char for char in text)
