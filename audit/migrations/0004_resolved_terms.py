"""Text terms of a search become ids once, before the page, the counts, the histogram and the facets are read."""

from pathlib import Path

from django.conf import settings
from django.db import migrations

SQL = Path(__file__).resolve().parent / "sql" / "0004_resolved.sql"
APP = settings.DATABASES["default"]["USER"]


class Migration(migrations.Migration):

    dependencies = [("audit", "0003_approval_request")]

    operations = [
        migrations.RunSQL([SQL.read_text()], migrations.RunSQL.noop),
        migrations.RunSQL(
            [
                "REVOKE ALL ON FUNCTION audit_sets(jsonb, integer, text) FROM PUBLIC",
                "REVOKE ALL ON FUNCTION audit_resolve(jsonb, integer) FROM PUBLIC",
                f'GRANT EXECUTE ON FUNCTION audit_resolve(jsonb, integer) TO "{APP}"',
            ],
            migrations.RunSQL.noop,
        ),
    ]
