"""Content-addressed layers: the policies of one target, and one application each. Shared by all who need them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from policies.compile.places import Places
from policies.compile.rules import Rules
from policies.engine import bundle, model

_Target = tuple[model.Level, str]


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of a bundle. `digest` is the hex SHA-256 of `blob`; `name` is for people."""

    kind: Literal["policies", "application"]
    name: str
    digest: str
    blob: bytes


class LayerStore:
    """Makes each layer of one organization once. Disabled policies are left out, and so are arms that are
    over; expired ones are not, since the computer checks the time itself and a bundle must not change by itself."""

    def __init__(self, rules: Rules, places: Places) -> None:
        self._rules = rules
        self._places = places
        self._by_os: dict[str, dict[_Target, list[model.Policy]]] = {}
        self._policy_layers: dict[tuple[str, _Target], Layer] = {}
        self._application_layers: dict[str, Layer] = {}
        self._bundles: dict[tuple[str, tuple[_Target, ...]], tuple[Layer, ...]] = {}

    def layers(self, *, computer: UUID, group: UUID, os: str) -> tuple[Layer, ...]:
        """The policies of the targets a computer stands under (global, organization, group, computer), then the
        applications these name, by name. Targets without a policy have no layer."""
        own = str(self._places.organization.id)
        targets: list[_Target] = [("global", target) for target in (own, *self._places.above(group, os))]
        targets += [("organization", own), ("group", str(group)), ("computer", str(computer))]
        by_target = self._policies(os)
        key = (os, tuple(target for target in targets if target in by_target))
        if key not in self._bundles:
            self._bundles[key] = self._bundle(*key)
        return self._bundles[key]

    def _policies(self, os: str) -> dict[_Target, list[model.Policy]]:
        if os not in self._by_os:
            by_target: dict[_Target, list[model.Policy]] = defaultdict(list)
            for policy in self._rules.policies_for(os):
                if policy.enabled:
                    by_target[policy.level, policy.target].append(policy)
            self._by_os[os] = dict(by_target)
        return self._by_os[os]

    def _bundle(self, os: str, targets: tuple[_Target, ...]) -> tuple[Layer, ...]:
        by_target = self._policies(os)
        named = {a for target in targets for policy in by_target[target] for a in policy.applications}
        applications = [self._application(a) for a in named]
        applications.sort(key=lambda layer: (layer.name, layer.digest))
        return (*(self._policy_layer(os, target) for target in targets), *applications)

    def _policy_layer(self, os: str, target: _Target) -> Layer:
        key = (os, target)
        if key not in self._policy_layers:
            level, target_id = target
            policies = sorted(self._policies(os)[target], key=lambda policy: (policy.order, policy.id))
            blob = bundle.compile_layer(level, target_id, policies)
            name = self._places.names.get(UUID(target_id), "")
            label = f"{level}: {name}" if name else level
            self._policy_layers[key] = Layer("policies", label, bundle.digest(blob), blob)
        return self._policy_layers[key]

    def _application(self, application_id: str) -> Layer:
        if application_id not in self._application_layers:
            application = self._rules.applications[application_id]
            blob = bundle.compile_application(application)
            self._application_layers[application_id] = Layer("application", application.name, bundle.digest(blob), blob)
        return self._application_layers[application_id]
