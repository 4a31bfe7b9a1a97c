-- A ticket stands in a URL, and URLs stand in logs: it opens one stream. Every query-api looks here, whichever made the other
-- use. Unlogged, because a ticket lives for a minute: after a crash of the database, one of the last minute may work again.
CREATE UNLOGGED TABLE used_tickets
(
    ticket_id  uuid        PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_tickets_by_end ON used_tickets (expires_at);

-- UPDATE for the row locks that keep two cleaners apart.
GRANT SELECT, INSERT, UPDATE, DELETE ON used_tickets TO taskfold_feed;
