"""What lint says of single rules and of applications."""

import pytest

from policies.engine.facts import FileFacts
from policies.engine.lint import Code, PolicySet, check_rule, lint
from policies.engine.lint.regex_checks import with_escaped_dots
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule
from tests.policies.engine import reference
from tests.policies.engine.worlds import NOW, policy

HASH = "a" * 64


def codes(os: str = "windows", *, permits: bool = True, **boxes: str) -> list[str]:
    return [str(found.code) for found in check_rule(FileRule("r", **boxes), os, permits=permits)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (r"c:\*", "broad-wildcard"),
        (r"*\setup.exe", "broad-wildcard"),
        (r"*.exe", "broad-wildcard"),
        (r"c:\acme\*", "path-only"),
        (r"c:\program files\acme\*", "path-only"),
        (r"c:\users\*\appdata\local\acme\*", "user-writable-path"),
        (r"%LOCALAPPDATA%\acme\tool.exe", "user-writable-path"),
        (r"C:\ProgramData\Acme\*", "user-writable-path"),
        (r"c:\windows\temp\a.exe", "user-writable-path"),
    ],
)
def test_the_worst_of_a_path_alone_is_told_once(path: str, expected: str) -> None:
    assert codes(path=path) == [expected]


@pytest.mark.parametrize(
    "more", [{"hash": HASH}, {"certificate": "CN=Acme"}, {"created_by": r"c:\rmm\*"}, {"process": r"c:\rmm\*"}]
)
def test_a_second_condition_makes_a_path_stand(more: dict[str, str]) -> None:
    assert codes(path=r"c:\users\*\acme.exe", **more) == []


def test_a_path_alone_in_a_guarded_folder_weighs_less() -> None:
    severities = {path: check_rule(FileRule("r", path=path), "windows")[0].severity for path in (
        r"c:\program files\acme\*", r"d:\acme\*", r"c:\users\x\*"
    )}  # fmt: skip
    assert list(severities.values()) == ["info", "warn", "danger"]


@pytest.mark.parametrize(
    ("os", "path", "expected"),
    [
        ("linux", "/home/*/bin/tool", "user-writable-path"),
        ("linux", "/usr/*", "broad-wildcard"),
        ("linux", "/usr/lib/acme/*", "path-only"),
        ("macos", "/Users/*/tool", "user-writable-path"),
        ("linux", "/users/acme/tool", "path-only"),
    ],
)
def test_each_system_has_its_own_folders(os: str, path: str, expected: str) -> None:
    assert codes(os, path=path) == [expected]


def test_a_signer_alone_is_told_and_with_a_path_is_not() -> None:
    assert codes(certificate="CN=Acme") == ["certificate-only"]
    assert codes(certificate="CN=Acme", path=r"c:\users\*\acme.exe") == []


def test_nothing_is_too_broad_for_a_deny() -> None:
    assert codes(path=r"c:\*", permits=False) == []
    assert codes(path=r"c:\progra~1\*", permits=False) == ["short-name"]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ({"path": r"c:\progra~1\acme\a.exe"}, "short-name"),
        ({"path": r"c:\acme\a~b.exe"}, None),
        ({"path": r"c:\acme\a.txt:evil.exe"}, "alternate-stream"),
        ({"path": "c:/acme/a.exe"}, "forward-slash"),
        ({"process": r"%NOBODY%\a.exe"}, "unknown-variable"),
        ({"path": r"regex:c:\\acme\\[a-z"}, "unreadable-rule"),
    ],
)
def test_what_a_pattern_does_not_do(boxes: dict[str, str], expected: str | None) -> None:
    found = codes(hash=HASH, **boxes)
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"c:\\acme\\[a-z]+\.exe", []),
        (r"..\\[a-z]+", ["literal-less-regex"]),
        (r"c:\\acme\\.*\.exe", ["broad-regex"]),
        (r"c:\\acme\\[.*]+\.exe", []),
        (r"c:\\acme\\tool.exe", ["broad-regex"]),
        (r"c:\\acme\\tool\.exe", []),
        (r"c:\\acme\\v[0-9]{2}\.exe", []),
        (r"c:\\acme\\v[0-9]{2\.exe", ["broad-regex"]),
        (r"c:\\acme\\\p{Greek}\.exe", ["literal-less-regex"]),
        (r"c:\\acme\\a\.exe|c:\\b\\b\.exe", ["literal-less-regex", "broad-regex"]),
        (r"c:\\acme\\(a|b)\.exe", []),
    ],
)
def test_what_a_regex_lets_through(expression: str, expected: list[str]) -> None:
    assert codes(path=f"regex:{expression}") == expected


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (r"c:\\acme\\tool.exe", r"c:\\acme\\tool\.exe"),
        (r"c:\\a\\(x.exe|y.ps1)", r"c:\\a\\(x\.exe|y\.ps1)"),
        (r"c:\\a\\x\.exe", r"c:\\a\\x\.exe"),
        (r"c:\\a\\[x.y]+.dll", r"c:\\a\\[x.y]+\.dll"),
        (r"c:\\a\\v1.2\\.+\.exe", r"c:\\a\\v1.2\\.+\.exe"),
    ],
)
def test_dots_before_extensions_are_escaped_and_nothing_else(was: str, becomes: str) -> None:
    assert with_escaped_dots(was) == becomes


