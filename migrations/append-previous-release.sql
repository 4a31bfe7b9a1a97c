-- The append of the release before, for processes of it that run beside this one. See migrations/0018_append_by_keys.sql.
CREATE OR REPLACE FUNCTION taskfold_append(
    c_actor uuid[], c_command uuid[], c_fingerprint bytea[],
    c_type text[], c_aggregate text[], c_project uuid[], c_expected bigint[],
    c_guard bigint[],
    c_created_id uuid[], c_created boolean[], c_occurred timestamptz[], c_trace text[],
    c_events integer[], c_offset integer[],
    s_type text[], s_aggregate text[], s_version bigint[],
    e_of integer[], e_nth integer[], e_type text[], e_version text[], e_payload text[],
    p_of integer[] DEFAULT '{}', p_column uuid[] DEFAULT '{}', p_rank text[] DEFAULT '{}', p_state smallint[] DEFAULT '{}', p_wip integer[] DEFAULT '{}',
    p_moved integer DEFAULT 0,
    g_of integer[] DEFAULT '{}', g_team text[] DEFAULT '{}', g_version bigint[] DEFAULT '{}',
    m_of integer[] DEFAULT '{}', m_column uuid[] DEFAULT '{}',
    l_of integer[] DEFAULT '{}', l_kind smallint[] DEFAULT '{}', l_target uuid[] DEFAULT '{}',
    d_of integer[] DEFAULT '{}', d_at timestamptz[] DEFAULT '{}',
    line bigint DEFAULT NULL,
    OUT start bigint, OUT now_at timestamptz, OUT answers jsonb)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS
$$
DECLARE
    sent  taskfold_command[];
    made  taskfold_event[];
    reads taskfold_version[];
BEGIN
    SELECT array_agg(ROW (
            c_actor[c], c_command[c], c_fingerprint[c], c_type[c], c_aggregate[c]::uuid, c_project[c], c_expected[c],
            CASE WHEN c_guard[c] IS NULL THEN '{}'
                 ELSE ARRAY [ROW ('project', c_project[c], c_guard[c], NULL)::taskfold_version] END
            || ARRAY (
                SELECT ROW ('team', g_team[g]::uuid, g_version[g], NULL)::taskfold_version
                FROM generate_series(1, cardinality(g_of)) AS g WHERE g_of[g] = c),
            ARRAY (
                SELECT ROW ('no_tasks', m_column[m], NULL)::taskfold_check FROM generate_series(1, cardinality(m_of)) AS m WHERE m_of[m] = c)
            || ARRAY (
                SELECT ROW ('wip_limit', p_column[p], p_wip[p])::taskfold_check
                FROM generate_series(1, cardinality(p_of)) AS p WHERE p_of[p] = c AND p_wip[p] IS NOT NULL)
            || ARRAY (
                SELECT ROW ('acyclic', l_target[l], l_kind[l])::taskfold_check
                FROM generate_series(1, cardinality(l_of)) AS l WHERE l_of[l] = c AND l_kind[l] > 0),
            c_events[c], c_offset[c], c_expected[c] = 0, true,
            c_created_id[c], c_created[c], c_occurred[c], c_trace[c],
            (SELECT ROW (p_column[p], p_rank[p], p_state[p])::taskfold_placement
             FROM generate_series(1, cardinality(p_of)) AS p WHERE p_of[p] = c),
            (SELECT ROW (abs(l_kind[l]), l_target[l], l_kind[l] < 0)::taskfold_link
             FROM generate_series(1, cardinality(l_of)) AS l WHERE l_of[l] = c),
            c = ANY (d_of), d_at[array_position(d_of, c)])::taskfold_command ORDER BY c)
        INTO sent FROM generate_series(1, cardinality(c_command)) AS c;
    SELECT coalesce(array_agg(ROW (
            e_of[e], e_nth[e] + 1, e_type[e], e_version[e], e_payload[e], '{}', '{}', '')::taskfold_event ORDER BY e), '{}')
        INTO made FROM generate_series(1, cardinality(e_of)) AS e;
    SELECT array_agg(DISTINCT ROW (r.aggregate_type, r.aggregate_id, r.version, NULL)::taskfold_version) INTO reads FROM (
        SELECT s_type[s] AS aggregate_type, s_aggregate[s]::uuid AS aggregate_id, s_version[s] AS version
        FROM generate_series(1, cardinality(s_type)) AS s
        UNION SELECT c_type[c], c_aggregate[c]::uuid, c_expected[c] FROM generate_series(1, cardinality(c_command)) AS c
        WHERE c_expected[c] > 0) AS r;
    -- It does not know the refusal of an id that another kind of thing has.
    SELECT a.start, a.recorded_at, replace(a.outcomes::text, '"outcome": "taken"', '"outcome": "conflict"')::jsonb
        INTO start, now_at, answers
        FROM taskfold_append_v2(sent, made, reads, NULL, NULL, NULL) AS a;
    IF line IS NOT NULL THEN
        PERFORM pg_advisory_unlock(line);
    END IF;
END
$$;
