-- Placeholders of imported people, whose names begin with ~, can be claimed by the real person: an admin of a project that
-- has the placeholder offers it, the person accepts, and it is shown under their name from then on, in that project: other
-- projects with the same placeholder have admins of their own. The id stays: events name it.
SET LOCAL lock_timeout = '5s';

CREATE TABLE placeholder_claims
(
    project_id     uuid NOT NULL,
    placeholder_id uuid NOT NULL REFERENCES accounts,
    -- The person as whom it is shown.
    claimed_by     uuid NOT NULL REFERENCES accounts,
    PRIMARY KEY (project_id, placeholder_id)
);
CREATE INDEX placeholder_claims_by_person ON placeholder_claims (claimed_by);
GRANT SELECT, INSERT, DELETE ON placeholder_claims TO taskfold_command;

CREATE TABLE placeholder_offers
(
    project_id      uuid        NOT NULL,
    placeholder_id  uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    -- The person to whom it is offered.
    user_id         uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    offered_by      uuid        NOT NULL,
    -- Version of the project on which it was offered: the offer ends when its maker loses authority.
    project_version bigint      NOT NULL,
    offered_at      timestamptz NOT NULL,
    -- The API token with which it was offered.
    api_token_id    uuid,
    PRIMARY KEY (project_id, placeholder_id)
);
CREATE INDEX placeholder_offers_by_user ON placeholder_offers (user_id, placeholder_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON placeholder_offers TO taskfold_command;

CREATE OR REPLACE FUNCTION taskfold_people(project uuid)
    RETURNS TABLE (user_id uuid, username text, display_name text, role text, own_role text, team_ids uuid[], joined_at bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT r.user_id, n.username, n.display_name,
           (array_agg(r.role ORDER BY taskfold_rank(r.role) DESC))[1],
           min(r.role) FILTER (WHERE r.team_id IS NULL),
           coalesce(array_agg(r.team_id ORDER BY r.team_id) FILTER (WHERE r.team_id IS NOT NULL), '{}'),
           min(r.position)
    FROM project_roles r
        LEFT JOIN placeholder_claims c ON c.project_id = project AND c.placeholder_id = r.user_id
        LEFT JOIN accounts n ON n.user_id = coalesce(c.claimed_by, r.user_id)
    WHERE r.project_id = project AND project IN (SELECT taskfold_projects())
    GROUP BY r.user_id, n.username, n.display_name
$$;
