"""Times on screen: stored in UTC, shown in the viewer's zone with its name, and as how long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.common import clock

FORMS = {
    "time": "%H:%M:%S",
    "short": "%H:%M",
    "day": "%d %b %Y",
    "head": "%a %d %b, %H:%M %Z",
    "full": "%a %d %b %Y, %H:%M:%S %Z",
}
_UNITS = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (10**12, 86400, "d"))


def zone_of(context: Any) -> ZoneInfo:
    """The viewer's own zone, else the organization's, else UTC."""
    request = context.get("request")
    user, organization = getattr(request, "user", None), getattr(request, "organization", None)
    for name in (getattr(user, "time_zone", ""), getattr(organization, "time_zone", "")):
        try:
            return ZoneInfo(name) if name else ZoneInfo("UTC")
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return ZoneInfo("UTC")


def exact(moment: datetime, zone: ZoneInfo) -> str:
    """`Thu 21 Nov 2026, 14:02:07 CET · 13:02:07 UTC`: what stands in the title of every time."""
    local = moment.astimezone(zone).strftime(FORMS["full"])
    return local if zone.key == "UTC" else f"{local} · {moment.astimezone(UTC):%H:%M:%S} UTC"


def smart(moment: datetime, zone: ZoneInfo) -> str:
    """The shortest form that cannot be misread: today the time, this year the day and the time, else the day."""
    local, today = moment.astimezone(zone), clock.now().astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    if local.date() == today.date() - timedelta(days=1):
        return local.strftime("yesterday %H:%M")
    return local.strftime("%d %b %H:%M" if local.year == today.year else "%d %b %Y")


def axis(marks: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    """Labels under a time axis: minutes, the day where it changes; only days when the marks are a day or more apart."""
    local = [mark.astimezone(zone) for mark in marks]
    if len(local) > 1 and local[1] - local[0] >= timedelta(hours=20):
        return [mark.strftime("%a %d") for mark in local]
    before = [None, *(mark.date() for mark in local)]
    forms = ("%H:%M" if mark.date() == day else "%a %H:%M" for mark, day in zip(local, before, strict=False))
    return [mark.strftime(form) for mark, form in zip(local, forms, strict=True)]


def length(seconds: float) -> str:
    """`12 s`, `22 min`, `3 h`, `11 d`: one unit, rounded down to what has passed."""
    size = abs(int(seconds))
    for limit, unit, word in _UNITS:
        if size < limit:
            return f"{size // unit} {word}"
    raise AssertionError("the last unit has no limit")


def ago(moment: datetime) -> str:
    seconds = (clock.now() - moment).total_seconds()
    return f"in {length(seconds)}" if seconds < 0 else f"{length(seconds)} ago"


def left(moment: datetime) -> str:
    """`1 h 59 min left`, `29:58 left`, `12 s left`, `over`; static/js/countdown.js says it with the same words."""
    seconds = -int((clock.now() - moment).total_seconds() // 1)
    if seconds <= 0:
        return "over"
    if seconds < 60:
        return f"{seconds} s left"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02d} min left" if hours else f"{minutes}:{seconds % 60:02d} left"


def element(moment: datetime | None, words: str, zone: ZoneInfo, *, is_relative: bool) -> SafeString:
    if moment is None:
        return format_html('<span class="quiet">{}</span>', "–")
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.astimezone(UTC).isoformat(timespec="seconds"),
        exact(moment, zone),
        format_html("{}", " data-ago") if is_relative else "",
        words,
    )
