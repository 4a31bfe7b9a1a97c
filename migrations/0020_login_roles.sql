-- Each part of the system signs in as a role of its own, in place of the owner of the tables with SET ROLE, which RESET ROLE undoes. The
-- roles taskfold_command, _projector, _query and _feed hold the grants and policies (see access.sql, which every `taskfold migrate`
-- applies); a login role of this database is a member of each, unless an administrator gives the parts URLs of their own.
-- The release before goes on working: it signs in as the owner and sets those roles.
SET LOCAL lock_timeout = '5s';

-- The passwords of this database's login roles, made by `taskfold migrate`. Read by the owner alone, as signing_keys is: a part that is
-- given the owner's URL and none of its own signs in with the one of its role.
CREATE TABLE database_logins
(
    -- the role that the login role is a member of
    member_of text PRIMARY KEY,
    login     text NOT NULL,
    password  text NOT NULL
);

-- Ends a search whose caller has gone: the one transaction that is named by its connection and its time, of the caller's own role.
CREATE FUNCTION taskfold_cancel_own(of_pid integer, began timestamptz) RETURNS boolean
    LANGUAGE sql SET search_path FROM CURRENT
AS $$
    SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity
    WHERE pid = of_pid AND xact_start = began AND usename = current_user AND datname = current_database()
$$;
REVOKE ALL ON FUNCTION taskfold_cancel_own FROM PUBLIC;

-- The settings of these functions make plans look so expensive that PostgreSQL would compile them, which takes longer than they run:
-- 282 ms in place of 7 a command on a stock server.
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname IN (
            'taskfold_append', 'taskfold_membership') LOOP
        EXECUTE format('ALTER FUNCTION %s SET jit = off', f);
    END LOOP;
END
$$;
