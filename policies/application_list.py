"""The list of applications: what may be asked of it, which rows answer, in which order, and what stands beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Count, DateTimeField, Exists, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from policies import queries
from policies.models import Application, Category, FileRule, Kind, MatchCount, PolicyApplication
from portal.common import clock
from portal.tenants.models import OperatingSystem, Organization
from portal.tenants.reach import Reach

UNUSED_WEEKS = 6
MANY_HASHES = 1_000
WINDOW_DAYS = 30
ORIGINS = (("own", "Own"), ("above", "From above"), ("builtin", "Built-in"))
CONDITIONS = (
    ("unused", f"Unused {UNUSED_WEEKS} weeks"),
    ("no_policy", "No policy"),
    ("many_hashes", f"Over {MANY_HASHES:,} hashes"),
    ("hash_only", "Hashes only"),
    ("shares_hashes", "Shares a hash"),
    ("mine", "Mine"),
    ("include_hidden", "Hidden too"),
)
SORTS = {
    "name": ("name", "id"),
    "changed": ("changed_at", "id"),
    "rules": ("rule_count", "id"),
    "policies": ("policy_count", "id"),
    "matches": ("match_count", "id"),
    "last_match": ("matched_at", "id"),
}
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST_HASH = 8


@dataclass(frozen=True, slots=True)
class ApplicationTerms:
    """What a list asks for; empty = everything that is not hidden. `q`: in the name, the publisher or a rule."""

    q: str = ""
    origin: str = ""
    kind: str = ""
    os: str = ""
    category: str = ""
    unused: bool = False
    no_policy: bool = False
    many_hashes: bool = False
    hash_only: bool = False
    shares_hashes: bool = False
    mine: bool = False
    include_hidden: bool = False
    sort: str = "name"

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> ApplicationTerms:
        """From a query string that was read already; names that are none of these are left out."""
        return cls(**{name: value for name, value in asked.items() if name in cls.__slots__ and value})

    @property
    def order(self) -> tuple[str, ...]:
        """The keys to page by. Numbers and times come largest first by `-`."""
        fields = SORTS.get(self.sort.lstrip("-"), SORTS["name"])
        return tuple(f"-{name}" for name in fields) if self.sort.startswith("-") else fields


def applications_listed(
    reach: Reach, organization: Organization | None, terms: ApplicationTerms
) -> QuerySet[Application]:
    """Applications that policies of `organization` may name, or all in reach, narrowed and in the order asked for."""
    found = queries.applications_named(reach, organization).select_related("organization")
    found = _narrowed(reach, organization, found, terms)
    key = terms.order[0].lstrip("-")
    if key in _COUNTED:
        found = found.annotate(**{key: _COUNTED[key](reach)})
    return found.order_by(*terms.order)


def _per_application(rows: QuerySet[Any], what: Any, kind: Any, nothing: Any) -> Coalesce:
    """A number or time of the rows that belong to each application."""
    own = rows.filter(application=OuterRef("pk")).order_by()
    return Coalesce(Subquery(own.values("application").annotate(n=what).values("n"), output_field=kind), nothing)


def _recent(reach: Reach) -> QuerySet[MatchCount]:
    day = clock.now().date() - timedelta(days=WINDOW_DAYS)
    counts: QuerySet[MatchCount] = MatchCount.objects.within(reach).filter(day__gt=day)
    return counts


# What lists are sorted by that is no column: read only when it is asked for.
_COUNTED: dict[str, Callable[[Reach], Coalesce]] = {
    "rule_count": lambda reach: _per_application(FileRule.objects.within(reach), Count("id"), BigIntegerField(), 0),
    "policy_count": lambda reach: _per_application(
        PolicyApplication.objects.within(reach), Count("id"), BigIntegerField(), 0
    ),
    "match_count": lambda reach: _per_application(_recent(reach), Sum("count"), BigIntegerField(), 0),
    "matched_at": lambda reach: _per_application(_recent(reach), Max("last_at"), DateTimeField(), _NEVER),
}


def _narrowed(
    reach: Reach, organization: Organization | None, found: QuerySet[Application], terms: ApplicationTerms
) -> QuerySet[Application]:
    for name in ("kind", "os", "category"):
        if value := getattr(terms, name):
            found = found.filter(**{name: value})
    if terms.origin:
        found = found.filter(_of_origin(reach, organization, terms.origin))
    if terms.mine:
        found = found.filter(Q(created_by=reach.actor.name) | Q(changed_by=reach.actor.name))
    if not terms.include_hidden:
        found = found.filter(hidden=False)
    for name, condition in _RULE_CONDITIONS.items():
        if getattr(terms, name):
            found = condition(reach, found)
    return found.filter(_naming(reach, terms.q)) if terms.q else found


def _of_origin(reach: Reach, organization: Organization | None, origin: str) -> Q:
    if origin == "builtin":
        return Q(kind=Kind.BUILTIN)
    own = Q(organization_id=organization.id) if organization else ~Q(organization_id__in=reach.ancestors)
    return Q(kind=Kind.CUSTOM) & (own if origin == "own" else ~own)


def _naming(reach: Reach, text: str) -> Q:
    """In the name or publisher, or in a rule: part of a path, program or signer, or the beginning of a hash."""
    wanted = Q(path__icontains=text) | Q(certificate__icontains=text)
    wanted |= Q(process__icontains=text) | Q(created_by__icontains=text)
    wanted &= ~Q(path="", certificate="", process="", created_by="")
    if len(text) >= _SHORTEST_HASH and not set(text.lower()) - set("0123456789abcdef"):
        wanted |= Q(hash__startswith=text.lower())
    rules = FileRule.objects.within(reach).filter(wanted)
    return Q(name__icontains=text) | Q(publisher__icontains=text) | Q(id__in=rules.values("application_id"))


def _unused(reach: Reach, found: QuerySet[Application]) -> QuerySet[Application]:
    since = clock.now() - timedelta(weeks=UNUSED_WEEKS)
    counts = MatchCount.objects.within(reach).filter(application=OuterRef("pk"), day__gte=since.date())
    return found.filter(~Exists(counts), created_at__lt=since)


def _no_policy(reach: Reach, found: QuerySet[Application]) -> QuerySet[Application]:
    return found.filter(~Exists(PolicyApplication.objects.within(reach).filter(application=OuterRef("pk"))))


def _hashes(reach: Reach) -> QuerySet[FileRule]:
    hashes: QuerySet[FileRule] = FileRule.objects.within(reach).exclude(hash="").order_by()
    return hashes


def _many_hashes(reach: Reach, found: QuerySet[Application]) -> QuerySet[Application]:
    full = _hashes(reach).values("application").annotate(n=Count("id")).filter(n__gt=MANY_HASHES)
    return found.filter(id__in=full.values("application"))


def _hash_only(reach: Reach, found: QuerySet[Application]) -> QuerySet[Application]:
    own = FileRule.objects.within(reach).filter(application=OuterRef("pk"))
    return found.filter(Exists(own.exclude(hash="")), ~Exists(own.filter(hash="")))


def _shares_hashes(reach: Reach, found: QuerySet[Application]) -> QuerySet[Application]:
    """Of those that are listed: hashes that stand in two of them."""
    own = _hashes(reach).filter(application__in=found.order_by().values("id"))
    twice = own.values("hash").annotate(n=Count("application", distinct=True)).filter(n__gt=1)
    return found.filter(id__in=own.filter(hash__in=twice.values("hash")).values("application"))


_RULE_CONDITIONS = {
    "unused": _unused,
    "no_policy": _no_policy,
    "many_hashes": _many_hashes,
    "hash_only": _hash_only,
    "shares_hashes": _shares_hashes,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet: how many applications have it, with everything else that is asked for."""

    value: str
    label: str
    number: int
    is_on: bool


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    label: str
    choices: tuple[Choice, ...]


