"""What Permit Application proposes for an event, and why: every question of the sheet comes answered.

The automatic rule, after the advice on scripts of remote-management tools (narrow, and never a hash that changes):
1. unsigned, and the hash holds still: the hash. Nothing identifies a file better, so nothing is added to it.
2. signed: certificate and path. It outlives updates, and nobody else can sign.
3. else (unsigned, hash changes or was never read): the path, as an anchored pattern where the name changes, with the
   process and, whenever it was recorded, the program that wrote the file: a file put there by another is not it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from audit.event_rows import EventRow
from audit.history import History, history_of, history_of_alike, paths_alike
from audit.name_shapes import changes, proposed_pattern, split_path
from audit.stored_text import has_hidden_characters
from policies.catalogue import RuleDraft
from policies.strength import strength
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`rule` is the automatic choice, `why` its reasons; `manual` prefills every box that has a value.

    `ticked`: the boxes proposed for a manual choice. `sightings`: paths in the same folder, newest first, each once.
    `strength` of 5.
    """

    rule: RuleDraft
    why: tuple[str, ...]
    manual: RuleDraft
    ticked: frozenset[str]
    name: str
    history: History
    sightings: tuple[str, ...]
    warnings: tuple[str, ...]
    strength: int


def suggestion(reach: Reach, event: EventRow) -> Suggestion:
    """The prefilled answers for one event. Reads its file's history and the sightings beside it."""
    name_changes = changes(event.file_name)
    history = history_of_alike(reach, path=event.path, most=10) if name_changes else history_of(reach, event)
    os = event.computer.os if event.computer else "windows"
    sightings = tuple(paths_alike(reach, event.path, organization=event.organization))
    pattern = proposed_pattern(event.path, sightings, os) if event.path else ""
    manual = RuleDraft(
        hash=event.sha256,
        path=pattern or event.path,
        process=event.process,
        created_by=event.created_by,
        certificate=event.certificate,
    )
    rule, why = _automatic(event, history, manual, name_changes=bool(pattern))
    ticked = {name for name in ("hash", "path", "process", "created_by", "certificate") if getattr(rule, name)}
    if event.created_by:
        ticked.add("created_by")
    return Suggestion(
        rule=rule,
        why=why,
        manual=manual,
        ticked=frozenset(ticked),
        name=proposed_name(event),
        history=history,
        sightings=sightings,
        warnings=_warnings(event, history),
        strength=strength(rule, os).score,
    )


def automatic_rule(reach: Reach, event: EventRow) -> RuleDraft:
    """The rule of the automatic choice alone."""
    return suggestion(reach, event).rule


def own_value(event: EventRow, condition: str) -> str:
    """What the event itself says for one condition of a rule."""
    return {
        "hash": event.sha256,
        "path": event.path,
        "process": event.process,
        "created_by": event.created_by,
        "certificate": event.certificate,
    }[condition]


def _automatic(
    event: EventRow, history: History, manual: RuleDraft, *, name_changes: bool
) -> tuple[RuleDraft, tuple[str, ...]]:
    nothing = RuleDraft()
    if event.certificate and event.path:
        why = (
            f"Signed by {event.signer}: nobody else can make a file that matches.",
            "The path keeps it to this program.",
        )
        return replace(nothing, certificate=manual.certificate, path=manual.path), why
    if event.sha256 and not history.hash_changes and not name_changes:
        seen = history.sentence if history.versions else "It was not seen before."
        return replace(nothing, hash=manual.hash), (seen, "The hash is the surest way to know a file.")
    if event.sha256 and not event.path:
        return replace(nothing, hash=manual.hash), ("Only its hash is known.",)
    why_path = (
        history.sentence if history.hash_changes else "Its name changes each time, so a hash would stop matching."
    )
    reasons = [why_path]
    if name_changes:
        reasons.append("The pattern says how many characters change, and of which kind; all else is literal.")
    if event.created_by:
        reasons.append("Only files written by the same program match: a file somebody swaps in does not.")
    else:
        reasons.append("No created-by process was recorded, so the path and the launching program must do.")
    return replace(manual, hash="", certificate=""), tuple(reasons)


def _warnings(event: EventRow, history: History) -> tuple[str, ...]:
    found = []
    if history.hash_changes:
        found.append(history.sentence)
    if event.path and not event.created_by and not event.certificate:
        found.append("Without a created-by process, anyone who can write to this folder could place such a file.")
    if event.has_hidden_characters:
        found.append("This name contains characters that do not show. Treat with care.")
    return tuple(found)


def proposed_name(event: EventRow) -> str:
    """A name for a new application: the file's, or that of the folder in which changing scripts lie.

    Without the characters that do not show: a name of ours must not imitate another.
    """
    folder, file_name = split_path("".join(c for c in event.path if not has_hidden_characters(c)))
    stem = file_name.rpartition(".")[0] or file_name
    if changes(file_name):
        parent = [part for part in folder.replace("\\", "/").split("/") if part]
        return f"{parent[-1][:80]} scripts" if parent else "Scripts"
    return stem[:100] or event.signer[:100] or "Application"
