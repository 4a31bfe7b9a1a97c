-- What tasks refer to may go away: people leave projects, columns and projects are archived. Reads leave out what is gone.

-- Whoever watches a task only because they are assigned to it stops when they are unassigned: the read table says who.
ALTER TABLE tasks ADD COLUMN assigned_watcher_ids uuid[] NOT NULL DEFAULT '{}';

-- Those pairs of a project of the caller and a person in which the person may not see the project.
CREATE FUNCTION taskfold_former(projects uuid[], people uuid[]) RETURNS TABLE (project_id uuid, user_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT a.project_id, a.user_id FROM unnest(projects, people) AS a (project_id, user_id)
    WHERE a.project_id IN (SELECT taskfold_projects()) AND NOT EXISTS (
        SELECT FROM project_roles r WHERE r.project_id = a.project_id AND r.user_id = a.user_id)
$$;
REVOKE ALL ON FUNCTION taskfold_former FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_former TO taskfold_query;

-- Columns whose tasks are off the board: archived ones, and all of an archived project.
CREATE FUNCTION taskfold_hidden_columns(project uuid) RETURNS uuid[] LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
    SELECT ARRAY(
        SELECT (c ->> 'id')::uuid FROM projects p, jsonb_array_elements(p.columns) AS c
        WHERE p.project_id = project AND (p.archived OR (c ->> 'archived')::boolean))
$$;

-- The tasks that the caller is to do: none of an archived project or column.
CREATE OR REPLACE FUNCTION taskfold_my_tasks() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    ROWS 100
AS $$
    SELECT t.task_id FROM tasks t JOIN projects p ON p.project_id = t.project_id
    WHERE t.assignee_ids @> ARRAY [taskfold_user()] AND NOT t.archived AND NOT t.deleted
      AND t.project_id IN (SELECT taskfold_projects())
      AND NOT p.archived AND NOT p.columns @> jsonb_build_array(jsonb_build_object('id', t.column_id, 'archived', true))
$$;

-- The caller's role in a project, and what reads of it depend on. `changed` covers the teams with a role in the project: who may see it
-- depends on who is in them. `logged`: last event in the log of the project, or of the task and the project itself.
CREATE FUNCTION taskfold_membership_v2(of_project uuid, of_task uuid, upto bigint)
    RETURNS TABLE (role text, archived boolean, label_ids uuid[], changed bigint, logged bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.role, p.archived, ARRAY(SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p.labels) AS l),
           greatest(0, (
               SELECT e.position FROM events e
               WHERE (e.project_id, e.position) > (p.project_id, 0) AND (e.project_id, e.position) <= (p.project_id, upto)
               ORDER BY e.project_id DESC, e.position DESC LIMIT 1), (
               SELECT max(t.position) FROM project_teams g JOIN teams t ON t.team_id = g.team_id
               WHERE g.project_id = p.project_id)),
           coalesce(CASE WHEN of_task IS NULL THEN (
               SELECT e.position FROM events e
               WHERE (e.project_id, e.position) > (p.project_id, upto)
                 AND (e.project_id, e.position) <= (p.project_id, 9223372036854775807)
               ORDER BY e.project_id DESC, e.position DESC LIMIT 1)
           ELSE greatest(
               (SELECT h.position FROM aggregate_heads h WHERE h.aggregate_type = 'task' AND h.aggregate_id = of_task),
               (SELECT h.position FROM aggregate_heads h
                WHERE h.aggregate_type = 'project' AND h.aggregate_id = p.project_id)) END, 0)
    FROM projects p
        CROSS JOIN LATERAL (
            SELECT r.role FROM project_roles r WHERE r.project_id = p.project_id AND r.user_id = (SELECT taskfold_user())
            ORDER BY taskfold_rank(r.role) DESC LIMIT 1) AS r
    WHERE p.project_id = coalesce(of_project, (SELECT t.project_id FROM tasks t WHERE t.task_id = of_task))
      AND p.project_id = coalesce(nullif(current_setting('taskfold.project_id', true), '')::uuid, p.project_id);
END
$$;
REVOKE ALL ON FUNCTION taskfold_membership_v2 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_membership_v2 TO taskfold_query;
