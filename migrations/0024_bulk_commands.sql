-- What a command for many tasks came to, by its idempotency key: the tasks that it was for when it was first sent, and its first
-- answer. Sent again it is for the same tasks, whatever its filter matches by now, and answers the same. A process that dies in the
-- middle leaves a row without an answer, and whoever sends the command again brings it to its end.
CREATE TABLE bulk_commands
(
    actor_id    uuid        NOT NULL,
    command_id  uuid        NOT NULL,
    -- of the request: the project and the body
    fingerprint bytea       NOT NULL,
    task_ids    uuid[]      NOT NULL,
    -- the body of the answer, once there is one
    answer      json,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor_id, command_id)
);

GRANT SELECT, INSERT, UPDATE ON bulk_commands TO taskfold_command;
