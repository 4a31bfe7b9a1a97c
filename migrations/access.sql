-- What each role may do: applied by every `taskfold migrate`, and compared by `taskfold verify`. A dump that was restored into a cluster
-- without the roles lacks their grants and policies, and so does a table that somebody dropped and made anew.
--
-- Not a numbered migration: it is applied again and again, changes only what differs, and so takes no lock when all is as it should be.

CREATE OR REPLACE FUNCTION taskfold_access_roles() RETURNS text[] LANGUAGE sql IMMUTABLE
AS $$ SELECT ARRAY ['taskfold_command', 'taskfold_projector', 'taskfold_query', 'taskfold_feed'] $$;

-- Privileges on tables and views: of a role, a list of privileges, and the tables. Columns stand behind a privilege where it is for some.
CREATE OR REPLACE FUNCTION taskfold_access_tables() RETURNS TABLE (of_role text, privileges text, tables text)
    LANGUAGE sql IMMUTABLE
AS $$
    VALUES
    ('taskfold_command', 'SELECT, INSERT, UPDATE, DELETE', 'sessions invitation_uses placeholder_offers attachment_uploads '
        'attachment_files'),
    ('taskfold_command', 'SELECT, INSERT, UPDATE', 'accounts imports imported_boards invitations'),
    ('taskfold_command', 'SELECT, INSERT', 'spent_refresh_tokens'),
    ('taskfold_command', 'SELECT, INSERT, DELETE', 'api_tokens placeholder_claims'),
    ('taskfold_command', 'SELECT, INSERT', 'signing_keys'),
    ('taskfold_command', 'SELECT, INSERT, UPDATE', 'bulk_commands'),
    ('taskfold_command', 'SELECT, UPDATE', 'attachment_janitor'),
    ('taskfold_command', 'SELECT', 'events events_with_words aggregate_heads log_head log_identities commands task_places task_links due_schedule _sqlx_migrations'),
    ('taskfold_projector', 'SELECT, UPDATE', 'projection_checkpoint'),
    ('taskfold_projector', 'SELECT, INSERT, UPDATE, DELETE', 'projector_lease set_aside_events projects '
        'project_members tasks comments attachments teams team_members project_teams notifications column_counts task_documents '
        'label_documents past_project_members past_team_members past_project_teams channel_events'),
    -- Of what the append keeps beside the log, only to prove it.
    ('taskfold_projector', 'SELECT', 'events aggregate_heads log_head log_identities commands task_places task_links due_schedule attachment_file_differences '
        'publication_key _sqlx_migrations'),
    ('taskfold_query', 'SELECT', 'events log_head log_identities projection_checkpoint projects tasks comments attachments teams '
        'team_members project_teams notifications column_counts label_documents _sqlx_migrations'),
    ('taskfold_query', 'SELECT (user_id), SELECT (username), SELECT (display_name)', 'accounts'),
    ('taskfold_query', 'SELECT (kid), SELECT (public_pem)', 'signing_keys'),
    ('taskfold_query', 'SELECT, INSERT, UPDATE, DELETE', 'own_filters'),
    ('taskfold_query', 'SELECT, INSERT, UPDATE', 'notification_settings'),
    ('taskfold_query', 'SELECT, INSERT, DELETE', 'notification_reads calendar_links'),
    ('taskfold_feed', 'SELECT', 'events aggregate_heads log_head log_identities projection_checkpoint project_teams team_members project_roles '
        'notifications notification_settings past_project_members past_team_members past_project_teams channel_events '
        'team_memberships project_team_grants project_access publication_key _sqlx_migrations'),
    ('taskfold_feed', 'SELECT, INSERT, UPDATE, DELETE', 'used_tickets')
$$;

-- Functions that not everybody may call. Every function with the rights of the owner is one of them.
CREATE OR REPLACE FUNCTION taskfold_access_functions() RETURNS TABLE (of_role text, functions text) LANGUAGE sql IMMUTABLE
AS $$
    VALUES
    ('taskfold_command', 'taskfold_append taskfold_append_v2 taskfold_hold_log taskfold_suspend_log taskfold_invitation_uses taskfold_open_account '
        'taskfold_use_api_token taskfold_use_api_token_v2 taskfold_open_account_v2 taskfold_hold_authority '
        'taskfold_ended_authority taskfold_token_lives taskfold_account_lives'),
    ('taskfold_projector', 'taskfold_generation_begin taskfold_generation_indexes taskfold_generation_index '
        'taskfold_generation_protect taskfold_generation_readers taskfold_generation_switch taskfold_generation_drop '
        'taskfold_generation_misfits taskfold_suspend_log'),
    ('taskfold_query', 'taskfold_projects taskfold_role taskfold_teams taskfold_people taskfold_team_people taskfold_my_tasks '
        'taskfold_membership taskfold_search taskfold_cancel taskfold_cancel_own taskfold_calendar_link taskfold_open_account '
        'taskfold_use_api_token taskfold_use_api_token_v2 taskfold_open_account_v2 taskfold_hold_authority '
        'taskfold_ended_authority taskfold_former taskfold_membership_v2')
