-- The identity of the log. A log that was restored to an earlier state, or lost its tail with a failed server, is not the one that was
-- announced: whoever has seen more than it has must notice, and nothing may be appended to it until an operator says that it is the one to
-- go on with (`taskfold adopt`). Adopting renews the id and records up to where the new log is the old one.
SET LOCAL lock_timeout = '5s';

CREATE TABLE log_identities
(
    -- how often the log was adopted before
    epoch         integer     PRIMARY KEY,
    log_id        uuid        NOT NULL UNIQUE,
    -- events up to here are those of the log before; null for the first
    fork_position bigint,
    adopted_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((epoch = 0) = (fork_position IS NULL))
);
INSERT INTO log_identities (epoch, log_id) VALUES (0, gen_random_uuid());

-- Why nothing is appended; null: the log takes commands. In the row that each append locks anyway.
ALTER TABLE log_head ADD COLUMN suspended text;

-- The command of the event at the checkpoint, if that is where it was written: a position alone does not tell one log from another, and the
-- release before writes nothing else.
ALTER TABLE projection_checkpoint ADD COLUMN command_position bigint, ADD COLUMN command_id uuid;

-- Stops the log, for whoever has seen an event that it lacks. Only adopting it lets it go on.
CREATE FUNCTION taskfold_suspend_log(reason text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
AS $$ UPDATE log_head SET suspended = reason WHERE suspended IS NULL $$;
REVOKE ALL ON FUNCTION taskfold_suspend_log FROM PUBLIC;

-- The last event of an aggregate with its command: one row, or none.
CREATE FUNCTION taskfold_last_command(of_type text, of_id text) RETURNS TABLE (sequence bigint, "position" bigint, command_id uuid)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.sequence, e.position, e.command_id FROM events e WHERE e.aggregate_type = of_type AND e.aggregate_id = of_id
    ORDER BY e.sequence DESC LIMIT 1;
END;
