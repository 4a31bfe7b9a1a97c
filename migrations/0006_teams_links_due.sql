-- Teams: a team's events belong to no project. And what the append decides across aggregates under the head's lock: that the
-- teams a decision was made on have not changed since, that no task waits for itself or is a part of itself, and when
-- the clock will have something to say of a task.

ALTER TABLE events ALTER COLUMN project_id DROP NOT NULL;

-- What leads from task to task. Dependencies and parents are walked apart: a part may wait for its whole.
CREATE TABLE task_links
(
    kind      smallint NOT NULL, -- 1: task waits for target, 2: task is a part of target
    task_id   uuid     NOT NULL,
    target_id uuid     NOT NULL,
    PRIMARY KEY (kind, task_id, target_id)
);

-- Of each task with a due time that is not over: when it is to be reminded of next. Read by whoever sends the reminders,
-- and right whatever crashes, because the append that changes the task changes this.
CREATE TABLE due_schedule
(
    task_id uuid        PRIMARY KEY,
    at      timestamptz NOT NULL
);
CREATE INDEX due_schedule_next ON due_schedule (at, task_id);

DROP FUNCTION taskfold_append;

-- Appends a batch of commands: each wholly or not at all, one's refusal not touching the others. The arrays c_* have one
-- element a command; the events of command i are the next c_events[i] elements of the arrays e_*, the teams it was decided
-- on the next c_teams[i] of the arrays g_*.
--
-- Answers for each command, in order, an outcome:
--   appended    its events are at first_position .. last_position (none when c_events is 0)
--   duplicate   this actor has sent this command id before, with the same request: the positions are those of then
--   reused      ... with another request
--   conflict    the aggregate is not at the expected version
--   guard       the project, or a team, has changed since the command was decided on it
--   cycle       the task would wait for itself, or be a part of itself
--   rank        another task of the column took the same rank
--   wip         the column holds as many tasks as it may
--   not_empty   the column still holds tasks
CREATE FUNCTION taskfold_append(
    c_actor uuid[], c_command uuid[], c_fingerprint bytea[],
    c_type text[], c_aggregate text[], c_project uuid[], c_expected bigint[],
    c_guard bigint[],          -- the version of the project that was decided on; null: no guard
    c_teams integer[],         -- how many teams it was decided on
    c_created_id uuid[], c_created boolean[], c_occurred timestamptz[], c_trace text[],
    c_column uuid[], c_rank text[], c_state smallint[], -- the task's place after its events; null: unchanged
    c_wip integer[],           -- how many tasks the column may hold; null: any number
    c_empty uuid[],            -- this column must hold no tasks; null: no such rule
    c_link smallint[],         -- 1 and 2: a link of that kind to c_target (for 2, null: to none); -1: no longer waits for it
    c_target uuid[],
    c_due boolean[],           -- whether the task's reminder changes, to c_due_at (null: none)
    c_due_at timestamptz[],
    c_events integer[],
    e_type text[], e_version text[], e_payload text[],
    g_team text[], g_version bigint[])
    RETURNS TABLE (outcome text, first_position bigint, last_position bigint, version bigint,
                   aggregate text, created_id uuid, created boolean, recorded_at timestamptz)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    -- Plans are made once a session, often while the tables are still small: they must be those of large tables.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS
$$
#variable_conflict use_variable
DECLARE
    head   bigint;
    now_at timestamptz;
    start  bigint;
    e      integer := 0; -- the last event array element used so far
    g      integer := 0; -- the same of the teams
    known  record;
    at_version bigint;
