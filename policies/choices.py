"""What the forms of this floor offer: scopes, applications, neighbours, each as far as the reach goes."""

from __future__ import annotations

from policies import listing, queries
from policies.application_names import shown_name
from policies.listing import PolicyTerms
from policies.models import Application, Kind, Level, Policy
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

MOST_COMPUTERS = 500
Grouped = list[tuple[str, list[tuple[str, str]]]]


def scope_choices(reach: Reach, organization: Organization, *, of: Policy | None = None) -> Grouped:
    """`level:target` values, grouped by level. Computers are offered as long as there are at most 500; the scope that
    the policy `of` has always is."""
    groups = list(tenants.groups(reach, organization.id))
    found: Grouped = []
    if reach.can(Capability.GLOBAL_WRITE, organization.id):
        everywhere = [(f"{Level.GLOBAL}:{g.id}", f"{g.name} (global group)") for g in groups if g.is_global]
        if organization.parent_id is None:
            everywhere.insert(0, (f"{Level.GLOBAL}:{organization.id}", f"{organization.name} and all beneath"))
        found.append(("Global", everywhere))
    found.append(("Organization", [(f"{Level.ORGANIZATION}:{organization.id}", organization.name)]))
    found.append(("Groups", [(f"{Level.GROUP}:{g.id}", g.name) for g in groups if not g.is_global]))
    computers = list(tenants.computers(reach, organization.id)[: MOST_COMPUTERS + 1])
    if len(computers) <= MOST_COMPUTERS:
        found.append(("Computers", [(f"{Level.COMPUTER}:{c.id}", c.name) for c in computers]))
    if of is not None and f"{of.level}:{of.target_id}" not in {value for _, values in found for value, _ in values}:
        found.append(("Now", [(f"{of.level}:{of.target_id}", of.target_name)]))
    return [(label, choices) for label, choices in found if choices]


def application_choices(reach: Reach, organization: Organization, *, of: Policy | None = None) -> Grouped:
    """Applications that the organization's policies may name: its own, inherited ones, built-in ones; and hidden ones
    that the policy `of` names already."""
    found: dict[str, list[tuple[str, str]]] = {"Own": [], "From above": [], "Built-in": [], "Hidden": []}
    if of is not None:
        found["Hidden"] = [(str(a.id), _label(a, organization)) for a in of.named_applications if a.hidden]
    for application in queries.applications_for(reach, organization.id).filter(hidden=False):
        home = "Own" if application.organization_id == organization.id else "From above"
        label = "Built-in" if application.kind == Kind.BUILTIN else home
        found[label].append((str(application.id), _label(application, organization)))
    return [(label, choices) for label, choices in found.items() if choices]


def _label(application: Application, organization: Organization) -> str:
    name = shown_name(application, organization)
    return f"{name} ({application.get_os_display()})" if application.os != "windows" else name


def neighbour_choices(
    reach: Reach, organization: Organization, *, moving: Policy | None = None
) -> list[tuple[str, str]]:
    """Policies of the organization's list, with their orders, to place another one before or after.

    With `moving` only those that it can change places with.
    """
    listed = listing.policies_listed(reach, PolicyTerms(organization=str(organization.id), include_disabled=True))
    if moving is not None:
        listed = listed.filter(kind=moving.kind).exclude(id=moving.id)
    return [(str(p.id), f"{p.order:,}  {p.name}") for p in listed.filter(is_default=False)]
