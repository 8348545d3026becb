"""What lint says of policies: cases by hand, each with the one that differs by a hair and is silent."""

from collections.abc import Mapping
from typing import Any

import pytest

from policies.engine.lint import Code, Found, PolicySet, Target, Usage, lint
from policies.engine.model import Application, Policy, Window
from policies.engine.rules import FileRule
from tests.policies.engine.worlds import NOW, policy

DAY = 86_400_000
FINANCE: Target = ("group", "finance")
MOOSE: Target = ("organization", "able-moose")
MSP: Target = ("global", "northwind")
SURROUNDING = {FINANCE: frozenset((FINANCE, MOOSE, MSP)), MOOSE: frozenset((MOOSE, MSP)), MSP: frozenset((MSP,))}


def an_application(name: str, *rules: FileRule, builtin: bool = False) -> Application:
    return Application(name, name.title(), builtin, rules)


FOLDER = an_application("folder", FileRule("f1", path=r"c:\acme\*"))
TOOL = an_application("tool", FileRule("t1", path=r"C:\Acme\Tool.exe"), FileRule("t2", path=r"c:\acme\bin\*.exe"))
OTHER = an_application("other", FileRule("o1", path=r"c:\other\*"))


def judged(
    *policies: Policy, applications: tuple[Application, ...] = (FOLDER, TOOL, OTHER), **world: Any
) -> list[Found]:
    return lint(PolicySet(applications, policies, "windows", NOW, SURROUNDING, **world))


def of(code: Code, found: list[Found]) -> list[Found]:
    return [one for one in found if one.code is code]


def on(*applications: str, **fields: Any) -> dict[str, Any]:
    return {"applications": applications, **fields}


EARLY = policy("early", order=100_001, **on("folder"))
LATE = policy("late", "deny", order=100_101, **on("tool"))


def test_a_deny_below_a_permit_of_the_same_files_is_told_as_danger() -> None:
    (found,) = of(Code.SHADOWED, judged(EARLY, LATE))
    assert (found.subject, found.severity, found.others, found.remedy) == ("late", "danger", ("early",), "move_above")
    assert found.message == "This deny stops nothing: all that it names is decided before, by early (#100,001)."


@pytest.mark.parametrize(
    ("early", "late", "severity", "begins"),
    [
        ("deny", "permit", "warn", "It permits nothing"),
        ("permit", "permit_ringfenced", "danger", "Its ringfence never holds"),
        ("permit", "permit", "info", "It changes nothing"),
        ("deny", "deny", "info", "It changes nothing"),
    ],
)
def test_what_shadowing_means_hangs_on_both_actions(early: str, late: str, severity: str, begins: str) -> None:
    first, second = policy("early", early, **on("folder")), policy("late", late, order=100_101, **on("tool"))
    (found,) = of(Code.SHADOWED, judged(first, second))
    assert found.severity == severity
    assert found.message.startswith(begins)


@pytest.mark.parametrize(
    "sometimes",
    [
        {"enabled": False},
        {"starts_at": NOW},
        {"expires_at": NOW + 90 * DAY},
        {"users": ("ACME\\Ann",)},
        {"schedule": (Window(0, 480, 1_080),)},
    ],
)
def test_only_a_policy_that_always_counts_shadows(sometimes: Mapping[str, Any]) -> None:
    early = policy("early", **on("folder", **sometimes))
    assert not of(Code.SHADOWED, judged(early, LATE))


def test_a_policy_that_counts_sometimes_can_be_shadowed() -> None:
    late = policy("late", "deny", order=100_101, **on("tool", users=("ACME\\Ann",)))
    assert [one.subject for one in of(Code.SHADOWED, judged(EARLY, late))] == ["late"]


@pytest.mark.parametrize(
    ("early_at", "late_at", "shadows"),
    [(MSP, FINANCE, True), (MOOSE, FINANCE, True), (FINANCE, MOOSE, False), (MOOSE, MSP, False), (MSP, MSP, True)],
)
def test_the_earlier_one_must_stand_wherever_the_later_one_does(
    early_at: Target, late_at: Target, shadows: bool
) -> None:
    early = policy("early", **on("folder", level=early_at[0], target=early_at[1]))
    late = policy("late", "deny", order=100_101, **on("tool", level=late_at[0], target=late_at[1]))
    assert bool(of(Code.SHADOWED, judged(early, late))) is shadows


@pytest.mark.parametrize(("first", "shadows"), [((True,), True), ((False,), False), ((True, False), False)])
def test_a_built_in_policy_shadows_where_built_ins_are_always_first(first: tuple[bool, ...], shadows: bool) -> None:
    early = policy("early", order=101, **on("folder"))
    assert bool(of(Code.SHADOWED, judged(early, LATE, builtin_first=frozenset(first)))) is shadows


def test_several_policies_together_shadow_one() -> None:
    halves = (policy("one", **on("folder")), policy("two", "deny", order=100_011, **on("other")))
    both = policy("both", order=100_101, **on("tool", "other"))
    (found,) = of(Code.SHADOWED, judged(*halves, both))
    assert (set(found.others), found.remedy) == ({"one", "two"}, "disable_policy")


def test_one_rule_that_is_not_covered_keeps_a_policy() -> None:
    late = policy("late", "deny", order=100_101, **on("tool", "other"))
    assert not of(Code.SHADOWED, judged(EARLY, late))


