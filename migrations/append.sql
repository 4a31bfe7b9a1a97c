-- The append. Every `taskfold migrate` applies this file, so that it shows the functions as they are. A signature is never changed: a new one is
-- taskfold_append_v3, and the one before stays for a release, as a wrapper. Types of the parameters: migrations/0025_aggregate_heads.sql.

-- Databases made by an unreleased version still have this signature.
DROP FUNCTION IF EXISTS taskfold_append(uuid[], uuid[], bytea[], text[], text[], uuid[], bigint[], bigint[], uuid[], boolean[], timestamptz[], text[], integer[], integer[],
    text[], text[], bigint[], uuid[], integer[], integer[], text[], text[], text[], integer[], uuid[], text[], smallint[], integer[], integer,
    integer[], text[], bigint[], integer[], uuid[], integer[], smallint[], uuid[], integer[], timestamptz[], bigint, uuid, bigint, uuid);

-- The check of a command that fails, as the outcome that it leads to; null: none does.
CREATE OR REPLACE FUNCTION taskfold_failed_check(command taskfold_command) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path FROM CURRENT
AS
$$
DECLARE
    wanted taskfold_check;
BEGIN
    FOREACH wanted IN ARRAY command.checks LOOP
        CASE wanted.kind
            WHEN 'no_tasks' THEN
                IF EXISTS (
                    SELECT FROM task_places t
                    WHERE t.project_id = command.project_id AND t.column_id = wanted.id AND t.state < 2) THEN
                    RETURN 'not_empty';
                END IF;
            WHEN 'wip_limit' THEN
                IF wanted.number <= (
                    SELECT count(*) FROM task_places t
                    WHERE t.project_id = command.project_id AND t.column_id = wanted.id AND t.state = 0
                      AND t.task_id <> command.aggregate_id) THEN
                    RETURN 'wip';
                END IF;
            WHEN 'acyclic' THEN
                IF taskfold_leads_to(wanted.number::smallint, wanted.id, command.aggregate_id) THEN
                    RETURN 'cycle';
                END IF;
        END CASE;
    END LOOP;
    RETURN NULL;
END
$$;

-- For each command: the outcome if it is refused, where the log has it, the number of accepted events before it, and whether it is the last
-- accepted one on its aggregate. Commands are checked one after the other, because each depends on those before it. `start`: the last position
-- before the call.
CREATE OR REPLACE FUNCTION taskfold_refusals(
    commands taskfold_command[], start bigint, OUT refusals text[], OUT known jsonb[], OUT offsets integer[],
    OUT lasts boolean[], OUT events_n integer)
    LANGUAGE plpgsql STABLE
    SET search_path FROM CURRENT
AS
$$
DECLARE
    command taskfold_command;
    earlier record;
    head    record;
    -- Of aggregates with accepted commands: the version and the position that they leave, and the number of the last one.
    left_at jsonb := '{}';
    -- Ids of the aggregates that accepted commands create, with their kinds.
    created_ids jsonb := '{}';
    -- Aggregates with a command that the log has already: what follows it was decided on another state.
    repeated text[] := '{}';
    key     text;
    refusal text;