def facets(reach: Reach, organization: Organization | None, terms: ApplicationTerms) -> list[Facet]:
    """Origin, system and category with their numbers, most first. One statement."""
    wide = replace(terms, origin="", os="", category="")
    found = queries.applications_named(reach, organization)
    cells = _narrowed(reach, organization, found, wide).order_by().values_list("organization_id", "os", "category")
    counted = [
        ({"origin": _origin(reach, organization, owner), "os": os, "category": category}, n)
        for owner, os, category, n in cells.annotate(n=Count("id"))
    ]
    return [
        _facet("origin", "Origin", ORIGINS, counted, terms),
        _facet("os", "System", OperatingSystem.choices, counted, terms),
        _facet("category", "Category", Category.choices, counted, terms),
    ]


def _origin(reach: Reach, organization: Organization | None, owner: UUID | None) -> str:
    if owner is None:
        return "builtin"
    is_own = owner == organization.id if organization is not None else owner not in reach.ancestors
    return "own" if is_own else "above"


def _facet(
    name: str,
    label: str,
    values: Sequence[tuple[str, Any]],
    counted: Sequence[tuple[dict[str, str], int]],
    terms: ApplicationTerms,
) -> Facet:
    numbers: Counter[str] = Counter()
    for cell, n in counted:
        if all(not getattr(terms, other) or cell[other] == getattr(terms, other) for other in cell if other != name):
            numbers[cell[name]] += n
    now = getattr(terms, name)
    choices = [Choice(value, str(word), numbers[value], value == now) for value, word in values]
    shown = sorted((one for one in choices if one.number or one.is_on), key=lambda one: -one.number)
    return Facet(name, label, tuple(shown))
