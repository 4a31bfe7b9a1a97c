-- A rebuild makes a new generation of the read tables beside the one that is read, and then puts it in its place in one
-- transaction. The one that was read before is kept, so that one can go back.
--
-- The generation that is read has its tables where all others are; the one that is built is in the schema taskfold_next, the one before
-- in taskfold_previous. Only the owner of the tables may make and move them, so this is done by functions that the projector may call.

-- Which version of its code wrote each read table: {"tasks": 1, ...}. The projector rebuilds what another version has written.
ALTER TABLE projection_checkpoint ADD COLUMN versions jsonb NOT NULL DEFAULT '{}';
-- It was one version for all. A projector from before cannot begin to lead any more: it would not write what triggers wrote for it.
ALTER TABLE projection_checkpoint DROP COLUMN version;

-- What triggers derived is now written by the projector, for a whole batch at once, and into the generation that it works on.
ALTER TABLE task_documents DROP CONSTRAINT task_documents_task_id_fkey;
ALTER TABLE label_documents DROP CONSTRAINT label_documents_project_id_fkey;
DROP FUNCTION taskfold_count_batch, taskfold_count_move, taskfold_write_document, taskfold_write_labels CASCADE;
-- As before, but such that it is a part of the statement that uses it: no call for each row.
CREATE OR REPLACE FUNCTION taskfold_task_document(title text, description text, label_ids uuid[]) RETURNS tsvector
    LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT setweight(to_tsvector('pg_catalog.simple', translate(title, '<>', '  ')), 'A')
        || CASE WHEN label_ids = '{}' THEN '' ELSE array_to_string(label_ids, ':1A ') || ':1A' END::tsvector
        || setweight(to_tsvector('pg_catalog.simple', translate(description, '<>', '  ')), 'B')
$$;

CREATE FUNCTION taskfold_generation_tables() RETURNS text[] LANGUAGE sql IMMUTABLE
AS $$
    SELECT ARRAY ['tasks', 'projects', 'project_members', 'comments', 'attachments', 'teams', 'team_members', 'project_teams',
        'notifications', 'column_counts', 'task_documents', 'label_documents', 'set_aside_events', 'projection_checkpoint']
$$;

-- Makes taskfold_next: empty tables without indexes, at position 0. What an earlier rebuild left there goes.
CREATE FUNCTION taskfold_generation_begin() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    SET client_min_messages = warning
AS $$
DECLARE
    name    text;
    options text;
BEGIN
    DROP SCHEMA IF EXISTS taskfold_next CASCADE;
    CREATE SCHEMA taskfold_next;
    GRANT USAGE ON SCHEMA taskfold_next TO taskfold_projector;
    FOREACH name IN ARRAY taskfold_generation_tables() LOOP
        EXECUTE format('CREATE TABLE taskfold_next.%1$I (LIKE %1$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS '
            'INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)', name);
        SELECT array_to_string(c.reloptions, ', ') INTO options FROM pg_class c WHERE c.oid = name::regclass;
        IF options IS NOT NULL THEN
            EXECUTE format('ALTER TABLE taskfold_next.%I SET (%s)', name, options);
        END IF;
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON taskfold_next.%I TO taskfold_projector', name);
    END LOOP;
    INSERT INTO taskfold_next.projection_checkpoint (position) VALUES (0);
END
$$;

-- The indexes that taskfold_next is to have, the largest first.
CREATE FUNCTION taskfold_generation_indexes() RETURNS SETOF text LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    SELECT c.relname::text
    FROM unnest(taskfold_generation_tables()) AS t (name) JOIN pg_index i ON i.indrelid = t.name::regclass
        JOIN pg_class c ON c.oid = i.indexrelid
    ORDER BY pg_relation_size(c.oid) DESC, 1
$$;

