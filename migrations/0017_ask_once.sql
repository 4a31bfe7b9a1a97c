-- Who asks is asked once a statement and no longer once a row: counting 1,000 notifications cost twice as much. And what every read of
-- a project begins with is one function, whose plan is kept with the connection.

ALTER POLICY theirs ON notifications
    USING (user_id = (SELECT taskfold_user()) AND project_id IN (SELECT taskfold_projects()));
ALTER POLICY theirs ON accounts USING (user_id = (SELECT taskfold_user()));
ALTER POLICY own ON notification_reads
    USING (user_id = (SELECT taskfold_user())) WITH CHECK (user_id = (SELECT taskfold_user()));
ALTER POLICY own ON notification_settings
    USING (user_id = (SELECT taskfold_user())) WITH CHECK (user_id = (SELECT taskfold_user()));
ALTER POLICY own ON own_filters
    USING (user_id = (SELECT taskfold_user()) AND project_id IN (SELECT taskfold_projects()))
    WITH CHECK (user_id = (SELECT taskfold_user()) AND project_id IN (SELECT taskfold_projects()));
ALTER POLICY own ON calendar_links
    USING (user_id = (SELECT taskfold_user()) AND project_id IN (SELECT taskfold_projects()))
    WITH CHECK (user_id = (SELECT taskfold_user()) AND project_id IN (SELECT taskfold_projects()));

-- What a member may know of a project, whatever they read in it: their role, its labels, and the position of its last event up to one.
-- The project is given, or a task of it. No row when it is none of the caller's.
CREATE FUNCTION taskfold_membership(of_project uuid, of_task uuid, upto bigint)
    RETURNS TABLE (role text, archived boolean, label_ids uuid[], changed bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.role, p.archived, ARRAY(SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p.labels) AS l),
           coalesce((SELECT max(e.position) FROM events e WHERE e.project_id = p.project_id AND e.position <= upto), 0)
    FROM projects p
        CROSS JOIN LATERAL (
            SELECT r.role FROM project_roles r WHERE r.project_id = p.project_id AND r.user_id = (SELECT taskfold_user())
            ORDER BY taskfold_rank(r.role) DESC LIMIT 1) AS r
    WHERE p.project_id = coalesce(of_project, (SELECT t.project_id FROM tasks t WHERE t.task_id = of_task))
      AND p.project_id = coalesce(nullif(current_setting('taskfold.project_id', true), '')::uuid, p.project_id);
END
$$;
REVOKE ALL ON FUNCTION taskfold_membership FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_membership TO taskfold_query;
