-- For an administrator of a PostgreSQL in which the owner of Taskfold's tables may not make roles (no CREATEROLE): run this as a superuser
-- before `taskfold migrate`, with the owner's name and passwords of your own in place of those here, in any database of the cluster:
--
--     psql -v owner=taskfold -v command_password=... -v query_password=... -v feed_password=... -v projector_password=... -f ops/roles.sql
--
-- Then give each part its URL: TASKFOLD_COMMAND_DATABASE_URL=postgres://taskfold_command:...@host/database, and the same for
-- TASKFOLD_QUERY_DATABASE_URL, TASKFOLD_FEED_DATABASE_URL and TASKFOLD_PROJECTOR_DATABASE_URL; DATABASE_URL is the owner's, for `migrate`.

CREATE ROLE taskfold_command LOGIN PASSWORD :'command_password';
CREATE ROLE taskfold_query LOGIN PASSWORD :'query_password';
CREATE ROLE taskfold_feed LOGIN PASSWORD :'feed_password';
CREATE ROLE taskfold_projector LOGIN PASSWORD :'projector_password';

-- No role needs a temporary table. If the owner of the tables does not own their database, run this in it as well:
--     REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC;

-- So that a rebuild sees which transactions of the parts it has to wait for.
GRANT taskfold_command, taskfold_query, taskfold_feed, taskfold_projector TO :owner;

-- The program sets these in each of its sessions as well: here they hold whoever else signs in so.
ALTER ROLE taskfold_command SET statement_timeout = '4s';
ALTER ROLE taskfold_command SET lock_timeout = '2s';
ALTER ROLE taskfold_command SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE taskfold_command SET jit = off;
ALTER ROLE taskfold_query SET statement_timeout = '5s';
ALTER ROLE taskfold_query SET lock_timeout = '3s';
ALTER ROLE taskfold_query SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE taskfold_query SET jit = off;
ALTER ROLE taskfold_feed SET statement_timeout = '15s';
ALTER ROLE taskfold_feed SET lock_timeout = '3s';
ALTER ROLE taskfold_feed SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE taskfold_feed SET jit = off;
ALTER ROLE taskfold_projector SET statement_timeout = '25s';
ALTER ROLE taskfold_projector SET lock_timeout = '2s';
ALTER ROLE taskfold_projector SET idle_in_transaction_session_timeout = '2s';
ALTER ROLE taskfold_projector SET synchronous_commit = off;
ALTER ROLE taskfold_projector SET jit = off;
