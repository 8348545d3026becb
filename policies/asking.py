"""Whether people may ask for what is denied: the policy that denies says so."""

from __future__ import annotations

from policies.engine.facts import FileFacts
from policies.evaluate import judged
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

NOT_TAKEN = (
    "This is denied here on purpose, and requests for it are not taken. "
    "If you need it for your work, speak to the people who look after your computer."
)


def refusal(reach: Reach, computer: Computer, facts: FileFacts) -> str:
    """Why a request for these facts is not taken, for the person who asks; empty when it is.

    Judged by what is saved for this computer now. Names no policy: whoever asks sits at the computer.
    """
    case = judged(reach, facts=facts, computer=computer)
    policy = next((one for one in case.policies if one.id == case.decision.policy), None)
    is_closed = case.decision.action == "deny" and policy is not None and not policy.allow_request
    return NOT_TAKEN if is_closed else ""
