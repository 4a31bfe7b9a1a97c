-- The append, for a whole batch at once: each table is read and written once a call, and not once a command. That asks
-- of the caller that the commands of one call have nothing to do with each other: each is decided on the log as
-- it was before all of them. (Were they to meet nevertheless in an aggregate or in a command id, the keys of `events` and `commands`
-- refuse the call; and the append does, where a guard would miss a change.)

DROP FUNCTION taskfold_append;

-- The cards that a task waits for, and those that they wait for, and so on (kind 1); or what it is a part of (kind 2).
CREATE FUNCTION taskfold_leads_to(of_kind smallint, from_task uuid, to_task uuid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path FROM CURRENT
AS
$$
    WITH RECURSIVE reached (id) AS (
        SELECT from_task
        UNION
        SELECT l.target_id FROM reached r JOIN task_links l ON l.kind = of_kind AND l.task_id = r.id)
    SELECT EXISTS (SELECT FROM reached WHERE id = to_task)
$$;

-- Lets no other append in before this transaction ends. For a command that has lost to other processes again and again.
CREATE FUNCTION taskfold_hold_log() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path FROM CURRENT
AS
$$
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true);
    SELECT FROM log_head FOR UPDATE;
$$;
REVOKE ALL ON FUNCTION taskfold_hold_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_hold_log TO taskfold_command;

-- Appends commands: each wholly or not at all, one's refusal not touching the others. The arrays c_* have one element a
-- command. Those with another letter have one a thing that only some commands have, and begin with the number of its command.
--
-- Answers for each command, in order, an outcome:
--   appended    its events are at first_position .. last_position (none when it has no events)
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
    c_guard bigint[],                                  -- the version of the project that was decided on; null: no guard
    c_created_id uuid[], c_created boolean[], c_occurred timestamptz[], c_trace text[],
    -- events, in order; e_nth: 0 for the first of its command
    e_of integer[], e_nth integer[], e_type text[], e_version text[], e_payload text[],
    -- where a task stands after its events; p_wip: how many tasks the column may hold, null: any number
    p_of integer[], p_column uuid[], p_rank text[], p_state smallint[], p_wip integer[],
    -- teams that were decided on, and their versions
    g_of integer[], g_team text[], g_version bigint[],
    -- columns that must hold no tasks
    m_of integer[], m_column uuid[],
    -- 1 and 2: a link of that kind to l_target (for 2, null: to none); -1: no longer waits for it
    l_of integer[], l_kind smallint[], l_target uuid[],
    -- when the task is to be reminded of next; null: never
    d_of integer[], d_at timestamptz[])
    RETURNS TABLE (outcome text, first_position bigint, last_position bigint, version bigint,
                   aggregate text, created_id uuid, created boolean, recorded_at timestamptz)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    -- Plans are made once a session, often while the tables are still small: they must be those of large tables.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS
$$
#variable_conflict use_column
DECLARE
    head      bigint;
    start     bigint;
    now_at    timestamptz;
    outcomes  text[];
    -- of each command's aggregate: before the command, then after it
    versions  bigint[];
    firsts    bigint[];
    lasts     bigint[];
    broken    integer;
    why       text;
