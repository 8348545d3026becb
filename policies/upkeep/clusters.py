"""From what was seen of many hashes to a few rules that cover them: candidates by signer or writing program and folder,
then the smallest set of them that replaces most, weighed by what else they match. Pure but for `weigh`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.catalogue import RuleDraft
from policies.engine.folders import ground_of
from policies.engine.normal_form import normal_certificate
from policies.engine.rules import RuleError, check_rule
from policies.upkeep import generalizing
from policies.upkeep.evidence import Sighting
from policies.upkeep.matching import Matcher, engine_rule

MOST_RULES = 50
LEAST_HASHES = 2
_MOST_CANDIDATES = 400
_SCRIPTS = (".ps1", ".psm1", ".bat", ".cmd", ".vbs", ".js", ".wsf", ".py", ".sh", ".pl", ".rb")
# Programs that write or launch whatever somebody tells them to: that one of them did says nothing about a file.
_OBEDIENT = frozenset(
    {"explorer.exe", "chrome.exe", "msedge.exe", "firefox.exe", "brave.exe", "opera.exe", "iexplore.exe", "outlook.exe",
     "olk.exe", "teams.exe", "ms-teams.exe", "slack.exe", "onedrive.exe", "dropbox.exe", "cmd.exe", "powershell.exe",
     "pwsh.exe", "wscript.exe", "cscript.exe", "mshta.exe", "rundll32.exe", "7z.exe", "7zfm.exe", "7zg.exe",
     "winrar.exe", "winzip64.exe", "curl.exe", "wget.exe", "certutil.exe", "bitsadmin.exe", "robocopy.exe", "xcopy.exe",
     "python.exe", "node.exe", "git.exe", "msiexec.exe", "svchost.exe", "services.exe", "taskhostw.exe", "bash", "sh",
     "dash", "zsh", "curl", "wget", "python3", "cp", "mv", "tar", "git", "finder", "safari", "google chrome"}
)  # fmt: skip

# One sighting of one hash: the hash, and the number of its sighting.
Spot = tuple[str, int]
# What candidates match beside the hashes: (files, those that a deny policy stopped), in the order of the rules.
Weigh = Callable[[Sequence[RuleDraft]], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells files of one kind from others beside their path, or why nothing does."""

    boxes: tuple[tuple[str, str], ...] = ()
    why_not: str = ""


def identity(sighting: Sighting, os: str) -> Identity:
    """The signer; else the program that wrote it, unless that writes whatever it is told to into a folder that people
    write to; else, of a script, the program that launched it."""
    if sighting.certificate:
        return Identity((("certificate", sighting.certificate),))
    launcher = "" if _is_obedient(sighting.process) else generalizing.general_program(sighting.process, os)
    if sighting.created_by:
        if _is_obedient(sighting.created_by) and ground_of(sighting.path, os) != "protected":
            writer = _name(sighting.created_by)
            why = f"Unsigned, and written by {writer}, which writes whatever it is told to, where anybody can write."
            return Identity(why_not=why)
        writer = generalizing.general_program(sighting.created_by, os)
        if writer:
            also = (("process", launcher),) if is_script(sighting) and launcher else ()
            return Identity((("created_by", writer), *also))
    if not is_script(sighting):
        return Identity(why_not="Unsigned, and it is not known which program wrote it: only its hash tells it apart.")
    if launcher:
        return Identity((("process", launcher),))
    return Identity(why_not="A script, unsigned, and neither its writer nor its launcher tells it from others.")


def is_script(sighting: Sighting) -> bool:
    return sighting.is_script or sighting.path.lower().endswith(_SCRIPTS)


def _is_obedient(program: str) -> bool:
    return _name(program).lower() in _OBEDIENT


def _name(program: str) -> str:
    return program.replace("/", "\\").rpartition("\\")[2]


