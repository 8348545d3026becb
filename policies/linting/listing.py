"""The lint page: findings narrowed, grouped by severity and code, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from policies.engine.lint import CODES, Code, Severity
from policies.linting import words
from policies.linting.finding import Finding
from policies.linting.reading import Report
from portal.common import csv_text
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

SEVERITIES: tuple[tuple[Severity, str, str], ...] = (
    ("danger", "Dangerous", "alert-triangle"),
    ("warn", "Mend soon", "alert-circle"),
    ("info", "Tidy up", "info-circle"),
)
ROWS_OF_A_GROUP = 10
_COLUMNS = (
    "severity", "code", "organization", "subject_type", "subject_id", "subject", "application", "box", "message",
    "inherited", "accepted_until", "accepted_because",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of the list. `show`: open findings here, `accepted` ones, or those `above`."""

    show: str = "open"
    severity: str = ""
    code: str = ""
    level: str = ""
    application: str = ""
    q: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one code. `total` counts those too that are not kept one by one."""

    code: Code
    severity: Severity
    findings: tuple[Finding, ...]
    total: int

    @property
    def title(self) -> str:
        return words.TITLES[self.code]

    @property
    def why(self) -> str:
        return words.WHY[self.code]

    @property
    def hidden(self) -> int:
        return max(0, self.total - len(self.findings))

    @property
    def fixable(self) -> int:
        return sum(one.fix is not None and one.fix.is_done_here for one in self.findings)


@dataclass(frozen=True, slots=True)
class Page:
    """`groups` worst first. `severities`: (key, label, count) of what is open here. `tabs`: (key, label, count)."""

    groups: tuple[Group, ...]
    severities: tuple[tuple[str, str, int], ...]
    tabs: tuple[tuple[str, str, int], ...]
    codes: tuple[tuple[str, str], ...]


def page_of(report: Report, terms: Terms) -> Page:
    """The report as the page shows it. A code that is asked for is shown whole, others by their first few."""
    shown = [one for one in report.findings if _tab(one) == terms.show]
    tabs = Counter(_tab(one) for one in report.findings)
    uncounted = _uncounted(report)
    tabs["open"] += sum(uncounted.values())
    found = [one for one in shown if _fits(one, terms)]
    more = uncounted if terms.show == "open" and not (terms.level or terms.application or terms.q) else Counter()
    severities = Counter(one.severity for one in shown)
    for one in {one.code: one for one in shown}.values():
        severities[one.severity] += more[one.code]
    return Page(
        groups=tuple(_groups(found, more, terms)),
        severities=tuple((key, label, severities[key]) for key, label, _ in SEVERITIES),
        tabs=(
            ("open", "Open", tabs["open"]),
            ("accepted", "Accepted", tabs["accepted"]),
            ("above", "From above", tabs["above"]),
        ),
        codes=tuple((str(code), words.TITLES[code]) for code in CODES if any(one.code is code for one in shown)),
    )


def chosen(findings: Iterable[Finding], terms: Terms) -> list[Finding]:
    """What the list shows of these for `terms`."""
    return [one for one in findings if _tab(one) == terms.show and _fits(one, terms)]


def _uncounted(report: Report) -> Counter[Code]:
    """By code, how many findings there are beyond those that are kept one by one."""
    kept = Counter(one.code for one in report.findings if not one.inherited)
    return Counter({Code(code): count - kept[Code(code)] for code, count in report.counts.items()
                    if count > kept[Code(code)]})  # fmt: skip


def _tab(one: Finding) -> str:
    if one.accepted is not None:
        return "accepted"
    return "above" if one.inherited else "open"


def _fits(one: Finding, terms: Terms) -> bool:
    return (
        terms.severity in ("", one.severity)
        and terms.code in ("", one.code)
        and terms.level in ("", one.level or "application")
        and terms.application in ("", str(one.application_id))
        and terms.q.casefold() in f"{one.subject_name} {one.message}".casefold()
    )


def _groups(found: Sequence[Finding], more: Counter[Code], terms: Terms) -> Iterator[Group]:
    for severity, _, _ in SEVERITIES:
        for code in CODES:
            mine = [one for one in found if one.severity == severity and one.code is code]
            if mine:
                shown = mine if terms.code else mine[:ROWS_OF_A_GROUP]
                last = severity == max((o.severity for o in found if o.code is code), key=_rank)
                yield Group(code, severity, tuple(shown), len(mine) + (more[code] if last else 0))


def _rank(severity: Severity) -> int:
    return [key for key, _, _ in SEVERITIES].index(severity)


def exported(
    reach: Reach, organization: Organization | None, terms: Terms, report: Report, names: dict[UUID, str]
) -> Iterator[str]:
    """What the list shows as CSV; who took it out stands in the System Audit."""
    asked = {name: value for name, value in asdict(terms).items() if value}
    for organization_id in [organization.id] if organization else tenants.topmost(reach, Capability.POLICY_READ):
        journal.record(reach, "findings.exported", organization, organization_id=organization_id, query=asked)
    return csv_lines(chosen(report.findings, terms), names)


def csv_lines(findings: Iterable[Finding], names: dict[UUID, str]) -> Iterator[str]:
    """The findings as CSV, safe for spreadsheets. `names` of organizations by id."""
    return csv_text.csv_lines(_COLUMNS, (_cells(one, names) for one in findings))


def _cells(one: Finding, names: dict[UUID, str]) -> Sequence[object]:
    accepted = one.accepted
    return (
        one.severity, one.code, names.get(one.seen_at, "") if one.seen_at else "", one.subject_type,
        one.subject_id, one.subject_name, one.application_name, one.field, one.message, str(one.inherited),
        accepted.review_on.isoformat() if accepted else "", accepted.reason if accepted else "",
    )  # fmt: skip
