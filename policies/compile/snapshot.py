"""Everything that may apply to the computers of one organization, read at one moment."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from policies.compile.layers import Layer, LayerStore
from policies.compile.places import ModeInForce, Places, SettingsInForce, load_places
from policies.compile.rules import Rules, load_rules
from policies.engine.engine import Engine
from policies.engine.model import Place
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


class Snapshot:
    """What may apply to an organization's computers. No method reads the database.

    The methods take rows of `Computer` of this organization and read their own columns only (`id`, `group_id`,
    `os`, `mode`, `mode_ends_at`). `at` is an instant, now when not given.
    """

    def __init__(self, places: Places, rules: Rules) -> None:
        self.places = places
        self.rules = rules
        self._layers = LayerStore(rules, places)

    @property
    def organization_id(self) -> UUID:
        return self.places.organization.id

    def engine(self, os: str) -> Engine:
        """A new engine over everything for one operating system, disabled policies too. Not to be shared by threads."""
        return Engine(self.rules.applications_for(os), self.rules.policies_for(os), os)

    def place_of(self, computer: Computer, at: datetime | None = None) -> Place:
        """Where the computer stands and in which mode: the engine's `Place`."""
        return self.places.place_of(computer, at)

    def mode_of(self, computer: Computer, at: datetime | None = None) -> ModeInForce:
        """Mode, start, signed end, id of the mode window, and what follows the end."""
        return self.places.mode_of(computer, at)

    def settings_of(self, computer: Computer) -> SettingsInForce:
        """The agent settings in force, and the row that says so."""
        return self.places.settings_of(computer)

    def layers_of(self, computer: Computer) -> tuple[Layer, ...]:
        """The computer's layers in a fixed order: policies (global, organization, group, computer), then the
        applications these name. The same content always has the same bytes; equal layers are the same object."""
        return self._layers.layers(computer=computer.id, group=computer.group_id, os=computer.os)


def snapshot(reach: Reach, organization_id: UUID) -> Snapshot:
    """Read one organization's policies, applications, groups, settings and mode windows: about ten statements,
    however many computers there are. Raises NotFound when the organization is out of reach."""
    places = load_places(reach, organization_id, with_windows=True)
    return Snapshot(places, load_rules(organization_id, places.ancestors))
