"""Expressions that stop other engines, and literals that must never be guessed."""

import re
import time

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine import regexes
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.rules import FileRule

EVIL = [
    r"(.*\\)*([a-z]+)+\.exe",
    r".*\\(a|aa|a?a)+\.exe",
    r".*.*.*.*.*=\.exe",
    r"(([a-z0-9]+\\?)*)*\.exe",
    r"(a+)+",
    r"(a|aa)+b",
    r"([a-z]+)*x{500}",
    r"(.?){200}(a){200}b",
    r"(\pL|\pN|.)*\d{300}",
]


def seconds(engine: Engine, facts: FileFacts) -> float:
    best = 60.0
    for _ in range(3):
        start = time.perf_counter()
        assert engine.matching_rules(facts) == {}
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.parametrize("source", EVIL)
def test_time_grows_with_the_text_and_not_faster(source: str) -> None:
    """Sixteen times the text may take some thirty times as long; a backtracking engine takes centuries."""
    rule = FileRule("r", path=f"regex:c:\\\\temp\\\\{source}!")
    engine = Engine([Application("a", "A", False, (rule,))], [], "windows")
    short, long = (FileFacts("c:\\temp\\" + "a" * length + "?!") for length in (1_000, 16_000))
    assert seconds(engine, long) < max(32 * seconds(engine, short), 0.2)


@pytest.mark.parametrize(
    "pattern", ["*a*a*a*a*a*a*b", "*a?a?a?a?a?a?a?a?*b", "?a" * 500 + "*b", "*" + "a*" * 900 + "b"]
)
def test_wildcards_too(pattern: str) -> None:
    engine = Engine([Application("a", "A", False, (FileRule("r", path=pattern),))], [], "windows")
    assert seconds(engine, FileFacts("c:\\" + "a" * 32_000)) < 0.5


LITERALS = [
    (r"c:\\programdata\\acme\\[a-z0-9]{8}\\agent\.exe", ["c:\\programdata\\acme\\", "\\agent.exe"]),
    (r"abcd?efg", ["abc", "efg"]),
    (r"abcd*efg", ["abc", "efg"]),
    (r"abcd+efg", ["abcd", "efg"]),
    (r"abcd{0}efg", ["abc", "efg"]),
    (r"abcd{2,}efg", ["abc", "efg"]),
    (r"(abcd)?efg", ["efg"]),
    (r"(?:x(y)z[)](\)))efg", ["efg"]),
    (r"[abcd]efg", ["efg"]),
    (r"[^]abc]efg[a\]b]hij", ["efg", "hij"]),
    (r"ABC\.def", ["abc.def"]),
    (r"abc\ddef", ["abc", "def"]),
    ("abcédef", ["abc", "def"]),
    (r"abc|def", []),
    (r"abc(d|e)fgh", ["abc", "fgh"]),
    (r"(?i)abc", []),
    (r"(a(?i)b)cde", []),
    (r"\Qabc|def\E", []),
    (r"abc\x41def", []),
    (r"abc\pLdef", []),
    (r"abc[[:alpha:]]def", []),
    (r"abc(\Q)\E)def", []),
    (r"(\Q)abc(\E|x)def", []),
    (r"abcd{efg", ["abc"]),
    (r"ab", []),
    (r"abc(", []),
    ("abc\\", []),
    (r"abc[", []),
]


@pytest.mark.parametrize(("source", "expected"), LITERALS)
def test_literals_every_match_contains(source: str, expected: list[str]) -> None:
    assert regexes.mandatory_literals(source, ignore_case=True) == expected


atoms = st.sampled_from(
    [
        "a",
        "b",
        "k",
        "\\.",
        ".",
        "\\\\",
        "[ab]",
        "[^a]",
        "[]a]",
        "\\d",
        "\\pL",
        "\\x61",
        "\\Qa|\\E",
        "[[:alpha:]]",
        "é",
        "{",
        "(?i)",
    ]
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=5).map("".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{0}", "{1}", "{0,2}", "{2}", "{,2}", "+?"])).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + "|".join(parts) + ")"),
        inner.map(lambda one: f"(?:{one})"),
        st.lists(inner, min_size=2, max_size=2).map("|".join),
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(expressions, st.lists(st.text("abk.\\1é{|", max_size=8), min_size=5, max_size=20))
def test_no_text_matches_without_the_literals(source: str, texts: list[str]) -> None:
    """The scanner against RE2 itself: every text that matches contains every literal it named."""
    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile(source, options)
    except re2.error:
        return
    literals = regexes._LiteralScanner(source).runs()
    for text in [*texts, *derived(source)]:
        if expression.fullmatch(text):
            assert all(literal in text for literal in literals), (source, literals, text)


def derived(source: str) -> list[str]:
    """Texts near the expression: itself without its signs, with and without what a sign may drop."""
    plain = re.sub(r"\\[QE]|\(\?i\)|\(\?:|[()\[\]^+?]|\{[\d,]*\}", "", source).replace("\\.", ".").replace("\\\\", "\\")
    dropped = re.sub(r"[^)\]](\*|\?|\{0\}|\{0,2\})", "", source)
    dropped = re.sub(r"[()]|\(\?:", "", dropped)
    return [plain, *plain.split("|"), plain.replace("*", ""), dropped, *dropped.split("|")]
