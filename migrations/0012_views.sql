-- Boards in windows, lists, calendars and search that stay fast when a project has 150,000 tasks and somebody has 2,000
-- projects.

-- Lists by the time of change, and by due time (tasks that are never due come last either way). CASE, and not coalesce, which
-- PostgreSQL does not count among what tells nothing of hidden rows: a condition on it would be no condition of the
-- index under a policy.
CREATE INDEX tasks_by_update ON tasks (project_id, updated_at, task_id);
CREATE INDEX tasks_by_due_first ON tasks (project_id, (CASE WHEN due_at IS NULL THEN 'infinity' ELSE due_at END), task_id);
CREATE INDEX tasks_by_due_last ON tasks (project_id, (CASE WHEN due_at IS NULL THEN '-infinity' ELSE due_at END), task_id);
-- Calendars ask for what ends behind a time. It takes the place of an index on due_at alone.
DROP INDEX tasks_by_due;
CREATE INDEX tasks_by_end ON tasks (project_id, (CASE WHEN due_at IS NULL THEN start_at ELSE due_at END), task_id)
    WHERE NOT deleted;

-- How many cards stand in each column: a board in windows says it of columns that it does not read whole.
CREATE TABLE column_counts
(
    project_id uuid   NOT NULL,
    column_id  uuid   NOT NULL,
    tasks      bigint NOT NULL,
    PRIMARY KEY (project_id, column_id)
) WITH (fillfactor = 50);

-- Rows come and go in batches, which are counted at once; those that only move are counted one by one.
CREATE FUNCTION taskfold_count_batch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO column_counts AS c (project_id, column_id, tasks)
    SELECT project_id, column_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM batch WHERE NOT archived AND NOT deleted GROUP BY project_id, column_id
    ON CONFLICT (project_id, column_id) DO UPDATE SET tasks = c.tasks + excluded.tasks;
    RETURN NULL;
END
$$;
CREATE FUNCTION taskfold_count_move() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT OLD.archived AND NOT OLD.deleted THEN
        UPDATE column_counts SET tasks = tasks - 1 WHERE project_id = OLD.project_id AND column_id = OLD.column_id;
    END IF;
    IF NOT NEW.archived AND NOT NEW.deleted THEN
        INSERT INTO column_counts AS c (project_id, column_id, tasks) VALUES (NEW.project_id, NEW.column_id, 1)
        ON CONFLICT (project_id, column_id) DO UPDATE SET tasks = c.tasks + 1;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_columns_in AFTER INSERT ON tasks REFERENCING NEW TABLE AS batch
    FOR EACH STATEMENT EXECUTE FUNCTION taskfold_count_batch();
CREATE TRIGGER count_columns_out AFTER DELETE ON tasks REFERENCING OLD TABLE AS batch
    FOR EACH STATEMENT EXECUTE FUNCTION taskfold_count_batch();
CREATE TRIGGER count_columns_moved AFTER UPDATE ON tasks FOR EACH ROW
    WHEN ((OLD.column_id, OLD.archived, OLD.deleted) IS DISTINCT FROM (NEW.column_id, NEW.archived, NEW.deleted))
    EXECUTE FUNCTION taskfold_count_move();

-- What is searched: the words of title (weight A) and description (B), and the ids of the labels (A) as if they were words.
-- A search asks for a word, or for the labels that are called so, and so renaming a label costs nothing here. The
-- configuration 'simple' knows no language: teams write in many, often in several, and a stemmer for one of them
-- spoils the words of the others. Angle brackets are spaces: PostgreSQL takes what is between them for HTML, and leaves it out.
CREATE TABLE task_documents
(
    task_id    uuid        PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    project_id uuid        NOT NULL,
    archived   boolean     NOT NULL,
    -- of the task
    created_at timestamptz NOT NULL,
    document   tsvector    NOT NULL
);

