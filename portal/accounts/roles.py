"""Which role may do what (the design's domain page, §10). The one table of it."""

from __future__ import annotations

from portal.accounts.models import Role
from portal.tenants.capabilities import Capability as C  # noqa: N817

# Everybody may make tokens: a token has no more than its creator has.
_READ = frozenset(
    {C.ORGANIZATION_READ, C.COMPUTER_READ, C.APPLICATION_READ, C.POLICY_READ, C.AUDIT_READ, C.REQUEST_READ,
     C.DEPLOYMENT_READ, C.REPORT_READ, C.TOKEN_WRITE}
)  # fmt: skip
_TECHNICIAN = _READ | {
    C.COMPUTER_WRITE, C.INSTALL_KEY_WRITE, C.MODE_WRITE, C.APPLICATION_WRITE, C.POLICY_WRITE, C.SETTING_WRITE,
    C.REQUEST_DECIDE, C.DEPLOYMENT_WRITE, C.JOURNAL_READ, C.USER_READ,
}  # fmt: skip

GLOBAL = frozenset({C.GLOBAL_WRITE, C.GLOBAL_DEPLOY})

CAPABILITIES: dict[Role, frozenset[C]] = {
    Role.OWNER: frozenset(C),
    Role.TECHNICIAN: _TECHNICIAN,
    Role.APPROVER: _READ | {C.REQUEST_DECIDE},
    Role.CUSTOMER_ADMIN: _READ | {C.REQUEST_DECIDE, C.USER_READ, C.JOURNAL_READ},
    Role.CUSTOMER_READER: _READ,
}

STAFF = frozenset({Role.OWNER, Role.TECHNICIAN, Role.APPROVER})


def capabilities_of(role: Role, *, may_act_globally: bool) -> frozenset[C]:
    """What `role` allows; a technician acts at global scope only with the extra grant."""
    return CAPABILITIES[role] | (GLOBAL if may_act_globally else frozenset())
