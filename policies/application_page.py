"""What the page of one application shows: its rules with strength and matches, its use, what it met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies import match_counts, queries
from policies.application_names import shown_name
from policies.application_rows import RuleCounts, Use, reach_in, rule_counts, strengths, uses_of
from policies.catalogue import draft_of
from policies.match_counts import Matches
from policies.models import Application, FileRule, Policy
from policies.previews import WINDOW_DAYS, MatchPreview, computers_seen, match_preview
from policies.strength import Strength, strength
from portal.common.paging import Page, keyset
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

MOST_PATTERN_RULES = 100
HASHES_A_PAGE = 100
_MOST_POLICIES = 50
_MOST_PREVIEWED = 20_200


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule, how strong it is, and what it decided in the last 30 days."""

    rule: FileRule
    strength: Strength
    matches: Matches


@dataclass(frozen=True, slots=True)
class ApplicationPage:
    """`rules` are those that look at more than a hash, at most 100 (`has_more_rules`: there are more); the rules
    of a hash alone come by pages. Matches, computers and use are those in `organization` and beneath, or all in reach.
    """

    application: Application
    name: str
    counts: RuleCounts
    rules: tuple[RuleLine, ...]
    has_more_rules: bool
    hashes: Page[RuleLine]
    strength: Strength | None
    policies: tuple[Policy, ...]
    uses: tuple[Use, ...]
    matches: Matches
    computers: int


def application_page(
    reach: Reach, organization: Organization | None, application: Application, *, after: str = ""
) -> ApplicationPage:
    """The whole page. A fixed number of statements."""
    here = reach_in(reach, organization)
    counts = rule_counts(reach, [application.id])
    counted = counts.get(application.id, RuleCounts())
    patterned = queries.rules_of(reach, application.id).exclude(**_HASH_ALONE)[: MOST_PATTERN_RULES + 1]
    lines = rule_lines(here, application, patterned)
    return ApplicationPage(
        application=application,
        name=shown_name(application, organization),
        counts=counted,
        rules=tuple(lines[:MOST_PATTERN_RULES]),
        has_more_rules=len(lines) > MOST_PATTERN_RULES,
        hashes=hash_lines(reach, here, application, after=after),
        strength=strengths(reach, [application], counts).get(application.id),
        policies=tuple(queries.policies_using(reach, application.id)[:_MOST_POLICIES]),
        uses=uses_of(reach, organization, [application.id]).get(application.id, ()),
        matches=match_counts.of_applications(here, [application.id]).get(application.id, match_counts.NONE),
        computers=computers_seen()(here, [application.id], WINDOW_DAYS).get(application.id, 0),
    )


_HASH_ALONE = {"path": "", "process": "", "created_by": "", "certificate": ""}


def rule_lines(here: Reach, application: Application, rules: Iterable[FileRule]) -> list[RuleLine]:
    """Rules with their strength, and with the matches in `here`. One statement beside that of `rules`."""
    found = list(rules)
    matches = match_counts.of_rules(here, [rule.id for rule in found])
    return [RuleLine(rule, strength(rule, application.os), matches.get(rule.id, match_counts.NONE)) for rule in found]


def hash_lines(reach: Reach, here: Reach, application: Application, *, after: str = "") -> Page[RuleLine]:
    """A page of the rules of a hash alone, by position."""
    rules = queries.rules_of(reach, application.id).filter(**_HASH_ALONE)
    page = keyset(rules, order=("position", "id"), after=after, size=HASHES_A_PAGE)
    return Page(rule_lines(here, application, page.rows), page.next, page.previous)


def sightings(reach: Reach, organization: Organization | None, application: Application) -> MatchPreview:
    """What was seen in the last 30 days that any rule of the application matches."""
    rules: Sequence[FileRule] = list(queries.rules_of(reach, application.id)[:_MOST_PREVIEWED])
    return match_preview()(reach, application.os, [draft_of(rule) for rule in rules], organization)