$$;

-- Policies, with their expressions as PostgreSQL prints them.
CREATE OR REPLACE FUNCTION taskfold_access_policies()
    RETURNS TABLE (on_table text, policy text, command text, roles text, visible text, allowed text) LANGUAGE sql IMMUTABLE
AS $$
    WITH conditions (of_project, of_team, of_user) AS (
        VALUES ('(project_id IN ( SELECT taskfold_projects() AS taskfold_projects))',
                '(team_id IN ( SELECT taskfold_teams() AS taskfold_teams))',
                '(user_id = ( SELECT taskfold_user() AS taskfold_user))'))
    SELECT t, 'theirs', 'SELECT', 'taskfold_query', of_project, NULL::text
    FROM conditions, unnest(ARRAY ['attachments', 'column_counts', 'comments', 'events', 'label_documents', 'project_members',
        'project_teams', 'projects', 'task_documents', 'tasks']) AS t
    UNION ALL SELECT t, 'theirs', 'SELECT', 'taskfold_query', of_team, NULL FROM conditions, unnest(ARRAY ['team_members', 'teams']) AS t
    UNION ALL SELECT 'accounts', 'theirs', 'SELECT', 'taskfold_query', of_user, NULL FROM conditions
    UNION ALL SELECT 'notifications', 'theirs', 'SELECT', 'taskfold_query', format('(%s AND %s)', of_user, of_project), NULL FROM conditions
    UNION ALL SELECT 'events', 'of_their_teams', 'SELECT', 'taskfold_query',
        '((project_id IS NULL) AND (aggregate_type = ''team''::text) AND (aggregate_id IN ( SELECT (taskfold_teams())::text AS taskfold_teams)))', NULL
    UNION ALL SELECT t, 'own', 'ALL', 'taskfold_query', of_user, of_user
    FROM conditions, unnest(ARRAY ['notification_reads', 'notification_settings']) AS t
    UNION ALL SELECT t, 'own', 'ALL', 'taskfold_query', format('(%s AND %s)', of_user, of_project), format('(%s AND %s)', of_user, of_project)
    FROM conditions, unnest(ARRAY ['calendar_links', 'own_filters']) AS t
    -- Those that serve everybody.
    UNION ALL SELECT t, 'all_of_it', 'ALL', 'taskfold_projector', 'true', 'true'
    FROM unnest(ARRAY ['attachments', 'column_counts', 'comments', 'label_documents', 'projects', 'task_documents', 'tasks', 'teams']) AS t
    UNION ALL SELECT t, 'all_of_it', 'ALL', 'taskfold_feed,taskfold_projector', 'true', 'true'
    FROM unnest(ARRAY ['channel_events', 'notifications', 'past_project_members', 'past_project_teams', 'past_team_members',
        'project_members', 'project_teams', 'team_members']) AS t
    UNION ALL SELECT 'events', 'all_of_it', 'ALL', 'taskfold_command,taskfold_feed,taskfold_projector', 'true', 'true'
    UNION ALL SELECT 'accounts', 'all_of_it', 'ALL', 'taskfold_command', 'true', 'true'
    UNION ALL SELECT 'notification_settings', 'all_of_it', 'ALL', 'taskfold_feed', 'true', NULL
$$;

-- What differs from the above, and the statement that mends it; null where nothing is mended, but reported.
CREATE OR REPLACE FUNCTION taskfold_access_differences() RETURNS TABLE (difference text, mend text) LANGUAGE sql STABLE
    SET search_path FROM CURRENT
