-- What the append of this release needs (append.sql): a head row per aggregate, the types of its parameters, and words apart from structure.

-- The last event of each aggregate: the append's fence, and the look-up of readers that wait for it. The log's own keys need not be unique
-- over all of it for that, so that `events` can be partitioned by position.
CREATE TABLE aggregate_heads
(
    aggregate_type text   NOT NULL,
    aggregate_id   uuid   NOT NULL,
    version        bigint NOT NULL,
    position       bigint NOT NULL,
    command_id     uuid   NOT NULL,
    PRIMARY KEY (aggregate_id, aggregate_type)
    -- Every command updates a head, in place as long as its page has room.
) WITH (fillfactor = 85);
INSERT INTO aggregate_heads (aggregate_type, aggregate_id, version, position, command_id)
SELECT DISTINCT ON (e.aggregate_type, e.aggregate_id) e.aggregate_type, e.aggregate_id::uuid, e.sequence, e.position, e.command_id
FROM events e
WHERE e.aggregate_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
ORDER BY e.aggregate_type, e.aggregate_id, e.sequence DESC;

-- People's words (titles, descriptions, comments, names), one element each; in `payload`, `{"$": n}` stands for element n, counted from 0.
-- They can be erased, and the payload with its commitment stays as it is. `salts` has 16 random bytes for each. Events of earlier releases
-- have their words in the payload and no elements.
ALTER TABLE events ADD COLUMN words text[], ADD COLUMN salts bytea;

-- Whether the append may store words apart. A new log does from its beginning; one of an earlier release does when
-- `taskfold migrate --finish` has said that no process of that release is left, which could not read them.
ALTER TABLE log_head ADD COLUMN words_apart boolean NOT NULL DEFAULT false;
UPDATE log_head SET words_apart = true WHERE position = 0;

-- The payload with its words in place.
CREATE FUNCTION taskfold_with_words(payload text, words text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
AS
$$
DECLARE
    composed text := payload;
BEGIN
    -- From the last one: `{"$":1` is the beginning of `{"$":10}` for nobody, but replacing costs less from the end.
    FOR n IN REVERSE cardinality(words) - 1 .. 0 LOOP
        composed := replace(composed, format('{"$":%s}', n), coalesce(to_json(words[n + 1])::text, 'null'));
    END LOOP;
    RETURN composed;
END
$$;

-- Events with their words in place, for those who may read the whole log by SQL: it shows all events to whoever may select from it.
CREATE VIEW events_with_words AS
SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
       CASE WHEN e.words IS NULL THEN e.payload ELSE taskfold_with_words(e.payload::text, e.words)::json END AS payload,
       e.metadata, e.project_id, e.actor_id, e.command_id, e.occurred_at, e.recorded_at, e.traceparent
FROM events e;

-- Parameters of the append. A type is never changed: another release would send it with other attributes. What is new gets a kind of
-- check, or a new type beside a new version of the function.

-- An aggregate as it was decided on; version 0: it must not exist.
CREATE TYPE taskfold_version AS (aggregate_type text, aggregate_id uuid, version bigint, command_id uuid);
-- An event of the call's nth command, counted from 1, and its place among the events of that command, counted from 1 too.
CREATE TYPE taskfold_event AS (
    command integer, nth integer, event_type text, event_version text, payload text, metadata text, words text[], salts bytea);
-- A condition on other aggregates, which is looked at under the log's lock:
--   wip_limit   the column `id` of the command's project holds fewer than `number` tasks besides this one
--   no_tasks    the column `id` of the command's project holds no tasks
--   acyclic     a link of kind `number` to the task `id` closes no cycle
CREATE TYPE taskfold_check AS (kind text, id uuid, number bigint);
-- The place of a task after its events. `state`: 0 on the board, 1 archived, 2 deleted.
CREATE TYPE taskfold_placement AS (column_id uuid, rank text, state smallint);
-- A link of the task that its events set or remove. `kind`: 1 waits for, 2 part of (one at most; a null target removes it).
CREATE TYPE taskfold_link AS (kind smallint, target_id uuid, removed boolean);
CREATE TYPE taskfold_command AS (
    actor_id uuid, command_id uuid, fingerprint bytea,
    aggregate_type text, aggregate_id uuid, project_id uuid,
    -- The version that was decided on, and those of other aggregates that the decision read.
    expected_version bigint, guards taskfold_version[],
    checks taskfold_check[],
    -- The number of its events, and of those that the commands before it have. They are sent beside the commands, which every
    -- statement of the append goes through.
    event_count integer, events_before integer,
    -- The aggregate did not exist before the call; no later command of the call is on it. (Of several commands on one task, each has the
    -- placement and the reminder that those before it leave.)
    is_new boolean, is_last boolean,
    created_id uuid, created boolean, occurred_at timestamptz, traceparent text,
    placement taskfold_placement, link taskfold_link,
    -- The task's next reminder, where that changes; a null time: none.
    sets_reminder boolean, reminder_at timestamptz);