-- Makes one of them, as the generation that is read has it.
CREATE FUNCTION taskfold_generation_index(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    SET maintenance_work_mem = '128MB'
AS $$
DECLARE
    made record;
BEGIN
    SELECT t.relname, n.nspname, pg_get_indexdef(i.indexrelid) AS definition, k.oid AS of_constraint INTO STRICT made
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
    WHERE i.indexrelid = name::regclass AND t.relname = ANY (taskfold_generation_tables());
    IF made.of_constraint IS NULL THEN
        EXECUTE replace(made.definition, format(' ON %I.%I ', made.nspname, made.relname), format(' ON taskfold_next.%I ', made.relname));
    ELSE
        EXECUTE format('ALTER TABLE taskfold_next.%I ADD CONSTRAINT %I %s', made.relname, name, pg_get_constraintdef(made.of_constraint));
    END IF;
END
$$;

-- Who may do what with taskfold_next: what they may do with the generation that is read. And what the planner should know of it.
CREATE FUNCTION taskfold_generation_protect() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    name text;
    made record;
BEGIN
    FOREACH name IN ARRAY taskfold_generation_tables() LOOP
        FOR made IN SELECT g.privilege_type, g.grantee::regrole AS grantee
            FROM pg_class c, aclexplode(c.relacl) AS g WHERE c.oid = name::regclass AND g.grantee <> c.relowner LOOP
            EXECUTE format('GRANT %s ON taskfold_next.%I TO %s', made.privilege_type, name, made.grantee);
        END LOOP;
        IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = name::regclass) THEN
            EXECUTE format('ALTER TABLE taskfold_next.%I ENABLE ROW LEVEL SECURITY', name);
        END IF;
        FOR made IN SELECT p.polname, p.polpermissive, pg_get_expr(p.polqual, p.polrelid) AS visible,
                pg_get_expr(p.polwithcheck, p.polrelid) AS allowed,
                CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
                (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ') FROM unnest(p.polroles) AS r) AS roles
            FROM pg_policy p WHERE p.polrelid = name::regclass LOOP
            EXECUTE format('CREATE POLICY %I ON taskfold_next.%I AS %s FOR %s TO %s %s %s', made.polname, name,
                CASE WHEN made.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, made.command, made.roles,
                'USING (' || made.visible || ')', 'WITH CHECK (' || made.allowed || ')');
        END LOOP;
        EXECUTE format('ANALYZE taskfold_next.%I', name);
    END LOOP;
END
$$;

-- Transactions that have taken a snapshot, but those of the caller's two connections. One that is older than the last rows of the next
-- generation would not see them when it comes to the tables that were switched behind its back: it has to end before.
CREATE FUNCTION taskfold_generation_readers(own integer[]) RETURNS TABLE (pid integer, began timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT a.pid, a.xact_start FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.backend_xmin IS NOT NULL AND a.pid <> ALL (own)
$$;

-- Puts taskfold_next, or taskfold_previous, in the place of the generation that is read, which becomes taskfold_previous. Both must be at
-- the same position; whoever calls this has locked the checkpoint that is read. It needs all tables to itself for a moment: set
-- lock_timeout, and try again, so that nobody waits long behind it.
CREATE FUNCTION taskfold_generation_switch(from_schema text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT SET client_min_messages = warning
AS $$
DECLARE
    live text := current_schema();
    name text;
    now_live record;
    becomes  record;
    views    jsonb;
    seen     record;
BEGIN
    IF from_schema NOT IN ('taskfold_next', 'taskfold_previous') THEN
        RAISE EXCEPTION 'no generation is called %', from_schema;
    END IF;
    EXECUTE format('SELECT position, versions FROM %I.projection_checkpoint', from_schema) INTO STRICT becomes;
    SELECT position, versions INTO STRICT now_live FROM projection_checkpoint;
    IF becomes.position <> now_live.position THEN
        RAISE EXCEPTION 'the generation in % is at position %, the one that is read at %', from_schema, becomes.position, now_live.position;
    END IF;
    SELECT coalesce(jsonb_object_agg(c.relname, pg_get_viewdef(c.oid)), '{}') INTO views
    FROM pg_class c WHERE c.relnamespace = live::regnamespace AND c.relkind = 'v';
    -- In the order in which transactions come to them: first what tells them where they are, then views, then what is behind those.
    LOCK TABLE projection_checkpoint IN ACCESS EXCLUSIVE MODE;
    FOR name IN SELECT jsonb_object_keys(views) LOOP
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', name);
    END LOOP;
    FOREACH name IN ARRAY taskfold_generation_tables() LOOP
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', name);
    END LOOP;
    CREATE SCHEMA taskfold_switching;
    GRANT USAGE ON SCHEMA taskfold_switching TO taskfold_projector;
    FOREACH name IN ARRAY taskfold_generation_tables() LOOP
        -- The row of the checkpoint stays: readers and the publisher go on from where they are.
        IF name = 'projection_checkpoint' THEN
            EXECUTE format('ALTER TABLE %I.projection_checkpoint SET SCHEMA taskfold_switching', from_schema);
        ELSE
            EXECUTE format('ALTER TABLE %I SET SCHEMA taskfold_switching', name);
            EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', from_schema, name, live);
        END IF;
    END LOOP;
    UPDATE taskfold_switching.projection_checkpoint SET versions = now_live.versions;
    UPDATE projection_checkpoint SET versions = becomes.versions, generation = generation + 1;
    -- Views keep to the tables they were made of, wherever those go.
    FOR seen IN SELECT * FROM jsonb_each_text(views) LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS %s', seen.key, seen.value);
    END LOOP;
    DROP SCHEMA IF EXISTS taskfold_previous CASCADE;
    DROP SCHEMA IF EXISTS taskfold_next CASCADE;
    ALTER SCHEMA taskfold_switching RENAME TO taskfold_previous;
END
$$;

-- Does away with one that is not needed.
CREATE FUNCTION taskfold_generation_drop(of_schema text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT SET client_min_messages = warning
AS $$
BEGIN
    IF of_schema NOT IN ('taskfold_next', 'taskfold_previous') THEN
        RAISE EXCEPTION 'no generation is called %', of_schema;
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', of_schema);
END
$$;

-- The tables of a generation whose columns are not those of the tables that are read: behind a migration there is no way back.
CREATE FUNCTION taskfold_generation_misfits(of_schema text) RETURNS SETOF text LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    WITH columns AS (
        SELECT t.name, a.attrelid = t.name::regclass AS live, array_agg((a.attname, a.atttypid, a.attnotnull)::text ORDER BY a.attname) AS list
        FROM unnest(taskfold_generation_tables()) AS t (name)
            JOIN pg_attribute a ON a.attrelid IN (t.name::regclass, to_regclass(format('%I.%I', of_schema, t.name)))
        WHERE a.attnum > 0 AND NOT a.attisdropped
        GROUP BY 1, 2)
    SELECT l.name FROM columns l LEFT JOIN columns o ON o.name = l.name AND NOT o.live WHERE l.live AND l.list IS DISTINCT FROM o.list
$$;

REVOKE ALL ON FUNCTION taskfold_generation_begin, taskfold_generation_indexes, taskfold_generation_index, taskfold_generation_protect,
    taskfold_generation_readers, taskfold_generation_switch, taskfold_generation_drop, taskfold_generation_misfits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_generation_begin, taskfold_generation_indexes, taskfold_generation_index, taskfold_generation_protect,
    taskfold_generation_readers, taskfold_generation_switch, taskfold_generation_drop, taskfold_generation_misfits TO taskfold_projector;
