-- The query-api sees what the caller may see, and nothing else, whatever it asks for: a WHERE that somebody forgets leaks
-- nothing. Each of its reads says who asks, for its transaction alone:
--     set_config('taskfold.user_id', ..., true)      nobody: sees nothing
--     set_config('taskfold.project_id', ..., true)   of a token that is good for one project
-- What serves no single caller (the live feed, which hands out each event to those who may see it) connects as another
-- role, which reads the log and who is a member of what.

DO $$
BEGIN
    BEGIN
        CREATE ROLE taskfold_feed NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    IF NOT pg_has_role(current_user, 'taskfold_feed', 'MEMBER') THEN
        GRANT taskfold_feed TO CURRENT_USER;
    END IF;
END
$$;

-- Who asks.
CREATE FUNCTION taskfold_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('taskfold.user_id', true), '')::uuid $$;

-- The order of roles.
CREATE FUNCTION taskfold_rank(role text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT array_position(ARRAY ['viewer', 'member', 'admin', 'owner'], role) $$;

-- Every role that everybody has in a project, of their own and through teams. Not for the query-api's eyes.
CREATE VIEW project_roles AS
SELECT project_id, user_id, role, NULL::uuid AS team_id, position FROM project_members
UNION ALL
SELECT t.project_id, m.user_id, t.role, t.team_id, greatest(t.position, m.position)
FROM project_teams t JOIN team_members m ON m.team_id = t.team_id;

-- The caller's projects. SECURITY DEFINER, as is all that decides what may be seen: it must see more than the caller does.
CREATE FUNCTION taskfold_projects() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    ROWS 20
AS $$
    SELECT project_id FROM project_roles
    WHERE user_id = taskfold_user()
      AND project_id = coalesce(nullif(current_setting('taskfold.project_id', true), '')::uuid, project_id)
$$;

-- The caller's role in one of them; null when it is none of theirs.
CREATE FUNCTION taskfold_role(project uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT role FROM project_roles
    WHERE user_id = taskfold_user() AND project_id = project
      AND project = coalesce(nullif(current_setting('taskfold.project_id', true), '')::uuid, project)
    ORDER BY taskfold_rank(role) DESC LIMIT 1
$$;

-- The teams that the caller is in, and those that the caller's projects give roles to.
CREATE FUNCTION taskfold_teams() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    ROWS 20
AS $$
    SELECT team_id FROM team_members WHERE user_id = taskfold_user()
    UNION
    SELECT team_id FROM project_teams WHERE project_id IN (SELECT taskfold_projects())
$$;

-- Who is in a project of the caller's, with names: the accounts of others are seen only so.
CREATE FUNCTION taskfold_people(project uuid)
    RETURNS TABLE (user_id uuid, username text, display_name text, role text, own_role text, team_ids uuid[], joined_at bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT r.user_id, a.username, a.display_name,
           (array_agg(r.role ORDER BY taskfold_rank(r.role) DESC))[1],
           min(r.role) FILTER (WHERE r.team_id IS NULL),
           coalesce(array_agg(r.team_id ORDER BY r.team_id) FILTER (WHERE r.team_id IS NOT NULL), '{}'),
           min(r.position)
    FROM project_roles r LEFT JOIN accounts a ON a.user_id = r.user_id
    WHERE r.project_id = project AND project IN (SELECT taskfold_projects())
    GROUP BY r.user_id, a.username, a.display_name
$$;

-- The same of a team.
CREATE FUNCTION taskfold_team_people(team uuid)
    RETURNS TABLE (user_id uuid, username text, display_name text, role text, joined_at bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT m.user_id, a.username, a.display_name, m.role, m.position
    FROM team_members m LEFT JOIN accounts a ON a.user_id = m.user_id
    WHERE m.team_id = team AND team IN (SELECT taskfold_teams())
$$;

-- The tasks that the caller is to do. In a function, because an index on an array cannot be used under a policy: its
-- operator could tell of rows that are then hidden.
CREATE FUNCTION taskfold_my_tasks() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    ROWS 100
AS $$
    SELECT task_id FROM tasks
    WHERE assignee_ids @> ARRAY [taskfold_user()] AND NOT archived AND NOT deleted
      AND project_id IN (SELECT taskfold_projects())
$$;

ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_teams ENABLE ROW LEVEL SECURITY;
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE comments ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE notifications ENABLE ROW LEVEL SECURITY;
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
ALTER TABLE team_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_reads ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE own_filters ENABLE ROW LEVEL SECURITY;

CREATE POLICY theirs ON projects FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON project_members FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON project_teams FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON tasks FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON comments FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON events FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY of_their_teams ON events FOR SELECT TO taskfold_query
    USING (project_id IS NULL AND aggregate_type = 'team' AND aggregate_id IN (SELECT taskfold_teams()::text));
CREATE POLICY theirs ON notifications FOR SELECT TO taskfold_query
    USING (user_id = taskfold_user() AND project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON teams FOR SELECT TO taskfold_query USING (team_id IN (SELECT taskfold_teams()));
CREATE POLICY theirs ON team_members FOR SELECT TO taskfold_query USING (team_id IN (SELECT taskfold_teams()));
CREATE POLICY theirs ON accounts FOR SELECT TO taskfold_query USING (user_id = taskfold_user());
CREATE POLICY own ON notification_reads TO taskfold_query
    USING (user_id = taskfold_user()) WITH CHECK (user_id = taskfold_user());
CREATE POLICY own ON notification_settings TO taskfold_query
    USING (user_id = taskfold_user()) WITH CHECK (user_id = taskfold_user());
CREATE POLICY own ON own_filters TO taskfold_query
    USING (user_id = taskfold_user() AND project_id IN (SELECT taskfold_projects()))
    WITH CHECK (user_id = taskfold_user() AND project_id IN (SELECT taskfold_projects()));

-- The others serve everybody, each with its own grants.
CREATE POLICY all_of_it ON projects TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON project_members TO taskfold_projector, taskfold_feed USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON project_teams TO taskfold_projector, taskfold_feed USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON tasks TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON comments TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON events TO taskfold_command, taskfold_projector, taskfold_feed USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON notifications TO taskfold_projector, taskfold_feed USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON teams TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON team_members TO taskfold_projector, taskfold_feed USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON accounts TO taskfold_command USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON notification_settings TO taskfold_feed USING (true);

REVOKE ALL ON FUNCTION taskfold_projects, taskfold_role, taskfold_teams, taskfold_people, taskfold_team_people,
    taskfold_my_tasks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_projects, taskfold_role, taskfold_teams, taskfold_people, taskfold_team_people,
    taskfold_my_tasks TO taskfold_query;
GRANT SELECT ON events, log_head, projection_checkpoint, project_members, project_teams, team_members, project_roles,
    notifications, notification_settings TO taskfold_feed;
-- Reasons may quote what is in events.
REVOKE SELECT ON set_aside_events FROM taskfold_query;
