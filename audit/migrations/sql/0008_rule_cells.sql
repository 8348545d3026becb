-- Daily cells, and events that are not folded yet, that the rules may match, with the texts to decide by. A last row
-- without an organization says that a limit was met: `cap` rows, or `most_ms` milliseconds of walking through the days
-- before today. A rule that the indexes answer is never cut short by time.
CREATE OR REPLACE FUNCTION audit_rule_cells(orgs integer[], low timestamptz, not_groups integer[], hashes bytea[], needles jsonb,
                                 cap integer, most_ms integer)
RETURNS TABLE (organization_number integer, file_id bigint, process_id bigint, created_by_id bigint, sha256 text, path text,
    certificate text, process text, created_by text, n bigint, denied bigint, last_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    own CONSTANT integer[] := audit_own(orgs); first CONSTANT date := (low AT TIME ZONE 'UTC')::date;
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date; began CONSTANT timestamptz := clock_timestamp();
    rule record; room integer := least(cap, 20000); found integer; day date; told text;
BEGIN
    IF cardinality(own) = 0 THEN
        RETURN;
    END IF;
    SELECT * INTO rule FROM audit_rule_condition(hashes, needles);
    told := 'SELECT c.o, c.f, c.p, c.c, coalesce(encode(f.sha256, ''hex''), ''''), coalesce(f.path, ''''), coalesce(f.certificate, ''''),
                    coalesce(p.path, ''''), coalesce(b.path, ''''), c.n, c.denied, c.last_at
             FROM (%s LIMIT %s) c LEFT JOIN audit_file f ON f.id = c.f LEFT JOIN audit_path p ON p.id = c.p
             LEFT JOIN audit_path b ON b.id = c.c';
    RETURN QUERY EXECUTE format(told, format(
        'SELECT d.organization_number AS o, d.file_id AS f, d.process_id AS p, d.created_by_id AS c, count(*) AS n,
                count(*) FILTER (WHERE d.outcome >= 10) AS denied, max(d.received_at) AS last_at
         FROM audit_batch b CROSS JOIN LATERAL (
             SELECT * FROM audit_event x WHERE x.organization_number = b.organization_number AND x.received_at = b.received_at
               AND x.id >= b.number << 16 AND x.id < (b.number + 1) << 16 OFFSET 0) d
         WHERE b.folded_at IS NULL AND b.organization_number = ANY (%L::integer[]) AND b.received_at >= %L::timestamptz
           AND d.outcome <> 0 AND d.group_number <> ALL (%L::integer[]) AND %s GROUP BY 1, 2, 3, 4',
        own, low, not_groups, rule.condition), room);
    GET DIAGNOSTICS found = ROW_COUNT;
    room := room - found;
    FOR day IN SELECT today + 1 - s FROM generate_series(0, CASE WHEN rule.is_wide THEN today + 1 - first ELSE 0 END) s LOOP
        IF room <= 0 OR (rule.is_wide AND day < today AND clock_timestamp() - began > make_interval(secs => most_ms / 1000.0)) THEN
            room := 0;
            EXIT;
        END IF;
        RETURN QUERY EXECUTE format(told, format(
            'SELECT d.organization_number AS o, d.file_id AS f, d.process_id AS p, d.created_by_id AS c, sum(d.n)::bigint AS n,
                    coalesce(sum(d.n) FILTER (WHERE d.outcome >= 10), 0)::bigint AS denied, max(d.last_at) AS last_at
             FROM audit_daily d WHERE d.organization_number = ANY (%L::integer[]) AND d.day BETWEEN %L::date AND %L::date
               AND d.group_number <> ALL (%L::integer[]) AND %s GROUP BY 1, 2, 3, 4',
            own, CASE WHEN rule.is_wide THEN day ELSE first END, CASE WHEN rule.is_wide THEN day ELSE 'infinity' END,
            not_groups, rule.condition), room);
        GET DIAGNOSTICS found = ROW_COUNT;
        room := room - found;
    END LOOP;
    IF room <= 0 THEN
        RETURN QUERY SELECT NULL::integer, 0::bigint, 0::bigint, 0::bigint, '', '', '', '', '', 0::bigint, 0::bigint, NULL::timestamptz;
    END IF;
END $body$;