BEGIN
    SELECT h.position, greatest(clock_timestamp(), h.recorded_at) INTO head, now_at FROM log_head h FOR UPDATE;
    start := head;

    SELECT array_agg(c.outcome), array_agg(c.version), array_agg(c.first), array_agg(c.last), array_agg(c.aggregate),
           array_agg(c.created_id), array_agg(c.created)
        INTO outcomes, versions, firsts, lasts, c_aggregate, c_created_id, c_created
    FROM (
        SELECT CASE WHEN k.fingerprint IS NULL THEN
                   CASE WHEN coalesce(v.sequence, 0) <> c.expected THEN 'conflict'
                        WHEN c.guard <> coalesce((
                            SELECT g.sequence FROM events g
                            WHERE g.aggregate_type = 'project' AND g.aggregate_id = c.project::text
                            ORDER BY g.sequence DESC LIMIT 1), 0) THEN 'guard'
                        ELSE 'appended' END
               WHEN k.fingerprint = c.fingerprint THEN 'duplicate'
               ELSE 'reused' END AS outcome,
               coalesce(k.version, v.sequence, 0) AS version,
               coalesce(k.first_position, v.position + 1, 1) AS first,
               coalesce(k.last_position, v.position, 0) AS last,
               coalesce(k.aggregate_id, c.aggregate) AS aggregate,
               CASE WHEN k.fingerprint IS NULL THEN c.created_id ELSE k.created_id END AS created_id,
               coalesce(k.created, c.created) AS created
        FROM unnest(c_actor, c_command, c_fingerprint, c_type, c_aggregate, c_project, c_expected, c_guard, c_created_id, c_created)
                 WITH ORDINALITY AS c (actor, command, fingerprint, type, aggregate, project, expected, guard, created_id, created, n)
            LEFT JOIN LATERAL (
                SELECT * FROM commands k WHERE k.actor_id = c.actor AND k.command_id = c.command LIMIT 1) AS k ON true
            LEFT JOIN LATERAL (
                SELECT v.sequence, v.position FROM events v
                WHERE v.aggregate_type = c.type AND v.aggregate_id = c.aggregate
                ORDER BY v.sequence DESC LIMIT 1) AS v ON true
        ORDER BY c.n) AS c;

    -- Guards are checked on the log as it was before the call. The caller tries one by one then.
    IF cardinality(c_command) > 1 AND ('project' = ANY (c_type) OR 'team' = ANY (c_type)) THEN
        IF EXISTS (
            SELECT FROM unnest(c_type, c_aggregate) AS c (type, aggregate)
            WHERE c.type = 'team' AND c.aggregate = ANY (g_team)
               OR c.type = 'project' AND c.aggregate IN (
                   SELECT d.project::text FROM unnest(c_project, c_guard) AS d (project, guard) WHERE d.guard IS NOT NULL)) THEN
            RAISE EXCEPTION 'a project or a team would change beside a command that was decided on it';
        END IF;
    END IF;

    -- What only some commands are to be checked for. The first reason counts, in the order of the checks.
    IF cardinality(m_of) > 0 THEN
        FOR broken IN SELECT m.of FROM unnest(m_of, m_column) AS m (of, column_id)
            WHERE (SELECT true FROM task_places p
                   WHERE p.project_id = c_project[m.of] AND p.column_id = m.column_id AND p.state < 2 LIMIT 1) LOOP
            outcomes[broken] := CASE outcomes[broken] WHEN 'appended' THEN 'not_empty' ELSE outcomes[broken] END;
        END LOOP;
    END IF;
    IF cardinality(p_of) > 0 THEN
        FOR broken, why IN
            SELECT * FROM (
                SELECT p.of, CASE
                    WHEN (SELECT true FROM task_places t
                          WHERE t.project_id = c_project[p.of] AND t.column_id = p.column_id AND t.rank = p.rank
                            AND t.task_id <> c_aggregate[p.of]::uuid LIMIT 1) THEN 'rank'
                    -- Counted only where there is a limit.
                    WHEN p.wip IS NOT NULL THEN CASE
                        WHEN p.wip <= (SELECT count(*) FROM task_places t
                                       WHERE t.project_id = c_project[p.of] AND t.column_id = p.column_id AND t.state = 0
                                         AND t.task_id <> c_aggregate[p.of]::uuid) THEN 'wip' END
                    END AS why
                FROM unnest(p_of, p_column, p_rank, p_wip) AS p (of, column_id, rank, wip)) AS p
            WHERE p.why IS NOT NULL LOOP
            outcomes[broken] := CASE outcomes[broken] WHEN 'appended' THEN why ELSE outcomes[broken] END;
        END LOOP;
    END IF;
    IF cardinality(g_of) > 0 THEN
        FOR broken IN SELECT g.of FROM unnest(g_of, g_team, g_version) AS g (of, team, version)
            WHERE g.version <> coalesce((
                SELECT v.sequence FROM events v WHERE v.aggregate_type = 'team' AND v.aggregate_id = g.team
                ORDER BY v.sequence DESC LIMIT 1), 0) LOOP
            outcomes[broken] := CASE outcomes[broken] WHEN 'appended' THEN 'guard' ELSE outcomes[broken] END;
        END LOOP;
    END IF;
    IF cardinality(l_of) > 0 THEN
        FOR broken IN SELECT l.of FROM unnest(l_of, l_kind, l_target) AS l (of, kind, target)
            WHERE l.kind > 0 AND taskfold_leads_to(l.kind, l.target, c_aggregate[l.of]::uuid) LOOP
            outcomes[broken] := CASE outcomes[broken] WHEN 'appended' THEN 'cycle' ELSE outcomes[broken] END;
        END LOOP;
    END IF;

    -- The numbers.
    FOR i IN 1 .. cardinality(e_of) LOOP
        IF outcomes[e_of[i]] = 'appended' THEN
            head := head + 1;
            IF e_nth[i] = 0 THEN
                firsts[e_of[i]] := head;
            END IF;
            lasts[e_of[i]] := head;
            versions[e_of[i]] := versions[e_of[i]] + 1;
        END IF;
    END LOOP;

    IF head > start THEN
        UPDATE log_head SET position = head, recorded_at = now_at;
        PERFORM pg_notify('taskfold_events', head::text);
        INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                            project_id, actor_id, command_id, occurred_at, recorded_at, traceparent)
        SELECT firsts[e.of] + e.nth, c_type[e.of], c_aggregate[e.of], versions[e.of] - (lasts[e.of] - firsts[e.of]) + e.nth,
               e.type, e.version, e.payload::json, c_project[e.of], c_actor[e.of], c_command[e.of],
               coalesce(c_occurred[e.of], now_at), now_at, c_trace[e.of]
        FROM unnest(e_of, e_nth, e_type, e_version, e_payload) AS e (of, nth, type, version, payload)
        WHERE outcomes[e.of] = 'appended';
    END IF;
    IF cardinality(p_of) > 0 THEN
        INSERT INTO task_places (task_id, project_id, column_id, rank, state)
        SELECT c_aggregate[p.of]::uuid, c_project[p.of], p.column_id, p.rank, p.state
        FROM unnest(p_of, p_column, p_rank, p_state) AS p (of, column_id, rank, state)
        WHERE outcomes[p.of] = 'appended'
        ON CONFLICT (task_id) DO UPDATE SET column_id = excluded.column_id, rank = excluded.rank, state = excluded.state;
    END IF;
    IF cardinality(l_of) > 0 THEN
        DELETE FROM task_links t USING unnest(l_of, l_kind, l_target) AS l (of, kind, target)
        WHERE outcomes[l.of] = 'appended' AND t.kind = abs(l.kind) AND t.task_id = c_aggregate[l.of]::uuid
          AND (l.kind = 2 OR t.target_id = l.target);
        INSERT INTO task_links (kind, task_id, target_id)
        SELECT l.kind, c_aggregate[l.of]::uuid, l.target FROM unnest(l_of, l_kind, l_target) AS l (of, kind, target)
        WHERE outcomes[l.of] = 'appended' AND l.kind > 0 AND l.target IS NOT NULL;
    END IF;
    IF cardinality(d_of) > 0 THEN
        DELETE FROM due_schedule s USING unnest(d_of, d_at) AS d (of, at)
        WHERE outcomes[d.of] = 'appended' AND s.task_id = c_aggregate[d.of]::uuid;
        INSERT INTO due_schedule (task_id, at)
        SELECT c_aggregate[d.of]::uuid, d.at FROM unnest(d_of, d_at) AS d (of, at)
        WHERE outcomes[d.of] = 'appended' AND d.at IS NOT NULL;
    END IF;
    INSERT INTO commands (actor_id, command_id, fingerprint, aggregate_id, version, first_position, last_position, created_id, created)
    SELECT c.actor, c.command, c.fingerprint, c.aggregate, c.version, c.first, c.last, c.created_id, c.created
    FROM unnest(c_actor, c_command, c_fingerprint, c_aggregate, versions, firsts, lasts, c_created_id, c_created, outcomes)
             AS c (actor, command, fingerprint, aggregate, version, first, last, created_id, created, outcome)
    WHERE c.outcome = 'appended';

    RETURN QUERY SELECT r.*, now_at
    FROM unnest(outcomes, firsts, lasts, versions, c_aggregate, c_created_id, c_created) AS r;
END
$$;

REVOKE ALL ON FUNCTION taskfold_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_append TO taskfold_command;