CREATE FUNCTION taskfold_task_document(title text, description text, label_ids uuid[]) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT setweight(to_tsvector('pg_catalog.simple', translate(title, '<>', '  ')), 'A')
        || coalesce((SELECT string_agg(quote_literal(label::text) || ':1A', ' ') FROM unnest(label_ids) AS label), '')::tsvector
        || setweight(to_tsvector('pg_catalog.simple', translate(description, '<>', '  ')), 'B')
$$;

CREATE FUNCTION taskfold_write_document() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
    -- PostgreSQL would tell of every word that is too long to be found.
    SET client_min_messages = warning
AS $$
BEGIN
    IF NEW.deleted THEN
        DELETE FROM task_documents WHERE task_id = NEW.task_id;
    ELSE
        INSERT INTO task_documents (task_id, project_id, archived, created_at, document)
        VALUES (NEW.task_id, NEW.project_id, NEW.archived, NEW.created_at,
                taskfold_task_document(NEW.title, NEW.description, NEW.label_ids))
        ON CONFLICT (task_id) DO UPDATE SET archived = excluded.archived, document = excluded.document;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER write_document_new AFTER INSERT ON tasks FOR EACH ROW
    WHEN (NOT NEW.deleted) EXECUTE FUNCTION taskfold_write_document();
CREATE TRIGGER write_document AFTER UPDATE ON tasks FOR EACH ROW
    WHEN ((OLD.title, OLD.description, OLD.label_ids, OLD.archived, OLD.deleted)
        IS DISTINCT FROM (NEW.title, NEW.description, NEW.label_ids, NEW.archived, NEW.deleted))
    EXECUTE FUNCTION taskfold_write_document();

-- The names of labels.
CREATE TABLE label_documents
(
    project_id uuid     NOT NULL REFERENCES projects ON DELETE CASCADE,
    label_id   uuid     NOT NULL,
    document   tsvector NOT NULL,
    PRIMARY KEY (project_id, label_id)
);
CREATE FUNCTION taskfold_write_labels() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
    SET client_min_messages = warning
AS $$
BEGIN
    DELETE FROM label_documents WHERE project_id = NEW.project_id;
    INSERT INTO label_documents (project_id, label_id, document)
    SELECT NEW.project_id, (label ->> 'id')::uuid, to_tsvector('pg_catalog.simple', label ->> 'name')
    FROM jsonb_array_elements(NEW.labels) AS label;
    RETURN NULL;
END
$$;
CREATE TRIGGER write_labels_new AFTER INSERT ON projects FOR EACH ROW
    WHEN (NEW.labels <> '[]') EXECUTE FUNCTION taskfold_write_labels();
CREATE TRIGGER write_labels AFTER UPDATE ON projects FOR EACH ROW
    WHEN (OLD.labels IS DISTINCT FROM NEW.labels) EXECUTE FUNCTION taskfold_write_labels();

-- What is there already.
INSERT INTO column_counts (project_id, column_id, tasks)
SELECT project_id, column_id, count(*) FROM tasks WHERE NOT archived AND NOT deleted GROUP BY project_id, column_id;
INSERT INTO task_documents (task_id, project_id, archived, created_at, document)
SELECT task_id, project_id, archived, created_at, taskfold_task_document(title, description, label_ids)
FROM tasks WHERE NOT deleted;
INSERT INTO label_documents (project_id, label_id, document)
SELECT project_id, (label ->> 'id')::uuid, to_tsvector('pg_catalog.simple', label ->> 'name')
FROM projects, jsonb_array_elements(labels) AS label;
ALTER TABLE comments ADD COLUMN document tsvector NOT NULL
    GENERATED ALWAYS AS (setweight(to_tsvector('pg_catalog.simple', translate(text, '<>', '  ')), 'C')) STORED;

-- A search reads either the index of words, or the newest of each project. The lists of entries that wait to be sorted in are
-- kept short, because every search reads them through.
CREATE INDEX task_documents_by_word ON task_documents USING gin (document) WITH (gin_pending_list_limit = 256);
CREATE INDEX task_documents_by_project ON task_documents (project_id, created_at);
CREATE INDEX label_documents_by_word ON label_documents USING gin (document) WITH (gin_pending_list_limit = 64);
CREATE INDEX comments_by_word ON comments USING gin (document) WITH (gin_pending_list_limit = 256);
CREATE INDEX comments_by_project ON comments (project_id, position);

