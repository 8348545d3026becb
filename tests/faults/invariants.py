"""What must hold after every fault: the portal's rows against the ledgers of the computers themselves."""

from __future__ import annotations

from collections import Counter

from tests.faults.fleet import RunningFleet
from tests.running import RunningPortal


def check(portal: RunningPortal, fleet: RunningFleet) -> None:
    """I1–I5, the bytes of bundles, and the chain of the journal. The fleet has settled."""
    check_events(portal, fleet)
    check_bundles(portal, fleet)
    check_deployments(portal, fleet)
    check_journal(portal, fleet)


def check_events(portal: RunningPortal, fleet: RunningFleet) -> None:
    """I1, I2: events in the table are the acknowledged ones of all ledgers, each exactly once; none was lost."""
    stored = Counter(
        portal.rows(
            "SELECT c.id::text, e.sequence FROM audit_event e JOIN tenants_computer c ON c.number = e.computer_number"
            " JOIN tenants_organization o ON o.id = c.organization_id WHERE o.slug = %s",
            (fleet.organization,),
        )
    )
    acknowledged, generated = set(), set()
    for agent in fleet.agents:
        computer = agent.member.state.computer if agent.member.state else ""
        acknowledged |= {(computer, sequence) for _, sequence in agent.ledger.acknowledged}
        generated |= {(computer, sequence) for _, sequence in agent.ledger.generated}
        assert agent.ledger.rejected == []
    assert [event for event, times in stored.items() if times > 1] == [], "stored more than once"
    assert acknowledged - set(stored) == set(), "acknowledged, and not there"
    assert set(stored) - acknowledged == set(), "there, and nobody sent it"
    assert generated == acknowledged, "made, and neither stored nor still waiting"


def check_bundles(portal: RunningPortal, fleet: RunningFleet) -> None:
    """I3, I4: what the portal says a computer runs is what it runs, of its own, and versions only rise."""
    told = {
        computer: (epoch, version, sha256)
        for computer, epoch, version, sha256 in portal.rows(
            "SELECT computer_id::text, running_epoch, running_version, running_sha256 FROM agents_delivery"
        )
    }
    for agent in fleet.agents:
        assert agent.member.state is not None and agent.manifest is not None
        computer = agent.member.state.computer
        assert told[computer] == agent.ledger.running, agent.member.name
        assert (agent.manifest.computer, agent.manifest.organization) == (computer, agent.member.state.organization)
        versions = [(epoch, version) for epoch, version, _ in agent.ledger.applied]
        assert versions == sorted(set(versions)), agent.member.name
        assert agent.ledger.refused == []


def check_deployments(portal: RunningPortal, fleet: RunningFleet) -> None:
    """I5: nothing is left rolling; succeeded means every target applied; one target and one bundle a computer."""
    states = portal.rows(
        "SELECT d.number, d.state, count(t.id), count(t.id) FILTER (WHERE t.state = 'applied')"
        " FROM agents_deployment d JOIN agents_deploymenttarget t ON t.deployment_id = d.id"
        " JOIN tenants_organization o ON o.id = d.organization_id WHERE o.slug = %s GROUP BY 1, 2",
        (fleet.organization,),
    )
    size = len(fleet.agents)
    assert all(state == "succeeded" and targets == applied == size for _, state, targets, applied in states), states
    twice = portal.rows(
        "SELECT m.computer_id, m.deployment_id, count(*) FROM agents_manifest m"
        " JOIN agents_deployment d ON d.id = m.deployment_id"
        " JOIN tenants_organization o ON o.id = d.organization_id WHERE o.slug = %s"
        " GROUP BY 1, 2 HAVING count(*) > 1",
        (fleet.organization,),
    )
    assert twice == [], "built more than once"


def check_journal(portal: RunningPortal, fleet: RunningFleet) -> None:
    """I11: the chain holds, and each deployment was told once."""
    api = portal.api("owner")
    assert api.get(f"system-audit/verify/?organization={fleet.organization}")["whole"] is True
    entries = api.everything(f"system-audit/?organization={fleet.organization}&verb=deployment.started&page_size=200")
    deployments = portal.rows(
        "SELECT count(*) FROM agents_deployment d JOIN tenants_organization o ON o.id = d.organization_id"
        " WHERE o.slug = %s",
        (fleet.organization,),
    )
    assert len(entries) == deployments[0][0]