def test_the_escaped_expression_still_matches_the_file_it_names_and_not_its_lookalike() -> None:
    narrow = FileRule("r", path="regex:" + with_escaped_dots(r"c:\\acme\\tool.exe"))
    meant, other = (normal_facts(FileFacts(path)) for path in (r"c:\acme\tool.exe", r"c:\acme\toolXexe"))
    assert reference.rule_matches(narrow, meant)
    assert not reference.rule_matches(narrow, other)


def hashes(count: int, **more: str) -> tuple[FileRule, ...]:
    return tuple(FileRule(f"h{number}", hash=f"{number:064x}", **more) for number in range(count))


def told(*applications: Application, **world: object) -> dict[str, list[str]]:
    named = policy("p", applications=tuple(a.id for a in applications))
    found = lint(PolicySet(applications, (named,), "windows", NOW, **world))  # type: ignore[arg-type]
    kept: dict[str, list[str]] = {}
    for one in found:
        kept.setdefault(str(one.code), []).append(one.subject)
    return kept


def test_five_hashes_and_nothing_else_are_told_four_are_not() -> None:
    assert told(Application("a", "A", False, hashes(5))) == {"hash-only-application": ["a"]}
    assert told(Application("a", "A", False, hashes(4))) == {}
    assert told(Application("a", "A", False, hashes(5, certificate="CN=Acme"))) == {}
    assert told(Application("a", "A", True, hashes(9))) == {}


def test_a_file_that_kept_changing_makes_hashes_worse() -> None:
    application = Application("a", "A", False, hashes(5))
    for seen, severity in ((3, "warn"), (4, "danger")):
        named = policy("p", applications=("a",))
        (found,) = lint(PolicySet((application,), (named,), "windows", NOW, hashes_per_path={"a": seen}))
        assert found.severity == severity


def test_a_rule_twice_is_told_of_the_later_one() -> None:
    rules = (
        FileRule("1", path=r"C:\Acme\Tool.exe", certificate="CN=Acme"),
        FileRule("2", path="c:/acme/tool.exe", certificate="cn=acme"),
        FileRule("3", path=r"c:\acme\*", certificate="CN=Acme"),
    )
    found = told(Application("a", "A", False, rules))
    assert found["covered-rule"] == ["1", "2"] or (found["duplicate-rule"], found["covered-rule"]) == (["2"], ["1"])
    assert "3" not in [*found.get("covered-rule", ()), *found.get("duplicate-rule", ())]


def test_two_rules_that_say_the_same_are_a_duplicate() -> None:
    rules = (FileRule("1", hash=HASH, path=r"c:\a\b"), FileRule("2", hash=HASH.upper(), path=r"C:\A\B"))
    assert told(Application("a", "A", False, rules)) == {"duplicate-rule": ["2"]}


def test_rules_that_two_applications_share_are_told_once() -> None:
    shared = FileRule("1", hash=HASH)
    one, other = (Application(name, name.upper(), False, (shared,)) for name in "ab")
    assert told(one, other) == {"rules-in-two-applications": ["a"]}
    assert told(one, Application("b", "B", True, (shared,))) == {}


def test_an_application_that_nobody_names_is_told() -> None:
    lonely = Application("a", "A", False, (FileRule("1", hash=HASH),))
    (found,) = lint(PolicySet((lonely,), (), "windows", NOW))
    assert (found.code, found.severity) == (Code.UNUSED_APPLICATION, "info")