def test_a_policy_with_a_rule_that_nobody_can_read_is_never_told_to_be_shadowed() -> None:
    broken = an_application("tool", *TOOL.rules, FileRule("t3", path=r"%NOBODY%\x"))
    found = judged(EARLY, LATE, applications=(FOLDER, broken))
    assert not of(Code.SHADOWED, found)
    assert [one.subject for one in of(Code.UNKNOWN_VARIABLE, found)] == ["t3"]


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        (r"c:\acme\*", r"c:\acme\*\bin\*.exe", True),
        (r"c:\acme\*.exe", r"c:\acme\*", False),
        (r"c:\acme\?.exe", r"c:\acme\*.exe", False),
        (r"c:\acme\*.exe", r"c:\acme\?.exe", True),
        (r"c:\acme\*", r"c:\acme\a.txt:s", False),
        ("*", "*:s", False),
        (r"c:\acme\*:s", r"c:\acme\a.txt:s", True),
        (r"c:\program files\*", r"%ProgramFiles%\acme\*", False),
        (r"%ProgramFiles%\*", r"%ProgramFiles%\acme\*", True),
        (r"c:\users\*", r"%TEMP%\*", True),
        (r"regex:c:\\acme\\.*", r"c:\acme\a.exe", False),
        (r"regex:c:\\acme\\.*", r"regex:c:\\acme\\.*", True),
        (r"c:\acme\*", r"regex:c:\\acme\\a", False),
    ],
)
def test_what_one_pattern_covers(wide: str, narrow: str, covers: bool) -> None:
    applications = (
        an_application("wide", FileRule("w", path=wide)),
        an_application("narrow", FileRule("n", path=narrow)),
    )
    policies = (policy("early", **on("wide")), policy("late", "deny", order=100_101, **on("narrow")))
    assert bool(of(Code.SHADOWED, judged(*policies, applications=applications))) is covers


def test_a_condition_that_must_be_empty_covers_only_itself() -> None:
    wide = an_application("wide", FileRule("w", path=r"c:\acme\*", process="[]"))
    for narrow, covers in (
        (FileRule("n", path=r"c:\acme\a"), False),
        (FileRule("n", path="c:\\a", process="[]"), False),
    ):
        applications = (wide, an_application("narrow", narrow))
        policies = (policy("early", **on("wide")), policy("late", order=100_101, **on("narrow")))
        assert bool(of(Code.SHADOWED, judged(*policies, applications=applications))) is covers


def test_dates_are_told_while_they_matter() -> None:
    over = policy("over", **on("tool", expires_at=NOW - 3 * DAY))
    soon = policy("soon", **on("other", expires_at=NOW + 13 * DAY))
    later = policy("later", **on("folder", expires_at=NOW + 15 * DAY))
    off = policy("off", **on("folder", expires_at=NOW - DAY, enabled=False))
    found = judged(over, soon, later, off)
    assert [(one.subject, one.message) for one in of(Code.EXPIRED, found)] == [
        ("over", "It expired 3 days ago: it decides nothing any more.")
    ]
    assert [one.subject for one in of(Code.EXPIRING, found)] == ["soon"]
    assert of(Code.EXPIRING, found)[0].message == "It expires in 13 days; from then on what it permits is denied."


def test_unused_means_six_weeks_old_and_six_weeks_silent() -> None:
    line = NOW - 42 * DAY
    usage = {
        "old": Usage(line, None),
        "young": Usage(line + 1, None),
        "busy": Usage(line - DAY, line + 1),
        "quiet": Usage(line - 90 * DAY, line),
    }
    policies = [policy(name, order=100_001 + at, **on("other")) for at, name in enumerate(usage)]
    found = of(Code.UNUSED, judged(*policies, usage=usage))
    assert {one.subject: one.message for one in found} == {
        "old": "It has decided nothing since it was made 42 days ago.",
        "quiet": "It last decided something 42 days ago.",
    }


def test_an_interpreter_permitted_without_a_fence_is_told_of_its_policy() -> None:
    shell = an_application("shell", FileRule("s", path=r"C:\Windows\System32\cmd.exe"), builtin=True)
    found = judged(policy("p", **on("shell")), applications=(shell,))
    assert [one.details["names"] for one in of(Code.INTERPRETER, found)] == ["cmd"]
    for silent in (policy("p", "permit_ringfenced", **on("shell")), policy("p", "deny", **on("shell"))):
        assert not of(Code.INTERPRETER, judged(silent, applications=(shell,)))


def test_equal_orders_are_told_where_both_may_decide_the_same_file() -> None:
    near = policy("near", **on("folder"))
    far = policy("far", "deny", **on("tool", level="global", target="northwind"))
    (found,) = of(Code.TIE, judged(near, far))
    assert (found.subject, found.others, found.severity) == ("near", ("far",), "warn")
    assert found.message.endswith("wins for files of both: the stricter action wins.")
    elsewhere = policy("far", "deny", **on("other", level="global", target="northwind"))
    assert not of(Code.TIE, judged(near, elsewhere))
    not_here = policy("far", "deny", **on("tool", level="group", target="legal"))
    assert not of(Code.TIE, judged(near, not_here))


def test_a_policy_whose_applications_have_no_rule_reaches_nothing() -> None:
    found = of(Code.UNREACHABLE, judged(policy("p", **on("void")), applications=(an_application("void"),)))
    assert {(one.subject_type, one.subject) for one in found} == {("policy", "p"), ("application", "void")}


def test_the_default_deny_is_never_told_of() -> None:
    default = policy("default", "deny", order=1_000_000, applications=(), is_default=True)
    assert judged(default, applications=()) == []
