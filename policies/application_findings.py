"""How many things lint has to say of each application of a list, from what lint keeps; nothing is judged for this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from policies.linting import results
from policies.linting.acceptance import accepted_at
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def finding_counts(reach: Reach, organization: Organization, application_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Application id -> open findings about it or its rules, as kept for `organization`. Two statements."""
    if not application_ids:
        return {}
    wanted = " || ".join(f'@.application == "{one}" || @.subject == "{one}"' for one in application_ids)
    path = f'$[*] ? ((@.type == "application" || @.type == "rule") && ({wanted}))'
    accepted = accepted_at(reach, [organization.id])
    counts: Counter[UUID] = Counter()
    for organization_id, plains in results.kept_some(reach, [organization.id], path):
        for plain in plains:
            if (organization_id, plain["code"], UUID(plain["subject"])) not in accepted:
                counts[UUID(plain["application"] or plain["subject"])] += 1
    return dict(counts)
