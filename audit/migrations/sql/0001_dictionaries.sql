-- Dictionaries are written through these functions. Each returns the ids whose stored content is another one: a
-- collision of the keyed hash, which the caller refuses.

CREATE FUNCTION audit_learn_files(ids bigint[], hashes bytea[], paths text[], certificates text[], day date)
RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $body$
    INSERT INTO audit_file (id, sha256, path, certificate, last_seen)
    SELECT t.i, t.h, t.p, t.c, day FROM unnest(ids, hashes, paths, certificates) t(i, h, p, c) ORDER BY t.i
    ON CONFLICT (id) DO NOTHING;
    SELECT f.id FROM unnest(ids, hashes, paths, certificates) t(i, h, p, c) JOIN audit_file f ON f.id = t.i
    WHERE (f.sha256, f.path, f.certificate) IS DISTINCT FROM (t.h, t.p, t.c);
$body$;

CREATE FUNCTION audit_learn_paths(ids bigint[], paths text[], day date)
RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $body$
    INSERT INTO audit_path (id, path, last_seen)
    SELECT t.i, t.p, day FROM unnest(ids, paths) t(i, p) ORDER BY t.i
    ON CONFLICT (id) DO NOTHING;
    SELECT p.id FROM unnest(ids, paths) t(i, p) JOIN audit_path p ON p.id = t.i WHERE p.path <> t.p;
$body$;

-- The day a file or path was last seen: what retention goes by. Called by the fold.
CREATE FUNCTION audit_touch(files bigint[], paths bigint[], day date)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $body$
    UPDATE audit_file f SET last_seen = day
    FROM (SELECT id FROM audit_file WHERE id = ANY (files) AND last_seen < day ORDER BY id FOR UPDATE) due WHERE f.id = due.id;
    UPDATE audit_path p SET last_seen = day
    FROM (SELECT id FROM audit_path WHERE id = ANY (paths) AND last_seen < day ORDER BY id FOR UPDATE) due WHERE p.id = due.id;
$body$;

-- Forget what no event can name any more. `before` is at least two days before the oldest partition that is kept.
CREATE FUNCTION audit_forget(before date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $body$
DECLARE gone bigint; more bigint;
BEGIN
    IF before IS NULL OR before > (now() AT TIME ZONE 'UTC')::date - 9 THEN
        RAISE EXCEPTION 'audit dictionaries: too young to forget' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM audit_file WHERE last_seen < before;
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM audit_path WHERE last_seen < before;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN gone + more;
END $body$;
