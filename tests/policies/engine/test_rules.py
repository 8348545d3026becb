"""Rules at the moment they are saved: what is refused, where in the box, and what to write instead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.rules import FileRule, RuleError, check_rule
from tests.policies.engine.strategies import rules

# (what, boxes, code, box, position, a word of the advice)
REFUSED = [
    ("nothing", {}, "empty_rule", "", None, "at least one"),
    ("spaces", {"path": "  "}, "empty_rule", "", None, "at least one"),
    ("a star alone", {"path": "*"}, "matches_everything", "path", 0, "every file"),
    ("stars in every box", {"path": "*", "process": "**", "created_by": r"*\*"}, "matches_everything", "path", 0, ""),
    ("a star as creator", {"created_by": "*"}, "matches_everything", "created_by", 0, ""),
    ("quoted stars", {"path": '"***"'}, "matches_everything", "path", 0, ""),
    ("a question and stars", {"path": "*?*"}, "matches_everything", "path", 0, ""),
    ("empty quotes", {"path": '""'}, "empty_pattern", "path", 1, "nothing"),
    ("brackets as path", {"path": "[]"}, "absent_not_here", "path", 0, "process and created by"),
    ("brackets as certificate", {"certificate": " []"}, "absent_not_here", "certificate", 1, "process"),
    ("a star as certificate", {"certificate": "*"}, "certificate_wildcard", "certificate", 0, "whole subject"),
    ("a certificate without end", {"certificate": "x" * 2_049}, "too_long", "certificate", 2_048, "2048"),
    ("a short hash", {"hash": "abc"}, "bad_hash", "hash", 0, "64"),
    ("a SHA-1", {"hash": " " + "a" * 40}, "bad_hash", "hash", 1, "SHA-1"),
    ("a digit that is none", {"hash": " abxd" + "a" * 60}, "bad_hash", "hash", 3, "'x'"),
    ("an unknown variable", {"path": r"  %NOBODY%\x"}, "unknown_variable", "path", 2, "%PROGRAMDATA%"),
    ("a second variable", {"path": r"%TEMP%\%me%"}, "unknown_variable", "path", 7, "%me%"),
    ("a pattern without end", {"path": "c:\\" + "x" * 2_048}, "too_long", "path", 2_048, "2048"),
    ("half a character", {"process": "c:\\a\ud800*"}, "not_text", "process", 4, "hash"),
    ("a regex without end", {"path": "regex:" + "a" * 513}, "regex_too_long", "path", 518, "512"),
    ("a regex for nothing", {"path": "regex:a*"}, "regex_matches_empty", "path", 6, "at least one"),
    ("an empty regex", {"path": "regex:"}, "regex_matches_empty", "path", 6, "at least one"),
    ("a regex for everything", {"path": "regex:.+", "hash": "a" * 64}, "regex_matches_everything", "path", 6, "every"),
    ("the same, longer", {"process": r" regex:.*\\.*"}, "regex_matches_everything", "process", 7, "every"),
    ("look-ahead", {"path": "regex:a(?!b)c"}, "regex_lookaround", "path", 7, "second rule"),
    ("look-behind", {"path": "regex:a(?<=b)c"}, "regex_lookaround", "path", 7, "second rule"),
    ("a back-reference", {"path": r"regex:(a)\1"}, "regex_back_reference", "path", 9, "repeated text out"),
    ("a named one", {"path": "regex:(?P<a>x)(?P=a)"}, "regex_back_reference", "path", 14, "one rule for each"),
    ("single backslashes", {"path": r"regex:c:\temp\x"}, "regex_single_backslash", "path", 8, r"c:\\users\\bob"),
    ("a bad escape", {"path": r"regex:.*\users"}, "regex_bad_escape", "path", 8, r"c:\\users\\bob"),
    ("a wildcard in disguise", {"path": "regex:*.exe"}, "regex_is_wildcard", "path", 6, "Remove `regex:`"),
    ("a repeat too many", {"path": "regex:a{1001}"}, "regex_repeat_too_large", "path", 7, "1000"),
    ("repeats of repeats", {"path": "regex:(a{500}){500}"}, "regex_repeat_too_large", "path", None, "1000"),
    ("two repeats", {"path": "regex:ax*+"}, "regex_bad_repeat", "path", 8, "keep one"),
    ("a range backwards", {"path": "regex:a[z-a]"}, "regex_bad_range", "path", 8, "backwards"),
    ("an open parenthesis", {"path": r"regex:a[(]\(b(c"}, "regex_unbalanced", "path", 13, r"\("),
    ("a closed parenthesis", {"path": "regex:a(b))c"}, "regex_unbalanced", "path", 10, r"\)"),
    ("an open bracket", {"path": "regex:a[bc"}, "regex_unbalanced", "path", 7, r"\["),
    ("a trailing backslash", {"path": "regex:abc\\"}, "regex_trailing_backslash", "path", 9, "two"),
    ("a group RE2 lacks", {"path": "regex:(?>a)b"}, "regex_unknown_group", "path", 6, "(?:"),
    ("the end sign of others", {"path": r"regex:abc\Z"}, "regex_bad_escape", "path", 9, "not needed"),
    ("a program too large", {"path": r"regex:" + r"(\pL{1000}\pL{1000}){1}" * 20}, "regex_too_large", "path", None, ""),
]


@pytest.mark.parametrize(("what", "boxes", "code", "field", "position", "advice"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused(what: str, boxes: dict[str, str], code: str, field: str, position: int | None, advice: str) -> None:
    with pytest.raises(RuleError) as refused:
        check_rule(FileRule("r", **boxes), "windows")
    error = refused.value
    assert (error.code, error.field) == (code, field), what
    assert position is None or error.position == position
    assert advice in error.message and error.message[-1] in ".:)" and str(error) == error.message


TAKEN = [
    {"hash": " " + "AB" * 32 + " "},
    {"path": "*", "certificate": "CN=Acme"},
    {"path": "*", "process": r"c:\rmm\agent.exe"},
    {"path": "*.exe"},
    {"path": r"%LocalAppData%\acme\*"},
    {"path": "c:\\100%\\x"},
    {"process": "[]"},
    {"path": "*", "created_by": "[]"},
    {"path": r"regex:c:\\users\\[^\\]+\\tool\.exe"},
    {"path": r"regex:.*\.exe"},
    {"path": "regex:" + "a" * 512},
    {"path": "c:\\a\x00b"},
    {"certificate": "CN=*.acme.com"},
]


@pytest.mark.parametrize("boxes", TAKEN, ids=str)
def test_taken(boxes: dict[str, str]) -> None:
    check_rule(FileRule("r", **boxes), "windows")


def test_other_systems_have_no_variables_and_other_roots() -> None:
    with pytest.raises(RuleError, match="Windows variable"):
        check_rule(FileRule("r", path="%TEMP%/x"), "linux")
    with pytest.raises(RuleError, match="every file"):
        check_rule(FileRule("r", path="/*"), "linux")
    check_rule(FileRule("r", path="/opt/a%20b%20c/*"), "linux")
    check_rule(FileRule("r", path=r"regex:c:\dir"), "linux")


@settings(deadline=None)
@given(st.sampled_from(["windows", "linux"]).flatmap(lambda os: st.tuples(st.just(os), rules(os, 1))))
def test_a_rule_that_is_taken_can_be_read(pair: tuple[str, FileRule]) -> None:
    os, rule = pair
    try:
        check_rule(rule, os)
    except RuleError:
        return
    assert Engine([Application("a", "A", False, (rule,))], [], os).unreadable_applications == frozenset()


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=60), st.booleans(), st.sampled_from(["windows", "linux"]))
def test_whatever_is_typed_is_taken_or_refused_and_never_crashes(text: str, regex: bool, os: str) -> None:
    rule = FileRule("r", path=("regex:" if regex else "") + text, hash=text, process=text, certificate=text)
    for one in (rule, FileRule("r", path=rule.path), FileRule("r", created_by=text), FileRule("r", certificate=text)):
        try:
            check_rule(one, os)
        except RuleError as error:
            assert error.message
            assert error.position is None or 0 <= error.position <= len(getattr(one, error.field))
    engine = Engine([Application("a", "A", False, (rule, FileRule("p", path=rule.path)))], [], os)
    engine.matching_rules(FileFacts(text, process=text, created_by=text, certificates=(text,), os=os))