def candidates(sightings: Sequence[Sighting], os: str) -> list[RuleDraft]:
    """Every rule that could stand for some of these and can be saved, each once, the narrowest first."""
    found: dict[tuple[str, ...], RuleDraft] = {}
    for sighting in sightings:
        boxes = dict(identity(sighting, os).boxes) if sighting.visible else {}
        where = generalizing.place(sighting.path, os) if boxes else None
        if where is None:
            continue
        for path in _paths(where, os, is_script(sighting)):
            draft = RuleDraft(path=path, **boxes)
            key = (path, normal_certificate(draft.certificate), draft.created_by, draft.process)
            found.setdefault(key, draft)
    return [draft for draft in found.values() if _can_be_saved(draft, os)]


def _paths(where: generalizing.Place, os: str, script: bool) -> Iterator[str]:
    if script and (exact := generalizing.script_pattern(where, os)):
        yield exact
    yield from generalizing.file_patterns(where)
    yield from generalizing.folder_patterns(where)


def _can_be_saved(draft: RuleDraft, os: str) -> bool:
    try:
        check_rule(engine_rule(draft), os)
    except RuleError:
        return False
    return True


def choose(
    of_hash: Mapping[str, Sequence[Sighting]], covered: frozenset[Spot], os: str, weigh: Weigh
) -> list[RuleDraft]:
    """A small set of rules for most of the hashes, best first. `covered`: (hash, index of its sighting) that rules of
    the application match already. A hash counts when all that was seen of it is covered, also where the reader may not
    look. Nothing that replaces fewer than two hashes is chosen.
    """
    seen = {(key, n): one for key, of in of_hash.items() for n, one in enumerate(of) if (key, n) not in covered}
    drafts = candidates(list(seen.values()), os)
    covers = _covers(drafts, seen, os)
    share = {spot: 1 / len(of_hash[spot[0]]) for spot in seen}
    ranked = sorted(range(len(drafts)), key=lambda n: -sum(share[spot] for spot in covers[n]))
    kept = [n for n in ranked if len({key for key, _ in covers[n]}) >= LEAST_HASHES][:_MOST_CANDIDATES]
    costs = {
        n: 1 + 0.5 * files + 10 * stopped
        for n, (files, stopped) in zip(kept, weigh([drafts[n] for n in kept]), strict=True)
    }
    picked = _greedy(sorted(kept), covers, share, costs)
    return [drafts[n] for n in _needed(picked, covers, seen)[:MOST_RULES]]


def _covers(drafts: Sequence[RuleDraft], seen: Mapping[Spot, Sighting], os: str) -> list[frozenset[Spot]]:
    """What each draft matches of what was seen, by the engine."""
    matcher = Matcher({str(n): (draft,) for n, draft in enumerate(drafts)}, os)
    found: list[set[Spot]] = [set() for _ in drafts]
    for spot, sighting in seen.items():
        for name in matcher.sets_matching(sighting):
            found[int(name)].add(spot)
    return [frozenset(spots) for spots in found]


def _greedy(
    kept: Sequence[int],
    covers: Sequence[frozenset[Spot]],
    share: Mapping[Spot, float],
    costs: Mapping[int, float],
) -> list[int]:
    """Again and again the candidate with the most hashes for its cost; of equal ones the narrower, which comes first.

    Gains only fall, so an old gain that is still the best of the heap after it was made new is the best of all.
    """
    left = set(share)

    def worth(n: int) -> float:
        return sum(share[spot] for spot in covers[n] & left) / costs[n]

    heap = [(-worth(n), n) for n in kept]
    heapq.heapify(heap)
    picked: list[int] = []
    while heap and len(picked) < 2 * MOST_RULES:
        _, n = heapq.heappop(heap)
        now = worth(n)
        if len({key for key, _ in covers[n] & left}) < LEAST_HASHES:
            continue
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, n))
            continue
        picked.append(n)
        left -= covers[n]
    return picked


def _needed(picked: Sequence[int], covers: Sequence[frozenset[Spot]], seen: Mapping[Spot, Sighting]) -> list[int]:
    """Without those that no fully covered hash needs, the last picked first."""
    times = Counter(spot for n in picked for spot in covers[n])
    partly = {key for key, n in seen if not times[key, n]}
    needed = list(picked)
    for n in reversed(picked):
        if all(times[spot] > 1 for spot in covers[n] if spot[0] not in partly):
            needed.remove(n)
            times.subtract(covers[n])
    return needed
