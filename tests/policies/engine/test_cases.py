"""The table of tricky cases: one rule, one file, does it match. Each row says why."""

import pytest

from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule

PF = r"c:\program files"

# (why, pattern of the path, path of the file, whether it matches)
WINDOWS_PATHS = [
    ("a star crosses separators", rf"{PF}\acme\*", rf"{PF}\acme\a\b\c.exe", True),
    ("the separator before a star is literal", rf"{PF}\acme\*", rf"{PF}\acme", False),
    ("no prefix is guessed", rf"{PF}\acme\*", rf"{PF}\acme2\x.exe", False),
    ("a star may be empty", r"c:\a*b.exe", r"c:\ab.exe", True),
    ("stars do not overlap what they stand between", r"c:\*ab*ba", r"c:\aba", False),
    ("nor do two runs between stars", r"c:\*ab*bc*", r"c:\abc", False),
    ("a head and a tail do not share characters", r"c:\aba*aba", r"c:\aba", False),
    ("a question mark is one character", rf"{PF}\app?x.exe", rf"{PF}\app1x.exe", True),
    ("a question mark is no separator", rf"{PF}\app?x.exe", rf"{PF}\app\x.exe", False),
    ("a question mark is not nothing", r"c:\a?.exe", r"c:\a.exe", False),
    ("a question mark takes a newline", r"c:\a?.exe", "c:\\a\n.exe", True),
    ("brackets are literal", r"c:\a[1]*", r"c:\a[1].exe", True),
    ("brackets are no class", r"c:\a[1]*", r"c:\a1.exe", False),
    ("a dot is a dot", r"c:\a.b*", r"c:\axb", False),
    ("a dollar and a caret are literal", r"c:\$x^*", r"c:\$x^1", True),
    ("case and slashes are folded in rules", "C:/Program Files/ACME/*", rf"{PF}\acme\x.exe", True),
    ("case and slashes are folded in facts", rf"{PF}\acme\*", "C:/Program Files/ACME/X.EXE", True),
    ("device prefix and UNC are one", r"\\srv\share\*", r"\\?\UNC\srv\share\x.exe", True),
    ("device prefix is removed", r"c:\a\*", r"\\?\C:\a\x.exe", True),
    ("the object manager's prefix too", r"c:\a\*", r"\??\c:\a\x.exe", True),
    ("in a rule as well", r"\\?\c:\a\*", r"c:\a\x.exe", True),
    ("a stream needs a pattern that names one", r"c:\users\*", r"c:\users\bob\note.txt:evil.exe", False),
    ("a literal is no prefix of a stream", r"c:\a.txt", r"c:\a.txt:evil.exe", False),
    ("a named stream", r"c:\users\*:zone.exe", r"c:\users\bob\a.txt:zone.exe", True),
    ("a stream of a file with a short name", r"c:\*\a:s?", r"c:\x\a:s1", True),
    ("a drive's colon names no stream", r"?:\*", r"c:\a.txt:zone.exe", False),
    ("a colon before the last folder names no stream", r"*c:\tools\*", r"c:\tools\a.txt:evil.exe", False),
    ("a literal stream", r"c:\a.txt:zone", r"c:\a.txt:zone", True),
    ("short names are the agent's business", rf"{PF}\acme\*", r"c:\progra~1\acme\x.exe", False),
    ("a user variable is every user", r"%LOCALAPPDATA%\acme\*", r"c:\users\bob\appdata\local\acme\x", True),
    ("a user variable is no other folder", r"%LOCALAPPDATA%\acme\*", r"c:\temp\appdata\local\acme\x", False),
    ("a machine variable", r"%ProgramFiles(x86)%\acme\*", r"c:\program files (x86)\acme\x.exe", True),
    ("a lone per cent sign is literal", r"c:\100%\*", r"c:\100%\x.exe", True),
    ("no Unicode normalization: two files", "c:\\caf\u00e9\\*", "c:\\cafe\u0301\\x.exe", False),
    ("KELVIN SIGN is not k", r"c:\k\*", "c:\\\u212a\\x.exe", False),
    ("sharp s is not ss", r"c:\strasse\*", "c:\\stra\u00dfe\\x.exe", False),
    ("capital I with dot is not i", r"c:\i\*", "c:\\\u0130\\x.exe", False),
    ("É folds to é", "c:\\\u00c9\\*", "c:\\\u00e9\\x.exe", True),
    ("trailing dots and spaces are kept", r"c:\a.exe", r"c:\a.exe. ", False),
    ("a quoted pattern keeps its spaces", '"c:\\a "', "c:\\a ", True),
    ("an unquoted pattern is trimmed", "  c:\\a  ", "c:\\a", True),
    ("two stars are one", r"c:\**\x.exe", r"c:\a\b\x.exe", True),
    ("two stars still need both separators", r"c:\**\x.exe", r"c:\x.exe", False),
    ("a NUL is a character", r"c:\a*", "c:\\a\x00b.exe", True),
    ("half a surrogate pair is a character", r"c:\a?", "c:\\a\udc80", True),
    ("and is not U+FFFD", "c:\\a?\ufffd", "c:\\ab\udc80", False),
    ("an empty path matches nothing", "*", "", False),
    ("a regex is anchored at its start", r"regex:.\.ps1", r"abc.ps1", False),
    ("a regex is anchored at its end", r"regex:..[a-z]+\.ps1", r"abcd.ps1.exe", False),
    ("a regex ignores case on Windows", r"regex:C:\\Tools\\[A-Z]+\.EXE", r"c:\tools\abc.exe", True),
    ("KELVIN SIGN is no letter of a regex", r"regex:c:\\[a-z]\.exe", "c:\\\u212a.exe", False),
    ("LONG S is no letter of a regex", r"regex:c:\\s\.exe", "c:\\\u017f.exe", False),
    ("a regex that names KELVIN SIGN is not k", "regex:c:\\\\\u212a\\.exe", r"c:\k.exe", False),
    ("a regex sees streams and newlines", r"regex:c:\\a.*", "c:\\a\n.txt:evil.exe", True),
    ("a regex may hold half a surrogate pair's text", r"regex:c:\\a.", "c:\\a\udc80", True),
    ("its prefix takes any case", r"REGEX:c:\\a+", r"c:\aaa", True),
    ("alternatives at the top belong together", r"regex:c:\\abc|c:\\abd", r"c:\abd", True),
    ("an optional letter is optional", r"regex:c:\\abcd?", r"c:\abc", True),
    ("a counted letter may be none", r"regex:c:\\abcd{0,2}", r"c:\abc", True),
    ("a bracket that is its own first member", r"regex:c:\\[]abc]+x", r"c:\]ax", True),
    ("quoted text in RE2's way", r"regex:c:\\\Qa|b\E\.exe", r"c:\a|b.exe", True),
    ("a named class", r"regex:c:\\[[:alpha:]]+tool", r"c:\abtool", True),
    ("an escape with an argument", r"regex:c:\\\x41bcd", r"c:\abcd", True),
    ("a unicode class", r"regex:c:\\\pLtool", "c:\\\u00e9tool", True),
    ("a flag inside", r"regex:c:\\(?-i)abc", r"c:\abc", True),
]