AS $$
    WITH here AS (SELECT current_schema()::regnamespace AS schema),
    roles AS (SELECT r.name, to_regrole(r.name) AS role FROM unnest(taskfold_access_roles()) AS r (name)),
    wanted AS (
        SELECT a.of_role, t.name AS on_table, split_part(p.privilege, ' ', 1) AS privilege,
               nullif(btrim(split_part(p.privilege, ' ', 2), '()'), '') AS on_column
        FROM taskfold_access_tables() AS a, string_to_table(a.tables, ' ') AS t (name), string_to_table(a.privileges, ', ') AS p (privilege)),
    given AS (
        SELECT g.grantee::regrole::text AS of_role, c.relname::text AS on_table, g.privilege_type AS privilege, NULL::text AS on_column
        FROM here, pg_class c, aclexplode(c.relacl) AS g
        WHERE c.relnamespace = here.schema AND g.grantee IN (SELECT role FROM roles)
        UNION ALL
        SELECT g.grantee::regrole::text, c.relname::text, g.privilege_type, a.attname::text
        FROM here, pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) AS g
        WHERE c.relnamespace = here.schema AND g.grantee IN (SELECT role FROM roles)),
    policies AS (
        SELECT p.tablename::text AS on_table, p.policyname::text AS policy, p.cmd AS command, array_to_string(p.roles, ',') AS roles,
               p.qual AS visible, p.with_check AS allowed
        FROM pg_policies p WHERE p.schemaname = current_schema()),
    functions AS (
        SELECT a.of_role, f.oid, f.oid::regprocedure::text AS signature
        FROM here, taskfold_access_functions() AS a, string_to_table(a.functions, ' ') AS n (name)
            JOIN pg_proc f ON f.proname = n.name
        WHERE f.pronamespace = here.schema),
    -- The schema of the tables, and nothing before it: PostgreSQL looks for a table in the caller's temporary schema first, unless the path
    -- says otherwise, and a function with the rights of the owner would then work on the caller's table and run the caller's code.
    search AS (SELECT quote_ident(current_schema()) || ', pg_temp' AS path),
    members AS (
        SELECT r.role FROM roles r WHERE r.role IS NOT NULL
        UNION SELECT m.member FROM pg_auth_members m WHERE m.roleid IN (SELECT role FROM roles)
            AND NOT (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE oid = m.member))
    SELECT format('role %s does not exist', name), NULL::text FROM roles WHERE role IS NULL
    UNION ALL
    SELECT format('role %s lacks %s on %s', of_role, privilege || coalesce(' (' || on_column || ')', ''), on_table),
           format('GRANT %s ON %I TO %I', privilege || coalesce(' (' || quote_ident(on_column) || ')', ''), on_table, of_role)
    FROM (SELECT * FROM wanted EXCEPT SELECT * FROM given) AS lacking
    UNION ALL
    SELECT format('role %s has %s on %s', of_role, privilege || coalesce(' (' || on_column || ')', ''), on_table),
           -- Of a table of another owner it is only reported.
           CASE WHEN pg_has_role(current_user, c.relowner, 'USAGE')
               THEN format('REVOKE %s ON %I FROM %I', privilege || coalesce(' (' || quote_ident(on_column) || ')', ''), on_table, of_role) END
    FROM (SELECT * FROM given EXCEPT SELECT * FROM wanted) AS surplus, here JOIN pg_class c ON c.relnamespace = here.schema
    WHERE c.relname = surplus.on_table
    UNION ALL
    SELECT format('everybody has %s on %s', g.privilege_type, c.relname), NULL::text
    FROM here, pg_class c, aclexplode(c.relacl) AS g
    WHERE c.relnamespace = here.schema AND c.relkind IN ('r', 'v', 'p') AND g.grantee = 0
    UNION ALL
    SELECT format('role %s lacks EXECUTE on %s', of_role, signature), format('GRANT EXECUTE ON FUNCTION %s TO %I', signature, of_role)
    FROM functions WHERE to_regrole(of_role) IS NOT NULL AND NOT has_function_privilege(of_role, oid, 'EXECUTE')
    UNION ALL
    SELECT format('role %s has EXECUTE on %s', g.grantee::regrole, p.oid::regprocedure),
           format('REVOKE ALL ON FUNCTION %s FROM %s', p.oid::regprocedure, g.grantee::regrole)
    FROM here, pg_proc p, aclexplode(p.proacl) AS g
    WHERE p.pronamespace = here.schema AND p.proname LIKE 'taskfold\_%' AND g.grantee IN (SELECT role FROM roles)
      AND NOT EXISTS (SELECT FROM functions f WHERE f.oid = p.oid AND to_regrole(f.of_role) = g.grantee)
    UNION ALL
    SELECT format('everybody has EXECUTE on %s', p.oid::regprocedure), format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure)
    FROM here, pg_proc p
    WHERE p.pronamespace = here.schema AND (p.oid IN (SELECT oid FROM functions) OR p.prosecdef AND p.proname LIKE 'taskfold\_%')
      AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS g WHERE g.grantee = 0))
    UNION ALL
    -- The names in a body of standard SQL were looked up when the function was made.
    SELECT format('function %s does not have the search path %s', p.oid::regprocedure, path),
           format('ALTER FUNCTION %s SET search_path = %s', p.oid::regprocedure, path)
    FROM here, search, pg_proc p
    WHERE p.pronamespace = here.schema AND p.proname LIKE 'taskfold\_%' AND p.prosqlbody IS NULL
      AND 'search_path=' || path <> ALL (coalesce(p.proconfig, '{}'))
    UNION ALL
    -- No role needs a temporary table. Whoever neither owns the database nor is a superuser reports it, and an administrator revokes it.
    SELECT format('%s may create temporary tables in the database', CASE g.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || g.grantee::regrole END),
           CASE WHEN pg_has_role(current_user, d.datdba, 'USAGE')
               THEN format('REVOKE TEMPORARY ON DATABASE %I FROM %s', d.datname, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END) END
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS g
    WHERE d.datname = current_database() AND g.privilege_type = 'TEMPORARY' AND (g.grantee = 0 OR g.grantee IN (SELECT role FROM members))
    UNION ALL
    SELECT format('%s may create objects in the schema %s', CASE g.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || g.grantee::regrole END, n.nspname),
           CASE WHEN pg_has_role(current_user, n.nspowner, 'USAGE')
               THEN format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END) END
    FROM here, pg_namespace n, aclexplode(n.nspacl) AS g
    WHERE n.oid = here.schema AND g.privilege_type = 'CREATE' AND (g.grantee = 0 OR g.grantee IN (SELECT role FROM members))
    UNION ALL
    SELECT DISTINCT format('row-level security is off on %s', w.on_table), format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', w.on_table)
    FROM here, taskfold_access_policies() AS w JOIN pg_class c ON c.relname = w.on_table
    WHERE c.relnamespace = here.schema AND NOT c.relrowsecurity
    UNION ALL
    SELECT format('policy %s on %s is not as it should be', w.policy, w.on_table),
           format('DROP POLICY IF EXISTS %1$I ON %2$I; CREATE POLICY %1$I ON %2$I FOR %3$s TO %4$s USING (%5$s)%6$s', w.policy, w.on_table,
               w.command, w.roles, w.visible, ' WITH CHECK (' || w.allowed || ')')
    FROM (SELECT * FROM taskfold_access_policies() EXCEPT SELECT * FROM policies) AS w
    UNION ALL
    SELECT format('policy %s on %s is one that should not be there', p.policy, p.on_table), NULL
    FROM policies p WHERE NOT EXISTS (
        SELECT FROM taskfold_access_policies() AS w WHERE w.on_table = p.on_table AND w.policy = p.policy)
