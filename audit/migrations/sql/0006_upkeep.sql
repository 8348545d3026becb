-- Evidence for tidying applications: what was seen of given hashes, or of files that a rule could match.

-- Each (file, launching program, writing program) seen since `low` in these organizations and groups, whose hash is one
-- of `hashes`, or whose path, certificate, writer or launcher is LIKE one of the patterns. `explicit`: how often a deny
-- policy stopped it, not the default. At most `cap` files (programs) a kind of pattern; the last column says "there are more".
CREATE FUNCTION audit_sightings(orgs integer[], in_groups integer[], low timestamptz, hashes bytea[], paths_like text[],
    certificates_like text[], creators_like text[], processes_like text[], cap integer)
RETURNS TABLE (file_id bigint, sha256 text, path text, certificate text, process text, created_by text, organizations integer[],
    n bigint, denied bigint, explicit bigint, is_script boolean, first_at timestamptz, last_at timestamptz, more boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    own CONSTANT integer[] := audit_own(orgs); most CONSTANT integer := least(cap, 20000);
    files bigint[]; creators bigint[]; processes bigint[]; by_path bigint[]; by_certificate bigint[]; too_many boolean;
BEGIN
    by_path := audit_candidates('audit_file', 'path', paths_like, most);
    by_certificate := audit_candidates('audit_file', 'certificate', certificates_like, most);
    creators := audit_candidates('audit_path', 'path', creators_like, most);
    processes := audit_candidates('audit_path', 'path', processes_like, most);
    too_many := greatest(cardinality(by_path), cardinality(by_certificate), cardinality(creators), cardinality(processes)) > most;
    files := ARRAY(SELECT unnest(by_path) UNION SELECT unnest(by_certificate)
                   UNION SELECT f.id FROM audit_file f WHERE f.sha256 = ANY (hashes) AND f.sha256 <> ''::bytea);
    RETURN QUERY
    WITH cell AS MATERIALIZED (
        SELECT d.file_id, d.process_id, d.created_by_id, d.organization_number, d.decision_id, d.outcome, d.action_type,
            d.n::bigint AS n, d.first_at, d.last_at
        FROM audit_daily d
        WHERE (d.file_id = ANY (files) OR d.created_by_id = ANY (creators) OR d.process_id = ANY (processes))
          AND d.organization_number = ANY (own) AND d.group_number = ANY (in_groups) AND d.day >= (low AT TIME ZONE 'UTC')::date
        UNION ALL
        SELECT e.file_id, e.process_id, e.created_by_id, e.organization_number, e.decision_id, e.outcome, e.action_type,
            1, e.received_at, e.received_at
        FROM audit_batch b CROSS JOIN LATERAL (
            SELECT * FROM audit_event x WHERE x.organization_number = b.organization_number AND x.received_at = b.received_at
              AND x.id >= b.number << 16 AND x.id < (b.number + 1) << 16 OFFSET 0) e
        WHERE b.folded_at IS NULL AND b.organization_number = ANY (own) AND b.received_at >= low
          AND e.group_number = ANY (in_groups) AND e.outcome <> 0
          AND (e.file_id = ANY (files) OR e.created_by_id = ANY (creators) OR e.process_id = ANY (processes))
    ), seen AS (
        SELECT c.file_id, c.process_id, c.created_by_id, array_agg(DISTINCT c.organization_number) AS organizations,
            sum(c.n)::bigint AS n, coalesce(sum(c.n) FILTER (WHERE c.outcome >= 10), 0)::bigint AS denied,
            coalesce(sum(c.n) FILTER (WHERE c.outcome >= 10 AND r.reason_code = 'deny'), 0)::bigint AS explicit,
            bool_or(c.action_type = 3) AS is_script, min(c.first_at) AS first_at, max(c.last_at) AS last_at
        FROM cell c LEFT JOIN audit_decision r ON r.id = c.decision_id
        WHERE c.file_id <> 0 GROUP BY 1, 2, 3
    )
    SELECT s.file_id, encode(f.sha256, 'hex'), f.path, f.certificate, coalesce(p.path, ''), coalesce(w.path, ''),
        s.organizations, s.n, s.denied, s.explicit, s.is_script, s.first_at, s.last_at, coalesce(too_many, false)
    FROM seen s JOIN audit_file f ON f.id = s.file_id
    LEFT JOIN audit_path p ON p.id = s.process_id LEFT JOIN audit_path w ON w.id = s.created_by_id
    ORDER BY s.file_id, s.process_id, s.created_by_id;
END $body$;

-- The computers that each of these files was seen on, by the newest 2,000 events of a file in an organization.
CREATE FUNCTION audit_computers_of_files(orgs integer[], in_groups integer[], low timestamptz, files bigint[])
RETURNS TABLE (file_id bigint, computers integer[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
    SELECT t.f, array_agg(DISTINCT x.computer_number)
    FROM unnest(files) t(f) CROSS JOIN unnest(audit_own(orgs)) o(number) CROSS JOIN LATERAL (
        SELECT e.computer_number FROM audit_event e
        WHERE e.file_id = t.f AND e.organization_number = o.number AND e.group_number = ANY (in_groups) AND e.received_at >= low
        ORDER BY e.received_at DESC LIMIT 2000) x
    GROUP BY t.f ORDER BY t.f
$body$;
