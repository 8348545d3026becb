-- What was seen of the files that some rules may match. The database narrows by its indexes; the engine, in Python,
-- decides exactly. Every row that leaves here was seen in an organization of this session.
--
-- needles: one object a rule that has no hash, each box a LIKE pattern that everything it matches is like, or absent:
-- {"path": "%acme%.exe%", "certificate": "cn=acme%", "process": "%agent.exe%", "created_by": "%"}

-- ' OR …' on the daily cell `d` for each rule, and whether one of them is so wide that the days must be walked.
CREATE FUNCTION audit_rule_condition(hashes bytea[], needles jsonb, OUT condition text, OUT is_wide boolean)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    most CONSTANT integer := 2000; needle jsonb; files bigint[]; found bigint[]; paths bigint[]; wanted text; one text; name text;
BEGIN
    condition := '';
    is_wide := false;
    files := ARRAY(SELECT f.id FROM audit_file f WHERE f.sha256 = ANY (hashes) AND f.sha256 <> ''::bytea);
    FOR needle IN SELECT jsonb_array_elements(needles) LOOP
        IF needle ? 'path' OR needle ? 'certificate' THEN
            wanted := 'true'
                || CASE WHEN needle ? 'path' THEN format(' AND f.path ILIKE %L', needle ->> 'path') ELSE '' END
                || CASE WHEN needle ? 'certificate'
                        THEN format(' AND f.certificate <> '''' AND f.certificate ILIKE %L', needle ->> 'certificate') ELSE '' END;
            EXECUTE format('SELECT array_agg(x.id) FROM (SELECT f.id FROM audit_file f WHERE %s LIMIT %s) x', wanted, most + 1) INTO found;
            IF coalesce(cardinality(found), 0) <= most THEN
                files := files || coalesce(found, '{}');
            ELSE
                is_wide := true;
                condition := condition || format(' OR EXISTS (SELECT FROM audit_file f WHERE f.id = d.file_id AND %s)', wanted);
            END IF;
        ELSE
            one := '';
            FOREACH name IN ARRAY ARRAY['process', 'created_by'] LOOP
                CONTINUE WHEN NOT needle ? name;
                paths := ARRAY(SELECT p.id FROM audit_path p WHERE p.path ILIKE (needle ->> name) LIMIT most + 1);
                IF cardinality(paths) <= most THEN
                    one := one || format(' AND d.%I = ANY (%L::bigint[])', name || '_id', paths);
                END IF;
            END LOOP;
            is_wide := is_wide OR one = '';
            condition := condition || ' OR (true' || one || ')';
        END IF;
    END LOOP;
    condition := format('(d.file_id = ANY (%L::bigint[])%s)', files, condition);
END $body$;

-- Daily cells, and events that are not folded yet, that the rules may match, with the texts to decide by. A last row
-- without an organization says that a limit was met: `cap` rows, or `most_ms` milliseconds of walking through the days.
CREATE FUNCTION audit_rule_cells(orgs integer[], low timestamptz, not_groups integer[], hashes bytea[], needles jsonb,
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
        IF room <= 0 OR clock_timestamp() - began > make_interval(secs => most_ms / 1000.0) THEN
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

-- On how many computers these (file, process, created by) were seen: one row a file, the row without a file is all of
-- them. A row of file -1 says that only `cap` events were read.
CREATE FUNCTION audit_rule_computers(orgs integer[], low timestamptz, not_groups integer[], files bigint[], processes bigint[],
                                     creators bigint[], cap integer)
RETURNS TABLE (file_id bigint, computers bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE own CONSTANT integer[] := audit_own(orgs);
BEGIN
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT e.file_id AS f, e.process_id AS p, e.created_by_id AS c, e.computer_number AS computer FROM audit_event e
        WHERE e.file_id = ANY (ARRAY(SELECT DISTINCT unnest(files))) AND e.organization_number = ANY (own) AND e.received_at >= low
          AND e.outcome <> 0 AND e.group_number <> ALL (not_groups)
        LIMIT least(cap, 200000)
    ), wanted AS (
        SELECT DISTINCT s.f, s.computer FROM seen s WHERE (s.f, s.p, s.c) IN (SELECT * FROM unnest(files, processes, creators))
    )
    SELECT NULL::bigint, count(DISTINCT w.computer) FROM wanted w
    UNION ALL SELECT w.f, count(*) FROM wanted w GROUP BY w.f
    UNION ALL SELECT -1, 0 FROM (SELECT count(*) AS n FROM seen) t WHERE t.n >= least(cap, 200000);
END $body$;