BEGIN
    events_n := 0;
    FOREACH command IN ARRAY commands LOOP
        key := command.aggregate_type || command.aggregate_id::text;
        SELECT k.fingerprint, k.version, k.first_position, k.last_position, k.aggregate_id, k.created_id, k.created INTO earlier
            FROM commands k WHERE k.actor_id = command.actor_id AND k.command_id = command.command_id;
        SELECT coalesce((left_at -> key ->> 0)::bigint, h.version, 0) AS version,
               coalesce((left_at -> key ->> 1)::bigint, h.position, 0) AS position, h.position AS stored_position, h.command_id
            INTO head
            FROM (SELECT) AS one LEFT JOIN aggregate_heads h
                ON h.aggregate_id = command.aggregate_id AND h.aggregate_type = command.aggregate_type;
        refusal := CASE
            WHEN earlier.fingerprint = command.fingerprint THEN 'duplicate'
            WHEN earlier.fingerprint IS NOT NULL THEN 'reused'
            WHEN head.version <> command.expected_version OR key = ANY (repeated) THEN 'conflict' END;
        IF refusal = 'duplicate' THEN
            repeated := repeated || key;
        ELSIF earlier.fingerprint IS NULL AND head.command_id = command.command_id THEN
            IF EXISTS (SELECT FROM events e WHERE e.position = head.stored_position AND e.actor_id = command.actor_id) THEN
                RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'commands lacks a command: run taskfold rebuild --write-side';
            END IF;
        END IF;
        IF refusal IS NULL AND cardinality(command.guards) > 0 THEN
            IF EXISTS (
                SELECT FROM unnest(command.guards) AS g
                    LEFT JOIN aggregate_heads h ON h.aggregate_id = g.aggregate_id AND h.aggregate_type = g.aggregate_type
                WHERE coalesce(h.version, 0) <> g.version) THEN
                refusal := 'guard';
            END IF;
        END IF;
        IF refusal IS NULL AND (command.placement).rank IS NOT NULL THEN
            IF EXISTS (
                SELECT FROM task_places t
                WHERE t.project_id = command.project_id AND t.column_id = (command.placement).column_id
                  AND t.rank = (command.placement).rank AND t.task_id <> command.aggregate_id) THEN
                refusal := 'rank';
            END IF;
        END IF;
        -- Clients choose ids, which name channels, subjects and references: each belongs to one thing.
        IF refusal IS NULL AND command.expected_version = 0 AND command.event_count > 0 THEN
            IF created_ids ->> command.aggregate_id::text <> command.aggregate_type
                OR EXISTS (
                    SELECT FROM aggregate_heads h
                    WHERE h.aggregate_id = command.aggregate_id AND h.aggregate_type <> command.aggregate_type)
                OR EXISTS (SELECT FROM accounts a WHERE a.user_id = command.aggregate_id) THEN
                refusal := 'taken';
            END IF;
        END IF;
        refusal := coalesce(refusal, taskfold_failed_check(command));
        refusals := refusals || refusal;
        known := known || CASE
            WHEN earlier.fingerprint IS NULL THEN jsonb_build_object(
                'version', head.version, 'first_position', head.position + 1, 'last_position', head.position,
                'aggregate_id', command.aggregate_id, 'created_id', command.created_id, 'created', command.created)
            ELSE jsonb_build_object(
                'version', earlier.version, 'first_position', earlier.first_position, 'last_position', earlier.last_position,
                'aggregate_id', earlier.aggregate_id, 'created_id', earlier.created_id, 'created', earlier.created) END;
        offsets := offsets || events_n;
        lasts := lasts || (refusal IS NULL);
        IF refusal IS NULL AND command.event_count > 0 THEN
            IF left_at ? key THEN
                lasts[(left_at -> key ->> 2)::integer] := false;
            END IF;
            events_n := events_n + command.event_count;
            created_ids := created_ids || jsonb_build_object(command.aggregate_id, command.aggregate_type);
            left_at := left_at || jsonb_build_object(key, jsonb_build_array(
                command.expected_version + command.event_count, start + events_n, cardinality(lasts)));
        END IF;
    END LOOP;
END
$$;

-- Appends commands, each wholly or not at all; the refusal of one does not touch commands on other aggregates. Several commands on one
-- aggregate are appended in their order, each expecting the version that the one before it leaves; after a refused one, the later ones are
-- conflicts. Commands on different aggregates are independent: each was decided on the log as it was before the call. Two of them must not
-- have the same command id, take the same rank, or be guarded by each other; such a call fails as a whole.
--
--   events          of all commands, in order
--   expected        each existing aggregate that a command is on or was decided on, once, as it was seen before the call
--   log_id          the log that the commands are for
--   seen_position, seen_command   the last event of it that the caller has seen; null: none. A log without it was restored.
--
-- When all commands are appended, `outcomes` is null and the events have the positions after `start`, in their order. Otherwise
-- `outcomes` has one object per command, in order:
--   appended    its events are at first_position .. last_position (none when it has no events)
--   duplicate   this actor sent this command id before, with the same request: the positions are those of then
--   reused      ... with another request
--   conflict    the aggregate is not at the expected version
--   guard       another aggregate that was decided on has changed since
--   taken       the id of the new aggregate is that of an aggregate of another kind, or of a person
--   cycle       the task would wait for itself, or be a part of itself
--   rank        another task of the column took the same rank
--   wip         the column holds as many tasks as it may
--   not_empty   the column still holds tasks
--
-- Raises TF001 while the log is suspended, TF002 for another log, TF003 where the log lacks an event that was seen, and TF004 where one of the
-- side tables of the append lacks a row: nothing is decided on incomplete tables.
--
-- The first event of each command has in its metadata what else of the command is written here (`fingerprint`, `created_id`,
-- `created`, `due`), from which `taskfold rebuild --write-side` makes these tables again.
CREATE OR REPLACE FUNCTION taskfold_append_v2(
    commands taskfold_command[], events taskfold_event[], expected taskfold_version[], log_id uuid, seen_position bigint,
    seen_command uuid, OUT start bigint, OUT recorded_at timestamptz, OUT outcomes jsonb)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    -- Plans are made once a session, often while the tables are still small: they must be those of large tables, which look so expensive
    -- that PostgreSQL would compile them.
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS
$$
#variable_conflict use_column
DECLARE
    events_n       integer;
    -- Each command is looked at by itself: needed when one is to be refused, or writes nothing that a key would notice.
    one_by_one     boolean;
    has_checks     boolean;
    has_new        boolean;
    has_old        boolean;
    has_moves      boolean;
    has_links      boolean;
    has_reminders  boolean;
    -- Commands on what others may have been decided on.
    has_others     boolean;
    command_ids    uuid[];
    new_ids        uuid[];
    -- Of each refused command; null for those that are appended.
    refusals       text[] := '{}';
    -- Of each command that was looked at by itself: where the log has its command id, or else its aggregate; and how many events the
    -- accepted ones before it have.
    known          jsonb[];
    offsets        integer[] := '{}';
    -- Whether each is the last accepted command on its aggregate.
    lasts          boolean[] := '{}';
    apart          boolean;
    reason         text;
    other_log      boolean;
    changed        boolean;
    forked         boolean;
    -- The last command on one of the aggregates is among the commands.
    repeated       boolean;
    -- The id of a new aggregate may be that of something else.
    taken          boolean;
    rows_n         bigint;
