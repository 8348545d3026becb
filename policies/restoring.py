"""Deleted policies as they were: kept as plain JSON, and made again with the same ids, numbers, orders and links."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from policies import queries
from policies.drafts import draft_of
from policies.models import Application, Policy
from policies.policy_writes import count_change, set_applications, told
from policies.scopes import scope_of
from portal.tenants import journal
from portal.tenants.models import Computer, ComputerGroup
from portal.tenants.reach import Reach


class _Whole(DjangoJSONEncoder):
    """Django's encoder cuts instants to milliseconds; what comes back must be what was."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


_FIELDS = tuple(field for field in Policy._meta.concrete_fields)


def kept_rows(reach: Reach, policies: Sequence[Policy]) -> list[dict[str, Any]]:
    """Every column of the policies, their applications in order, and which policies follow them."""
    found = []
    for policy in policies:
        columns = {field.attname: getattr(policy, field.attname) for field in _FIELDS}
        row = {
            "columns": columns,
            "applications": queries.application_ids(reach, policy.id),
            "followers": list(Policy.objects.within(reach).filter(linked_to=policy).values_list("id", flat=True)),
        }
        found.append(json.loads(json.dumps(row, cls=_Whole)))
    return found


def policy_of(row: Mapping[str, Any]) -> Policy:
    """The unsaved policy that a kept row tells of. A column that came later has its default."""
    columns = row["columns"]
    known = {f.attname: f.to_python(columns[f.attname]) for f in _FIELDS if f.attname in columns}
    return Policy(**known)


def obstacles(reach: Reach, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What keeps the policies from being made again as they were, in words; nothing when nothing does."""
    found = []
    for row in rows:
        policy = policy_of(row)
        if policy.target_group_id and not _exists(reach, ComputerGroup, policy.target_group_id):
            found.append(f"the group of {policy.name} is gone")
            continue
        if policy.target_computer_id and not _exists(reach, Computer, policy.target_computer_id):
            found.append(f"the computer of {policy.name} is gone")
            continue
        taken = Policy.objects.within(reach).filter(**scope_of(policy).columns(), order=policy.order).first()
        if taken is not None:
            found.append(f"{taken.name} has the order {policy.order:,} of {policy.name}")
        wanted = [UUID(application) for application in row["applications"]]
        if Application.objects.within(reach).filter(id__in=wanted).count() < len(wanted):
            found.append(f"an application of {policy.name} is gone")
        leader = policy.linked_to_id
        together = {other["columns"]["id"] for other in rows}
        if leader and str(leader) not in together and not _exists(reach, Policy, leader):
            found.append(f"the policy that {policy.name} follows is gone")
    return found


def _exists(reach: Reach, model: Any, wanted: UUID) -> bool:
    return bool(model.objects.within(reach).filter(id=wanted).exists())


def restore(reach: Reach, rows: Sequence[Mapping[str, Any]]) -> list[Policy]:
    """Make the policies again. Call it with the organization locked, the rights checked and no `obstacles`."""
    made = []
    for row in rows:
        policy = policy_of(row)
        leader, policy.linked_to_id = policy.linked_to_id, None
        when = {"created_at": policy.created_at, "changed_at": policy.changed_at}
        policy.save(force_insert=True)
        applications = [UUID(application) for application in row["applications"]]
        set_applications(policy, applications)
        Policy.objects.within(reach).filter(id=policy.id).update(**when)
        made.append((policy, leader, [UUID(one) for one in row["followers"]]))
        after = told(draft_of(policy, applications), policy.order)
        journal.record(reach, "policy.restored", policy, organization_id=policy.organization_id, after=after)
        count_change(reach, policy, "policy.restored", f"{policy.name} restored", was_enabled=policy.is_on())
    for policy, leader, followers in made:
        Policy.objects.within(reach).filter(id=policy.id).update(linked_to=leader)
        Policy.objects.within(reach).filter(id__in=followers, linked_to__isnull=True).update(linked_to=policy.id)
    return [policy for policy, _, _ in made]
