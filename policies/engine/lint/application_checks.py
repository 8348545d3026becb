"""What is wrong with applications: hashes only, rules twice, rules that nobody can read, nobody who names them."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from policies.engine.lint.cover import Cover
from policies.engine.lint.findings import Code, Found
from policies.engine.lint.policy_set import PolicySet, permitting
from policies.engine.lint.rule_checks import check_rule
from policies.engine.model import Application

HASHES_SAY_SOMETHING = 5
_CHANGING = 3


def application_findings(world: PolicySet, cover: Cover) -> Iterator[Found]:
    """Built-in applications follow the catalogue: nothing is said of their rules here."""
    permitted = permitting(world.policies)
    named = frozenset(a for p in world.policies for a in p.applications)
    counting = frozenset(a for p in world.policies if world.counts(p) for a in p.applications)
    for application in world.applications:
        if application.builtin:
            continue
        permits = application.id in permitted or application.id not in named
        for rule in application.rules:
            if rule.path or rule.process or rule.created_by or (permits and not rule.hash):
                yield from check_rule(rule, world.os, application=application.id, permits=permits)
        yield from _hash_only(world, application)
        yield from _not_in_use(application, named=application.id in named, counting=application.id in counting)
    yield from _doubled(cover)
    yield from _shared(cover)


def _hash_only(world: PolicySet, application: Application) -> Iterator[Found]:
    rules = application.rules
    if len(rules) < HASHES_SAY_SOMETHING or not all(rule.hash and not rule.certificate for rule in rules):
        return
    seen = world.hashes_per_path.get(application.id, 0)
    message = f"All {len(rules):,} rules are hashes: with the next update it stops being recognized."
    if seen > _CHANGING:
        message = f"All {len(rules):,} rules are hashes, and one of its files had {seen} different ones lately."
    yield Found(
        Code.HASH_ONLY,
        "danger" if seen > _CHANGING else "warn",
        "application",
        application.id,
        message,
        application.id,
        remedy="collapse",
    )


def _not_in_use(application: Application, *, named: bool, counting: bool) -> Iterator[Found]:
    if not application.rules and named:
        message = "It has no rule: no file belongs to it, and the policies that name it decide nothing by it."
        yield Found(Code.UNREACHABLE, "warn", "application", application.id, message, application.id)
    elif named and not counting:
        message = "Every policy that names it is disabled or expired."
        yield Found(Code.UNUSED_APPLICATION, "info", "application", application.id, message, application.id)
    elif not named:
        message = "No policy names it: it changes nothing."
        yield Found(Code.UNUSED_APPLICATION, "info", "application", application.id, message, application.id)


def _doubled(cover: Cover) -> Iterator[Found]:
    for row, other, same in cover.doubled():
        if row.application.builtin:
            continue
        says = "says the same as" if same else "matches nothing that is not matched by"
        yield Found(
            Code.DUPLICATE if same else Code.COVERED,
            "info",
            "rule",
            row.rule.id,
            f"Rule {row.number} {says} rule {other.number}.",
            row.application.id,
            others=(other.rule.id,),
            remedy="delete_rule",
            details={"rule": row.number, "other": other.number},
        )


def _shared(cover: Cover) -> Iterator[Found]:
    """Applications with rules of the same conditions: one finding for each pair, at the one named first."""
    holders: dict[tuple[int, ...], list[Application]] = defaultdict(list)
    for row in cover.rows:
        if not row.application.builtin:
            holders[row.atoms].append(row.application)
    pairs: Counter[tuple[str, str]] = Counter()
    names: dict[str, str] = {}
    for applications in holders.values():
        if len(applications) < 2:
            continue
        distinct = sorted({a.id: a for a in applications}.values(), key=lambda a: (a.name, a.id))
        names.update((a.id, a.name) for a in distinct)
        pairs.update((distinct[0].id, other.id) for other in distinct[1:])
    for (one, other), count in sorted(pairs.items()):
        rules = "1 rule is" if count == 1 else f"{count:,} rules are"
        yield Found(
            Code.SHARED_RULES,
            "info",
            "application",
            one,
            f"{rules} in {names[other]} too.",
            one,
            others=(other,),
            remedy="merge",
            details={"rules": count},
        )
