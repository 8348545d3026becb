"""Row-level security reads the organizations in reach once a statement, not once a row: policies of older databases.

Tables that are made from now on have the new form from `portal.tenants.rls` itself.
"""

from django.db import migrations

ALTER = r"""
DO $do$
DECLARE
    one record; old_shape CONSTANT text := $re$\(\( SELECT NULLIF\(current_setting\('portcullis\.(\w+)'::text, true\), ''::text\) AS "nullif"\)\)::(uuid|bigint)\[\]$re$;
    new_shape CONSTANT text := $new$(SELECT NULLIF(current_setting('portcullis.\1', true), '')::\2[])::\2[]$new$;
    sql text;
BEGIN
    FOR one IN SELECT c.oid::regclass AS tab, p.polname AS name, pg_get_expr(p.polqual, p.polrelid) AS qual,
                      pg_get_expr(p.polwithcheck, p.polrelid) AS checked
               FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid LOOP
        CONTINUE WHEN coalesce(one.qual, '') !~ old_shape AND coalesce(one.checked, '') !~ old_shape;
        sql := format('ALTER POLICY %I ON %s', one.name, one.tab);
        IF one.qual IS NOT NULL THEN
            sql := sql || ' USING (' || regexp_replace(one.qual, old_shape, new_shape, 'g') || ')';
        END IF;
        IF one.checked IS NOT NULL THEN
            sql := sql || ' WITH CHECK (' || regexp_replace(one.checked, old_shape, new_shape, 'g') || ')';
        END IF;
        EXECUTE sql;
    END LOOP;
END $do$;
"""
# The function that puts each new partition of the audit behind the wall holds the same text.
PARTITIONS = r"""
DO $do$
DECLARE
    old_shape CONSTANT text := $re$\(\(SELECT nullif\(current_setting\('portcullis\.(\w+)', true\), ''\)\)::(uuid|bigint)\[\]\)$re$;
    new_shape CONSTANT text := $new$((SELECT nullif(current_setting('portcullis.\1', true), '')::\2[])::\2[])$new$;
    text_of text;
BEGIN
    IF to_regprocedure('audit_protect(text)') IS NOT NULL THEN
        text_of := pg_get_functiondef('audit_protect(text)'::regprocedure);
        IF text_of ~ old_shape THEN
            EXECUTE regexp_replace(text_of, old_shape, new_shape, 'g');
        END IF;
    END IF;
END $do$;
"""


class Migration(migrations.Migration):

    dependencies = [("tenants", "0002_template_groups")]

    operations = [migrations.RunSQL([ALTER], migrations.RunSQL.noop), migrations.RunSQL([PARTITIONS], migrations.RunSQL.noop)]
