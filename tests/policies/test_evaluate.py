"""What `evaluate` answers, and that its kept engine never answers from before a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import authoring, catalogue, evaluate, placing
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft, draft_of
from policies.engine.facts import FileFacts
from policies.models import Action, Application
from policies.trying import try_application
from portal.common.errors import NotFound
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, globally

TOOL = FileFacts(path=r"C:\Program Files\Acme Tools\run.exe")


def test_nothing_matches_and_the_default_of_the_group_denies(reach: Reach, fin_01: Computer) -> None:
    decision = evaluate.evaluate(reach, computer=fin_01, facts=TOOL)
    assert (decision.effect, decision.policy_name) == ("denied", "Default - (Finance)")
    assert decision.because


def test_each_saved_change_is_seen_by_the_next_evaluation(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    def effect() -> str:
        return evaluate.evaluate(reach, computer=fin_01, facts=TOOL).effect

    assert effect() == "denied"
    policy = a_policy(reach, at_group(finance), acme)
    assert effect() == "permitted"
    authoring.set_enabled(reach, policy.id, enabled=False)
    assert effect() == "denied"
    authoring.update_policy(reach, policy.id, draft=replace(draft_of(policy, [acme.id]), enabled=True))
    assert effect() == "permitted"
    catalogue.update_file_rule(reach, acme.id, acme.rules.get().id, rule=RuleDraft(path=r"c:\elsewhere\*"))
    assert effect() == "denied"
    catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r"c:\program files\acme tools\*.exe"))
    assert effect() == "permitted"
    authoring.delete_policy(reach, policy.id)
    assert effect() == "denied"


def test_what_was_rolled_back_is_never_answered(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    class Undone(Exception):
        pass

    with pytest.raises(Undone), reaching(reach):
        a_policy(reach, at_group(finance), acme)
        assert evaluate.evaluate(reach, computer=fin_01, facts=TOOL).effect == "permitted"
        raise Undone
    other = an_application(reach, finance.organization, "Other")
    a_policy(reach, at_group(finance), other)
    assert evaluate.evaluate(reach, computer=fin_01, facts=TOOL).effect == "denied"


def test_a_draft_is_judged_without_being_saved(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    draft = PolicyDraft(name="try", scope=at_group(finance), applications=(acme.id,), action=Action.PERMIT)
    decision = evaluate.evaluate(reach, group=finance, facts=TOOL, draft=draft)
    assert (decision.effect, decision.policy, decision.application_name) == ("permitted", "draft", "Acme Tools")
    assert evaluate.evaluate(reach, group=finance, facts=TOOL).effect == "denied"


def test_of_equal_numbers_the_global_block_beats_the_groups_permit(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    blocked = an_application(owner_reach, northwind, "Acme Tools")
    own = an_application(owner_reach, able_moose, "Acme Tools")
    a_policy(owner_reach, globally(owner_reach, northwind), blocked, action=Action.DENY, name="glb-acme-deny")
    permit = a_policy(owner_reach, at_group(finance), own)
    decision = evaluate.evaluate(owner_reach, computer=fin_01, facts=TOOL)
    assert (decision.effect, decision.policy_name) == ("denied", "glb-acme-deny")
    authoring.move_policy(owner_reach, permit.id, place=placing.at(100_500))
    assert evaluate.evaluate(owner_reach, computer=fin_01, facts=TOOL).effect == "denied"


def test_a_customer_is_judged_by_global_policies_it_may_not_change(
    reach: Reach, reader: object, northwind: Organization, fin_01: Computer
) -> None:
    with reaching(factories.SYSTEM):
        miners = an_application(factories.SYSTEM, northwind, "Acme Tools")
        a_policy(factories.SYSTEM, globally(factories.SYSTEM, northwind), miners, action=Action.DENY, name="glb-deny")
        theirs = factories.reach(reader)  # type: ignore[arg-type]
    with reaching(theirs):
        assert evaluate.evaluate(theirs, computer=fin_01, facts=TOOL).policy_name == "glb-deny"


def test_a_strangers_computer_is_not_found(reach: Reach, brisk_otter: Organization) -> None:
    with reaching(factories.SYSTEM):
        foreign = factories.computer(factories.group(brisk_otter, "Front desk"), "desk-1")
    with pytest.raises(NotFound):
        evaluate.evaluate(reach, computer=foreign, facts=TOOL)


def test_try_it_names_the_rule_that_matches(reach: Reach, acme: Application) -> None:
    assert [(trial.number, trial.matched) for trial in try_application(reach, acme.id, TOOL)] == [(1, True)]
    elsewhere = FileFacts(path=r"c:\else.exe")
    assert [(trial.matched, trial.failed) for trial in try_application(reach, acme.id, elsewhere)] == [
        (False, ("Path",))
    ]
