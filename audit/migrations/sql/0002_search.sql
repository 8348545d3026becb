-- Searching. Each function runs as the owner, because the dictionaries are closed to the application's role (row-level
-- security on them would disable their trigram indexes). Tenants are kept apart inside: audit_own(), and the forced
-- row-level security of every table that carries a tenant.

CREATE TYPE audit_key AS (received_at timestamptz, id bigint, organization_number integer);

-- WALK: the newest `n` events below the cursor, branch by branch (a branch is an organization or a computer).
CREATE FUNCTION audit_walk(orgs integer[], branches integer[], branch text, low timestamptz, high timestamptz,
                           cursor_at timestamptz, cursor_id bigint, condition text, n integer)
RETURNS SETOF audit_key LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE
    top timestamptz := least(high, coalesce(cursor_at, high)); bottom timestamptz; days integer; page audit_key[];
    below text := CASE WHEN cursor_at IS NULL THEN ''
        ELSE format(' AND (e.received_at, e.id) < (%L::timestamptz, %s)', cursor_at, cursor_id) END;
BEGIN
    FOREACH days IN ARRAY CASE WHEN cardinality(branches) > 8 THEN ARRAY[1, 4, 16, 0] ELSE ARRAY[0] END LOOP
        bottom := CASE days WHEN 0 THEN low ELSE greatest(low, top - make_interval(days => days)) END;
        EXECUTE format(
            'SELECT array_agg(ROW(k.received_at, k.id, k.organization_number)::audit_key) FROM (
                SELECT x.* FROM unnest(%L::integer[]) b CROSS JOIN LATERAL (
                    SELECT e.received_at, e.id, e.organization_number FROM audit_event e
                    WHERE e.%I = b %s AND e.received_at >= %L::timestamptz AND e.received_at < %L::timestamptz %s %s
                    ORDER BY e.received_at DESC, e.id DESC LIMIT %s) x
                ORDER BY x.received_at DESC, x.id DESC LIMIT %s) k',
            branches, branch,
            CASE branch WHEN 'organization_number' THEN '' ELSE format('AND e.organization_number = ANY (%L::integer[])', orgs) END,
            bottom, high, below, condition, n, n) INTO page;
        EXIT WHEN bottom = low OR coalesce(cardinality(page), 0) >= n;
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(page);
END $body$;

