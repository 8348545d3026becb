"""What the dashboard tells of lint: how many findings are dangerous and accepted by nobody."""

from __future__ import annotations

from uuid import UUID

from policies.linting import results
from policies.linting.acceptance import accepted_at
from portal.common.registry import CardValue
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def dangers(reach: Reach, organization: Organization | None) -> CardValue:
    """The dangerous findings of an organization, or of all in reach, as they are kept. Two statements."""
    mine = reach.with_capability(Capability.POLICY_READ)
    wanted = sorted(mine & {organization.id} if organization else mine)
    kept = results.kept_some(reach, wanted, results.OWN_DANGERS)
    accepted = accepted_at(reach, wanted)
    number = sum(
        (organization_id, plain["code"], UUID(plain["subject"])) not in accepted
        for organization_id, plains in kept
        for plain in plains
    )
    href = f"{address('policies:lint', organization)}?severity=danger"
    return CardValue(number, "dangerous" if number else "nothing dangerous", href, "deny" if number else "none")
