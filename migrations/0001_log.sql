-- The log: the truth. One row an event, numbered 1, 2, 3, ... without gaps in commit order, and one function that
-- writes it. Table and column names of `events` are those of postgres-es, which loads aggregates from it.

-- Each part of the system connects as the role that may do just its work. Roles belong to the whole server, so
-- another database of it may have made them already.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY ['taskfold_command', 'taskfold_projector', 'taskfold_query'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', part);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        IF NOT pg_has_role(current_user, part, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', part);
        END IF;
    END LOOP;
END
$$;

-- The one row whose lock serialises all appends, and so makes positions dense and in commit order.
CREATE TABLE log_head
(
    one_row     boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, recorded_at) VALUES (0, '-infinity');

CREATE TABLE events
(
    position       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- json, not jsonb: what was written is what is read, to the byte
    payload        json        NOT NULL,
    metadata       json        NOT NULL DEFAULT '{}',
    project_id     uuid        NOT NULL,
    actor_id       uuid        NOT NULL,
    command_id     uuid        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    traceparent    text,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
-- Every tail reads by position.
CREATE UNIQUE INDEX events_by_position ON events (position);
-- The catch-up of one project.
CREATE INDEX events_by_project ON events (project_id, position);

-- What each command id led to, for as long as the log lives: a retry days later gets the same answer.
CREATE TABLE commands
(
    actor_id       uuid    NOT NULL,
    command_id     uuid    NOT NULL,
    fingerprint    bytea   NOT NULL,
    aggregate_id   text    NOT NULL,
    version        bigint  NOT NULL,
    -- the events are those from first_position to last_position; none when first is greater
    first_position bigint  NOT NULL,
    last_position  bigint  NOT NULL,
    created_id     uuid,
    created        boolean NOT NULL,
    PRIMARY KEY (actor_id, command_id)
);

-- Where each task stands, written with the events: neighbours for new ranks, and the rules that hold across tasks
-- (a full column, a column that still holds tasks) are decided on this, under the head's lock.
CREATE TABLE task_places
(
    task_id    uuid     PRIMARY KEY,
    -- beside the column: clients choose ids of columns, and might choose those of another project
    project_id uuid     NOT NULL,
    column_id  uuid     NOT NULL,
    rank       text     NOT NULL COLLATE "C",
    -- 0 on the board, 1 archived, 2 deleted
    state      smallint NOT NULL
);
CREATE INDEX task_places_in_order ON task_places (project_id, column_id, rank);

-- Appends a batch of commands: each wholly or not at all, one's refusal not touching the others. The arrays c_* have one
-- element a command; the events of command i are the next c_events[i] elements of the arrays e_*.
--
-- Answers for each command, in order, an outcome:
--   appended    its events are at first_position .. last_position (none when c_events is 0)
--   duplicate   this actor has sent this command id before, with the same request: the positions are those of then
--   reused      ... with another request
--   conflict    the aggregate is not at the expected version
--   guard       the project has changed since the command was decided on it
--   rank        another task of the column took the same rank
--   wip         the column holds as many tasks as it may
--   not_empty   the column still holds tasks
CREATE FUNCTION taskfold_append(
    c_actor uuid[], c_command uuid[], c_fingerprint bytea[],
    c_type text[], c_aggregate text[], c_project uuid[], c_expected bigint[],
    c_guard bigint[],          -- the version of the project that was decided on; null: no guard
    c_created_id uuid[], c_created boolean[], c_occurred timestamptz[], c_trace text[],
    c_column uuid[], c_rank text[], c_state smallint[], -- the task's place after its events; null: unchanged
    c_wip integer[],           -- how many tasks the column may hold; null: any number
    c_empty uuid[],            -- this column must hold no tasks; null: no such rule
    c_events integer[],
    e_type text[], e_version text[], e_payload text[])
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
    known  record;
    at_version bigint;
    was    record;
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
-- The role of the command-api has this one way to write the log, and no other.
GRANT EXECUTE ON FUNCTION taskfold_append TO taskfold_command;
GRANT SELECT ON events, log_head, commands, task_places TO taskfold_command;
GRANT SELECT ON events, log_head TO taskfold_projector, taskfold_query;
