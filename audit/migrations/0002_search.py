"""Search functions of the audit store: run as the owner, keep tenants apart inside, callable by the application only."""

from pathlib import Path

from django.conf import settings
from django.db import migrations

SQL = Path(__file__).resolve().parent / "sql"
APP = settings.DATABASES["default"]["USER"]
INNER = (
    "audit_text_of(text)",
    "audit_own(integer[])",
    "audit_where(jsonb)",
    "audit_candidates(text, text, text[], integer)",
    "audit_needle(jsonb, integer)",
    "audit_walk(integer[], integer[], text, timestamptz, timestamptz, timestamptz, bigint, text, integer)",
    "audit_cells(integer[], timestamptz, timestamptz, text, integer)",
    "audit_pick(integer[], timestamptz, timestamptz, timestamptz, bigint, text, text, integer, audit_key[])",
    "audit_computers(integer[], jsonb)",
    "audit_matching(integer[], timestamptz, timestamptz, jsonb, text, integer)",
)
CALLED_BY_THE_APPLICATION = (
    "audit_search(integer[], timestamptz, timestamptz, timestamptz, bigint, jsonb, integer, text)",
    "audit_rows(timestamptz[], bigint[], integer[])",
    "audit_count(integer[], timestamptz, timestamptz, jsonb, integer)",
    "audit_histogram(integer[], timestamptz, timestamptz, jsonb, integer, integer)",
    "audit_facets(integer[], timestamptz, timestamptz, jsonb, integer, integer)",
    "audit_file_history(integer[], text, bytea, timestamptz)",
)


def grants() -> list[str]:
    statements = [f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC" for name in INNER + CALLED_BY_THE_APPLICATION]
    return statements + [f'GRANT EXECUTE ON FUNCTION {name} TO "{APP}"' for name in CALLED_BY_THE_APPLICATION]


class Migration(migrations.Migration):

    dependencies = [("audit", "0001_initial")]

    operations = [
        *(
            migrations.RunSQL([(SQL / f"0002_{name}.sql").read_text()], migrations.RunSQL.noop)
            for name in ("conditions", "search", "counts")
        ),
        migrations.RunSQL(grants(), migrations.RunSQL.noop),
    ]
