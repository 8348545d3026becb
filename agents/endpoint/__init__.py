"""The program on a Linux computer: it sees executions, decides with `policies.engine`, reports and obeys
signed bundles.

Imports `policies.engine`, `agents.protocol` and its own libraries; never Django, the portal or the audit
store.
"""

VERSION = "0.1.0"
