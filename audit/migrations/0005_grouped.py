"""Events counted by one or two of their fields."""

from pathlib import Path

from django.conf import settings
from django.db import migrations

SQL = Path(__file__).resolve().parent / "sql" / "0005_grouped.sql"
APP = settings.DATABASES["default"]["USER"]
FUNCTION = "audit_grouped(integer[], timestamptz, timestamptz, jsonb, text[], integer, integer)"


class Migration(migrations.Migration):

    dependencies = [("audit", "0004_resolved_terms")]

    operations = [
        migrations.RunSQL([SQL.read_text()], migrations.RunSQL.noop),
        migrations.RunSQL(
            [f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC", f'GRANT EXECUTE ON FUNCTION {FUNCTION} TO "{APP}"'],
            migrations.RunSQL.noop,
        ),
    ]
