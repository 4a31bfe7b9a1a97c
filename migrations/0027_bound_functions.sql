-- Three functions that are inlined into the statements that use them, one of them for each row: `SET search_path` would keep PostgreSQL from
-- inlining them. Their bodies are standard SQL now, whose names are looked up when the function is made, so that no table, type or function
-- of a session can take the place of what they use. All other functions have a search path that ends with pg_temp (access.sql).
SET LOCAL lock_timeout = '5s';

CREATE OR REPLACE FUNCTION taskfold_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('taskfold.user_id', true), '')::uuid;

CREATE OR REPLACE FUNCTION taskfold_rank(role text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_position(ARRAY ['viewer', 'member', 'admin', 'owner'], role);

CREATE OR REPLACE FUNCTION taskfold_task_document(title text, description text, label_ids uuid[]) RETURNS tsvector
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN setweight(to_tsvector('pg_catalog.simple', translate(title, '<>', '  ')), 'A')
    || CASE WHEN label_ids = '{}' THEN '' ELSE array_to_string(label_ids, ':1A ') || ':1A' END::tsvector
    || setweight(to_tsvector('pg_catalog.simple', translate(description, '<>', '  ')), 'B');
