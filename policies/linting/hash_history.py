"""How often the files of applications made of hashes changed their hash lately, from what the audit saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from policies.engine.lint.application_checks import HASHES_SAY_SOMETHING
from policies.engine.model import Application
from policies.upkeep.evidence import Asked, Needles, evidence
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_MOST_HASHES = 400


def hashes_per_path(
    reach: Reach, organization: Organization, os: str, applications: Iterable[Application]
) -> Mapping[str, int]:
    """By application made of hashes: the most of its hashes that were seen at one path in the last 30 days.

    Looks at the newest few hundred of each.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    for application in applications:
        if _is_asked(application):
            for rule in application.rules[-_MOST_HASHES:]:
                owners[rule.hash].add(application.id)
    if not owners:
        return {}
    seen = evidence().sightings(reach, Asked(organization, os, Needles(hashes=tuple(owners))))
    at: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in seen.rows:
        for application_id in owners.get(row.sha256, ()):
            at[application_id, row.path].add(row.sha256)
    most: dict[str, int] = defaultdict(int)
    for (application_id, _), hashes in at.items():
        most[application_id] = max(most[application_id], len(hashes))
    return dict(most)


def _is_asked(application: Application) -> bool:
    rules = application.rules
    made_of_hashes = all(rule.hash and not rule.certificate for rule in rules)
    return not application.builtin and len(rules) >= HASHES_SAY_SOMETHING and made_of_hashes
