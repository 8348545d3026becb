"""Which application a copied policy names at its target: the same, one of that name, a copy, or another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from policies import queries
from policies.copying.wishes import COPY, LEAVE_OUT, Wishes
from policies.models import Application, Kind
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

Use = Literal["same", "named", "copy", "chosen", "leave_out", "none"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An application at a target organization. `to`: what policies name there; None when it is left out or is yet to
    be copied. `options`: what may be taken instead. `may_copy`: whether an application may be made there."""

    application: Application
    use: Use
    to: Application | None = None
    options: tuple[Application, ...] = ()
    may_copy: bool = False
    why: str = ""

    @property
    def needs_a_decision(self) -> bool:
        return self.use == "none"

    @property
    def is_settled(self) -> bool:
        """There is nothing to choose: it is the same application."""
        return self.use == "same"


@dataclass(slots=True)
class Visible:
    """The applications that the policies of one organization may name, found by id and by name."""

    organization_id: UUID
    may_copy: bool
    by_id: dict[UUID, Application] = field(default_factory=dict)
    named: dict[tuple[str, str], Application] = field(default_factory=dict)
    custom: dict[str, list[Application]] = field(default_factory=lambda: defaultdict(list))

    def mapped(self, application: Application, wishes: Wishes) -> Mapped:
        """What the application becomes here."""
        if application.id in self.by_id:
            return Mapped(application, "same", application)
        options = tuple(self.custom[application.os])
        wish = wishes.applications.get((self.organization_id, application.id), "")
        twin = self.named.get((application.name.casefold(), application.os))
        if wish == LEAVE_OUT:
            return Mapped(application, "leave_out", None, options, self.may_copy)
        if wish == COPY and self.may_copy and twin is None:
            return Mapped(application, "copy", None, options, True)
        chosen = next((option for option in options if str(option.id) == wish), None)
        if chosen is not None:
            return Mapped(application, "chosen", chosen, options, self.may_copy and twin is None)
        if twin is not None:
            return Mapped(application, "named", twin, options, False, "It has the same name and system.")
        why = "It belongs to another organization, and there is none of its name here."
        if not self.may_copy:
            why += " You may not create applications here."
        return Mapped(application, "none", None, options, self.may_copy, why)


def visible_to(reach: Reach, organization_id: UUID) -> Visible:
    """What one organization's policies may name. Hidden ones are not offered, but stay what they are."""
    found = Visible(organization_id, reach.can(Capability.APPLICATION_WRITE, organization_id))
    for application in queries.applications_for(reach, organization_id):
        found.by_id[application.id] = application
        if application.kind == Kind.CUSTOM and not application.hidden:
            own = application.organization_id == organization_id
            key = (application.name.casefold(), application.os)
            if own or key not in found.named:
                found.named[key] = application
            found.custom[application.os].append(application)
    return found


def readable(reach: Reach, applications: Collection[Application]) -> dict[UUID, bool]:
    """Whether the rules of each may be read by this reach, so that they can be copied."""
    return {
        a.id: a.organization_id is None or reach.can(Capability.APPLICATION_READ, a.organization_id)
        for a in applications
    }
