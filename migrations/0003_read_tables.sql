-- What the query-api reads: folds of the log, written by the projector in one transaction with its checkpoint, and
-- rebuildable from the log at any time.

-- Up to which position the read tables hold the log.
CREATE TABLE projection_checkpoint
(
    one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    position bigint  NOT NULL,
    -- the version of the projections' code that wrote the tables
    version  integer NOT NULL
) WITH (fillfactor = 10);
INSERT INTO projection_checkpoint (position, version) VALUES (0, 1);

-- Which projector works; the others stand by. It renews, and loses the lease by its clock running out.
CREATE TABLE projector_lease
(
    one_row     boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
    holder     uuid        NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 10);

-- Events that could not be projected, and those behind them of the same aggregate, which wait for them.
CREATE TABLE set_aside_events
(
    position       bigint      PRIMARY KEY,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    reason         text        NOT NULL,
    set_aside_at   timestamptz NOT NULL DEFAULT now(),
    retry          boolean     NOT NULL DEFAULT false
);
CREATE INDEX set_aside_by_aggregate ON set_aside_events (aggregate_type, aggregate_id);

CREATE TABLE projects
(
    project_id  uuid        PRIMARY KEY,
    name        text        NOT NULL,
    description text        NOT NULL,
    -- arrays of objects in their order: at most 50 and 500, read and written as a whole
    columns     jsonb       NOT NULL,
    labels      jsonb       NOT NULL,
    archived    boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    created_by  uuid        NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    position    bigint      NOT NULL
);

CREATE TABLE project_members
(
    project_id uuid   NOT NULL,
    user_id    uuid   NOT NULL,
    role       text   NOT NULL,
    -- when they joined: the order of lists
    position   bigint NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX project_members_by_user ON project_members (user_id, project_id);

CREATE TABLE tasks
(
    task_id          uuid        PRIMARY KEY,
    project_id       uuid        NOT NULL,
    title            text        NOT NULL,
    description      text        NOT NULL,
    status           text        NOT NULL,
    running_since    timestamptz,
    elapsed_ms       bigint      NOT NULL,
    reason           text,
    progress         integer,
    column_id        uuid        NOT NULL,
    rank             text        NOT NULL COLLATE "C",
    priority         text        NOT NULL,
    assignee_ids     uuid[]      NOT NULL,
    label_ids        uuid[]      NOT NULL,
    start_at         timestamptz,
    due_at           timestamptz,
    estimate_minutes integer,
    parent_id        uuid,
    archived         boolean     NOT NULL,
    deleted          boolean     NOT NULL,
    deleted_at       timestamptz,
    deleted_by       uuid,
    checklists       jsonb       NOT NULL,
    comment_count    integer     NOT NULL,
    created_at       timestamptz NOT NULL,
    created_by       uuid        NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    position         bigint      NOT NULL
);
-- The board, and lists in its order.
CREATE INDEX tasks_on_board ON tasks (project_id, column_id, rank) WHERE NOT archived AND NOT deleted;
-- Lists of a project, newest first.
CREATE INDEX tasks_by_project ON tasks (project_id, created_at, task_id);

CREATE TABLE comments
(
    task_id    uuid        NOT NULL,
    comment_id uuid        NOT NULL,
    project_id uuid        NOT NULL,
    author_id  uuid        NOT NULL,
    text       text        NOT NULL,
    mentions   uuid[]      NOT NULL,
    created_at timestamptz NOT NULL,
    edited_at  timestamptz,
    -- of the event that made it: the order of lists
    position   bigint      NOT NULL,
    PRIMARY KEY (task_id, comment_id)
);
CREATE INDEX comments_in_order ON comments (task_id, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON projection_checkpoint, projector_lease, set_aside_events, projects,
    project_members, tasks, comments TO taskfold_projector;
GRANT SELECT ON projection_checkpoint, set_aside_events, projects, project_members, tasks, comments TO taskfold_query;