$$;

-- Makes a login role of this database, or gives it this password, its membership and its settings (name=value).
CREATE OR REPLACE FUNCTION taskfold_login(member text, login text, secret text, settings text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    setting text;
    known   text[];
BEGIN
    IF to_regrole(quote_ident(login)) IS NULL THEN
        EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L IN ROLE %I', login, secret, member);
        -- So that the owner sees when its transactions began, and may end them. A superuser may so already.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO %I %s', login, current_user,
                CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'WITH INHERIT TRUE, SET FALSE' ELSE '' END);
        END IF;
    ELSIF secret IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', login, secret);
        EXECUTE format('GRANT %I TO %I', member, login);
    END IF;
    SELECT setconfig INTO known FROM pg_db_role_setting WHERE setrole = to_regrole(quote_ident(login)) AND setdatabase = 0;
    FOREACH setting IN ARRAY settings LOOP
        IF setting <> ALL (coalesce(known, '{}')) THEN
            EXECUTE format('ALTER ROLE %I SET %I = %L', login, split_part(setting, '=', 1), split_part(setting, '=', 2));
        END IF;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION taskfold_login FROM PUBLIC;

-- Makes the roles that are missing, and mends what differs.
DO $$
DECLARE
    name text;
    mend text;
BEGIN
    FOREACH name IN ARRAY taskfold_access_roles() LOOP
        IF to_regrole(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION
                -- Another database of this cluster makes it just now.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the role % does not exist, and % may not create roles', name, current_user
                        USING HINT = 'let an administrator run ops/roles.sql, or give the owner of the tables CREATEROLE';
            END;
        END IF;
    END LOOP;
    FOR mend IN SELECT d.mend FROM taskfold_access_differences() AS d WHERE d.mend IS NOT NULL LOOP
        EXECUTE mend;
    END LOOP;
    -- Whoever makes tables in another schema than `public` has to let the parts in.
    IF current_schema() <> 'public' THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', current_schema(), array_to_string(taskfold_access_roles(), ', '));
    END IF;
END
$$;
