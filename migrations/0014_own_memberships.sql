-- On the channel `me`, people hear of what becomes of their own memberships. A stream that comes back reads it from the log; such
-- events are few, and so these indexes are small.
CREATE INDEX events_of_own_membership
    ON events (coalesce(payload #>> '{changes,member,to,user_id}', payload #>> '{changes,member,from,user_id}'), position)
    WHERE event_type IN ('project.member_added', 'project.member_role_changed', 'project.member_removed');
CREATE INDEX events_of_own_teams
    ON events (coalesce(payload #>> '{changes,team,to,team_id}', payload #>> '{changes,team,from,team_id}'), position)
    WHERE event_type IN ('project.team_added', 'project.team_role_changed', 'project.team_removed');
