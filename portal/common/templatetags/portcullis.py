"""The template library of every screen: `{% load portcullis %}`. What each tag draws: docs/design-system.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.common import clock
from portal.common.templatetags import hostile_text, meanings, moments
from portal.common.templatetags.meanings import Meaning

register = template.Library()

register.filter("hostile", hostile_text.hostile)
register.filter("visible", hostile_text.visible)
register.filter("has_hidden", hostile_text.has_hidden)
register.filter("midcut", hostile_text.middle_cut)


# --- icons and chips ---------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One icon of static/icons.svg, always beside a word or inside a button with an aria-label."""
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f"i {extra}".strip(),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def decision(
    kind: str, *, may_ask: bool = False, simulated: bool = False, filled: bool = False, text: str = ""
) -> SafeString:
    """What was decided. `kind`: an action or effect of the domain; a deny may be askable or only simulated."""
    found = meanings.DECISIONS.get(str(kind), meanings.DECISIONS["none"])
    if simulated:
        found = meanings.WOULD
    elif found.tone == "deny" and may_ask:
        found = meanings.ASK
    if found is meanings.RINGFENCED and filled:
        found = found._replace(word="Permit, ringfenced")
    return _chip("decision filled" if filled else "decision", found, text)


@register.simple_tag
def delivery(state: str, detail: str = "", *, text: str = "") -> SafeString:
    """Where a bundle is. `detail` follows the word: `Live v812 · 14:02:07`, `Behind 2`, `Refused, self-test`."""
    found = meanings.DELIVERIES.get(str(state), meanings.DELIVERIES["none"])
    return _chip("delivery", found, text or f"{found.word} {detail}".strip())


@register.simple_tag(takes_context=True)
def mode(context: Any, name: str, ends_at: datetime | None = None) -> SafeString:
    found = meanings.MODES.get(str(name), meanings.MODES["secured"])
    until = f", until {moments.smart(ends_at, moments.zone_of(context))}" if ends_at else ""
    return _chip("mode", found, found.word + until)


@register.simple_tag
def scope(level: str, name: str = "") -> SafeString:
    """The level of a policy, with the name of its target where there is one."""
    found = meanings.SCOPES[str(level)]
    return format_html('<span class="scope">{}{}</span>', icon(found.icon), hostile_text.hostile(name or found.word))


@register.simple_tag
def origin(kind: str) -> SafeString:
    return format_html('<span class="tag">{}</span>', meanings.ORIGINS.get(str(kind), str(kind)))


@register.simple_tag
def system(os: str) -> SafeString:
    """The operating system: icon and word."""
    shape, word = meanings.SYSTEMS.get(str(os), ("device-desktop", str(os)))
    return format_html('<span class="scope">{}{}</span>', icon(shape), word)


@register.simple_tag
def hidden_chip(*texts: Any) -> SafeString | str:
    """The warning beside a name of which some characters do not show; nothing otherwise."""
    if not any(hostile_text.has_hidden(text) for text in texts):
        return ""
    return format_html('<span class="tag is-deny">{}hidden characters</span>', icon("eye-off"))


@register.simple_tag
def org_mark(organization: Any) -> SafeString:
    """The initials of an organization in its colour; the asterisk when `organization` is None (all of them)."""
    if organization is None:
        return format_html('<span class="org-mark org-iron" aria-hidden="true">{}</span>', icon("asterisk"))
    return format_html(
        '<span class="org-mark org-{}" aria-hidden="true">{}</span>',
        organization.color,
        organization.initials,
    )