-- NEEDLE: cells (organization, day, file) from the rollup and from what is not folded yet, newest first; their events
-- chunk by chunk, until no later cell can hold a newer event. NULL when there are more cells than `cap`.
CREATE FUNCTION audit_cells(orgs integer[], low timestamptz, high timestamptz, needle text, cap integer,
                            OUT organizations integer[], OUT files bigint[], OUT firsts timestamptz[], OUT lasts timestamptz[])
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
BEGIN
    EXECUTE format(
        'SELECT array_agg(c.o ORDER BY c.b DESC), array_agg(c.f ORDER BY c.b DESC), array_agg(c.a ORDER BY c.b DESC),
                array_agg(c.b ORDER BY c.b DESC)
         FROM (SELECT o, f, min(a) AS a, max(b) AS b FROM (
            SELECT e.organization_number AS o, e.day AS d, e.file_id AS f, e.first_at AS a, e.last_at AS b FROM audit_daily e
            WHERE e.organization_number = ANY (%1$L::integer[])
              AND e.day BETWEEN (%2$L::timestamptz AT TIME ZONE ''UTC'')::date AND (%3$L::timestamptz AT TIME ZONE ''UTC'')::date
              AND e.last_at >= %2$L::timestamptz AND e.first_at < %3$L::timestamptz %4$s
            UNION ALL
            SELECT e.organization_number, (e.received_at AT TIME ZONE ''UTC'')::date, e.file_id, e.received_at, e.received_at
            FROM audit_batch b CROSS JOIN LATERAL (
                SELECT * FROM audit_event x WHERE x.organization_number = b.organization_number
                  AND x.received_at = b.received_at AND x.id >= b.number << 16 AND x.id < (b.number + 1) << 16 OFFSET 0) e
            WHERE b.folded_at IS NULL AND b.organization_number = ANY (%1$L::integer[])
              AND b.received_at >= %2$L::timestamptz AND b.received_at < %3$L::timestamptz %4$s
         ) u GROUP BY o, d, f LIMIT %5$s) c', orgs, low, high, needle, cap + 1)
        INTO organizations, files, firsts, lasts;
END $body$;

CREATE FUNCTION audit_pick(orgs integer[], low timestamptz, high timestamptz, cursor_at timestamptz, cursor_id bigint,
                           needle text, condition text, n integer, INOUT page audit_key[], OUT too_many boolean)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE
    chunk CONSTANT integer := 64; top CONSTANT timestamptz := least(high, coalesce(cursor_at + interval '1 microsecond', high));
    o integer[]; f bigint[]; a timestamptz[]; b timestamptz[]; more audit_key[]; i integer := 1;
    below text := CASE WHEN cursor_at IS NULL THEN ''
        ELSE format(' AND (e.received_at, e.id) < (%L::timestamptz, %s)', cursor_at, cursor_id) END;
BEGIN
    SELECT * INTO o, f, a, b FROM audit_cells(orgs, low, top, needle, 20000);
    too_many := coalesce(cardinality(o), 0) > 20000;
    page := '{}';
    WHILE NOT too_many AND i <= coalesce(cardinality(o), 0) LOOP
        EXECUTE format(
            'SELECT array_agg(ROW(k.received_at, k.id, k.organization_number)::audit_key) FROM (
                SELECT x.* FROM unnest(%L::integer[], %L::bigint[], %L::timestamptz[], %L::timestamptz[]) c(o, f, a, b)
                CROSS JOIN LATERAL (
                    SELECT e.received_at, e.id, e.organization_number FROM audit_event e
                    WHERE e.organization_number = c.o AND e.file_id = c.f AND e.received_at BETWEEN c.a AND c.b
                      AND e.received_at >= %L::timestamptz AND e.received_at < %L::timestamptz %s %s
                    ORDER BY e.received_at DESC, e.id DESC LIMIT %s) x
                ORDER BY x.received_at DESC, x.id DESC LIMIT %s) k',
            o[i : i + chunk - 1], f[i : i + chunk - 1], a[i : i + chunk - 1], b[i : i + chunk - 1],
            greatest(low, (SELECT min(v) FROM unnest(a[i : i + chunk - 1]) v)), top, below, condition, n, n) INTO more;
        page := ARRAY(SELECT x FROM unnest(page || coalesce(more, '{}')) x ORDER BY (x).received_at DESC, (x).id DESC LIMIT n);
        i := i + chunk;
        EXIT WHEN cardinality(page) >= n AND i <= cardinality(o) AND (page[n]).received_at > b[i];
    END LOOP;
END $body$;

-- The newest `n` events that satisfy `filters`, below the cursor, newest first. `shape`: auto, walk (for tests).
CREATE FUNCTION audit_search(orgs integer[], low timestamptz, high timestamptz, cursor_at timestamptz, cursor_id bigint,
                             filters jsonb, n integer, shape text DEFAULT 'auto')
RETURNS SETOF audit_key LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    own CONSTANT integer[] := audit_own(orgs); condition CONSTANT text := audit_where(filters);
    needle text := ''; page audit_key[]; too_many boolean; computers integer[];
