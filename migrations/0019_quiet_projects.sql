-- The position of a project's last event, which every read of it begins with. As the greatest position of its events it could be looked for
-- from the end of the log on, whoever's events those are: what planners choose while the log is small, or has few projects. Rows are compared
-- now, and not columns: that can be had from the index of the project alone.
CREATE OR REPLACE FUNCTION taskfold_membership(of_project uuid, of_task uuid, upto bigint)
    RETURNS TABLE (role text, archived boolean, label_ids uuid[], changed bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.role, p.archived, ARRAY(SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p.labels) AS l),
           coalesce((
               SELECT e.position FROM events e
               WHERE (e.project_id, e.position) > (p.project_id, 0) AND (e.project_id, e.position) <= (p.project_id, upto)
               ORDER BY e.project_id DESC, e.position DESC LIMIT 1), 0)
    FROM projects p
        CROSS JOIN LATERAL (
            SELECT r.role FROM project_roles r WHERE r.project_id = p.project_id AND r.user_id = (SELECT taskfold_user())
            ORDER BY taskfold_rank(r.role) DESC LIMIT 1) AS r
    WHERE p.project_id = coalesce(of_project, (SELECT t.project_id FROM tasks t WHERE t.task_id = of_task))
      AND p.project_id = coalesce(nullif(current_setting('taskfold.project_id', true), '')::uuid, p.project_id);
END
$$;