LINUX_PATHS = [
    ("case is kept", "/opt/Acme/*", "/opt/acme/x", False),
    ("a backslash is a character", "/opt/a\\b*", "/opt/a\\bc", True),
    ("a question mark is no slash", "/opt/a?b", "/opt/a/b", False),
    ("a question mark may be a backslash", "/opt/a?b", "/opt/a\\b", True),
    ("a colon is a character, there are no streams", "/opt/*", "/opt/a:b", True),
    ("a regex keeps case", "regex:/opt/[a-z]+", "/opt/A", False),
    ("a regex's literals keep case", "regex:/opt/Acme.*", "/opt/Acme1", True),
    ("a flag can fold it", "regex:(?i)/opt/acme", "/OPT/ACME", True),
    ("nothing is trimmed from facts", "/opt/a", "/opt/a ", False),
]


def matches(rule: FileRule, facts: FileFacts) -> bool:
    engine = Engine([Application("app", "App", False, (rule,))], [], facts.os)
    return engine.matching_rules(normal_facts(facts)) == {"app": rule.id}


@pytest.mark.parametrize(("why", "pattern", "path", "expected"), WINDOWS_PATHS, ids=lambda value: str(value)[:40])
def test_windows_paths(why: str, pattern: str, path: str, expected: bool) -> None:
    assert matches(FileRule("r", path=pattern), FileFacts(path)) is expected, why


@pytest.mark.parametrize(("why", "pattern", "path", "expected"), LINUX_PATHS, ids=lambda value: str(value)[:40])
def test_linux_paths(why: str, pattern: str, path: str, expected: bool) -> None:
    assert matches(FileRule("r", path=pattern), FileFacts(path, os="linux")) is expected, why


KNOWN = FileFacts(
    r"c:\a.exe",
    sha256="AB" * 32,
    certificates=("CN=Acme   Inc.,  O=ACME", "CN=Second"),
    process=r"C:\Windows\Explorer.exe",
    created_by=r"c:\rmm\agent.exe",
)
UNKNOWN = FileFacts(r"c:\a.exe")

