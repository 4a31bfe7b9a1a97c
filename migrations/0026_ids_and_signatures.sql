-- Ids that belong to one thing, and messages that prove who published them.
SET LOCAL lock_timeout = '5s';

-- An account's id is not that of a task, project or team. The append refuses the other direction. Ids of accounts that people create are
-- random; those of a subject of an OIDC issuer, and of the author of an imported history, are derived from what others may know, and
-- somebody may have created something under such an id before. The log's lock is held until the account is there: the append looks for it
-- under the same lock.
CREATE FUNCTION taskfold_refuse_taken_id() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS
$$
BEGIN
    PERFORM FROM log_head FOR UPDATE;
    IF EXISTS (SELECT FROM aggregate_heads h WHERE h.aggregate_id = NEW.user_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'TF005', MESSAGE = 'the id of the account is that of a task, project or team';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION taskfold_refuse_taken_id() FROM PUBLIC;

CREATE TRIGGER accounts_taken_id BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (substr(NEW.user_id::text, 15, 1) <> '7') EXECUTE FUNCTION taskfold_refuse_taken_id();

-- The key with which the projector signs what it publishes on NATS. A message without a valid signature was written by somebody else (or by
-- the release before, which signed nothing): live streams read the log instead of it. Only the projector and the live feed may read it.
CREATE TABLE publication_key
(
    -- one row
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- for HMAC-SHA256
    key bytea NOT NULL CHECK (length(key) = 32)
);
INSERT INTO publication_key (key)
SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
