"""What a person or token may do, as `thing:verb`. Which role has which is told by `portal.accounts.roles`."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    COMPUTER_READ = "computer:read"
    COMPUTER_WRITE = "computer:write"
    INSTALL_KEY_WRITE = "install-key:write"
    MODE_WRITE = "mode:write"
    APPLICATION_READ = "application:read"
    APPLICATION_WRITE = "application:write"
    POLICY_READ = "policy:read"
    POLICY_WRITE = "policy:write"
    GLOBAL_WRITE = "global:write"
    SETTING_WRITE = "setting:write"
    AUDIT_READ = "audit:read"
    REQUEST_READ = "request:read"
    REQUEST_DECIDE = "request:decide"
    DEPLOYMENT_READ = "deployment:read"
    DEPLOYMENT_WRITE = "deployment:write"
    GLOBAL_DEPLOY = "global:deploy"
    JOURNAL_READ = "journal:read"
    REPORT_READ = "report:read"
    USER_READ = "user:read"
    USER_WRITE = "user:write"
    TOKEN_WRITE = "token:write"  # noqa: S105 (a capability)
    SIGNING_KEY_WRITE = "signing-key:write"
