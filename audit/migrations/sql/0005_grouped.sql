-- How often each value, or each pair of values, occurs among at most `cap` of the events that match.
CREATE FUNCTION audit_grouped(orgs integer[], low timestamptz, high timestamptz, filters jsonb, fields text[], cap integer, top integer)
RETURNS TABLE (first_value text, second_value text, n bigint, first_at timestamptz, last_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE columns text[] := '{}'; field text; expression text;
BEGIN
    IF cardinality(fields) NOT BETWEEN 1 AND 2 THEN
        RAISE EXCEPTION 'audit: one or two fields' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH field IN ARRAY fields || CASE cardinality(fields) WHEN 1 THEN ARRAY['nothing'] ELSE '{}'::text[] END LOOP
        expression := CASE field
            WHEN 'nothing' THEN 'NULL::text'
            WHEN 'effect' THEN 'e.outcome::text'
            WHEN 'action_type' THEN 'e.action_type::text'
            WHEN 'organization' THEN 'e.organization_number::text'
            WHEN 'group' THEN 'e.group_number::text'
            WHEN 'computer' THEN 'e.computer_number::text'
            WHEN 'user' THEN audit_text_of('user')
            WHEN 'path' THEN audit_text_of('path')
            WHEN 'sha256' THEN audit_text_of('sha256')
            WHEN 'certificate' THEN audit_text_of('certificate')
            WHEN 'process' THEN audit_text_of('process')
            WHEN 'created_by' THEN audit_text_of('created_by')
            WHEN 'policy' THEN audit_text_of('policy')
            WHEN 'application' THEN audit_text_of('application')
        END;
        IF expression IS NULL THEN
            RAISE EXCEPTION 'audit: no such field' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        columns := columns || expression;
    END LOOP;
    RETURN QUERY EXECUTE format(
        'SELECT m.a, m.b, count(*), min(m.received_at), max(m.received_at) FROM %s m GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s',
        audit_matching(audit_own(orgs), low, high, filters,
                       format('e.received_at, %s AS a, %s AS b', columns[1], columns[2]), least(cap, 100001)),
        least(top, 500));
END $body$;
