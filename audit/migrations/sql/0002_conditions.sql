-- Conditions of a search, from the plain description that audit.search_terms makes. Every value goes in as a quoted
-- literal (%L), every name comes from this file. These three are called by the search functions only.
--
-- {"outcomes": [10, 11], "actions": [], "groups": [], "computers": [], "modes": [], "flags": 2, each also "not_…";
--  "text": [{"on": "path", "any": ["%\\temp\\%"], "not": false}]}
-- `on`: path, process, created_by, certificate, sha256, user, command_line, policy, application, any. `any` holds LIKE
-- patterns of which one must match; a missing value is the empty text.

-- The text that a term looks at, for the event `e`.
CREATE FUNCTION audit_text_of(field text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $body$
    SELECT CASE field
        WHEN 'path' THEN 'coalesce((SELECT f.path FROM audit_file f WHERE f.id = e.file_id), '''')'
        WHEN 'certificate' THEN 'coalesce((SELECT f.certificate FROM audit_file f WHERE f.id = e.file_id), '''')'
        WHEN 'sha256' THEN 'coalesce((SELECT encode(f.sha256, ''hex'') FROM audit_file f WHERE f.id = e.file_id), '''')'
        WHEN 'process' THEN 'coalesce((SELECT p.path FROM audit_path p WHERE p.id = e.process_id), '''')'
        WHEN 'created_by' THEN 'coalesce((SELECT p.path FROM audit_path p WHERE p.id = e.created_by_id), '''')'
        WHEN 'user' THEN 'coalesce((SELECT u.name FROM audit_user u WHERE u.id = e.user_id), '''')'
        WHEN 'command_line' THEN 'e.command_line'
        WHEN 'policy' THEN 'coalesce((SELECT d.policy_name FROM audit_decision d WHERE d.id = e.decision_id), '''')'
        WHEN 'policy_id' THEN 'coalesce((SELECT d.policy FROM audit_decision d WHERE d.id = e.decision_id), '''')'
        WHEN 'application' THEN 'coalesce((SELECT d.application_name FROM audit_decision d WHERE d.id = e.decision_id), '''')'
        WHEN 'application_id' THEN 'coalesce((SELECT d.application FROM audit_decision d WHERE d.id = e.decision_id), '''')'
    END
$body$;

-- The organizations of `wanted` that this session may see. With FORCE ROW LEVEL SECURITY the same variable also guards
-- each table that is read, these functions' owner included.
CREATE FUNCTION audit_own(wanted integer[]) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $body$
    SELECT CASE WHEN current_setting('portcullis.everything', true) = 'on' THEN wanted
        ELSE ARRAY(SELECT unnest(wanted) INTERSECT
                   SELECT unnest(nullif(current_setting('portcullis.numbers', true), '')::integer[])) END
$body$;

-- ' AND …' for the event `e`: everything `filters` asks for.
CREATE FUNCTION audit_where(filters jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE
    condition text := ''; field record; term jsonb; one text; name text; numbers integer[];
BEGIN
    FOR field IN SELECT * FROM (VALUES ('outcomes', 'e.outcome'), ('actions', 'e.action_type'), ('groups', 'e.group_number'),
                                       ('computers', 'e.computer_number'), ('modes', 'e.mode')) v(key, col) LOOP
        IF filters ? field.key THEN
            numbers := ARRAY(SELECT jsonb_array_elements_text(filters -> field.key)::integer);
            condition := condition || format(' AND %s = ANY (%L::integer[])', field.col, numbers);
            IF field.key = 'outcomes' AND numbers <> '{}' AND 10 <= ALL (numbers) THEN
                condition := condition || ' AND e.outcome >= 10';  -- lets the index of denials answer
            END IF;
        END IF;
        IF filters ? ('not_' || field.key) THEN
            numbers := ARRAY(SELECT jsonb_array_elements_text(filters -> ('not_' || field.key))::integer);
            condition := condition || format(' AND %s <> ALL (%L::integer[])', field.col, numbers);
        END IF;
    END LOOP;
    IF filters ? 'flags' THEN
        condition := condition || format(' AND (e.flags & %L::integer) <> 0', filters ->> 'flags');
    END IF;
    FOR term IN SELECT jsonb_array_elements(coalesce(filters -> 'text', '[]')) LOOP
        one := '';
        FOREACH name IN ARRAY CASE WHEN term ->> 'on' = 'any' THEN ARRAY['path', 'process', 'created_by', 'sha256']
                                   ELSE ARRAY[term ->> 'on'] END LOOP
            one := one || format(' OR %s ILIKE ANY (%L::text[])', audit_text_of(name),
                                 ARRAY(SELECT jsonb_array_elements_text(term -> 'any')));
        END LOOP;
        condition := condition || CASE WHEN (term ->> 'not')::boolean THEN ' AND NOT (' ELSE ' AND (' END || substr(one, 5) || ')';
    END LOOP;
    RETURN condition;
END $body$;

-- The file ids (or path ids) that satisfy a term, at most `cap` + 1 of them.
CREATE FUNCTION audit_candidates(dictionary text, field text, patterns text[], cap integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE found bigint[]; condition text; prefix text;
BEGIN
    IF field = 'sha256' THEN
        condition := 'false';
        FOREACH prefix IN ARRAY patterns LOOP
            prefix := rtrim(prefix, '%');
            CONTINUE WHEN prefix !~ '^[0-9a-f]{1,64}$';
            condition := condition || format(' OR d.sha256 BETWEEN %L::bytea AND %L::bytea AND d.sha256 <> ''''::bytea',
                '\x' || rpad(prefix, 64, '0'), '\x' || rpad(prefix, 64, 'f'));
        END LOOP;
    ELSE
        condition := format('d.%I ILIKE ANY (%L::text[])', field, patterns);
        IF field = 'certificate' THEN
            condition := condition || ' AND d.certificate <> ''''';
        END IF;
    END IF;
    EXECUTE format('SELECT array_agg(id) FROM (SELECT d.id FROM %I d WHERE %s LIMIT %s) x', dictionary, condition, cap + 1)
        INTO found;
    RETURN coalesce(found, '{}');
END $body$;

-- ' AND e.file_id = ANY (…)' from those terms that few files or paths satisfy; empty when none is that rare. Terms that
-- an event without a value could satisfy are left alone.
CREATE FUNCTION audit_needle(filters jsonb, cap integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE
    condition text := ''; term jsonb; patterns text[]; files bigint[]; paths bigint[]; hashes bigint[];
BEGIN
    FOR term IN SELECT jsonb_array_elements(coalesce(filters -> 'text', '[]')) LOOP
        patterns := ARRAY(SELECT jsonb_array_elements_text(term -> 'any'));
        CONTINUE WHEN (term ->> 'not')::boolean OR '' ILIKE ANY (patterns);
        CASE term ->> 'on'
        WHEN 'path', 'certificate', 'sha256' THEN
            files := audit_candidates('audit_file', term ->> 'on', patterns, cap);
            IF cardinality(files) <= cap THEN
                condition := condition || format(' AND e.file_id = ANY (%L::bigint[])', files);
            END IF;
        WHEN 'process', 'created_by' THEN
            paths := audit_candidates('audit_path', 'path', patterns, cap);
            IF cardinality(paths) <= cap THEN
                condition := condition || format(' AND e.%I = ANY (%L::bigint[])', (term ->> 'on') || '_id', paths);
            END IF;
        WHEN 'any' THEN
            files := audit_candidates('audit_file', 'path', patterns, cap);
            paths := audit_candidates('audit_path', 'path', patterns, cap);
            hashes := audit_candidates('audit_file', 'sha256', patterns, cap);
            IF cardinality(files) + cardinality(hashes) <= cap AND cardinality(paths) <= cap THEN
                condition := condition || format(
                    ' AND (e.file_id = ANY (%L::bigint[]) OR e.process_id = ANY (%L::bigint[]) OR e.created_by_id = ANY (%L::bigint[]))',
                    files || hashes, paths, paths);
            END IF;
        ELSE
            NULL;
        END CASE;
    END LOOP;
    RETURN condition;
END $body$;
