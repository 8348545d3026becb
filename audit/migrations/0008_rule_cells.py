"""Only a walk through the days is cut short by time, never a rule that the indexes answer."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent / "sql" / "0008_rule_cells.sql"


class Migration(migrations.Migration):

    dependencies = [("audit", "0007_match_preview")]

    operations = [migrations.RunSQL([SQL.read_text()], migrations.RunSQL.noop)]
