-- The append. Applied by every `taskfold migrate`, so that it stands here as it is; the one of the release before has other parameters, and
-- stays for it (migrations/0018_append_by_keys.sql).

-- Appends commands: each wholly or not at all, one's refusal not touching the others. The arrays c_* have one element a
-- command. Those with another letter have one a thing that only some commands have, and begin with the number of its command.
--
-- It asks of the caller that the commands of one call have nothing to do with each other: each is decided on the log as
-- it was before all of them. (Were they to meet nevertheless in an aggregate, a command id or a rank, a key refuses the call; and
-- the append does, where a guard would miss a change.)
--
-- When all are appended, `answers` is null: the events have the positions behind `start`, in their order. Otherwise `answers` has an
-- object for each command, in order, with where its events are, and an outcome:
--   appended    its events are at first_position .. last_position (none when it has no events)
--   duplicate   this actor has sent this command id before, with the same request: the positions are those of then
--   reused      ... with another request
--   conflict    the aggregate is not at the expected version
--   guard       the project, or a team, has changed since the command was decided on it
--   cycle       the task would wait for itself, or be a part of itself
--   rank        another task of the column took the same rank
--   wip         the column holds as many tasks as it may
--   not_empty   the column still holds tasks
--
-- The first event of each command says in its metadata what else of the command is written here, so that `taskfold rebuild --write-side` can
-- make these tables again: `fingerprint` (hex), `created_id`, `created`, and `due` where the reminder changes, in microseconds since
-- 1970, or `none`. Values are strings: postgres-es reads metadata as such.
--
-- Raises TF004 where one of its own tables lacks a row that it must have: nothing is decided on tables that are not complete.
CREATE OR REPLACE FUNCTION taskfold_append(
    c_actor uuid[], c_command uuid[], c_fingerprint bytea[],
    c_type text[], c_aggregate text[], c_project uuid[], c_expected bigint[],
    c_guard bigint[],                                  -- the version of the project that was decided on; null: no guard
    c_created_id uuid[], c_created boolean[], c_occurred timestamptz[], c_trace text[],
    c_events integer[], c_offset integer[],            -- how many events it has, and how many others have before them
    -- what was there and was decided on, each once: aggregates of the commands, projects and teams; with the command of the last
    -- event that was seen of each
    s_type text[], s_aggregate text[], s_version bigint[], s_command uuid[],
    -- events, in order; e_nth: 0 for the first of its command
    e_of integer[], e_nth integer[], e_type text[], e_version text[], e_payload text[],
    -- where a task stands after its events; p_wip: how many tasks the column may hold, null: any number;
    -- p_moved: how many of these tasks were there before
    p_of integer[], p_column uuid[], p_rank text[], p_state smallint[], p_wip integer[],
    p_moved integer,
    -- teams that were decided on, and their versions
    g_of integer[], g_team text[], g_version bigint[],
    -- columns that must hold no tasks
    m_of integer[], m_column uuid[],
    -- 1 and 2: a link of that kind to l_target (for 2, null: to none); -1: no longer waits for it
    l_of integer[], l_kind smallint[], l_target uuid[],
    -- when the task is to be reminded of next; null: never
    d_of integer[], d_at timestamptz[],
    -- the advisory lock that the session has waited for in line, to be let go with this call
    line bigint,
    -- which log it is to be, and the last event of it that the caller has seen; null: none
    of_log uuid, seen_position bigint, seen_command uuid,
    OUT start bigint, OUT now_at timestamptz, OUT answers jsonb)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    -- Plans are made once a session, often while the tables are still small: they must be those of large tables.
    -- (Which look so expensive that PostgreSQL would compile them.)
    SET jit = off
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS
$$
DECLARE
    commands_n constant integer := cardinality(c_command);
    -- A command without events writes nothing that a key would notice.
    one_by_one boolean := 0 = ANY (c_events);
    -- Of each command that is refused.
    refusals   text[];
    -- Of each command that is looked at by itself: what the log has of its command id, or else of its aggregate.
    known      jsonb[];
    events_n   integer := cardinality(e_of);
    refused    integer;
    why        text;
    -- Whether it is another log; whether something was decided on that has gone on since; and whether something was seen that the log
    -- does not have.
    other      boolean;
    changed    boolean;
    forked     boolean;
    -- Whether a command has been appended already, as the last of its aggregate.
    repeated   boolean;
    -- Rows that were changed.
    touched    integer;
