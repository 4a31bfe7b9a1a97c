-- Files on tasks. The log says which there are, the object store has their bytes, and these tables are for reading the one and
-- for bringing the other to an end: bytes that no event speaks of must go.

-- A read table, as in 0003.
CREATE TABLE attachments
(
    task_id       uuid        NOT NULL,
    attachment_id uuid        NOT NULL,
    project_id    uuid        NOT NULL,
    author_id     uuid        NOT NULL,
    file_name     text        NOT NULL,
    content_type  text        NOT NULL,
    size          bigint      NOT NULL,
    sha256        text        NOT NULL,
    created_at    timestamptz NOT NULL,
    -- of the event that made it: the order of lists
    position      bigint      NOT NULL,
    PRIMARY KEY (task_id, attachment_id)
);
CREATE INDEX attachments_in_order ON attachments (task_id, position);

-- No event could attach anything before.
ALTER TABLE tasks ADD COLUMN attachment_count integer NOT NULL DEFAULT 0;

GRANT SELECT, INSERT, UPDATE, DELETE ON attachments TO taskfold_projector;
GRANT SELECT ON attachments TO taskfold_query;

ALTER TABLE attachments ENABLE ROW LEVEL SECURITY;
CREATE POLICY theirs ON attachments FOR SELECT TO taskfold_query USING (project_id IN (SELECT taskfold_projects()));
CREATE POLICY all_of_it ON attachments TO taskfold_projector USING (true) WITH CHECK (true);

-- Uploads that are under way: a row is there before the first byte is stored, and goes when the log has the attachment, or
-- when nothing is left of it.
CREATE TABLE attachment_uploads
(
    attachment_id   uuid        PRIMARY KEY,
    task_id         uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    command_id      uuid        NOT NULL,
    -- committing: the append may be on its way; abandoned: it may not any more, and the bytes go; attached: in the log
    state           text        NOT NULL DEFAULT 'receiving'
                                CHECK (state IN ('receiving', 'committing', 'abandoned', 'attached')),
    -- only of an upload that can be resumed; the others are sent in one request
    length          bigint,
    file_name       text,
    content_type    text,
    metadata        text,
    -- how much is stored, and the state of its hash
    received        bigint      NOT NULL DEFAULT 0,
    hash            bytea,
    -- the request that writes; another one takes over by putting itself here
    writer          uuid,
    -- of the event, once attached
    position        bigint,
    started_at      timestamptz NOT NULL DEFAULT now(),
    -- when something of it last came in
    touched_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX attachment_uploads_by_time ON attachment_uploads (touched_at);
-- A resumable upload that is asked for again under its key is the same one.
CREATE UNIQUE INDEX attachment_uploads_by_command ON attachment_uploads (user_id, command_id) WHERE length IS NOT NULL;

-- Up to where the log's attachment events have been seen to: the bytes of those removed are gone.
CREATE TABLE attachment_janitor
(
    one_row  boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    position bigint  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO attachment_janitor (position) SELECT position FROM log_head;

GRANT SELECT, INSERT, UPDATE, DELETE ON attachment_uploads TO taskfold_command;
GRANT SELECT, UPDATE ON attachment_janitor TO taskfold_command;
