-- The position of the log on which an invitation, or the offer of a placeholder, was made: teams that lose a role, and people
-- who are removed from teams, after it lose authority too. Null: made before that was recorded, so that every such loss
-- counts.
SET LOCAL lock_timeout = '5s';

ALTER TABLE invitations
    ADD COLUMN made_position bigint,
    -- The maker was allowed to make it by the role of a team, and not by a role of their own.
    ADD COLUMN through_team  boolean NOT NULL DEFAULT false,
    -- Accounts that were created with it, where accounts need an invitation.
    ADD COLUMN sign_ups      integer NOT NULL DEFAULT 0;
ALTER TABLE placeholder_offers
    ADD COLUMN made_position bigint,
    ADD COLUMN through_team  boolean NOT NULL DEFAULT false;

-- A calendar link ends when its maker loses access to the project, also if they get it back. Null: made before that was
-- recorded.
ALTER TABLE calendar_links ADD COLUMN made_position bigint;

CREATE OR REPLACE FUNCTION taskfold_calendar_link(of_hash bytea)
    RETURNS TABLE (link_id uuid, user_id uuid, project_id uuid, shown_as text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 1
AS $$
    SELECT l.link_id, l.user_id, l.project_id, l.shown_as FROM calendar_links l
    WHERE l.secret_hash = of_hash AND taskfold_account_lives(l.user_id) AND taskfold_token_lives(l.api_token_id)
      AND (l.made_position IS NULL OR (
          SELECT range_agg(int8range(a.from_position, a.to_position)) @> int8range(l.made_position, NULL)
          FROM project_access a
          WHERE a.project_id = l.project_id AND a.user_id = l.user_id
            AND (a.to_position IS NULL OR a.from_position < a.to_position)))
$$;
