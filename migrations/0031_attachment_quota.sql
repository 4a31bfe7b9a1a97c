-- The bytes of a project's attachments are limited. Each file has a row from before its first byte is stored until its
-- bytes are removed, so that uploads in progress count too, and the sum of the rows is what a project uses.
SET LOCAL lock_timeout = '5s';

CREATE TABLE attachment_files
(
    attachment_id uuid   PRIMARY KEY,
    task_id       uuid   NOT NULL,
    project_id    uuid   NOT NULL,
    -- While the file is received: its declared size, or 0.
    size          bigint NOT NULL
);
CREATE INDEX attachment_files_by_project ON attachment_files (project_id) INCLUDE (size);

-- Position up to which the log's attachments have their rows. Apart from `position`, which the previous release moves
-- without writing rows.
ALTER TABLE attachment_janitor ADD COLUMN counted bigint;
UPDATE attachment_janitor SET counted = (SELECT position FROM log_head);
ALTER TABLE attachment_janitor ALTER COLUMN counted SET NOT NULL;

-- Attachments as the log has them. Their payload is searched as text, in which quotes within strings are escaped: the
-- functions for JSON fail on some payloads, and with them the whole statement.
CREATE VIEW attachments_of_log AS
SELECT attachment_id, max(task_id) AS task_id, max(project_id) AS project_id, max(size) AS size,
       max(position) FILTER (WHERE added) AS added_at, max(position) FILTER (WHERE NOT added) AS removed_at
FROM (
    SELECT substring(payload::text FROM '"id":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"') AS attachment_id,
           substring(aggregate_id FROM '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$') AS task_id,
           project_id::text AS project_id,
           substring(payload::text FROM '"size":([0-9]{1,18})[,}]')::bigint AS size,
           event_type = 'task.attachment_added' AS added, position
    FROM events WHERE event_type IN ('task.attachment_added', 'task.attachment_removed')) AS e
WHERE attachment_id IS NOT NULL AND task_id IS NOT NULL AND project_id IS NOT NULL AND size IS NOT NULL
GROUP BY attachment_id;

INSERT INTO attachment_files (attachment_id, task_id, project_id, size)
SELECT attachment_id::uuid, task_id::uuid, project_id::uuid, size FROM attachments_of_log
WHERE added_at IS NOT NULL AND removed_at IS NULL;

-- Rows that differ from the log: with the values of the log, or without values if there should be no row. A removed
-- attachment may have its row until its bytes are removed, and an upload in progress has one before the log has anything.
CREATE VIEW attachment_file_differences AS
SELECT coalesce(f.attachment_id, l.attachment_id::uuid) AS attachment_id, f.attachment_id IS NOT NULL AS has_row,
       CASE WHEN l.removed_at IS NULL THEN l.task_id::uuid END AS task_id,
       CASE WHEN l.removed_at IS NULL THEN l.project_id::uuid END AS project_id,
       CASE WHEN l.removed_at IS NULL THEN l.size END AS size
FROM attachments_of_log l FULL JOIN attachment_files f ON f.attachment_id = l.attachment_id::uuid
    CROSS JOIN attachment_janitor j
WHERE CASE
    WHEN f.attachment_id IS NULL THEN l.removed_at IS NULL AND l.added_at <= j.counted
    WHEN l.attachment_id IS NULL OR l.added_at IS NULL OR l.removed_at <= j.counted THEN
        NOT EXISTS (SELECT FROM attachment_uploads u WHERE u.attachment_id = f.attachment_id)
    WHEN l.removed_at IS NULL THEN
        f.task_id IS DISTINCT FROM l.task_id::uuid OR f.project_id IS DISTINCT FROM l.project_id::uuid
        OR f.size IS DISTINCT FROM l.size
    ELSE false
END;

GRANT SELECT, INSERT, UPDATE, DELETE ON attachment_files TO taskfold_command;
GRANT SELECT ON attachment_file_differences TO taskfold_projector;
