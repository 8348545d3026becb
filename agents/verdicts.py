"""What became of a deployment, in words: the sentence on top of its page, and the chip of each computer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agents.models import Deployment, DeploymentTarget
from agents.models.deployments import DeploymentState, TargetState
from agents.queries import Progress


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tone and icon of the design, a sentence, and what follows from it."""

    tone: str
    icon: str
    text: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Chip:
    """One computer's state in a table: the word of the design's delivery chip, its text, and the reason beside it."""

    state: str
    text: str
    reason: str = ""


_LOOKS = {
    DeploymentState.ROLLING: ("behind", "clock-pause"),
    DeploymentState.SUCCEEDED: ("live", "circle-check"),
    DeploymentState.PARTLY_FAILED: ("refused", "alert-triangle"),
    DeploymentState.FAILED: ("refused", "ban"),
    DeploymentState.CANCELLED: ("none", "player-stop"),
    DeploymentState.SUPERSEDED: ("none", "replace"),
}


def verdict(deployment: Deployment, progress: Progress) -> Verdict:
    """How the deployment stands, counted from acknowledgements only."""
    tone, icon = _LOOKS[DeploymentState(deployment.state)]
    return Verdict(tone, icon, _sentence(deployment, progress), _consequence(deployment, progress))


def _sentence(deployment: Deployment, progress: Progress) -> str:
    if progress.total and progress.live == progress.total:
        return "Live on the computer." if progress.total == 1 else f"Live on all {progress.total:,} computers."
    parts = [f"Live on {progress.live:,} of {progress.total:,}."]
    counted = (
        (progress.refused, "refused"),
        (progress.unreachable, "unreachable"),
        (progress.of(TargetState.OFFERED), "sent"),
        (progress.of(TargetState.PENDING, TargetState.BUILT), "waiting"),
        (progress.of(TargetState.SUPERSEDED), "superseded"),
        (progress.of(TargetState.CANCELLED), "not sent"),
    )
    words = [f"{count:,} {word}" for count, word in counted if count]
    if words:
        parts.append(", ".join(words) + ".")
    if deployment.state == DeploymentState.CANCELLED:
        parts.insert(0, "Cancelled.")
    return " ".join(parts)


def _consequence(deployment: Deployment, progress: Progress) -> str:
    state = deployment.state
    if state == DeploymentState.ROLLING and deployment.cancelled_at:
        return "Cancelled: nothing more is sent. What was sent already cannot be called back and ends by itself."
    if state == DeploymentState.ROLLING:
        return "Each computer says itself when it runs the new bundle. You may leave this page; nothing stops."
    if progress.unreachable:
        return "Unreachable computers keep what they run and receive the newest bundle when they return."
    if state == DeploymentState.SUPERSEDED:
        successor = f" by {deployment.superseded_by}" if deployment.superseded_by else ""
        return f"Superseded{successor}: the rest received something newer."
    if progress.refused:
        return "Refusing computers keep the bundle they ran before. The reasons stand in the table."
    if state == DeploymentState.SUCCEEDED:
        return "Every computer of the scope has acknowledged the bundle's hash with its own key."
    return ""


def chip(target: DeploymentTarget, applied_at: str) -> Chip:
    """One computer's state. `applied_at`: the instant of its acknowledgement, as the viewer reads it."""
    version = f"v{target.manifest.version}" if target.manifest else ""
    keeps = _keeps(target)
    if target.state == TargetState.APPLIED:
        return Chip("live", f"Live {version} · {applied_at}")
    if target.state == TargetState.REFUSED:
        return Chip("refused", f"Refused{f', keeps {keeps}' if keeps else ''}", target.reason)
    if target.state == TargetState.UNREACHABLE:
        held = f"Keeps {keeps}, receives" if keeps else "Receives"
        return Chip("unreachable", "Unreachable", f"{held} the newest when it returns.")
    if target.state == TargetState.OFFERED:
        return Chip("sent", f"Sent {version}")
    if target.state in (TargetState.PENDING, TargetState.BUILT):
        return Chip("building", "Building" if target.state == TargetState.PENDING else f"Built {version}")
    return Chip(target.state, target.get_state_display(), target.reason)


def _keeps(target: DeploymentTarget) -> str:
    delivery = getattr(target.computer, "delivery", None)
    return f"v{delivery.running_version}" if delivery is not None and delivery.running_version else ""
