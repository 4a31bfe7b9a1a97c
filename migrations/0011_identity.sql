-- Identity beyond passwords: tokens for scripts, accounts of an outside issuer, and invitations by link. Secrets are kept
-- as SHA-256 of what was shown once: nobody guesses 256 random bits, and nobody reads them back from here.

-- Tokens for scripts and services. Revoking one deletes its row.
CREATE TABLE api_tokens
(
    token_id     uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name         text        NOT NULL,
    -- of the whole token, its prefix included
    secret_hash  bytea       NOT NULL CONSTRAINT api_tokens_secret_hash UNIQUE,
    access       text        NOT NULL CHECK (access IN ('read', 'write')),
    -- good for this project alone; null: for all that its maker may do
    project_id   uuid,
    created_at   timestamptz NOT NULL,
    -- null: until it is revoked
    expires_at   timestamptz,
    -- to the minute: a busy token must not cost a write with every request
    last_used_at timestamptz
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id, token_id);

GRANT SELECT, INSERT, DELETE ON api_tokens TO taskfold_command;

-- The one token with this hash, or else with this id (a ticket names the token it was bought with), as both APIs look it
-- up. Says at most once a minute that it was used, and for that runs as the owner: the query role writes nothing.
CREATE FUNCTION taskfold_use_api_token(of_hash bytea, of_id uuid)
    RETURNS TABLE (token_id uuid, user_id uuid, access text, project_id uuid, expires_at timestamptz)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS
$$
#variable_conflict use_column
DECLARE
    found_one api_tokens%ROWTYPE;
BEGIN
    IF of_hash IS NOT NULL THEN
        SELECT * INTO found_one FROM api_tokens WHERE secret_hash = of_hash;
    ELSE
        SELECT * INTO found_one FROM api_tokens WHERE token_id = of_id;
    END IF;
    IF found_one.token_id IS NULL THEN
        RETURN;
    END IF;
    IF found_one.last_used_at IS NULL OR found_one.last_used_at < now() - interval '1 minute' THEN
        -- Another request may be saying so just now: nobody waits for that.
        UPDATE api_tokens SET last_used_at = now() WHERE token_id IN
            (SELECT token_id FROM api_tokens WHERE token_id = found_one.token_id FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN QUERY SELECT found_one.token_id, found_one.user_id, found_one.access, found_one.project_id,
                        found_one.expires_at;
END
$$;

REVOKE ALL ON FUNCTION taskfold_use_api_token FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_use_api_token TO taskfold_command, taskfold_query;

-- The account of somebody whom an outside issuer vouches for, opened when they are first seen: without a password, under
-- the name they wish for, or that name with digits behind it. Either API may see them first, so both may call this, and
-- it can do nothing but open such an account.
CREATE FUNCTION taskfold_open_account(of_user uuid, wished text, shown text)
    RETURNS void
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS
$$
DECLARE
    username text := wished;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        IF EXISTS (SELECT FROM accounts a WHERE a.user_id = of_user) THEN
            RETURN;
        END IF;
        -- Somebody may have the name, or be opening this very account.
        INSERT INTO accounts (user_id, username, display_name, password_hash, created_at)
        VALUES (of_user, username, shown, NULL, now())
        ON CONFLICT DO NOTHING;
        username := left(wished, 30) || '-' || left(replace(gen_random_uuid()::text, '-', ''), 8);
    END LOOP;
    IF NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = of_user) THEN
        RAISE EXCEPTION 'no free username like %', wished;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskfold_open_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_open_account TO taskfold_command, taskfold_query;

-- Links by which people join a project.
CREATE TABLE invitations
(
    invitation_id uuid        PRIMARY KEY,
    project_id    uuid        NOT NULL,
    secret_hash   bytea       NOT NULL CONSTRAINT invitations_secret_hash UNIQUE,
    role          text        NOT NULL,
    created_by    uuid        NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- null: any number of people
    max_uses      integer     CHECK (max_uses > 0),
    revoked_at    timestamptz
);
CREATE INDEX invitations_by_project ON invitations (project_id, invitation_id);

-- One row a person who joins: reserved before the event is appended, confirmed or given back after it. A reservation
-- whose process died counts for as long as it holds, and from then on only if the log has its command: so a crash
-- neither loses the invitation nor gives it away twice.
CREATE TABLE invitation_uses
(
    invitation_id  uuid        NOT NULL REFERENCES invitations ON DELETE CASCADE,
    user_id        uuid        NOT NULL,
    -- the command that joins
    command_id     uuid        NOT NULL,
    -- null: confirmed
    reserved_until timestamptz,
    PRIMARY KEY (invitation_id, user_id, command_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON invitations, invitation_uses TO taskfold_command;

-- How many places of an invitation are taken.
CREATE FUNCTION taskfold_invitation_uses(of_invitation uuid)
    RETURNS bigint
    LANGUAGE sql
    STABLE
AS
$$
SELECT count(*) FROM invitation_uses u
WHERE u.invitation_id = of_invitation
  AND (u.reserved_until IS NULL OR u.reserved_until > now()
       OR EXISTS (SELECT FROM commands c
                  WHERE c.actor_id = u.user_id AND c.command_id = u.command_id
                    AND c.first_position <= c.last_position))
$$;
REVOKE ALL ON FUNCTION taskfold_invitation_uses FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_invitation_uses TO taskfold_command;
