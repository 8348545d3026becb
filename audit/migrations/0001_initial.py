"""The audit store: dictionaries, ledger, partitioned events and rollups, each behind row-level security."""

from pathlib import Path

from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

from portal.tenants.rls import Protect, protect_partition_sql

SQL = Path(__file__).resolve().parent / "sql"
APP = settings.DATABASES["default"]["USER"]
BY_NUMBER = ("audit_user", "audit_decision", "audit_batch", "audit_rejected", "audit_event", "audit_daily", "audit_daily_file")
CALLED_BY_THE_APPLICATION = (
    "audit_ensure_partitions(date, integer)",
    "audit_drop_partitions(date)",
    "audit_learn_files(bigint[], bytea[], text[], text[], date)",
    "audit_learn_paths(bigint[], text[], date)",
    "audit_touch(bigint[], bigint[], date)",
    "audit_forget(date)",
)


def protect_function() -> str:
    """Puts one partition behind the wall; the application has no right of its own on any partition."""
    lines = [f"EXECUTE format($q$ {statement} $q$, part);" for statement in protect_partition_sql("%1$I")]
    lines.append(f'EXECUTE format($q$ REVOKE ALL ON %1$I FROM "{APP}" $q$, part);')
    return (
        "CREATE FUNCTION audit_protect(part text) RETURNS void LANGUAGE plpgsql"
        " SET search_path = public, pg_temp AS $body$ BEGIN " + "\n".join(lines) + " END $body$"
    )


def grants() -> list[str]:
    statements = [
        f'REVOKE ALL ON audit_install, audit_file, audit_path FROM "{APP}"',
        f'GRANT SELECT ON audit_install TO "{APP}"',
        f'REVOKE UPDATE, DELETE, TRUNCATE ON audit_event FROM "{APP}"',
        "REVOKE ALL ON FUNCTION audit_protect(text) FROM PUBLIC",
    ]
    for function in CALLED_BY_THE_APPLICATION:
        statements += [f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC", f'GRANT EXECUTE ON FUNCTION {function} TO "{APP}"']
    return statements


class Migration(migrations.Migration):

    initial = True

    dependencies = [("tenants", "0001_initial")]

    operations = [
        TrigramExtension(),
        migrations.RunSQL([(SQL / "0001_tables.sql").read_text()], migrations.RunSQL.noop),
        *(Protect(table, column="organization_number", by_number=True) for table in BY_NUMBER),
        migrations.RunSQL([protect_function()], migrations.RunSQL.noop),
        migrations.RunSQL([(SQL / "0001_partitions.sql").read_text()], migrations.RunSQL.noop),
        migrations.RunSQL([(SQL / "0001_dictionaries.sql").read_text()], migrations.RunSQL.noop),
        migrations.RunSQL(grants(), migrations.RunSQL.noop),
        migrations.RunSQL(
            ["SELECT audit_ensure_partitions((now() AT TIME ZONE 'UTC')::date - 1, 9)"], migrations.RunSQL.noop
        ),
    ]
