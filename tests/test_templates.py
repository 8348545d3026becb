"""Every template, read as text: the content security policy, the 150 lines, and the ways that work without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
ALL = sorted(TEMPLATES.rglob("*.html"))
SPRITE = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (ROOT / "static/icons.svg").read_text()))

# Elements that fetch themselves and hold no link meanwhile: (template, id) -> why nothing is lost without a script.
FETCHES_WITHOUT_A_LINK = {
    ("policies/form.html", "name-panel"): "the name that is proposed; without scripts it is told with the form",
    ("policies/schedule.html", "week"): "what the rows mean by now; the editor's buttons tell it as well",
    ("shell/dashboard.html", "denies"): "a chart; its numbers are in the audit, which stands in the rail",
}


def name(path: Path) -> str:
    return path.relative_to(TEMPLATES).as_posix()


class Tag(NamedTuple):
    """An opening tag, and what follows it, with template syntax taken out: blocks become spaces, values `V`."""

    line: int
    text: str
    after: str


def tags(path: Path) -> Iterator[Tag]:
    text = re.sub(
        r"{% comment %}.*?{% endcomment %}", lambda m: "\n" * m.group().count("\n"), path.read_text(), flags=re.S
    )
    text = re.sub(r"{%.*?%}", lambda m: " " + "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"{{.*?}}", "V", text, flags=re.S)
    text = re.sub(r"{#.*?#}", "", text)
    for found in re.finditer(r"<[a-zA-Z][^<>]*>", text, flags=re.S):
        yield Tag(text.count("\n", 0, found.start()) + 1, found.group(), text[found.end() : found.end() + 300])


def found_in_tags(pattern: str) -> list[str]:
    return [
        f"{name(path)}:{line}: {tag[:120]}"
        for path in ALL
        for line, tag, _ in tags(path)
        if re.search(pattern, tag, flags=re.S | re.I)
    ]


def found_in_text(pattern: str) -> list[str]:
    return [
        f"{name(path)}:{path.read_text().count(chr(10), 0, found.start()) + 1}: {found.group()}"
        for path in ALL
        for found in re.finditer(pattern, path.read_text())
    ]


@pytest.mark.parametrize("path", ALL, ids=name)
def test_it_compiles(path: Path) -> None:
    get_template(name(path))


def test_what_is_included_or_extended_exists() -> None:
    wanted = re.compile(r'{%\s*(?:include|extends)\s+"([^"#]+)')
    missing = [f"{name(p)}: {t}" for p in ALL for t in wanted.findall(p.read_text()) if not (TEMPLATES / t).is_file()]
    assert missing == []


def test_none_is_longer_than_150_lines() -> None:
    assert [f"{name(p)}: {n}" for p in ALL if (n := len(p.read_text().splitlines())) > 150] == []


def test_no_inline_script_style_or_handler() -> None:
    assert found_in_tags(r"^<script(?![^>]*\ssrc=)") == []
    assert found_in_tags(r"^<style\b|\sstyle\s*=") == []
    assert found_in_tags(r"\son[a-z]+\s*=") == []
    assert found_in_tags(r"\shx-on|\shx-vals\s*=\s*['\"]js:|\shx-trigger\s*=\s*['\"][^'\"]*\[") == []
    assert found_in_tags(r"(?:href|action|src)\s*=\s*['\"]\s*(?:javascript|https?:|//)") == []


def test_nothing_is_marked_as_safe() -> None:
    assert found_in_text(r"\|\s*safe\b|\bsafeseq\b|autoescape\s+off") == []
    floors = [p for floor in ("portal", "policies", "audit", "agents") for p in (ROOT / floor).rglob("*.py")]
    assert [str(p.relative_to(ROOT)) for p in floors if re.search(r"\bmark_safe\b", p.read_text())] == []


def test_every_attribute_is_quoted() -> None:
    bare = re.compile(r"=\s*[^\s\"'>]")
    values = re.compile(r"\"[^\"]*\"|'[^']*'", flags=re.S)
    found = [f"{name(p)}:{line}: {tag}" for p in ALL for line, tag, _ in tags(p) if bare.search(values.sub('""', tag))]
    assert found == []


def test_every_icon_is_in_the_sprite() -> None:
    used = re.compile(r'{%\s*icon\s+"([^"]+)"|\bicon="([^"]+)"')
    missing = {
        f"{name(path)}: {icon}"
        for path in ALL
        for found in used.findall(path.read_text())
        if (icon := found[0] or found[1]) not in SPRITE
    }
    assert missing == set()


def test_a_button_of_one_icon_has_a_name() -> None:
    nameless = []
    for path in ALL:
        for button in re.findall(r"<(?:button|a)\b[^>]*icon-btn.*?</(?:button|a)>", path.read_text(), flags=re.S):
            if "aria-label" not in button and "visually-hidden" not in button:
                nameless.append(f"{name(path)}: {button[:100]}")
    assert nameless == []


def only_refreshes(tag: str) -> bool:
    """It asks again for what the page has shown already: by the clock, or when something was announced."""
    trigger = re.search(r"\shx-trigger\s*=\s*['\"]([^'\"]*)['\"]", tag)
    asked = [part.strip() for part in trigger.group(1).split(",")] if trigger else [""]
    return all(part.startswith("every ") or part.endswith("from:body") for part in asked)


def test_whatever_is_fetched_can_be_reached_without_a_script() -> None:
    """A link has an href, a form an action; fields belong to their form; what only refreshes loses nothing; what fills
    itself begins with a link to the same; the rest is listed above with its reason."""
    lost = []
    for path in ALL:
        for line, tag, after in tags(path):
            if not re.search(r"\shx-get\s*=", tag) or re.search(r"\s(?:href|action|formaction)\s*=", tag):
                continue
            if re.match(r"<(?:input|select|textarea)\b", tag) or only_refreshes(tag):
                continue
            if re.match(r"[^<]*(?:<noscript>.*?)?<a\s", after, flags=re.S):
                continue
            identity = re.search(r'\sid="([^"]+)"', tag)
            if (name(path), identity.group(1) if identity else "") not in FETCHES_WITHOUT_A_LINK:
                lost.append(f"{name(path)}:{line}: {tag[:140]}")
    assert lost == []


def test_whatever_is_posted_works_without_a_script() -> None:
    """`hx-post` stands on a form that posts by itself, or on a button or field inside one (with a formaction)."""
    lost = [
        f"{name(path)}:{line}: {tag[:140]}"
        for path in ALL
        for line, tag, _ in tags(path)
        if re.search(r"\shx-(?:post|put|delete)\s*=", tag) and not re.search(r"\s(?:action|formaction)\s*=", tag)
    ]
    assert lost == []


def test_every_form_that_posts_carries_the_token() -> None:
    bare = []
    for path in ALL:
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", path.read_text(), flags=re.S | re.I):
            if "csrf_token" not in form:
                bare.append(f"{name(path)}: {form[:100]}")
    assert bare == []
