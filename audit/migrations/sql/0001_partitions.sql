-- The application's role owns nothing and creates nothing: partitions come and go through these functions only.

-- Make the partitions of `days` UTC days from `first`. Returns how many were made. At most 400 days, within 400 days
-- back and 31 ahead. Safe to call at any time and twice at once.
CREATE FUNCTION audit_ensure_partitions(first date, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $body$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    parent text; part text; key text; low text; high text; made integer := 0;
BEGIN
    IF days IS NULL OR first IS NULL OR days NOT BETWEEN 1 AND 431
       OR first < today - 400 OR first + days > today + 32 THEN
        RAISE EXCEPTION 'audit partitions: % days from % are out of range', days, first
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR n IN 0 .. days - 1 LOOP
        CONTINUE WHEN to_regclass('audit_daily_file_p' || to_char(first + n, 'YYYYMMDD')) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(1635083369, 1);
        FOREACH parent IN ARRAY ARRAY['audit_event', 'audit_daily', 'audit_daily_file'] LOOP
            part := parent || '_p' || to_char(first + n, 'YYYYMMDD');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            key := CASE parent WHEN 'audit_event' THEN ' 00:00:00+00' ELSE '' END;
            low := to_char(first + n, 'YYYY-MM-DD') || key;
            high := to_char(first + n + 1, 'YYYY-MM-DD') || key;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS)', part, parent);
            PERFORM audit_protect(part);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, low, high);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $body$;

-- Drop the partitions of days before `before`. Never one of the last seven days.
CREATE FUNCTION audit_drop_partitions(before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' AS $body$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    part text; gone integer := 0;
BEGIN
    IF before IS NULL OR before > today - 7 THEN
        RAISE EXCEPTION 'audit partitions: days from % on are kept', today - 7 USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relname IN ('audit_event', 'audit_daily', 'audit_daily_file')
          AND c.relname ~ '_p[0-9]{8}$' AND right(c.relname, 8) < to_char(before, 'YYYYMMDD')
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        gone := gone + 1;
    END LOOP;
    RETURN gone;
END $body$;