BEGIN
    UPDATE log_head h SET position = h.position + events_n, recorded_at = greatest(clock_timestamp(), h.recorded_at)
        RETURNING h.position - events_n, h.recorded_at, h.suspended INTO start, now_at, why;
    IF why IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TF001', MESSAGE = why;
    END IF;
    -- One statement: each costs its beginning and its end. Versions are looked at in the log as it was before the call, and they never go down.
    SELECT of_log <> (SELECT i.log_id FROM log_identities i ORDER BY i.epoch DESC LIMIT 1),
           coalesce(bool_or(coalesce(v.sequence, 0) > s_version[s]), false),
           coalesce(bool_or(coalesce(v.sequence, 0) < s_version[s] OR v.sequence = s_version[s] AND v.command_id <> s_command[s]), false)
               OR seen_position IS NOT NULL AND NOT EXISTS (
                   SELECT FROM events e WHERE e.position = seen_position AND e.command_id = seen_command),
           coalesce(bool_or(v.command_id = ANY (c_command)), false)
        INTO other, changed, forked, repeated
        FROM generate_series(1, cardinality(s_type)) AS s
            LEFT JOIN LATERAL taskfold_last_command(s_type[s], s_aggregate[s]) AS v ON true;
    IF other THEN
        RAISE EXCEPTION USING ERRCODE = 'TF002', MESSAGE = 'the log was adopted under another id';
    END IF;
    IF forked THEN
        RAISE EXCEPTION USING ERRCODE = 'TF003', MESSAGE = 'the log lacks an event that it had: it was restored to an earlier state';
    END IF;
    -- (An expression that asks tables is prepared also where its first half has decided already: hence one IF in another.)
    IF repeated THEN
        IF EXISTS (
            SELECT FROM generate_series(1, commands_n) AS c CROSS JOIN LATERAL taskfold_last_command(c_type[c], c_aggregate[c]) AS v
                JOIN events e ON e.position = v.position
            WHERE v.command_id = c_command[c] AND e.actor_id = c_actor[c] AND NOT EXISTS (
                SELECT FROM commands k WHERE k.actor_id = c_actor[c] AND k.command_id = c_command[c])) THEN
            RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'commands lacks a command: run taskfold rebuild --write-side';
        END IF;
    END IF;

    -- What was decided on would change in the middle of the call. The caller tries one by one then.
    IF commands_n > 1 AND ('project' = ANY (c_type) OR 'team' = ANY (c_type)) THEN
        IF EXISTS (
            SELECT FROM generate_series(1, commands_n) AS c
            WHERE c_type[c] = 'team' AND c_aggregate[c] = ANY (g_team)
               OR c_type[c] = 'project' AND EXISTS (
                   SELECT FROM generate_series(1, commands_n) AS d
                   WHERE c_guard[d] IS NOT NULL AND c_project[d]::text = c_aggregate[c])) THEN
            RAISE EXCEPTION 'a project or a team would change beside a command that was decided on it';
        END IF;
    END IF;

    LOOP
        refusals := '{}';
        IF one_by_one THEN
            SELECT array_agg(t.refusal ORDER BY t.c), array_agg(t.known ORDER BY t.c) INTO refusals, known FROM (
                SELECT c, CASE WHEN k.fingerprint = c_fingerprint[c] THEN 'duplicate'
                               WHEN k.fingerprint IS NOT NULL THEN 'reused'
                               WHEN coalesce(v.sequence, 0) <> c_expected[c] THEN 'conflict'
                               WHEN c_guard[c] <> coalesce((
                                   SELECT g.sequence FROM taskfold_last_event('project', c_project[c]::text) AS g), 0) THEN 'guard'
                           END AS refusal,
                       jsonb_build_object(
                           'version', coalesce(k.version, v.sequence, 0),
                           'first_position', coalesce(k.first_position, v.position + 1, 1),
                           'last_position', coalesce(k.last_position, v.position, 0),
                           'aggregate_id', coalesce(k.aggregate_id, c_aggregate[c]),
                           'created_id', CASE WHEN k.fingerprint IS NULL THEN c_created_id[c] ELSE k.created_id END,
                           'created', coalesce(k.created, c_created[c])) AS known
                FROM generate_series(1, commands_n) AS c
                    LEFT JOIN LATERAL (
                        SELECT * FROM commands k WHERE k.actor_id = c_actor[c] AND k.command_id = c_command[c] LIMIT 1) AS k ON true
                    LEFT JOIN LATERAL taskfold_last_event(c_type[c], c_aggregate[c]) AS v ON true) AS t;
        ELSIF changed THEN
            one_by_one := true;
            CONTINUE;
        END IF;

        -- The first reason counts, in the order of the checks.
        IF cardinality(m_of) > 0 THEN
            FOR refused IN SELECT m_of[m] FROM generate_series(1, cardinality(m_of)) AS m
                WHERE (SELECT true FROM task_places p
                       WHERE p.project_id = c_project[m_of[m]] AND p.column_id = m_column[m] AND p.state < 2 LIMIT 1) LOOP
                refusals[refused] := coalesce(refusals[refused], 'not_empty');
            END LOOP;
        END IF;
        IF one_by_one THEN
            FOR refused IN SELECT p_of[p] FROM generate_series(1, cardinality(p_of)) AS p
                WHERE (SELECT true FROM task_places t
                       WHERE t.project_id = c_project[p_of[p]] AND t.column_id = p_column[p] AND t.rank = p_rank[p]
                         AND t.task_id <> c_aggregate[p_of[p]]::uuid LIMIT 1) LOOP
                refusals[refused] := coalesce(refusals[refused], 'rank');
            END LOOP;
        END IF;
        IF 0 <= ANY (p_wip) THEN
            FOR refused IN SELECT p_of[p] FROM generate_series(1, cardinality(p_of)) AS p
                WHERE p_wip[p] IS NOT NULL AND p_wip[p] <= (
                    SELECT count(*) FROM task_places t
                    WHERE t.project_id = c_project[p_of[p]] AND t.column_id = p_column[p] AND t.state = 0
                      AND t.task_id <> c_aggregate[p_of[p]]::uuid) LOOP
                refusals[refused] := coalesce(refusals[refused], 'wip');
            END LOOP;
        END IF;
        IF one_by_one AND cardinality(g_of) > 0 THEN
            FOR refused IN SELECT g_of[g] FROM generate_series(1, cardinality(g_of)) AS g
                    LEFT JOIN LATERAL taskfold_last_event('team', g_team[g]) AS v ON true
                WHERE g_version[g] <> coalesce(v.sequence, 0) LOOP
                refusals[refused] := coalesce(refusals[refused], 'guard');
            END LOOP;
        END IF;
        IF cardinality(l_of) > 0 THEN
            FOR refused IN SELECT l_of[l] FROM generate_series(1, cardinality(l_of)) AS l
                WHERE l_kind[l] > 0 AND taskfold_leads_to(l_kind[l], l_target[l], c_aggregate[l_of[l]]::uuid) LOOP
                refusals[refused] := coalesce(refusals[refused], 'cycle');
            END LOOP;
        END IF;

        IF one_by_one THEN
            events_n := 0;
            FOR c IN 1 .. commands_n LOOP
                IF refusals[c] IS NULL THEN
                    c_offset[c] := events_n;
                    events_n := events_n + c_events[c];
                END IF;
            END LOOP;
            UPDATE log_head SET position = start + events_n;
        ELSIF cardinality(refusals) > 0 THEN
            one_by_one := true;
            CONTINUE;
        END IF;

        BEGIN
            INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                metadata, project_id, actor_id, command_id, occurred_at, recorded_at, traceparent)
            SELECT start + c_offset[e_of[e]] + e_nth[e] + 1, c_type[e_of[e]], c_aggregate[e_of[e]],
                   c_expected[e_of[e]] + e_nth[e] + 1, e_type[e], e_version[e], e_payload[e]::json,
                   -- Put together as text, none of which needs quoting: cheaper than json_build_object() and json_strip_nulls().
                   CASE e_nth[e] WHEN 0 THEN concat(
                       '{"fingerprint": "', encode(c_fingerprint[e_of[e]], 'hex'), '"',
                       ', "created_id": "' || c_created_id[e_of[e]]::text || '"',
                       CASE WHEN c_created[e_of[e]] THEN ', "created": "true"' END,
                       CASE WHEN e_of[e] = ANY (d_of) THEN ', "due": "' || coalesce(
                           (extract(epoch FROM d_at[array_position(d_of, e_of[e])]) * 1000000)::bigint::text, 'none') || '"' END,
                       '}')::json
                   ELSE '{}' END,
                   c_project[e_of[e]], c_actor[e_of[e]], c_command[e_of[e]],
                   coalesce(c_occurred[e_of[e]], now_at), now_at, c_trace[e_of[e]]
            FROM generate_series(1, cardinality(e_of)) AS e
            WHERE refusals[e_of[e]] IS NULL;
            IF p_moved < cardinality(p_of) THEN
                INSERT INTO task_places (task_id, project_id, column_id, rank, state)
                SELECT c_aggregate[p_of[p]]::uuid, c_project[p_of[p]], p_column[p], p_rank[p], p_state[p]
                FROM generate_series(1, cardinality(p_of)) AS p
                WHERE refusals[p_of[p]] IS NULL AND c_expected[p_of[p]] = 0;
            END IF;
            IF p_moved > 0 THEN
                UPDATE task_places t SET column_id = p_column[p], rank = p_rank[p], state = p_state[p]
                FROM generate_series(1, cardinality(p_of)) AS p
                WHERE refusals[p_of[p]] IS NULL AND c_expected[p_of[p]] > 0 AND t.task_id = c_aggregate[p_of[p]]::uuid;
                GET DIAGNOSTICS touched = ROW_COUNT;
                IF touched <> p_moved AND touched <> (
                    SELECT count(*) FROM generate_series(1, cardinality(p_of)) AS p
                    WHERE refusals[p_of[p]] IS NULL AND c_expected[p_of[p]] > 0) THEN
                    RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'task_places lacks a task: run taskfold rebuild --write-side';
                END IF;
            END IF;
            IF cardinality(l_of) > 0 THEN
                WITH gone AS (
                    DELETE FROM task_links t USING generate_series(1, cardinality(l_of)) AS l
                    WHERE refusals[l_of[l]] IS NULL AND t.kind = abs(l_kind[l]) AND t.task_id = c_aggregate[l_of[l]]::uuid
                      AND (l_kind[l] = 2 OR t.target_id = l_target[l])
                    RETURNING l_kind[l] AS kind)
                SELECT count(*) FILTER (WHERE kind < 0) INTO touched FROM gone;
                IF touched <> (
                    SELECT count(*) FROM generate_series(1, cardinality(l_of)) AS l
                    WHERE refusals[l_of[l]] IS NULL AND l_kind[l] < 0) THEN
                    RAISE EXCEPTION USING ERRCODE = 'TF004', MESSAGE = 'task_links lacks a link: run taskfold rebuild --write-side';
                END IF;
                INSERT INTO task_links (kind, task_id, target_id)
                SELECT l_kind[l], c_aggregate[l_of[l]]::uuid, l_target[l] FROM generate_series(1, cardinality(l_of)) AS l
                WHERE refusals[l_of[l]] IS NULL AND l_kind[l] > 0 AND l_target[l] IS NOT NULL;
            END IF;
            IF cardinality(d_of) > 0 THEN
                DELETE FROM due_schedule s USING generate_series(1, cardinality(d_of)) AS d
                WHERE refusals[d_of[d]] IS NULL AND s.task_id = c_aggregate[d_of[d]]::uuid;
                INSERT INTO due_schedule (task_id, at)
                SELECT c_aggregate[d_of[d]]::uuid, d_at[d] FROM generate_series(1, cardinality(d_of)) AS d
                WHERE refusals[d_of[d]] IS NULL AND d_at[d] IS NOT NULL;
            END IF;
            INSERT INTO commands (actor_id, command_id, fingerprint, aggregate_id, version, first_position, last_position,
                                  created_id, created)
            SELECT c_actor[c], c_command[c], c_fingerprint[c], c_aggregate[c], c_expected[c] + c_events[c],
                   CASE c_events[c] WHEN 0 THEN (known[c] ->> 'first_position')::bigint ELSE start + c_offset[c] + 1 END,
                   CASE c_events[c] WHEN 0 THEN (known[c] ->> 'last_position')::bigint ELSE start + c_offset[c] + c_events[c] END,
                   c_created_id[c], c_created[c]
            FROM generate_series(1, commands_n) AS c
            WHERE refusals[c] IS NULL;
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
    -- Before the commit: whoever is next gathers its commands and sends them while the disk takes these.
    IF line IS NOT NULL THEN
        PERFORM pg_advisory_unlock(line);
    END IF;
    IF one_by_one THEN
        SELECT jsonb_agg(known[c] || jsonb_build_object('recorded_at', now_at) || CASE
                   WHEN refusals[c] IS NOT NULL THEN jsonb_build_object('outcome', refusals[c])
                   WHEN c_events[c] = 0 THEN '{"outcome": "appended"}'
                   ELSE jsonb_build_object(
                       'outcome', 'appended', 'version', c_expected[c] + c_events[c],
                       'first_position', start + c_offset[c] + 1, 'last_position', start + c_offset[c] + c_events[c]) END
               ORDER BY c)
            INTO answers FROM generate_series(1, commands_n) AS c;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskfold_append(uuid[], uuid[], bytea[], text[], text[], uuid[], bigint[], bigint[], uuid[], boolean[], timestamptz[], text[], integer[], integer[],
    text[], text[], bigint[], uuid[], integer[], integer[], text[], text[], text[], integer[], uuid[], text[], smallint[], integer[], integer,
    integer[], text[], bigint[], integer[], uuid[], integer[], smallint[], uuid[], integer[], timestamptz[], bigint, uuid, bigint, uuid) FROM PUBLIC;

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
