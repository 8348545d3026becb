"""What the list shows of each application beside its own fields: rules by kind, strength, use, matches, computers.

A fixed number of statements for a page, however many rules its applications have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from policies import match_counts, queries
from policies.application_findings import finding_counts
from policies.application_names import shown_name
from policies.match_counts import Matches
from policies.models import Application, FileRule, Level, PolicyApplication
from policies.previews import WINDOW_DAYS, computers_seen
from policies.strength import Strength, strength, weakest
from portal.tenants import queries as tenants
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

MOST_JUDGED = 40  # rules of one application, those with the fewest conditions: the weakest is among them
_BOXES = ("hash", "path", "process", "created_by", "certificate")
_SCOPE_WORDS = {
    Level.GLOBAL: ("global", "global"),
    Level.ORGANIZATION: ("organization", "organizations"),
    Level.GROUP: ("group", "groups"),
    Level.COMPUTER: ("computer", "computers"),
}


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """Rules by what they go by first: a hash, else a signer, else a path, else a program."""

    hash: int = 0
    signer: int = 0
    path: int = 0
    program: int = 0

    @property
    def total(self) -> int:
        return self.hash + self.signer + self.path + self.program

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """(word, number) of the kinds there are."""
        found = [("hash", self.hash), ("path", self.path), ("signer", self.signer), ("program", self.program)]
        return [(word, n) for word, n in found if n]


@dataclass(frozen=True, slots=True)
class Use:
    """How many policies of one level name an application."""

    level: str
    number: int

    @property
    def words(self) -> str:
        one, many = _SCOPE_WORDS[Level(self.level)]
        return f"{self.number:,} {one if self.number == 1 else many}"


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One line. `strength` is None without a rule; `matches` and `computers` are of the last 30 days. `findings`: what
    lint keeps about it, 0 where no one organization is looked at."""

    application: Application
    name: str
    rules: RuleCounts
    strength: Strength | None
    uses: tuple[Use, ...]
    matches: Matches
    computers: int
    findings: int = 0


def application_rows(
    reach: Reach, organization: Organization | None, applications: Sequence[Application]
) -> list[ApplicationRow]:
    """The lines of a page, in its order. Use and matches are those in `organization` and beneath, or all in reach."""
    ids = [application.id for application in applications]
    here = reach_in(reach, organization)
    counts = rule_counts(reach, ids)
    judged = strengths(reach, applications, counts)
    used = uses_of(reach, organization, ids)
    matches = match_counts.of_applications(here, ids)
    computers = computers_seen()(here, ids, WINDOW_DAYS)
    findings = finding_counts(reach, organization, ids) if organization else {}
    return [
        ApplicationRow(
            application=one,
            name=shown_name(one, organization),
            rules=counts.get(one.id, RuleCounts()),
            strength=judged.get(one.id),
            uses=used.get(one.id, ()),
            matches=matches.get(one.id, match_counts.NONE),
            computers=computers.get(one.id, 0),
            findings=findings.get(one.id, 0),
        )
        for one in applications
    ]


def reach_in(reach: Reach, organization: Organization | None) -> Reach:
    """The part of a reach that numbers on a screen of `organization` are about: it and what lies beneath."""
    return reach.within(tenants.beneath(reach, organization.id)) if organization else reach


def rule_counts(reach: Reach, application_ids: Sequence[UUID]) -> dict[UUID, RuleCounts]:
    """Application id -> its rules by kind. One statement; applications without a rule are missing."""
    no_hash = Q(hash="")
    unsigned = no_hash & Q(certificate="")
    found = (
        FileRule.objects.within(reach)
        .filter(application_id__in=application_ids)
        .order_by()
        .values_list("application_id")
        .annotate(
            hashes=Count("id", filter=~no_hash),
            signers=Count("id", filter=no_hash & ~Q(certificate="")),
            paths=Count("id", filter=unsigned & ~Q(path="")),
            programs=Count("id", filter=unsigned & Q(path="")),
        )
    )
    return {application: RuleCounts(*numbers) for application, *numbers in found}


def strengths(
    reach: Reach, applications: Sequence[Application], counts: dict[UUID, RuleCounts]
) -> dict[UUID, Strength]:
    """Application id -> the strength of its weakest rule. One statement: hashes are all alike and are not read."""
    systems = {application.id: application.os for application in applications}
    found: dict[UUID, list[Strength]] = defaultdict(list)
    for rule in _fewest_conditions(reach, list(systems)):
        found[rule.application_id].append(strength(rule, systems[rule.application_id]))
    exact = strength(FileRule(hash="0" * 64), "windows")
    for application_id, counted in counts.items():
        if counted.hash:
            found[application_id].append(exact)
    return {application: worst for application, rules in found.items() if (worst := weakest(rules)) is not None}


def _fewest_conditions(reach: Reach, application_ids: Sequence[UUID]) -> QuerySet[FileRule]:
    conditions = sum(
        (Case(When(**{box: ""}, then=Value(0)), default=Value(1), output_field=IntegerField()) for box in _BOXES),
        start=Value(0),
    )
    place = Window(
        RowNumber(),
        partition_by=[F("application_id")],
        order_by=[conditions, F("certificate").asc(), F("position").asc()],
    )
    rules: QuerySet[FileRule] = FileRule.objects.within(reach).filter(application_id__in=application_ids, hash="")
    return rules.order_by().annotate(place=place).filter(place__lte=MOST_JUDGED)


def uses_of(
    reach: Reach, organization: Organization | None, application_ids: Sequence[UUID]
) -> dict[UUID, tuple[Use, ...]]:
    """Application id -> how many policies name it, by level: those in `organization` and beneath and the global ones
    above it, or all in reach.
    """
    links = PolicyApplication.objects.within(reach).filter(application_id__in=application_ids)
    if organization is not None:
        above = Q(policy__level=Level.GLOBAL, policy__organization__in=queries.ancestors(reach, organization.id))
        links = links.filter(Q(policy__organization__in=tenants.beneath(reach, organization.id)) | above)
    found: dict[UUID, list[Use]] = defaultdict(list)
    counted = links.order_by().values_list("application_id", "policy__level").annotate(n=Count("id"))
    for application_id, level, number in counted:
        found[application_id].append(Use(level, number))
    order = list(_SCOPE_WORDS)
    return {key: tuple(sorted(uses, key=lambda use: order.index(Level(use.level)))) for key, uses in found.items()}
