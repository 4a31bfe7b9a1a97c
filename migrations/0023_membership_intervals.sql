-- Who was in a project or a team at a position. What people are told of an event, and where they stop seeing a project, was decided by the
-- memberships of the moment of reading: whoever came back after some removals was told too little, or too much.
--
-- A membership is an interval of positions in one role: (from_position, to_position), both included, so that whoever leaves is told of that.
-- Another role ends one interval and begins the next at the same position. Open intervals stay where they are, in project_members,
-- team_members and project_teams, whose indexes thus have nothing but what is open: row-level security reads those. Intervals that have ended
-- are in the tables made here. Each is in one place, and the views show both.
--
-- The projector finds that an earlier version wrote these tables, and rebuilds them when it starts: until then the new column is 0.
-- The indexes of 0014 serve query-apis of the version before this one, and go with the next.
SET LOCAL lock_timeout = '5s';

-- Since when somebody is in it in this role; `position` is since when at all.
ALTER TABLE project_members ADD COLUMN from_position bigint NOT NULL DEFAULT 0;
ALTER TABLE team_members ADD COLUMN from_position bigint NOT NULL DEFAULT 0;
ALTER TABLE project_teams ADD COLUMN from_position bigint NOT NULL DEFAULT 0;

CREATE TABLE past_project_members
(
    project_id    uuid   NOT NULL,
    user_id       uuid   NOT NULL,
    role          text   NOT NULL,
    from_position bigint NOT NULL,
    -- of the event that ended it
    to_position   bigint NOT NULL,
    PRIMARY KEY (project_id, user_id, from_position)
);
CREATE INDEX past_project_members_by_user ON past_project_members (user_id, project_id);
-- For whoever asks what has just ended, here and below.
CREATE INDEX past_project_members_by_end ON past_project_members (to_position);

CREATE TABLE past_team_members
(
    team_id       uuid   NOT NULL,
    user_id       uuid   NOT NULL,
    role          text   NOT NULL,
    from_position bigint NOT NULL,
    to_position   bigint NOT NULL,
    PRIMARY KEY (team_id, user_id, from_position)
);
CREATE INDEX past_team_members_by_user ON past_team_members (user_id, team_id);
CREATE INDEX past_team_members_by_end ON past_team_members (to_position);

CREATE TABLE past_project_teams
(
    project_id    uuid   NOT NULL,
    team_id       uuid   NOT NULL,
    role          text   NOT NULL,
    from_position bigint NOT NULL,
    to_position   bigint NOT NULL,
    PRIMARY KEY (project_id, team_id, from_position)
);
CREATE INDEX past_project_teams_by_team ON past_project_teams (team_id, project_id);
CREATE INDEX past_project_teams_by_end ON past_project_teams (to_position);

-- The events that are told on the channel `me`: to everybody who was in the team at that position, or to one person.
CREATE TABLE channel_events
(
    position bigint PRIMARY KEY,
    team_id  uuid,
    user_id  uuid,
    CHECK (num_nonnulls(team_id, user_id) = 1)
);
CREATE INDEX channel_events_of_team ON channel_events (team_id, position) WHERE team_id IS NOT NULL;
CREATE INDEX channel_events_of_user ON channel_events (user_id, position) WHERE user_id IS NOT NULL;

-- All intervals; to_position is null while they are open. As project_roles, they are not for the query-api's eyes.
CREATE VIEW project_memberships AS
SELECT project_id, user_id, role, from_position, NULL::bigint AS to_position FROM project_members
UNION ALL
SELECT project_id, user_id, role, from_position, to_position FROM past_project_members;

CREATE VIEW team_memberships AS
SELECT team_id, user_id, role, from_position, NULL::bigint AS to_position FROM team_members
UNION ALL
SELECT team_id, user_id, role, from_position, to_position FROM past_team_members;

CREATE VIEW project_team_grants AS
SELECT project_id, team_id, role, from_position, NULL::bigint AS to_position FROM project_teams
UNION ALL
SELECT project_id, team_id, role, from_position, to_position FROM past_project_teams;

-- Who could see which project when: as a member, and through a team for as long as they were in it and it had a role there.
CREATE VIEW project_access AS
SELECT project_id, user_id, from_position, to_position FROM project_memberships
UNION ALL
SELECT g.project_id, m.user_id, greatest(m.from_position, g.from_position), least(m.to_position, g.to_position)
FROM team_memberships m JOIN project_team_grants g ON g.team_id = m.team_id
WHERE (g.to_position IS NULL OR m.from_position < g.to_position) AND (m.to_position IS NULL OR g.from_position < m.to_position);

CREATE OR REPLACE FUNCTION taskfold_generation_tables() RETURNS text[] LANGUAGE sql IMMUTABLE
AS $$
    SELECT ARRAY ['tasks', 'projects', 'project_members', 'comments', 'attachments', 'teams', 'team_members', 'project_teams',
        'past_project_members', 'past_team_members', 'past_project_teams', 'channel_events',
        'notifications', 'column_counts', 'task_documents', 'label_documents', 'set_aside_events', 'projection_checkpoint']
$$;
