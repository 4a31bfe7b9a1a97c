-- Read tables of teams, watchers, reactions, dependencies, saved filters and notifications.

CREATE TABLE teams
(
    team_id    uuid        PRIMARY KEY,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid        NOT NULL,
    version    bigint      NOT NULL,
    position   bigint      NOT NULL
);

CREATE TABLE team_members
(
    team_id  uuid   NOT NULL,
    user_id  uuid   NOT NULL,
    role     text   NOT NULL,
    -- when they joined: the order of lists
    position bigint NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_members_by_user ON team_members (user_id, team_id);

-- The role that all members of a team have in a project.
CREATE TABLE project_teams
(
    project_id uuid   NOT NULL,
    team_id    uuid   NOT NULL,
    role       text   NOT NULL,
    position   bigint NOT NULL,
    PRIMARY KEY (project_id, team_id)
);
CREATE INDEX project_teams_by_team ON project_teams (team_id, project_id);

ALTER TABLE projects
    ADD COLUMN watcher_ids uuid[] NOT NULL DEFAULT '{}',
    -- array of objects, at most 100
    ADD COLUMN filters     jsonb  NOT NULL DEFAULT '[]';

ALTER TABLE tasks
    ADD COLUMN dependency_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN watcher_ids    uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN due_stage      text;
-- The parts of a task.
CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
-- What waits for a task.
CREATE INDEX tasks_by_dependency ON tasks USING gin (dependency_ids) WHERE dependency_ids <> '{}';
-- What somebody has to do, in all their projects.
CREATE INDEX tasks_by_assignee ON tasks USING gin (assignee_ids) WHERE NOT archived AND NOT deleted;
-- Calendars.
CREATE INDEX tasks_by_due ON tasks (project_id, due_at) WHERE due_at IS NOT NULL AND NOT deleted;

-- array of {emoji, user_id} in the order they came
ALTER TABLE comments ADD COLUMN reactions jsonb NOT NULL DEFAULT '[]';

-- What somebody should hear of: one row a person and event. Whether they have read it is not in the log, and not here.
CREATE TABLE notifications
(
    notification_id uuid        PRIMARY KEY,
    user_id         uuid        NOT NULL,
    -- of the event
    position        bigint      NOT NULL,
    kind            text        NOT NULL,
    project_id      uuid        NOT NULL,
    task_id         uuid        NOT NULL,
    comment_id      uuid,
    actor_id        uuid        NOT NULL,
    occurred_at     timestamptz NOT NULL
);
CREATE INDEX notifications_of_user ON notifications (user_id, position);
-- For whoever tells people of new ones.
CREATE INDEX notifications_by_position ON notifications (position);

-- People's own, written by the query-api: what they have read, and what they want to hear of.
CREATE TABLE notification_reads
(
    user_id         uuid NOT NULL,
    notification_id uuid NOT NULL,
    PRIMARY KEY (user_id, notification_id)
);
CREATE TABLE notification_settings
(
    user_id    uuid   PRIMARY KEY,
    -- everything up to here is read
    read_up_to bigint NOT NULL DEFAULT 0,
    -- kinds that are not wanted
    muted      text[] NOT NULL DEFAULT '{}'
);

-- Filters for oneself. Those for a whole project are events of the project.
CREATE TABLE own_filters
(
    filter_id  uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    project_id uuid        NOT NULL,
    name       text        NOT NULL,
    query      text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX own_filters_of_user ON own_filters (user_id, project_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON teams, team_members, project_teams, notifications TO taskfold_projector;
GRANT SELECT ON teams, team_members, project_teams, notifications TO taskfold_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_reads, notification_settings, own_filters TO taskfold_query;

-- Raised when rows are written anew without a new position (a rebuild, an event taken back): answers that were told
-- apart by position are then told apart by this.
ALTER TABLE projection_checkpoint ADD COLUMN generation bigint NOT NULL DEFAULT 0;
