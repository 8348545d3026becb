"""From rows to what a computer enforces: engine values, the place of each computer, content-addressed layers.

Everything is read once per organization (about ten statements), however many computers ask. Nothing is signed
here; `agents.bundles` does that.
"""

from policies.compile.layers import Layer
from policies.compile.places import ModeInForce, Places, SettingsInForce, load_places
from policies.compile.rules import Rules, load_rules
from policies.compile.snapshot import Snapshot, snapshot

__all__ = [
    "Layer",
    "ModeInForce",
    "Places",
    "Rules",
    "SettingsInForce",
    "Snapshot",
    "load_places",
    "load_rules",
    "snapshot",
]
