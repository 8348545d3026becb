"""Where a finding leads: the place of its subject, and the screen that can mend it."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode
from uuid import UUID

from django.urls import NoReverseMatch

from policies.linting import words
from policies.linting.finding import Fix
from policies.linting.judging import Plain
from portal.common.templatetags.portcullis import address
from portal.tenants.models import Organization

_STAND_INS = ("00000000-0000-0000-0000-0000000000a1", "00000000-0000-0000-0000-0000000000a2")


def link_of(subject_type: str, subject: UUID, application: UUID | None, home: Organization | None) -> str:
    """The subject's place in its own organization; empty when that is out of reach."""
    if home is None:
        return ""
    if subject_type == "policy":
        return f"{_address('policies:policy-list', home)}?include_disabled=true#policy-{subject}"
    page = _address("policies:application-detail", home, application=application or subject)
    return f"{page}#rule-{subject}" if subject_type == "rule" else page


def linked_fix(remedy: str, plain: Plain, home: Organization) -> Fix | None:
    """The screen that mends it, filled in as far as it is known; None when there is no such screen."""
    try:
        href = _screen(remedy, plain, home)
    except NoReverseMatch:
        return None
    return Fix(remedy, words.LINKED[remedy], is_done_here=False, href=href)


@lru_cache(maxsize=4_096)
def _shape(name: str, slug: str, parameters: tuple[str, ...]) -> str:
    """The address with a stand-in for each parameter: looking an address up costs more than all else of a finding."""
    return address(name, slug, **dict(zip(parameters, _STAND_INS, strict=False)))


def _address(name: str, organization: Organization, **parameters: object) -> str:
    found = _shape(name, organization.slug, tuple(parameters))
    for stand_in, value in zip(_STAND_INS, parameters.values(), strict=False):
        found = found.replace(stand_in, str(value))
    return found


def _screen(remedy: str, plain: Plain, home: Organization) -> str:
    if remedy in ("add_ringfence", "edit_policy"):
        page = _address("policies:policy-edit", home, policy=plain["subject"])
        return f"{page}?{urlencode({'suggest': 'ringfence'})}" if remedy == "add_ringfence" else page
    application = plain["application"]
    if remedy == "collapse":
        return _address("policies:application-collapse", home, application=application)
    if remedy == "merge":
        ids = ",".join((application, plain["others"][0]))
        return f"{_address('policies:application-merge', home)}?{urlencode({'ids': ids})}"
    return _address("policies:lint-condition", home, application=application, rule=plain["subject"])