-- Whether the index of words would bring very many rows, which would all have to be looked at. The planner knows it from the
-- statistics of the table, beginnings of words included, at a tenth of a millisecond.
CREATE FUNCTION taskfold_is_frequent(in_table regclass, wanted tsquery) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM %s WHERE document @@ %L', in_table, wanted) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::real > 3000;
END
$$;

-- Finds these words, all of them, in tasks or in comments of the caller's projects; the last word may be the beginning of one.
-- The best `at_most` of either kind, behind the last one of the page before.
-- SECURITY DEFINER, because no index of words can be used under a policy: it looks into the caller's projects by itself.
-- What is found is bounded, so that a search for "a" by somebody with 2,000 projects costs little more than another: the newest
-- 1,000 finds are ranked; of words that very many have, the newest 5,000 are looked through, an equal share of each
-- project; and of labels that are called so, any 200 are looked for.
CREATE FUNCTION taskfold_search(words text[], only_project uuid, in_tasks boolean, in_comments boolean, with_archived boolean,
        after_rank real, after_created_at timestamptz, after_id uuid, at_most bigint)
    RETURNS TABLE (task_id uuid, comment_id uuid, terms tsquery, rank real, created_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    -- Planned once a connection: what depends on the words is decided here. Under CASE, a condition on the project is one
    -- that is looked up in a hash table, and never an index to walk through.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET jit = off
    SET client_min_messages = warning
    ROWS 100
AS $$
#variable_conflict use_column
DECLARE
    projects uuid[] := ARRAY(SELECT DISTINCT p FROM taskfold_projects() AS p WHERE only_project IS NULL OR p = only_project);
    share integer := 20 + 5000 / greatest(cardinality(projects), 1);
    -- what is looked for; the words alone, which are marked in excerpts; the labels alone
    wanted tsquery;
    spoken tsquery;
    named  tsquery := '';
    word   tsquery;
    labels tsquery;
    often  boolean;
BEGIN
    FOR i IN 1 .. cardinality(words) LOOP
        word := to_tsquery('pg_catalog.simple', quote_literal(translate(words[i], '\<>', '   '))
            || CASE WHEN i = cardinality(words) THEN ':*' ELSE '' END);
        CONTINUE WHEN numnode(word) = 0;
        spoken := coalesce(spoken && word, word);
        SELECT string_agg(quote_literal(l.label_id::text), ' | ')::tsquery INTO labels
        FROM (SELECT d.label_id FROM label_documents d WHERE d.document @@ word
              AND CASE WHEN d.project_id IN (SELECT unnest(projects)) THEN true END LIMIT 200) AS l;
        named := coalesce(named || labels, named);
        word := coalesce(word || labels, word);
        wanted := coalesce(wanted && word, word);
    END LOOP;
    IF wanted IS NULL THEN
        RETURN;
    END IF;
    IF in_tasks THEN
        often := taskfold_is_frequent('task_documents', wanted);
        RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT d.task_id, d.created_at, d.document
            FROM unnest(projects) AS p (id) CROSS JOIN LATERAL (
                SELECT * FROM task_documents n WHERE n.project_id = p.id AND (with_archived OR NOT n.archived)
                ORDER BY n.created_at DESC LIMIT share) AS d
            WHERE often AND d.document @@ wanted
            UNION ALL
            SELECT d.task_id, d.created_at, d.document FROM task_documents d
            WHERE NOT often AND d.document @@ wanted AND CASE WHEN d.project_id IN (SELECT unnest(projects)) THEN true END
              AND (with_archived OR NOT d.archived)
            ORDER BY created_at DESC LIMIT 1000),
        ranked AS (
            -- a label counts like a word of the title, and no search for less because labels were looked for too
            SELECT f.task_id, f.created_at,
                   greatest(ts_rank(f.document, spoken), CASE WHEN f.document @@ named THEN 0.60792714 END::real) AS rank
            FROM found f)
        SELECT r.task_id, NULL::uuid, spoken, r.rank, r.created_at FROM ranked r
        WHERE (r.rank, r.created_at, r.task_id) < (after_rank, after_created_at, after_id)
        ORDER BY r.rank DESC, r.created_at DESC, r.task_id DESC LIMIT at_most;
    END IF;
    IF in_comments THEN
        often := taskfold_is_frequent('comments', spoken);
        RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT c.task_id, c.comment_id, c.position, c.created_at, c.document
            FROM unnest(projects) AS p (id) CROSS JOIN LATERAL (
                SELECT * FROM comments n WHERE n.project_id = p.id ORDER BY n.position DESC LIMIT share) AS c
            WHERE often AND c.document @@ spoken
            UNION ALL
            SELECT c.task_id, c.comment_id, c.position, c.created_at, c.document FROM comments c
            WHERE NOT often AND c.document @@ spoken AND CASE WHEN c.project_id IN (SELECT unnest(projects)) THEN true END
            ORDER BY position DESC LIMIT 1000),
        ranked AS (
            SELECT f.task_id, f.comment_id, f.created_at, ts_rank(f.document, spoken) AS rank FROM found f)
        SELECT r.task_id, r.comment_id, spoken, r.rank, r.created_at FROM ranked r
        WHERE (r.rank, r.created_at, r.comment_id) < (after_rank, after_created_at, after_id)
          AND EXISTS (SELECT FROM task_documents d WHERE d.task_id = r.task_id AND (with_archived OR NOT d.archived))
        ORDER BY r.rank DESC, r.created_at DESC, r.comment_id DESC LIMIT at_most;
    END IF;
