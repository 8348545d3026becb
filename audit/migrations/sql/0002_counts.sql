-- Numbers beside a search. All are bounded: they read at most `cap` events and say so by reaching it.

-- The events that a search is about, as text of a subquery of at most `cap` rows.
CREATE FUNCTION audit_matching(own integer[], low timestamptz, high timestamptz, filters jsonb, columns text, cap integer)
RETURNS text LANGUAGE sql STABLE SET search_path = public, pg_temp AS $body$
    SELECT format(
        '(SELECT %s FROM audit_event e WHERE e.organization_number = ANY (%L::integer[]) AND e.received_at >= %L::timestamptz
          AND e.received_at < %L::timestamptz %s %s %s LIMIT %s)',
        columns, own, low, high, audit_needle(filters, 3000), audit_where(filters),
        CASE WHEN cardinality(own) = 1 THEN 'ORDER BY e.received_at DESC, e.id DESC' ELSE '' END, cap)
$body$;

CREATE FUNCTION audit_count(orgs integer[], low timestamptz, high timestamptz, filters jsonb, cap integer) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE found integer;
BEGIN
    EXECUTE 'SELECT count(*) FROM ' || audit_matching(audit_own(orgs), low, high, filters, '1', least(cap, 100001)) || ' m' INTO found;
    RETURN found;
END $body$;

-- Events by slot of `width` seconds from `low`, and by outcome.
CREATE FUNCTION audit_histogram(orgs integer[], low timestamptz, high timestamptz, filters jsonb, width integer, cap integer)
RETURNS TABLE (slot integer, outcome smallint, n bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT floor(extract(epoch FROM m.received_at - %L::timestamptz) / %s)::integer, m.outcome, count(*) FROM %s m GROUP BY 1, 2 ORDER BY 1, 2',
        low, greatest(width, 1),
        audit_matching(audit_own(orgs), low, high, filters, 'e.received_at, e.outcome', least(cap, 300000)));
END $body$;

-- How often each outcome, action type, organization, group, computer and certificate occurs. At most `top` values each.
CREATE FUNCTION audit_facets(orgs integer[], low timestamptz, high timestamptz, filters jsonb, cap integer, top integer)
RETURNS TABLE (facet text, value text, n bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH m AS MATERIALIZED %s, counted AS (
            SELECT CASE WHEN GROUPING(outcome) = 0 THEN ''outcome'' WHEN GROUPING(action_type) = 0 THEN ''action_type''
                        WHEN GROUPING(organization_number) = 0 THEN ''organization'' WHEN GROUPING(group_number) = 0 THEN ''group''
                        ELSE ''computer'' END AS facet,
                   coalesce(outcome, action_type, organization_number, group_number, computer_number)::text AS value, count(*) AS n
            FROM m GROUP BY GROUPING SETS ((outcome), (action_type), (organization_number), (group_number), (computer_number))
            UNION ALL
            SELECT ''certificate'', coalesce(f.certificate, ''''), sum(x.n)::bigint
            FROM (SELECT file_id, count(*) AS n FROM m WHERE file_id <> 0 GROUP BY file_id) x LEFT JOIN audit_file f ON f.id = x.file_id
            GROUP BY 2
        )
        SELECT r.facet, r.value, r.n FROM (
            SELECT *, row_number() OVER (PARTITION BY facet ORDER BY n DESC, value) AS place FROM counted) r
        WHERE r.place <= %s ORDER BY r.facet, r.n DESC, r.value',
        audit_matching(audit_own(orgs), low, high, filters,
                       'e.outcome, e.action_type, e.organization_number, e.group_number, e.computer_number, e.file_id', least(cap, 100001)),
        least(top, 100));
END $body$;

-- Each (hash, path, certificate) seen under one path or one hash, oldest first: when, how often, on how many computers,
-- and what wrote it. `computers` counts the newest 5,000 events of a file.
CREATE FUNCTION audit_file_history(orgs integer[], wanted_path text, wanted_sha256 bytea, low timestamptz)
RETURNS TABLE (file_id bigint, sha256 text, path text, certificate text, first_at timestamptz, last_at timestamptz, n bigint,
    denied bigint, computers bigint, organizations bigint, created_by text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE own CONSTANT integer[] := audit_own(orgs); ids bigint[];
BEGIN
    ids := ARRAY(SELECT f.id FROM audit_file f WHERE (wanted_path IS NOT NULL AND lower(f.path) = lower(wanted_path))
                 OR (wanted_sha256 IS NOT NULL AND f.sha256 = wanted_sha256 AND f.sha256 <> ''::bytea) LIMIT 5000);
    RETURN QUERY
    WITH cell AS MATERIALIZED (
        SELECT d.organization_number, d.file_id, d.outcome, d.created_by_id, d.n::bigint AS n, d.first_at, d.last_at FROM audit_daily d
        WHERE d.file_id = ANY (ids) AND d.organization_number = ANY (own) AND d.day >= (low AT TIME ZONE 'UTC')::date
        UNION ALL
        SELECT e.organization_number, e.file_id, e.outcome, e.created_by_id, 1, e.received_at, e.received_at
        FROM audit_batch b CROSS JOIN LATERAL (
            SELECT * FROM audit_event x WHERE x.organization_number = b.organization_number AND x.received_at = b.received_at
              AND x.id >= b.number << 16 AND x.id < (b.number + 1) << 16 OFFSET 0) e
        WHERE b.folded_at IS NULL AND b.organization_number = ANY (own) AND b.received_at >= low AND e.file_id = ANY (ids)
    ), grouped AS (
        SELECT c.file_id, min(c.first_at) AS first_at, max(c.last_at) AS last_at, sum(c.n)::bigint AS n,
            coalesce(sum(c.n) FILTER (WHERE c.outcome >= 10), 0)::bigint AS denied, count(DISTINCT c.organization_number) AS organizations,
            ARRAY(SELECT p.path FROM audit_path p WHERE p.id = ANY ((array_agg(DISTINCT c.created_by_id))[1:5]) ORDER BY p.path) AS created_by
        FROM cell c GROUP BY c.file_id
    )
    SELECT g.file_id, encode(f.sha256, 'hex'), f.path, f.certificate, g.first_at, g.last_at, g.n, g.denied,
        (SELECT count(DISTINCT x.computer_number) FROM (
            SELECT e.computer_number FROM audit_event e WHERE e.file_id = g.file_id AND e.organization_number = ANY (own)
              AND e.received_at BETWEEN g.first_at AND g.last_at LIMIT 5000) x),
        g.organizations, g.created_by
    FROM grouped g JOIN audit_file f ON f.id = g.file_id ORDER BY g.first_at, g.file_id;
END $body$;
