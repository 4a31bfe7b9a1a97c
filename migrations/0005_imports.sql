-- Imports run after their request was answered, and must outlive a crash: what was uploaded, how far it is, and which
-- process works on it. What they do is in the log; these rows are only about the doing.

CREATE TABLE imports
(
    import_id    uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    format       text        NOT NULL,
    source_id    text        NOT NULL,
    project_id   uuid        NOT NULL,
    -- whether the project is the board's own
    own          boolean     NOT NULL,
    state        text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    total        bigint      NOT NULL DEFAULT 0,
    done         bigint      NOT NULL DEFAULT 0,
    skipped      jsonb       NOT NULL DEFAULT '[]',
    error        text,
    -- the upload, until the import is over
    document     bytea,
    -- SHA-256 of the upload: tells a repeated request from another one under the same key
    digest       bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    -- who works on it; another may take over when the heartbeat stops
    worker       uuid,
    heartbeat_at timestamptz,
    attempts     integer     NOT NULL DEFAULT 0
);
CREATE INDEX imports_waiting ON imports (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX imports_by_user ON imports (user_id);

-- Which boards were imported where, and what the last import showed: the base of the three-way comparison with the next.
CREATE TABLE imported_boards
(
    format        text        NOT NULL,
    source_id     text        NOT NULL,
    project_id    uuid        NOT NULL,
    -- whose own project this is for the board; null: a project that was there before
    owner_id      uuid,
    snapshot      json,
    -- the newest action imported, by which older ones are known
    newest_at     timestamptz,
    newest_id     text,
    last_activity timestamptz,
    PRIMARY KEY (format, source_id, project_id)
);
CREATE UNIQUE INDEX imported_boards_own ON imported_boards (format, source_id, owner_id) WHERE owner_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON imports, imported_boards TO taskfold_command;