@register.simple_tag
def person(who: Any) -> SafeString:
    """Initials of a person in a grey circle, the name as its label."""
    name = str(who)
    words = name.replace("@", " ").split() or ["?"]
    initials = getattr(who, "initials", "") or (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
    return format_html(
        '<span class="org-mark person" role="img" aria-label="{}" title="{}">{}</span>', name, name, initials
    )


@register.simple_tag
def levers(programs: str = "off", files: str = "off", registry: str = "off", internet: str = "off") -> SafeString:
    """The four levers of a ringfence, each `off`, `log` or `enforce`."""
    states = {"Programs": programs, "Files": files, "Registry": registry, "Internet": internet}
    spoken = ", ".join(f"{name} {meanings.LEVERS[state][1]}" for name, state in states.items())
    letters = format_html_join(
        "",
        '<span class="{}">{}</span>',
        ((meanings.LEVERS[state][0], name[0]) for name, state in states.items()),
    )
    return format_html('<span class="levers" role="img" aria-label="{}">{}</span>', spoken, letters)


@register.simple_tag
def grade(points: int, of: int = 5) -> SafeString:
    """The strength of a rule as little bars."""
    tone = "permit" if points >= 4 else "ask" if points >= 2 else "deny"
    bars = format_html_join("", '<i class="{}"></i>', (("on" if n < points else "",) for n in range(of)))
    return format_html(
        '<span class="grade is-{}" role="img" aria-label="Strength {} of {}">{}</span>',
        tone,
        points,
        of,
        bars,
    )


def _chip(kind: str, meaning: Meaning, text: str = "") -> SafeString:
    spin = "spin" if meaning.icon == "loader-2" else ""
    return format_html(
        '<span class="{} is-{}">{}{}</span>',
        kind,
        meaning.tone,
        icon(meaning.icon, spin),
        text or meaning.word,
    )


# --- text, numbers, time -----------------------------------------------------------------------------------------


@register.simple_tag
def file(path: Any, href: str = "", length: int = 44) -> SafeString:
    """File name strong (a link when `href`), folder dim and cut in the middle; the whole path as title."""
    folder, name = hostile_text.split_path(path)
    shown = hostile_text.hostile(name or folder or "–")
    head = format_html('<a href="{}">{}</a>', href, shown) if href else format_html("<b>{}</b>", shown)
    tail = hostile_text.hostile(hostile_text.middle_cut(folder, length)) if name and folder else ""
    return format_html(
        '<span class="file" title="{}">{} <span class="mono">{}</span></span>',
        hostile_text.visible(path),
        head,
        tail,
    )


@register.filter
def count(number: Any) -> str:
    """1284 as 1,284; nothing as –."""
    return f"{number:,}" if isinstance(number, int | float) else "–"


@register.filter
def dash(value: Any) -> Any:
    """An empty cell is –."""
    return value if value not in (None, "", [], ()) else "–"


@register.filter
def words(text: str) -> list[str]:
    """The words of a fixed text, to loop over them."""
    return text.split()


@register.filter
def initials(name: Any) -> str:
    words = str(name).split() or ["?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@register.simple_tag(takes_context=True)
def when(context: Any, moment: datetime | None, form: str = "smart") -> SafeString:
    """A moment in the viewer's zone. `form`: smart (default), time, short, day, full."""
    zone = moments.zone_of(context)
    words = "" if moment is None else _said(moment, form, zone)
    return moments.element(moment, words, zone, is_relative=False)


def _said(moment: datetime, form: str, zone: Any) -> str:
    return moments.smart(moment, zone) if form == "smart" else moment.astimezone(zone).strftime(moments.FORMS[form])


@register.simple_tag(takes_context=True)
def axis(context: Any, marks: Sequence[datetime]) -> SafeString:
    """Labels under a time axis, in the viewer's zone: `Thu 14:00`, `18:00`, …"""
    labels = moments.axis(marks, moments.zone_of(context))
    return format_html_join("", "<span>{}</span>", ((label,) for label in labels))


@register.simple_tag(takes_context=True)
def now_in_zone(context: Any, form: str = "full") -> str:
    """This moment with its zone."""
    return clock.now().astimezone(moments.zone_of(context)).strftime(moments.FORMS[form])


@register.simple_tag(takes_context=True)
def ago(context: Any, moment: datetime | None) -> SafeString:
    """How long ago (or in how long); the browser keeps it fresh. The exact time is its title."""
    return moments.element(moment, moments.ago(moment) if moment else "", moments.zone_of(context), is_relative=True)


@register.simple_tag(takes_context=True)
def left(context: Any, moment: datetime | None) -> SafeString:
    """How long until then; the browser counts it down each second. The exact time is its title."""
    if moment is None:
        return moments.element(None, "", moments.zone_of(context), is_relative=False)
    words = moments.left(moment)
    exact = moments.exact(moment, moments.zone_of(context))
    return format_html('<time datetime="{}" title="until {}" data-left>{}</time>', moment.isoformat(), exact, words)


@register.simple_tag
def spark(values: Sequence[int], last: int = 0) -> SafeString:
    """A small bar chart of up to 24 numbers; the `last` ones are drawn in the colour of a deny."""
    top = max([*values, 1])
    bars = (_bar(index, value * 18 / top, index >= len(values) - last) for index, value in enumerate(values[:24]))
    return format_html('<svg class="spark" viewBox="0 0 96 20" aria-hidden="true">{}</svg>', _joined(bars))


def _bar(index: int, height: float, is_marked: bool) -> SafeString:
    tall = round(height + 1, 1)
    kind = "bar is-deny" if is_marked else "bar"
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="3" height="{}"/>', kind, index * 4, round(20 - tall, 1), tall
    )


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


# --- addresses ---------------------------------------------------------------------------------------------------


def address(name: str, organization: Any = None, /, **kwargs: Any) -> str:
    """The path of a screen: under `organization` (an Organization or its slug), or its twin under `/all/`."""
    if organization is None:
        space, _, view = name.partition(":")
        return reverse(f"{space}-all:{view}", kwargs=kwargs)
    return reverse(name, kwargs={"organization": getattr(organization, "slug", organization), **kwargs})


@register.simple_tag(takes_context=True)
def here(context: Any, name: str, /, **kwargs: Any) -> str:
    """The address of another screen in the same context: this organization, or all of them."""
    return address(name, getattr(context.get("request"), "organization", None), **kwargs)


@register.simple_tag
def there(organization: Any, name: str, /, **kwargs: Any) -> str:
    """The address of a screen of the given organization."""
    return address(name, organization, **kwargs)


@register.simple_tag(takes_context=True)
def here_if_any(context: Any, name: str, /, **kwargs: Any) -> str:
    """Like `here`, but empty when there is no such screen in this context."""
    try:
        return here(context, name, **kwargs)
    except NoReverseMatch:
        return ""


@register.simple_tag
def there_if_any(organization: Any, name: str, /, **kwargs: Any) -> str:
    """Like `there`, but empty when there is no such screen."""
    try:
        return address(name, organization, **kwargs)
    except NoReverseMatch:
        return ""


@register.simple_tag
def url_if_any(name: str, /, **kwargs: Any) -> str:
    """`{% url %}` that is empty when there is no such address."""
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return ""
