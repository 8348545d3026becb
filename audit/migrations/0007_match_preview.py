"""What rules match among all that was seen, and the computers on which each application decided something."""

from pathlib import Path

from django.conf import settings
from django.db import migrations

from portal.tenants.rls import Protect

SQL = Path(__file__).resolve().parent / "sql"
APP = settings.DATABASES["default"]["USER"]
CALLED_BY_THE_APPLICATION = (
    "audit_rule_cells(integer[], timestamptz, integer[], bytea[], jsonb, integer, integer)",
    "audit_rule_computers(integer[], timestamptz, integer[], bigint[], bigint[], bigint[], integer)",
)
INNER = "audit_rule_condition(bytea[], jsonb)"
BACKFILL = """
INSERT INTO audit_application_computer (application, organization_number, computer_number, last_day)
SELECT d.application::uuid, e.organization_number, e.computer_number, max((e.received_at AT TIME ZONE 'UTC')::date)
FROM audit_event e JOIN audit_decision d ON d.id = e.decision_id
WHERE e.outcome <> 0 AND d.application ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
GROUP BY 1, 2, 3
"""


def grants() -> list[str]:
    statements = [f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC" for name in (*CALLED_BY_THE_APPLICATION, INNER)]
    return statements + [f'GRANT EXECUTE ON FUNCTION {name} TO "{APP}"' for name in CALLED_BY_THE_APPLICATION]


class Migration(migrations.Migration):

    dependencies = [("audit", "0006_upkeep")]

    operations = [
        migrations.RunSQL([(SQL / "0007_match_preview.sql").read_text()], migrations.RunSQL.noop),
        migrations.RunSQL(grants(), migrations.RunSQL.noop),
        migrations.RunSQL([(SQL / "0007_application_computers.sql").read_text()], migrations.RunSQL.noop),
        Protect("audit_application_computer", column="organization_number", by_number=True),
        migrations.RunSQL(
            ["SELECT set_config('portcullis.everything', 'on', true)", BACKFILL,
             "SELECT set_config('portcullis.everything', '', true)"],
            migrations.RunSQL.noop,
        ),
    ]