# (why, rule, facts, whether it matches)
CONDITIONS = [
    ("a hash in any case", FileRule("r", hash="ab" * 32), KNOWN, True),
    ("another hash", FileRule("r", hash="cd" * 32), KNOWN, False),
    ("an unknown hash", FileRule("r", hash="ab" * 32), UNKNOWN, False),
    ("a certificate with spaces and case folded", FileRule("r", certificate="cn=acme inc., o=acme"), KNOWN, True),
    ("any of several signers", FileRule("r", certificate="CN=second"), KNOWN, True),
    ("no wildcard in certificates", FileRule("r", certificate="CN=acme*"), KNOWN, False),
    ("not signed", FileRule("r", certificate="CN=second"), UNKNOWN, False),
    ("a process by wildcard", FileRule("r", process=r"*\explorer.exe"), KNOWN, True),
    ("a star does not match an unknown process", FileRule("r", path="c:\\a*", process="*"), UNKNOWN, False),
    ("a star does not match an unknown creator", FileRule("r", path="c:\\a*", created_by="*"), UNKNOWN, False),
    ("brackets ask for an unknown process", FileRule("r", path="c:\\a*", process="[]"), UNKNOWN, True),
    ("brackets refuse a known process", FileRule("r", path="c:\\a*", process="[]"), KNOWN, False),
    ("brackets ask for an unknown creator", FileRule("r", path="c:\\a*", created_by=" [] "), UNKNOWN, True),
    ("brackets alone", FileRule("r", created_by="[]"), UNKNOWN, True),
    ("all conditions hold", FileRule("r", path="c:\\a*", process="*explorer*", created_by="*rmm*"), KNOWN, True),
    ("one condition fails", FileRule("r", path="c:\\a*", process="*explorer*", created_by="*cmd*"), KNOWN, False),
    ("a rule without conditions", FileRule("r"), KNOWN, False),
    ("a rule of spaces", FileRule("r", path="  "), KNOWN, False),
]


@pytest.mark.parametrize(("why", "rule", "facts", "expected"), CONDITIONS, ids=lambda value: str(value)[:40])
def test_conditions(why: str, rule: FileRule, facts: FileFacts, expected: bool) -> None:
    assert matches(rule, facts) is expected, why


def test_a_machine_variable_means_what_the_computer_says() -> None:
    rule = FileRule("r", path=r"%ProgramFiles%\acme\*")
    applications = [Application("app", "App", False, (rule,))]
    engine = Engine(applications, [], "windows", machine={"programfiles": r"D:\Programme" + "\\"})
    assert engine.matching_rules(normal_facts(FileFacts(r"d:\programme\acme\x.exe"))) == {"app": "r"}
    assert engine.matching_rules(normal_facts(FileFacts(r"c:\program files\acme\x.exe"))) == {}


@pytest.mark.parametrize("machine", [{}, {"programfiles": ""}, {"programfiles": "*"}, {"programfiles": "%x%"}])
def test_a_variable_this_computer_lacks_matches_nothing_and_breaks_nothing(machine: dict[str, str]) -> None:
    rule = FileRule("r", path=r"%ProgramFiles%\*")
    engine = Engine([Application("app", "App", False, (rule,))], [], "windows", machine=machine)
    assert engine.matching_rules(normal_facts(FileFacts(r"c:\program files\acme\x.exe"))) == {}
    assert engine.unreadable_applications == frozenset()


def test_the_first_rule_that_matches_is_named() -> None:
    rules = (FileRule("miss", path="d:\\*"), FileRule("second", path="c:\\*"), FileRule("third", hash="ab" * 32))
    engine = Engine([Application("app", "App", False, rules)], [], "windows")
    assert engine.matching_rules(normal_facts(KNOWN)) == {"app": "second"}


def test_a_text_that_repeats_a_literal_ten_thousand_times_is_verified_once() -> None:
    calls = []

    class Counting(str):
        __slots__ = ()

        def startswith(self, *arguments: object) -> bool:
            calls.append(1)
            return str.startswith(self, *arguments)  # type: ignore[arg-type]

    engine = Engine([Application("app", "App", False, (FileRule("r", path=r"d:\*acme\*x"),))], [], "windows")
    assert engine.matching_rules(FileFacts(Counting("c:\\" + "acme\\" * 10_000))) == {}
    assert len(calls) == 1


def test_what_is_remembered_of_processes_stays_bounded() -> None:
    engine = Engine([Application("app", "App", False, (FileRule("r", process="*tool*"),))], [], "windows")
    for number in range(40_000):
        engine.matching_rules(FileFacts("c:\\a", process=f"c:\\{number}\\tool.exe"))
    engine.matching_rules(FileFacts("c:\\a", process="c:\\tool" + "x" * 30_000))
    remembered = engine._index._processes
    assert 0 < len(remembered) <= 16_384
    assert max(map(len, remembered)) <= 512
