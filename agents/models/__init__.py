"""Rows of this app: who an agent is (`identity`), what it must enforce (`bundles`), who was sent what
(`deployments`)."""

from __future__ import annotations

from agents.models.bundles import Blob, Delivery, Manifest
from agents.models.deployments import Deployment, DeploymentTarget, PeriodicJob
from agents.models.identity import AgentNonce, ComputerKey, InstallKey

__all__ = [
    "AgentNonce",
    "Blob",
    "ComputerKey",
    "Delivery",
    "Deployment",
    "DeploymentTarget",
    "InstallKey",
    "Manifest",
    "PeriodicJob",
]
