"""The normal form: folding that never changes length and never lands on ASCII, prefixes, hashes, subjects."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine.facts import FileFacts
from policies.engine.fold_table import FOLDED
from policies.engine.normal_form import fold, normal_certificate, normal_facts, normal_hash, normal_path
from tests.policies.engine.reference import lowered

texts = st.text(st.characters(codec=None), max_size=30)


@settings(deadline=None)
@given(texts)
def test_folding_keeps_every_length_and_every_non_ascii_character_off_ascii(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    for before, after in zip(text, folded, strict=True):
        assert after.isascii() == before.isascii()
    assert fold(folded) == folded


def test_the_table_is_the_simple_lower_case_of_the_basic_plane() -> None:
    """Checked against this Python where its Unicode has not moved on; the table itself is frozen."""
    assert len(FOLDED) == 26 + 1_145
    for code, folded in FOLDED.items():
        if unicodedata.category(chr(code)) != "Cn":
            assert chr(code).lower() == chr(folded)
    assert all(code not in FOLDED for code in FOLDED.values())


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F), max_size=30))
def test_folding_agrees_with_the_reference_where_windows_paths_live(text: str) -> None:
    assert fold(text) == lowered(text)


@pytest.mark.parametrize("char", ["\u212a", "\u0130", "\u017f", "\u00df", "\u0131", "\U00010400"])
def test_lookalikes_and_what_lies_beyond_the_basic_plane_stay(char: str) -> None:
    assert fold(char) == char


PREFIXES = [
    (r"\\?\C:\A", r"c:\a"),
    (r"\??\C:\A", r"c:\a"),
    (r"\\?\UNC\Srv\A", r"\\srv\a"),
    (r"\??\unc\srv\a", r"\\srv\a"),
    ("//?/C:/a", r"c:\a"),
    (r"\\?\\\?\C:\A", r"c:\a"),
    (r"\\srv\a", r"\\srv\a"),
    (r"\\.\pipe\x", r"\\.\pipe\x"),
    (r"c:\a\..\b. ", r"c:\a\..\b. "),
    ("", ""),
]


@pytest.mark.parametrize(("path", "expected"), PREFIXES)
def test_windows_paths(path: str, expected: str) -> None:
    assert normal_path(path, "windows") == expected


@pytest.mark.parametrize("os", ["linux", "macos"])
def test_other_paths_are_left_alone(os: str) -> None:
    assert normal_path("/Opt/A\\b/É", os) == "/Opt/A\\b/É"


@settings(deadline=None)
@given(
    st.builds(
        FileFacts,
        path=texts,
        sha256=st.one_of(texts, st.just("AB" * 32)),
        certificates=st.tuples(texts, texts),
        process=st.sampled_from(["\\\\?\\unc\\?\\C:\\x", "//?/UNC/\\??\\a", "\\??\\\\\\?\\B"]),
        created_by=texts,
        user=texts,
        os=st.sampled_from(["windows", "linux", "macos"]),
    )
)
def test_the_normal_form_of_facts_is_its_own_normal_form(facts: FileFacts) -> None:
    normal = normal_facts(facts)
    assert normal_facts(normal) == normal
    assert normal.command_line == facts.command_line


def test_a_hash_is_64_hex_digits_or_nothing() -> None:
    assert normal_hash(" " + "AB" * 32) == "ab" * 32
    assert [normal_hash(text) for text in ("", "abc", "g" * 64, "ab" * 33, "\uff41" * 64)] == [""] * 5


def test_subjects_are_folded_and_listed_once() -> None:
    facts = FileFacts("x", certificates=("CN=A  B", " cn=a\tb ", "", " ", "CN=É"))
    assert normal_facts(facts).certificates == ("cn=a b", "cn=é")
    assert normal_certificate("CN=a\u00a0b") == "cn=a\u00a0b", "a no-break space is not a space"


def test_users_are_folded_on_windows_only() -> None:
    assert normal_facts(FileFacts("x", user="ACME\\Ann")).user == "acme\\ann"
    assert normal_facts(FileFacts("x", user="Ann", os="linux")).user == "Ann"