END
$$;

-- Ends a search whose caller has gone. It must run as the owner, as whom the query-api's connections signed in; it ends
-- nothing but the one transaction that is named by its connection and its time, and only of the query-api.
CREATE FUNCTION taskfold_cancel(of_pid integer, began timestamptz) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity
    WHERE pid = of_pid AND xact_start = began AND application_name = 'taskfold query-api' AND datname = current_database()
$$;

-- Links to a project's calendar for programs that cannot sign in. Who has one sees what the one who made it sees.
CREATE TABLE calendar_links
(
    link_id     uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    secret_hash bytea       NOT NULL CONSTRAINT calendar_links_secret_hash UNIQUE,
    shown_as    text        NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX calendar_links_of_user ON calendar_links (user_id, project_id, created_at);

-- Whose calendar a link is, before anybody is known.
CREATE FUNCTION taskfold_calendar_link(of_hash bytea) RETURNS TABLE (link_id uuid, user_id uuid, project_id uuid, shown_as text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$ SELECT link_id, user_id, project_id, shown_as FROM calendar_links WHERE secret_hash = of_hash $$;

ALTER TABLE column_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE task_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE label_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE calendar_links ENABLE ROW LEVEL SECURITY;

CREATE POLICY theirs ON column_counts FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON task_documents FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY theirs ON label_documents FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY own ON calendar_links TO taskfold_query
    USING (user_id = taskfold_user() AND project_id IN (SELECT taskfold_projects()))
    WITH CHECK (user_id = taskfold_user() AND project_id IN (SELECT taskfold_projects()));
-- Triggers run as the projector.
CREATE POLICY all_of_it ON column_counts TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON task_documents TO taskfold_projector USING (true) WITH CHECK (true);
CREATE POLICY all_of_it ON label_documents TO taskfold_projector USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON column_counts, task_documents, label_documents TO taskfold_projector;
GRANT SELECT ON column_counts, task_documents, label_documents TO taskfold_query;
GRANT SELECT, INSERT, DELETE ON calendar_links TO taskfold_query;
REVOKE ALL ON FUNCTION taskfold_is_frequent, taskfold_search, taskfold_cancel, taskfold_calendar_link FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskfold_search, taskfold_cancel, taskfold_calendar_link TO taskfold_query;