BEGIN
    SELECT sum(c.event_count), bool_or(c.event_count = 0), bool_or(cardinality(c.checks) > 0),
           bool_or(c.is_new), bool_or(NOT c.is_new), bool_or(NOT c.is_new AND (c.placement).rank IS NOT NULL),
           bool_or((c.link).kind IS NOT NULL), bool_or(c.sets_reminder), bool_or(c.aggregate_type <> 'task'), array_agg(c.command_id),
           array_agg(c.aggregate_id) FILTER (WHERE c.is_new)
        INTO events_n, one_by_one, has_checks, has_new, has_old, has_moves, has_links, has_reminders, has_others, command_ids, new_ids
        FROM unnest(commands) AS c;
    UPDATE log_head h SET position = h.position + events_n, recorded_at = greatest(clock_timestamp(), h.recorded_at)
        RETURNING h.position - events_n, h.recorded_at, h.suspended, h.words_apart INTO start, taskfold_append_v2.recorded_at, reason, apart;
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TF001', MESSAGE = reason;
    END IF;
    -- One statement, because each has a cost of its own.
    SELECT taskfold_append_v2.log_id <> (SELECT i.log_id FROM log_identities i ORDER BY i.epoch DESC LIMIT 1),
           coalesce(bool_or(coalesce(h.version, 0) > s.version), false),
           coalesce(bool_or(coalesce(h.version, 0) < s.version OR h.version = s.version AND h.command_id <> s.command_id), false)
               OR seen_position IS NOT NULL AND NOT EXISTS (
                   SELECT FROM events e WHERE e.position = seen_position AND e.command_id = seen_command),
           coalesce(bool_or(h.command_id = ANY (command_ids)), false),
           -- The log's lock keeps others from creating one meanwhile, and accounts with derived ids too
           -- (migrations/0026_ids_and_signatures.sql).
           EXISTS (SELECT FROM aggregate_heads n WHERE n.aggregate_id = ANY (new_ids))
               OR EXISTS (SELECT FROM accounts a WHERE a.user_id = ANY (new_ids))
        INTO other_log, changed, forked, repeated, taken
        FROM unnest(expected) AS s
            LEFT JOIN aggregate_heads h ON h.aggregate_id = s.aggregate_id AND h.aggregate_type = s.aggregate_type;
    IF other_log THEN
        RAISE EXCEPTION USING ERRCODE = 'TF002', MESSAGE = 'the log was adopted under another id';
    END IF;
    IF forked THEN
        IF EXISTS (
            SELECT FROM unnest(expected) AS s
                LEFT JOIN aggregate_heads h ON h.aggregate_id = s.aggregate_id AND h.aggregate_type = s.aggregate_type
                JOIN events e ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id::text AND e.sequence = s.version
            WHERE coalesce(h.version, 0) < s.version AND (s.command_id IS NULL OR e.command_id = s.command_id)) THEN
            RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'aggregate_heads lacks an event: run taskfold rebuild --write-side';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'TF003', MESSAGE = 'the log lacks an event that it had: it was restored to an earlier state';
    END IF;
    -- A command on what another was decided on. The caller tries one by one then.
    IF has_others AND cardinality(commands) > 1 THEN
        IF EXISTS (
            SELECT FROM unnest(commands) AS c
            WHERE c.aggregate_type <> 'task' AND EXISTS (
                SELECT FROM unnest(commands) AS d CROSS JOIN LATERAL unnest(d.guards) AS g
                WHERE g.aggregate_id = c.aggregate_id AND g.aggregate_type = c.aggregate_type)) THEN
            RAISE EXCEPTION 'an aggregate would change beside a command that was decided on it';
        END IF;
        -- Two new ones of different kinds may have one id.
        taken := taken OR (SELECT count(*) > count(DISTINCT id) FROM unnest(new_ids) AS id);
    END IF;
    one_by_one := one_by_one OR changed OR repeated OR taken;

    LOOP
        IF one_by_one THEN
            SELECT r.refusals, r.known, r.offsets, r.lasts, r.events_n INTO refusals, known, offsets, lasts, events_n
                FROM taskfold_refusals(commands, start) AS r;
            UPDATE log_head SET position = start + events_n;
        ELSIF has_checks THEN
            IF EXISTS (SELECT FROM unnest(commands) AS c WHERE taskfold_failed_check(c) IS NOT NULL) THEN
                one_by_one := true;
                CONTINUE;
            END IF;
        END IF;

        BEGIN
            INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, words, salts,
                                metadata, project_id, actor_id, command_id, occurred_at, recorded_at, traceparent)
            SELECT start + coalesce(offsets[e.command], (x.c).events_before) + e.nth, (x.c).aggregate_type, (x.c).aggregate_id::text,
                   (x.c).expected_version + e.nth, e.event_type, e.event_version,
                   CASE WHEN apart THEN e.payload ELSE taskfold_with_words(e.payload, e.words) END::json,
                   CASE WHEN apart THEN nullif(e.words, '{}') END, CASE WHEN apart THEN nullif(e.salts, '') END,
                   e.metadata::json, (x.c).project_id, (x.c).actor_id, (x.c).command_id,
                   coalesce((x.c).occurred_at, taskfold_append_v2.recorded_at), taskfold_append_v2.recorded_at, (x.c).traceparent
            -- The command is taken by its number: a join of the two would compare each with each.
            FROM unnest(events) AS e CROSS JOIN LATERAL (SELECT commands[e.command] AS c OFFSET 0) AS x
            WHERE refusals[e.command] IS NULL;

            -- Of several commands on one aggregate, the last that is accepted counts.
            IF has_new THEN
                INSERT INTO aggregate_heads (aggregate_type, aggregate_id, version, position, command_id)
                SELECT c.aggregate_type, c.aggregate_id, c.expected_version + c.event_count,
                       start + coalesce(offsets[c.ordinality], c.events_before) + c.event_count, c.command_id
                FROM unnest(commands) WITH ORDINALITY AS c
                WHERE c.is_new AND coalesce(lasts[c.ordinality], c.is_last) AND c.event_count > 0;
                INSERT INTO task_places (task_id, project_id, column_id, rank, state)
                SELECT c.aggregate_id, c.project_id, (c.placement).column_id, (c.placement).rank, (c.placement).state
                FROM unnest(commands) WITH ORDINALITY AS c
                WHERE c.is_new AND coalesce(lasts[c.ordinality], c.is_last) AND (c.placement).rank IS NOT NULL;
            END IF;
            IF has_old THEN
                UPDATE aggregate_heads h
                SET version = c.expected_version + c.event_count,
                    position = start + coalesce(offsets[c.ordinality], c.events_before) + c.event_count, command_id = c.command_id
                FROM unnest(commands) WITH ORDINALITY AS c
                WHERE NOT c.is_new AND coalesce(lasts[c.ordinality], c.is_last) AND c.event_count > 0
                  AND h.aggregate_id = c.aggregate_id AND h.aggregate_type = c.aggregate_type;
                IF has_moves THEN
                    UPDATE task_places t
                    SET column_id = (c.placement).column_id, rank = (c.placement).rank, state = (c.placement).state
                    FROM unnest(commands) WITH ORDINALITY AS c
                    WHERE NOT c.is_new AND coalesce(lasts[c.ordinality], c.is_last) AND (c.placement).rank IS NOT NULL
                      AND t.task_id = c.aggregate_id;
                    GET DIAGNOSTICS rows_n = ROW_COUNT;
                    IF rows_n <> (
                        SELECT count(*) FROM unnest(commands) WITH ORDINALITY AS c
                        WHERE NOT c.is_new AND coalesce(lasts[c.ordinality], c.is_last) AND (c.placement).rank IS NOT NULL) THEN
                        RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'task_places lacks a task: run taskfold rebuild --write-side';
                    END IF;
                END IF;
            END IF;
            IF has_links THEN
                WITH removed AS (
                    DELETE FROM task_links t USING unnest(commands) WITH ORDINALITY AS c
                    WHERE refusals[c.ordinality] IS NULL AND t.kind = (c.link).kind AND t.task_id = c.aggregate_id
                      AND ((c.link).kind = 2 OR t.target_id = (c.link).target_id)
                    RETURNING (c.link).removed AS as_asked)
                SELECT count(*) INTO rows_n FROM removed WHERE as_asked;
                IF rows_n <> (
                    SELECT count(*) FROM unnest(commands) WITH ORDINALITY AS c
                    WHERE refusals[c.ordinality] IS NULL AND (c.link).removed) THEN
                    RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'task_links lacks a link: run taskfold rebuild --write-side';
                END IF;
                INSERT INTO task_links (kind, task_id, target_id)
                SELECT (c.link).kind, c.aggregate_id, (c.link).target_id FROM unnest(commands) WITH ORDINALITY AS c
                WHERE refusals[c.ordinality] IS NULL AND NOT (c.link).removed AND (c.link).target_id IS NOT NULL;
            END IF;
            IF has_reminders THEN
                DELETE FROM due_schedule s USING unnest(commands) WITH ORDINALITY AS c
                WHERE refusals[c.ordinality] IS NULL AND c.sets_reminder AND s.task_id = c.aggregate_id;
                INSERT INTO due_schedule (task_id, at)
                SELECT c.aggregate_id, c.reminder_at FROM unnest(commands) WITH ORDINALITY AS c
                WHERE coalesce(lasts[c.ordinality], c.is_last) AND c.sets_reminder AND c.reminder_at IS NOT NULL;
            END IF;
            INSERT INTO commands (actor_id, command_id, fingerprint, aggregate_id, version, first_position, last_position,
                                  created_id, created)
            SELECT c.actor_id, c.command_id, c.fingerprint, c.aggregate_id::text, c.expected_version + c.event_count,
                   CASE c.event_count WHEN 0 THEN (known[c.ordinality] ->> 'first_position')::bigint ELSE o.before + 1 END,
                   CASE c.event_count WHEN 0 THEN (known[c.ordinality] ->> 'last_position')::bigint ELSE o.before + c.event_count END,
                   c.created_id, c.created
            FROM unnest(commands) WITH ORDINALITY AS c
                CROSS JOIN LATERAL (SELECT start + coalesce(offsets[c.ordinality], c.events_before) AS before) AS o
            WHERE refusals[c.ordinality] IS NULL;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF one_by_one THEN
                RAISE;
            END IF;
            one_by_one := true;
        END;
    END LOOP;

    IF events_n > 0 THEN
        PERFORM pg_notify('taskfold_events', (start + events_n)::text);
    END IF;
    IF one_by_one THEN
        SELECT jsonb_agg(known[c.ordinality] || jsonb_build_object('recorded_at', taskfold_append_v2.recorded_at) || CASE
                   WHEN refusals[c.ordinality] IS NOT NULL THEN jsonb_build_object('outcome', refusals[c.ordinality])
                   WHEN c.event_count = 0 THEN '{"outcome": "appended"}'
                   ELSE jsonb_build_object(
                       'outcome', 'appended', 'version', c.expected_version + c.event_count,
                       'first_position', start + offsets[c.ordinality] + 1,
                       'last_position', start + offsets[c.ordinality] + c.event_count) END
               ORDER BY c.ordinality)
            INTO outcomes FROM unnest(commands) WITH ORDINALITY AS c;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskfold_append_v2(taskfold_command[], taskfold_event[], taskfold_version[], uuid, bigint, uuid),
    taskfold_failed_check(taskfold_command), taskfold_refusals(taskfold_command[], bigint) FROM PUBLIC;

-- Lets nobody else append until the transaction of the caller ends, who decides a command meanwhile. A process that is suspended then
-- keeps the others waiting for little longer than one that gets on may take.
CREATE OR REPLACE FUNCTION taskfold_hold_log() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path FROM CURRENT
AS
$$
    SELECT set_config('idle_in_transaction_session_timeout', '2500ms', true);
    SELECT FROM log_head FOR UPDATE;
$$;
