"""Evidence for tidying applications."""

from pathlib import Path

from django.conf import settings
from django.db import migrations

SQL = Path(__file__).resolve().parent / "sql" / "0006_upkeep.sql"
APP = settings.DATABASES["default"]["USER"]
FUNCTIONS = (
    "audit_sightings(integer[], integer[], timestamptz, bytea[], text[], text[], text[], text[], integer)",
    "audit_computers_of_files(integer[], integer[], timestamptz, bigint[])",
)


def grants() -> list[str]:
    statements = [f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC" for name in FUNCTIONS]
    return statements + [f'GRANT EXECUTE ON FUNCTION {name} TO "{APP}"' for name in FUNCTIONS]


class Migration(migrations.Migration):

    dependencies = [("audit", "0005_grouped")]

    operations = [
        migrations.RunSQL([SQL.read_text()], migrations.RunSQL.noop),
        migrations.RunSQL(grants(), migrations.RunSQL.noop),
    ]
