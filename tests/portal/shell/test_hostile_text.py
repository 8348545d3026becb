"""Text from endpoints: shown whole, escaped, with nothing hidden."""

from __future__ import annotations

import re

import pytest
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from portal.common.templatetags.hostile_text import (
    has_hidden,
    hostile,
    middle_cut,
    split_path,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202efdp.exe", "invoice⟨U+202E⟩fdp.exe"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("line\nbreak", "line⟨U+000A⟩break"),
        ("no\u00a0break", "no⟨U+00A0⟩break"),
        ("p\u0430ypal.exe", "p⟨U+0430⟩ypal.exe"),
        ("\uff53etup", "⟨U+FF53⟩etup"),
        ("tail\ufe0f", "tail⟨U+FE0F⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("плохой.exe", "плохой.exe"),
        ("Straße ñ 日本", "Straße ñ 日本"),
        ("", ""),
    ],
)
def test_what_does_not_show_or_imitates_is_drawn_as_its_code_point(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert has_hidden(text) == (text != shown)


@pytest.mark.parametrize("text", ['<img src=x onerror="alert(1)">', "</bdi><script>", "a & b", "'\""])
def test_markup_is_escaped_even_when_it_claims_to_be_safe(text: str) -> None:
    for claim in (text, SafeString(text)):
        drawn = str(hostile(claim))
        assert drawn.startswith("<bdi>")
        assert drawn.endswith("</bdi>")
        inside = drawn.removeprefix("<bdi>").removesuffix("</bdi>")
        assert "<" not in inside
        assert ">" not in inside
        assert '"' not in inside


@given(st.text(max_size=60))
def test_nothing_is_lost_and_nothing_hidden_remains(text: str) -> None:
    shown = visible(text)
    assert not has_hidden(shown)
    assert re.sub(r"⟨U\+([0-9A-F]{4,6})⟩", lambda found: chr(int(found.group(1), 16)), shown) == text
    assert str(hostile(text)).count("<bdi>") == 1


@given(st.text(max_size=200), st.integers(min_value=5, max_value=80))
def test_a_cut_text_fits_and_keeps_its_end(text: str, length: int) -> None:
    cut = middle_cut(text, length)
    assert len(cut) <= length
    assert cut == text or ("…" in cut and text.endswith(cut.rpartition("…")[2]))


@pytest.mark.parametrize(
    ("path", "folder", "file"),
    [
        (r"c:\a\b.exe", "c:\\a\\", "b.exe"),
        ("/usr/bin/env", "/usr/bin/", "env"),
        ("plain.exe", "", "plain.exe"),
        (r"c:\dir" + "\\", "c:\\dir\\", ""),
        (r"\\server\share/x.ps1", r"\\server\share/", "x.ps1"),
    ],
)
def test_a_path_is_folder_and_file(path: str, folder: str, file: str) -> None:
    assert split_path(path) == (folder, file)
