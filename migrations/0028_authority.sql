-- Credentials end with the authority behind them: sessions can be listed and ended, accounts disabled and erased, and
-- whatever a session or an API token makes names it. Every instance reads what has ended once a second.
SET LOCAL lock_timeout = '5s';

ALTER TABLE accounts
    -- null: erased
    ALTER COLUMN username DROP NOT NULL,
    ALTER COLUMN display_name DROP NOT NULL,
    -- null: may be used
    ADD COLUMN disabled_at       timestamptz,
    ADD COLUMN erased_at         timestamptz,
    -- Last time that the account was disabled or enabled.
    ADD COLUMN status_changed_at timestamptz,
    -- Last time that the external issuer vouched for the person, to the hour; null for accounts with a password.
    ADD COLUMN vouched_at        timestamptz;
-- Of those that the external issuer opened before, which cannot be told from the placeholders of imports, whom nobody can
-- be authenticated as.
UPDATE accounts SET vouched_at = now() WHERE password_hash IS NULL;
CREATE INDEX accounts_by_status ON accounts (status_changed_at) WHERE status_changed_at IS NOT NULL;

ALTER TABLE sessions
    -- Key from which, with the token that is replaced, the next refresh token is derived. Two requests with one token
    -- get the same successor without its being stored.
    ADD COLUMN successor_key bytea,
    ADD COLUMN refreshed_at  timestamptz,
    -- What the device says of itself, and its address at sign-in.
    ADD COLUMN user_agent    text,
    ADD COLUMN address       text;
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Null for those spent before this migration.
ALTER TABLE spent_refresh_tokens ADD COLUMN spent_at timestamptz;
ALTER TABLE spent_refresh_tokens ALTER COLUMN spent_at SET DEFAULT now();
CREATE INDEX spent_refresh_tokens_by_session ON spent_refresh_tokens (session_id);

-- Whether the token may make invitations, calendar links and tickets, which end with it.
ALTER TABLE api_tokens ADD COLUMN delegates boolean NOT NULL DEFAULT false;

ALTER TABLE invitations
    -- Version of the project on which it was made; null: before all that is known.
    ADD COLUMN project_version bigint,
    -- The API token with which it was made.
    ADD COLUMN api_token_id    uuid;
ALTER TABLE calendar_links ADD COLUMN api_token_id uuid;

-- Returns whether something made with this API token is in force still: always without one.
CREATE FUNCTION taskfold_token_lives(of_token uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
    SELECT of_token IS NULL OR EXISTS (
        SELECT FROM api_tokens t WHERE t.token_id = of_token AND (t.expires_at IS NULL OR t.expires_at > now()))
$$;

-- Returns whether an account may be used. One of an external issuer may be used by what was made with it for 30 days
-- after the issuer last vouched for the person.
CREATE FUNCTION taskfold_account_lives(of_user uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
    SELECT EXISTS (
        SELECT FROM accounts a
        WHERE a.user_id = of_user AND a.disabled_at IS NULL
          AND (a.vouched_at IS NULL OR a.vouched_at > now() - interval '30 days'))
$$;

-- The API token with this hash, or else with this id, if it and its owner's account are in force. Records at most once
-- a minute that it was used, and for that runs as the owner: the query role writes nothing.
CREATE FUNCTION taskfold_use_api_token_v2(of_hash bytea, of_id uuid)
    RETURNS TABLE (token_id uuid, user_id uuid, access text, project_id uuid, expires_at timestamptz, delegates boolean)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT u.token_id, u.user_id, u.access, u.project_id, u.expires_at, t.delegates
    FROM taskfold_use_api_token(of_hash, of_id) AS u JOIN api_tokens t ON t.token_id = u.token_id
    WHERE taskfold_account_lives(u.user_id)
$$;

-- Opens the account of a subject of the external issuer, and records at most once an hour that it vouches for them.
CREATE FUNCTION taskfold_open_account_v2(of_user uuid, wished text, shown text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM taskfold_open_account(of_user, wished, shown);
    UPDATE accounts SET vouched_at = now()
    WHERE user_id = of_user AND (vouched_at IS NULL OR vouched_at < now() - interval '1 hour');
END
$$;

-- The authority with which a caller makes a credential. Locks its rows, so that it cannot be withdrawn before the
-- credential is there.
CREATE FUNCTION taskfold_hold_authority(of_user uuid, of_session uuid, of_token uuid)
    RETURNS TABLE (outcome text, signed_in_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    may_delegate boolean;
BEGIN
    outcome := 'held';
    PERFORM FROM accounts a WHERE a.user_id = of_user AND a.disabled_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        outcome := 'account';
    ELSIF of_session IS NOT NULL THEN
        SELECT s.created_at INTO signed_in_at FROM sessions s
            WHERE s.session_id = of_session AND s.user_id = of_user AND s.ended_at IS NULL AND s.expires_at > now()
            FOR SHARE;
        IF NOT FOUND THEN
            outcome := 'session';
        END IF;
    ELSIF of_token IS NOT NULL THEN
        SELECT t.delegates INTO may_delegate FROM api_tokens t
            WHERE t.token_id = of_token AND t.user_id = of_user AND (t.expires_at IS NULL OR t.expires_at > now())
            FOR SHARE;
        IF NOT FOUND THEN
            outcome := 'token';
        ELSIF NOT may_delegate THEN
            outcome := 'delegation';
        END IF;
    END IF;
    RETURN NEXT;
END
$$;

-- What has ended since a time: sessions, and accounts that were disabled or may be used again. Without a time: sessions
-- whose access tokens or tickets may be valid still, and all accounts that are disabled.
CREATE FUNCTION taskfold_ended_authority(since timestamptz)
    RETURNS TABLE (session_id uuid, user_id uuid, ended boolean, as_of timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT s.session_id, NULL::uuid, true, now() FROM sessions s
    WHERE s.ended_at >= coalesce(since, now() - interval '1 hour')
    UNION ALL
    SELECT NULL, a.user_id, a.disabled_at IS NOT NULL, now() FROM accounts a
    WHERE a.status_changed_at >= coalesce(since, '-infinity') AND (since IS NOT NULL OR a.disabled_at IS NOT NULL)
    UNION ALL
    SELECT NULL, NULL, false, now()
$$;

-- Ends with the account of its maker, and with the API token with which it was made.
CREATE OR REPLACE FUNCTION taskfold_calendar_link(of_hash bytea)
    RETURNS TABLE (link_id uuid, user_id uuid, project_id uuid, shown_as text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$
    SELECT link_id, user_id, project_id, shown_as FROM calendar_links
    WHERE secret_hash = of_hash AND taskfold_account_lives(user_id) AND taskfold_token_lives(api_token_id)
$$;

-- A token for one project sees of teams only those that have a role in it.
CREATE OR REPLACE FUNCTION taskfold_teams() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path FROM CURRENT ROWS 20
AS $$
    SELECT team_id FROM team_members
    WHERE user_id = taskfold_user() AND nullif(current_setting('taskfold.project_id', true), '') IS NULL
    UNION
    SELECT team_id FROM project_teams WHERE project_id IN (SELECT taskfold_projects())
$$;

REVOKE ALL ON FUNCTION taskfold_token_lives, taskfold_account_lives, taskfold_use_api_token_v2, taskfold_open_account_v2,
    taskfold_hold_authority, taskfold_ended_authority FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_use_api_token_v2, taskfold_open_account_v2, taskfold_hold_authority,
    taskfold_ended_authority TO taskfold_command, taskfold_query;
GRANT EXECUTE ON FUNCTION taskfold_token_lives, taskfold_account_lives TO taskfold_command;
