"""Permit Application and approval requests: one transaction makes all of it, or nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from agents.protocol.messages import RequestMessage
from audit import requests, search
from audit.approvals import Permit, permit_application
from audit.event_rows import EventRow
from audit.impact import impact
from audit.models import ApprovalRequest
from audit.search_terms import EventTerms
from audit.suggestions import automatic_rule, suggestion
from policies import authoring, catalogue, evaluate, placing, queries
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import Action, Application, Level, Policy, Status
from policies.scopes import Scope
from portal.accounts.models import Role, User
from portal.common import clock
from portal.common.errors import Conflict, Forbidden, Invalid, NotFound, Refused, TooMany
from portal.tenants import journal
from portal.tenants.models import Computer, Entry, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import PERMIT, event, send

SCRIPT = r"C:\Windows\Temp\acmermm\{}.ps1"


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance", initial_learning_days=0), "FIN-LT-01")


def denied(computer: Computer, *, batch: int = 900, **fields: object) -> EventRow:
    send(computer, event(1, **fields), batch=batch)
    return search.events(factories.SYSTEM, EventTerms.parse("any:deny")).rows[0]


def changing_script(computer: Computer) -> EventRow:
    for number, name in enumerate(("8f2c41d7a9", "03be77a1c0", "c91d00e47b")):
        row = denied(computer, batch=number, path=SCRIPT.format(name), sha256=hashlib.sha256(name.encode()).hexdigest())
    return row


def at_group(computer: Computer, **fields: object) -> Permit:
    return Permit(**{"application": "Acme RMM", "level": "group", "target": computer.group_id, **fields})


def test_one_call_makes_application_rule_and_policy_and_the_file_runs(fin_01: Computer, technician: User) -> None:
    row = changing_script(fin_01)
    reach = factories.reach(technician)
    with reaching(reach):
        made = permit_application(reach, event=row, permit=at_group(fin_01, ticket="PSA-4417", reason="nightly"))
        now = evaluate.evaluate(reach, facts=search_facts(row), computer=fin_01)
    assert (now.effect, now.policy) == ("permitted", str(made.policy.id))
    assert made.policy.name == "grp-finance-acme-rmm-permit"
    assert (made.policy.ticket, made.policy.reason) == ("PSA-4417", "nightly")
    assert made.rule.path == r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1"
    assert made.rule.created_by == row.created_by
    assert made.rule.process == row.process
    assert made.rule.hash == ""
    entry = Entry.rows.get(verb="event.permitted")
    assert entry.details["event"] == row.id
    assert journal.verify(factories.SYSTEM, fin_01.organization_id).first_bad is None


def search_facts(row: EventRow) -> object:
    from audit.explain import facts_of

    return facts_of(row)


def test_a_file_of_another_writer_stays_denied(fin_01: Computer) -> None:
    row = changing_script(fin_01)
    permit_application(factories.SYSTEM, event=row, permit=at_group(fin_01))
    swapped = replace(row, created_by=r"C:\Windows\explorer.exe")
    assert evaluate.evaluate(factories.SYSTEM, facts=search_facts(swapped), computer=fin_01).effect == "denied"


def test_the_automatic_rule_is_the_hash_when_it_holds_still(fin_01: Computer) -> None:
    row = denied(fin_01, path=r"C:\Tools\backup.cmd", sha256="a" * 64)
    assert automatic_rule(factories.SYSTEM, row) == RuleDraft(hash="a" * 64)


def test_the_automatic_rule_never_is_a_hash_that_changed(fin_01: Computer) -> None:
    path = r"C:\Tools\backup.cmd"
    for day in (3, 2, 1):
        at = clock.now() - timedelta(days=day)
        send(fin_01, event(1, path=path, sha256=f"{day:064x}", decision=PERMIT), batch=day, received_at=at)
    row = denied(fin_01, path=path, sha256="f" * 64)
    proposal = suggestion(factories.SYSTEM, row)
    assert proposal.rule == RuleDraft(path=path, process=row.process, created_by=row.created_by)
    assert any("changed 3 times" in why for why in proposal.why)
    assert "created_by" in proposal.ticked and "hash" not in proposal.ticked


def test_the_automatic_rule_of_a_signed_file_is_signer_and_path(fin_01: Computer) -> None:
    row = denied(fin_01, path=r"C:\Program Files\Acme\acme.exe", certificate="CN=Acme Ltd, O=Acme")
    assert automatic_rule(factories.SYSTEM, row) == RuleDraft(path=row.path, certificate=row.certificate)
    assert suggestion(factories.SYSTEM, row).name == "acme"


def test_chosen_conditions_are_taken_as_they_are(fin_01: Computer) -> None:
    row = denied(fin_01)
    rule = RuleDraft(path=r"C:\Windows\Temp\acmermm\*.ps1", process=row.process)
    made = permit_application(factories.SYSTEM, event=row, permit=at_group(fin_01, rule=rule))
    assert (made.rule.path, made.rule.process, made.rule.hash) == (rule.path, rule.process, "")


@pytest.mark.parametrize(
    ("permit", "error"),
    [
        ({"rule": RuleDraft(path=r"regex:c:\\(a")}, Invalid),
        ({"rule": RuleDraft()}, Invalid),
        ({"rule": RuleDraft(hash="b" * 64)}, Refused),
        ({"level": "planet"}, Invalid),
        ({"expires_at": clock.now() - timedelta(days=1)}, Invalid),
        ({"application": ""}, Invalid),
        ({"action": "permit_ringfenced", "ringfence": {"nets": 1}}, Invalid),
    ],
)
def test_a_refusal_leaves_nothing_behind(fin_01: Computer, permit: dict[str, object], error: type[Exception]) -> None:
    row = denied(fin_01)
    with pytest.raises(error):
        permit_application(factories.SYSTEM, event=row, permit=at_group(fin_01, **permit))
    assert not Application.objects.within(factories.SYSTEM).filter(name="Acme RMM").exists()
    assert not Policy.objects.within(factories.SYSTEM).filter(is_default=False).exists()


def test_a_permit_behind_a_deny_is_refused_and_on_top_it_holds(fin_01: Computer) -> None:
    row = denied(fin_01)
    block = catalogue.create_application(
        factories.SYSTEM, organization_id=fin_01.organization_id, name="Scripts", os="windows",
        rules=[RuleDraft(path=r"C:\Windows\Temp\*")],
    )  # fmt: skip
    scope = Scope(fin_01.organization_id, Level.ORGANIZATION, fin_01.organization_id)
    draft = PolicyDraft(
        name="Deny temp", scope=scope, applications=(block.id,), action=Action.DENY, status=Status.SECURED
    )
    authoring.create_policy(factories.SYSTEM, draft=draft)
    with pytest.raises(Refused, match="Deny temp comes first"):
        permit_application(factories.SYSTEM, event=row, permit=at_group(fin_01))
    made = permit_application(factories.SYSTEM, event=row, permit=at_group(fin_01, place=placing.TOP))
    assert evaluate.evaluate(factories.SYSTEM, facts=search_facts(row), computer=fin_01).policy == str(made.policy.id)


def test_an_existing_application_gets_the_rule_and_its_policy_is_used_again(fin_01: Computer) -> None:
    first = permit_application(
        factories.SYSTEM, event=denied(fin_01, path=r"C:\a.exe", batch=1), permit=at_group(fin_01)
    )
    second = permit_application(
        factories.SYSTEM, event=denied(fin_01, path=r"C:\b.exe", batch=2),
        permit=at_group(fin_01, application=first.application.id),
    )  # fmt: skip
    assert second.policy == first.policy
    assert queries.rules_of(factories.SYSTEM, first.application.id).count() == 2


def test_a_deny_is_explicit_and_secured(fin_01: Computer) -> None:
    made = permit_application(factories.SYSTEM, event=denied(fin_01), permit=at_group(fin_01, action="deny"))
    assert (made.policy.action, made.policy.status) == (Action.DENY, Status.SECURED)


def test_deploy_is_started_or_says_why_not(fin_01: Computer) -> None:
    made = permit_application(factories.SYSTEM, event=denied(fin_01), permit=at_group(fin_01, deploy="scope"))
    assert made.deployment is None
    assert "is enrolled yet" in made.not_sent


def test_only_who_may_write_policies_permits(
    fin_01: Computer, reader: User, stranger: User, technician: User, northwind: Organization
) -> None:
    row = denied(fin_01)
    for who, permit, error in (
        (reader, at_group(fin_01), Forbidden),
        (stranger, at_group(fin_01), NotFound),
        (technician, at_group(fin_01, level="global", target=northwind.id), NotFound),
    ):
        reach = factories.reach(who)
        with pytest.raises(error), reaching(reach):
            permit_application(reach, event=row, permit=permit)


def test_the_impact_counts_what_would_have_run(fin_01: Computer, able_moose: Organization) -> None:
    row = changing_script(fin_01)
    denied(fin_01, batch=50, path=r"C:\Windows\Temp\acmermm\setup.ps1")
    row = next(r for r in search.events(factories.SYSTEM, EventTerms.parse("path:c91d00")).rows)
    found = impact(factories.SYSTEM, row, automatic_rule(factories.SYSTEM, row), organization=able_moose)
    assert (found.solved, found.denials, found.computers, found.others) == (3, 4, 1, 2)
    assert found.missed == (r"C:\Windows\Temp\acmermm\setup.ps1",)
    assert found.solved_at("computer", fin_01.id) == 3
    broken = impact(factories.SYSTEM, row, RuleDraft(path="regex:("), organization=able_moose)
    assert broken.faults and not broken.solved


# --- approval requests ---


def ask(computer: Computer, **fields: object) -> ApprovalRequest:
    message = RequestMessage(
        **{
            "path": r"C:\Users\jdoe\setup.exe",
            "sha256": "c" * 64,
            "user": "ABLE\\jdoe",
            "reason": "month end",
            **fields,
        }
    )
    return requests.receive_request(factories.SYSTEM, computer=computer, message=message)


def test_a_request_asked_twice_is_one_request(fin_01: Computer) -> None:
    assert ask(fin_01).id == ask(fin_01, reason="please").id
    assert ApprovalRequest.rows.get().reason == "please"
    assert requests.answer_of(ApprovalRequest.rows.get()).status == "pending"


def test_a_request_whose_event_has_not_arrived_is_proposed_by_hash(fin_01: Computer) -> None:
    row = requests.event_of(ask(fin_01, path="C:\\invoice\u202efdp.exe"))
    proposal = suggestion(factories.SYSTEM, row)
    assert proposal.rule == RuleDraft(hash="c" * 64)
    assert proposal.name == "invoicefdp"
    assert "do not show" in " ".join(proposal.warnings)


def test_a_computer_cannot_flood_the_queue(fin_01: Computer) -> None:
    for number in range(requests.MOST_PENDING):
        ask(fin_01, path=f"C:\\{number}.exe")
    with pytest.raises(TooMany):
        ask(fin_01, path="C:\\one-more.exe")


def test_hostile_words_in_a_request_are_kept_as_text(fin_01: Computer) -> None:
    made = ask(fin_01, path="C:\\a\x00b.exe", reason="\x00<b>" * 2000, user="\u202ex")
    assert made.path == "C:\\a⟨U+0000⟩b.exe"
    assert len(made.reason) == 2000


def test_approving_makes_the_rule_and_answers_everybody_who_asked(fin_01: Computer, customer_admin: User) -> None:
    fin_02 = factories.computer(fin_01.group, "FIN-LT-02")
    first, second, other = ask(fin_01), ask(fin_02), ask(fin_02, path=r"C:\other.exe", sha256="d" * 64)
    reach = factories.reach(customer_admin)
    permit = at_group(fin_01, application="Setup", reason="known tool")
    with reaching(reach):
        made = requests.approve_request(reach, first.id, permit=permit, answer="Go ahead.")
        assert requests.pending_count(reach, fin_01.organization_id) == 1
    states = {r.id: (r.state, r.policy_id) for r in ApprovalRequest.rows.all()}
    assert states[first.id] == states[second.id] == ("approved", made.policy.id)
    assert states[other.id] == ("pending", None)
    answer = requests.answer_of(requests.request_of_computer(factories.SYSTEM, computer=fin_02, request_id=second.id))
    assert (answer.status, answer.message) == ("approved", "Go ahead.")
    assert Entry.rows.filter(verb="request.approved").count() == 2


def test_who_only_decides_does_not_decide_beyond_the_organization(fin_01: Computer, northwind: Organization) -> None:
    approver = factories.person("Ana Approver", Role.APPROVER, northwind)
    reach = factories.reach(approver)
    made = ask(fin_01)
    with reaching(reach):
        with pytest.raises(Refused, match="beyond the organization"):
            requests.approve_request(
                reach, made.id, permit=Permit(application="x", level="global", target=northwind.id)
            )
        with pytest.raises(Forbidden):
            permit_application(reach, event=requests.event_of(made), permit=at_group(fin_01))


def test_who_comes_second_is_told_who_was_first(fin_01: Computer, customer_admin: User) -> None:
    made = ask(fin_01)
    reach = factories.reach(customer_admin)
    with reaching(reach):
        requests.deny_request(reach, made.id, reason="unknown", tell_user="Ask the help desk.")
        with pytest.raises(Conflict, match="Ada Admin was first"):
            requests.approve_request(reach, made.id, permit=at_group(fin_01))
    assert requests.answer_of(ApprovalRequest.rows.get()).message == "Ask the help desk."


def test_readers_and_strangers_do_not_decide(fin_01: Computer, reader: User, stranger: User) -> None:
    made = ask(fin_01)
    for who, error in ((reader, Forbidden), (stranger, NotFound)):
        reach = factories.reach(who)
        with reaching(reach), pytest.raises(error):
            requests.deny_request(reach, made.id)


def test_what_nobody_answers_expires(fin_01: Computer) -> None:
    ask(fin_01)
    assert requests.expire_requests(factories.SYSTEM) == 0
    with time_machine.travel(clock.now() + timedelta(days=5)):
        assert requests.expire_requests(factories.SYSTEM) == 1
        assert requests.answer_of(ApprovalRequest.rows.get()).status == "expired"