BEGIN
    SELECT h.position, greatest(clock_timestamp(), h.recorded_at) INTO head, now_at FROM log_head h FOR UPDATE;
    start := head;
    FOR i IN 1 .. cardinality(c_command) LOOP
        outcome := NULL;
        aggregate := c_aggregate[i];
        created_id := c_created_id[i];
        created := c_created[i];
        recorded_at := now_at;
        e := e + c_events[i];
        g := g + c_teams[i];

        SELECT * INTO known FROM commands c WHERE c.actor_id = c_actor[i] AND c.command_id = c_command[i];
        IF FOUND THEN
            outcome := CASE WHEN known.fingerprint = c_fingerprint[i] THEN 'duplicate' ELSE 'reused' END;
            first_position := known.first_position;
            last_position := known.last_position;
            version := known.version;
            aggregate := known.aggregate_id;
            created_id := known.created_id;
            created := known.created;
            RETURN NEXT;
            CONTINUE;
        END IF;

        SELECT v.sequence, v.position INTO at_version, last_position FROM events v
            WHERE v.aggregate_type = c_type[i] AND v.aggregate_id = c_aggregate[i]
            ORDER BY v.sequence DESC LIMIT 1;
        version := coalesce(at_version, 0);
        last_position := coalesce(last_position, 0);
        first_position := last_position + 1;
        IF version <> c_expected[i] THEN
            outcome := 'conflict';
        ELSIF c_guard[i] IS NOT NULL AND c_guard[i] <> coalesce((
            SELECT v.sequence FROM events v
            WHERE v.aggregate_type = 'project' AND v.aggregate_id = c_project[i]::text
            ORDER BY v.sequence DESC LIMIT 1), 0) THEN
            outcome := 'guard';
        ELSIF c_empty[i] IS NOT NULL AND EXISTS (
            SELECT FROM task_places p WHERE p.project_id = c_project[i] AND p.column_id = c_empty[i] AND p.state < 2) THEN
            outcome := 'not_empty';
        ELSIF c_rank[i] IS NOT NULL THEN
            IF EXISTS (SELECT FROM task_places p
                       WHERE p.project_id = c_project[i] AND p.column_id = c_column[i] AND p.rank = c_rank[i] AND p.task_id <> c_aggregate[i]::uuid) THEN
                outcome := 'rank';
            ELSIF c_wip[i] IS NOT NULL AND c_wip[i] <= (
                SELECT count(*) FROM task_places p
                WHERE p.project_id = c_project[i] AND p.column_id = c_column[i] AND p.state = 0 AND p.task_id <> c_aggregate[i]::uuid) THEN
                outcome := 'wip';
            END IF;
        END IF;
        FOR j IN g - c_teams[i] + 1 .. g LOOP
            IF outcome IS NULL AND g_version[j] <> coalesce((
                SELECT v.sequence FROM events v
                WHERE v.aggregate_type = 'team' AND v.aggregate_id = g_team[j]
                ORDER BY v.sequence DESC LIMIT 1), 0) THEN
                outcome := 'guard';
            END IF;
        END LOOP;
        IF outcome IS NULL AND c_link[i] > 0 AND c_target[i] IS NOT NULL AND EXISTS (
            WITH RECURSIVE reached (id) AS (
                SELECT c_target[i]
                UNION
                SELECT l.target_id FROM reached r JOIN task_links l ON l.kind = c_link[i] AND l.task_id = r.id)
            SELECT FROM reached WHERE id = c_aggregate[i]::uuid) THEN
            outcome := 'cycle';
        END IF;
        IF outcome IS NOT NULL THEN
            RETURN NEXT;
            CONTINUE;
        END IF;

        IF c_events[i] > 0 THEN
            first_position := head + 1;
            FOR j IN 1 .. c_events[i] LOOP
                head := head + 1;
                version := version + 1;
                INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                    project_id, actor_id, command_id, occurred_at, recorded_at, traceparent)
                VALUES (head, c_type[i], c_aggregate[i], version, e_type[e - c_events[i] + j],
                        e_version[e - c_events[i] + j], e_payload[e - c_events[i] + j]::json, c_project[i], c_actor[i],
                        c_command[i], coalesce(c_occurred[i], now_at), now_at, c_trace[i]);
            END LOOP;
            last_position := head;
            IF c_rank[i] IS NOT NULL THEN
                INSERT INTO task_places (task_id, project_id, column_id, rank, state)
                VALUES (c_aggregate[i]::uuid, c_project[i], c_column[i], c_rank[i], c_state[i])
                ON CONFLICT (task_id) DO UPDATE
                    SET column_id = excluded.column_id, rank = excluded.rank, state = excluded.state;
            END IF;
            IF c_link[i] IS NOT NULL THEN
                DELETE FROM task_links l
                    WHERE l.kind = abs(c_link[i]) AND l.task_id = c_aggregate[i]::uuid
                      AND (c_link[i] = 2 OR l.target_id = c_target[i]);
                IF c_link[i] > 0 AND c_target[i] IS NOT NULL THEN
                    INSERT INTO task_links (kind, task_id, target_id)
                    VALUES (c_link[i], c_aggregate[i]::uuid, c_target[i]);
                END IF;
            END IF;
        END IF;
        IF c_due[i] THEN
            IF c_due_at[i] IS NULL THEN
                DELETE FROM due_schedule d WHERE d.task_id = c_aggregate[i]::uuid;
            ELSE
                INSERT INTO due_schedule (task_id, at) VALUES (c_aggregate[i]::uuid, c_due_at[i])
                ON CONFLICT (task_id) DO UPDATE SET at = excluded.at;
            END IF;
        END IF;
        INSERT INTO commands (actor_id, command_id, fingerprint, aggregate_id, version, first_position, last_position,
                              created_id, created)
        VALUES (c_actor[i], c_command[i], c_fingerprint[i], c_aggregate[i], version, first_position, last_position,
                c_created_id[i], c_created[i]);
        outcome := 'appended';
        RETURN NEXT;
    END LOOP;
    IF head > start THEN
        UPDATE log_head SET position = head, recorded_at = now_at;
        PERFORM pg_notify('taskfold_events', head::text);
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskfold_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_append TO taskfold_command;
GRANT SELECT ON task_links, due_schedule TO taskfold_command;

-- Tasks that had a parent or a due time before this.
INSERT INTO task_links (kind, task_id, target_id)
SELECT 2, aggregate_id::uuid, (payload #>> '{changes,parent_id,to}')::uuid
FROM events WHERE event_type = 'task.created' AND payload #>> '{changes,parent_id,to}' IS NOT NULL;
INSERT INTO due_schedule (task_id, at)
SELECT task_id, due_at - interval '24 hours' FROM tasks
WHERE due_at > now() AND status NOT IN ('completed', 'cancelled', 'failed') AND NOT archived AND NOT deleted;