BEGIN
    IF cardinality(own) = 0 OR n NOT BETWEEN 1 AND 1001 THEN
        RETURN;
    END IF;
    IF shape = 'auto' THEN
        needle := audit_needle(filters, 3000);
    END IF;
    IF needle <> '' THEN
        SELECT p.page, p.too_many INTO page, too_many
        FROM audit_pick(own, low, high, cursor_at, cursor_id, needle, condition, n, '{}') p;
        IF NOT too_many THEN
            RETURN QUERY SELECT * FROM unnest(page);
            RETURN;
        END IF;
    END IF;
    computers := audit_computers(own, filters);
    IF shape = 'auto' AND cardinality(computers) <= 500 THEN
        RETURN QUERY SELECT * FROM audit_walk(own, computers, 'computer_number', low, high, cursor_at, cursor_id, condition, n);
    ELSE
        RETURN QUERY SELECT * FROM audit_walk(own, own, 'organization_number', low, high, cursor_at, cursor_id, condition, n);
    END IF;
END $body$;

-- The few computers that can hold what is looked for: named ones, or those of a user. NULL: any.
CREATE FUNCTION audit_computers(orgs integer[], filters jsonb) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE term jsonb; patterns text[]; found integer[];
BEGIN
    IF filters ? 'computers' THEN
        RETURN ARRAY(SELECT jsonb_array_elements_text(filters -> 'computers')::integer);
    END IF;
    FOR term IN SELECT jsonb_array_elements(coalesce(filters -> 'text', '[]')) LOOP
        patterns := ARRAY(SELECT jsonb_array_elements_text(term -> 'any'));
        CONTINUE WHEN term ->> 'on' <> 'user' OR (term ->> 'not')::boolean OR '' ILIKE ANY (patterns);
        found := ARRAY(SELECT DISTINCT u.computer_number FROM audit_user u
                       WHERE u.organization_number = ANY (orgs) AND u.name ILIKE ANY (patterns) LIMIT 501);
        RETURN found;
    END LOOP;
    RETURN NULL;
END $body$;

-- Everything that is shown of these events, newest first. A key of a tenant out of reach gives no row.
CREATE FUNCTION audit_rows(ats timestamptz[], ids bigint[], orgs integer[])
RETURNS TABLE (received_at timestamptz, id bigint, occurred_at timestamptz, sequence bigint, organization_number integer,
    computer_number integer, group_number integer, outcome smallint, action_type smallint, mode smallint, flags smallint,
    size bigint, bundle_version bigint, command_line text, file_id bigint, path text, sha256 text, certificate text,
    process text, created_by text, user_name text, action smallint, policy text, policy_name text, application text,
    application_name text, rule text, reason_code text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
    SELECT e.received_at, e.id, e.occurred_at, e.sequence, e.organization_number, e.computer_number, e.group_number, e.outcome,
        e.action_type, e.mode, e.flags, e.size, e.bundle_version, e.command_line, e.file_id, coalesce(f.path, ''),
        coalesce(encode(f.sha256, 'hex'), ''), coalesce(f.certificate, ''), coalesce(p.path, ''), coalesce(c.path, ''),
        coalesce(u.name, ''), coalesce(d.action, 0::smallint), coalesce(d.policy, ''), coalesce(d.policy_name, ''),
        coalesce(d.application, ''), coalesce(d.application_name, ''), coalesce(d.rule, ''), coalesce(d.reason_code, '')
    FROM unnest(ats, ids, orgs) k(t, i, o)
    CROSS JOIN LATERAL (
        SELECT * FROM audit_event x
        WHERE x.organization_number = k.o AND x.received_at = k.t AND x.id = k.i
          AND k.o = ANY (audit_own(orgs)) AND x.received_at BETWEEN (SELECT min(v) FROM unnest(ats) v) AND (SELECT max(v) FROM unnest(ats) v)
        OFFSET 0
    ) e
    LEFT JOIN audit_file f ON f.id = e.file_id
    LEFT JOIN audit_path p ON p.id = e.process_id
    LEFT JOIN audit_path c ON c.id = e.created_by_id
    LEFT JOIN audit_user u ON u.id = e.user_id
    LEFT JOIN audit_decision d ON d.id = e.decision_id
    ORDER BY e.received_at DESC, e.id DESC
$body$;
