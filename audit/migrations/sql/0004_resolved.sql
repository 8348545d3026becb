-- Text terms are resolved to ids once a search; every function then works on the ids. A resolved description carries
-- "sets": [{"on": "file", "ids": [..]}, {"on": "any", "ids": [files], "paths": [paths]}] in the place of those terms.

-- The description with each rare enough text term (at most `cap` files or paths) replaced by its ids. Ids only: they are
-- keyed hashes that tell nothing, and events stay behind their own wall.
CREATE FUNCTION audit_resolve(filters jsonb, cap integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    most CONSTANT integer := least(cap, 20000); term jsonb; kept jsonb := '[]'; sets jsonb := '[]';
    patterns text[]; files bigint[]; paths bigint[]; hashes bigint[];
BEGIN
    FOR term IN SELECT jsonb_array_elements(coalesce(filters -> 'text', '[]')) LOOP
        patterns := ARRAY(SELECT jsonb_array_elements_text(term -> 'any'));
        IF (term ->> 'not')::boolean OR '' ILIKE ANY (patterns)
           OR term ->> 'on' NOT IN ('path', 'certificate', 'sha256', 'process', 'created_by', 'any') THEN
            kept := kept || term;
        ELSIF term ->> 'on' IN ('process', 'created_by') THEN
            paths := audit_candidates('audit_path', 'path', patterns, most);
            IF cardinality(paths) > most THEN kept := kept || term;
            ELSE sets := sets || jsonb_build_object('on', term ->> 'on', 'ids', to_jsonb(paths));
            END IF;
        ELSE
            files := audit_candidates('audit_file', CASE term ->> 'on' WHEN 'any' THEN 'path' ELSE term ->> 'on' END, patterns, most);
            paths := '{}';
            IF term ->> 'on' = 'any' AND cardinality(files) <= most THEN
                hashes := audit_candidates('audit_file', 'sha256', patterns, most);
                paths := audit_candidates('audit_path', 'path', patterns, most);
                files := files || hashes;
            END IF;
            IF cardinality(files) > most OR cardinality(paths) > most THEN kept := kept || term;
            ELSIF term ->> 'on' = 'any' THEN
                sets := sets || jsonb_build_object('on', 'any', 'ids', to_jsonb(files), 'paths', to_jsonb(paths));
            ELSE sets := sets || jsonb_build_object('on', 'file', 'ids', to_jsonb(files));
            END IF;
        END IF;
    END LOOP;
    RETURN filters - 'text' || CASE WHEN kept = '[]' THEN '{}'::jsonb ELSE jsonb_build_object('text', kept) END
                            || CASE WHEN sets = '[]' THEN '{}'::jsonb ELSE jsonb_build_object('sets', sets) END;
END $body$;

-- ' AND …' for the sets of a resolved description with at most `most` ids. `plus` keeps an index out of it (' + 0').
CREATE FUNCTION audit_sets(filters jsonb, most integer, plus text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $body$
DECLARE condition text := ''; one jsonb; ids bigint[]; paths bigint[];
BEGIN
    FOR one IN SELECT jsonb_array_elements(coalesce(filters -> 'sets', '[]')) LOOP
        ids := ARRAY(SELECT jsonb_array_elements_text(one -> 'ids')::bigint);
        paths := ARRAY(SELECT jsonb_array_elements_text(coalesce(one -> 'paths', '[]'))::bigint);
        CONTINUE WHEN cardinality(ids) + cardinality(paths) > most;
        condition := condition || CASE one ->> 'on'
            WHEN 'file' THEN format(' AND (e.file_id%s) = ANY (%L::bigint[])', plus, ids)
            WHEN 'process' THEN format(' AND (e.process_id%s) = ANY (%L::bigint[])', plus, ids)
            WHEN 'created_by' THEN format(' AND (e.created_by_id%s) = ANY (%L::bigint[])', plus, ids)
            ELSE format(' AND ((e.file_id%1$s) = ANY (%2$L::bigint[]) OR (e.process_id%1$s) = ANY (%3$L::bigint[])
                         OR (e.created_by_id%1$s) = ANY (%3$L::bigint[]))', plus, ids, paths) END;
    END LOOP;
    RETURN condition;
END $body$;

CREATE OR REPLACE FUNCTION audit_needle(filters jsonb, cap integer) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $body$
    SELECT audit_sets(filters, cap, '')
$body$;

-- Newest first means walking the index, whatever the planner believes about how rare a match is.
ALTER FUNCTION audit_walk(integer[], integer[], text, timestamptz, timestamptz, timestamptz, bigint, text, integer)
    SET enable_sort = off;
ALTER FUNCTION audit_walk(integer[], integer[], text, timestamptz, timestamptz, timestamptz, bigint, text, integer)
    SET enable_bitmapscan = off;
ALTER FUNCTION audit_walk(integer[], integer[], text, timestamptz, timestamptz, timestamptz, bigint, text, integer)
    SET enable_seqscan = off;

CREATE OR REPLACE FUNCTION audit_search(orgs integer[], low timestamptz, high timestamptz, cursor_at timestamptz, cursor_id bigint,
                                        filters jsonb, n integer, shape text DEFAULT 'auto')
RETURNS SETOF audit_key LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $body$
DECLARE
    own CONSTANT integer[] := audit_own(orgs); plain CONSTANT text := audit_where(filters);
    needle text := ''; page audit_key[]; too_many boolean; computers integer[]; condition text;
BEGIN
    IF cardinality(own) = 0 OR n NOT BETWEEN 1 AND 1001 THEN
        RETURN;
    END IF;
    IF shape = 'auto' THEN
        needle := audit_sets(filters, 3000, '');
    END IF;
    IF needle <> '' THEN
        SELECT p.page, p.too_many INTO page, too_many
        FROM audit_pick(own, low, high, cursor_at, cursor_id, needle, plain || audit_sets(filters, 100000, ' + 0'), n, '{}') p;
        IF NOT too_many THEN
            RETURN QUERY SELECT * FROM unnest(page);
            RETURN;
        END IF;
    END IF;
    condition := plain || audit_sets(filters, 100000, ' + 0');
    computers := audit_computers(own, filters);
    IF shape = 'auto' AND cardinality(computers) <= 500 THEN
        RETURN QUERY SELECT * FROM audit_walk(own, computers, 'computer_number', low, high, cursor_at, cursor_id, condition, n);
    ELSE
        RETURN QUERY SELECT * FROM audit_walk(own, own, 'organization_number', low, high, cursor_at, cursor_id, condition, n);
    END IF;
END $body$;

CREATE OR REPLACE FUNCTION audit_matching(own integer[], low timestamptz, high timestamptz, filters jsonb, columns text, cap integer)
RETURNS text LANGUAGE sql STABLE SET search_path = public, pg_temp AS $body$
    SELECT format(
        '(SELECT %s FROM audit_event e WHERE e.organization_number = ANY (%L::integer[]) AND e.received_at >= %L::timestamptz
          AND e.received_at < %L::timestamptz %s %s %s LIMIT %s)',
        columns, own, low, high,
        audit_sets(filters, 3000, '') || audit_sets(filters, 100000, ' + 0')
            || coalesce((SELECT format(' AND e.computer_number = ANY (%L::integer[])', c.numbers)
                         FROM (SELECT audit_computers(own, filters) AS numbers) c WHERE cardinality(c.numbers) <= 500), ''),
        audit_where(filters),
        CASE WHEN cardinality(own) = 1 THEN 'ORDER BY e.received_at DESC, e.id DESC' ELSE '' END, cap)
$body$;
