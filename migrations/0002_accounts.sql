-- Who people are. Ordinary rows, never events: an account can be erased without touching the log, which knows ids only.

CREATE TABLE accounts
(
    user_id       uuid        PRIMARY KEY,
    username      text        NOT NULL CONSTRAINT accounts_username_taken UNIQUE,
    display_name  text        NOT NULL,
    -- null: a placeholder for the author of an imported history, who cannot sign in
    password_hash text,
    created_at    timestamptz NOT NULL
);

-- One row a signed-in device. A refresh token is used once and replaced; using an old one ends the session,
-- because then somebody has a copy.
CREATE TABLE sessions
(
    session_id   uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    -- SHA-256 of the refresh token in force
    refresh_hash bytea       NOT NULL CONSTRAINT sessions_refresh_hash UNIQUE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Refresh tokens that were replaced: one that comes again was copied.
CREATE TABLE spent_refresh_tokens
(
    refresh_hash bytea PRIMARY KEY,
    session_id   uuid  NOT NULL REFERENCES sessions ON DELETE CASCADE
);

-- The keys of access tokens (Ed25519, PKCS#8 PEM). The newest signs, all verify.
CREATE TABLE signing_keys
(
    kid         text        PRIMARY KEY,
    private_pem text        NOT NULL,
    public_pem  text        NOT NULL,
    created_at  timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, sessions, spent_refresh_tokens TO taskfold_command;
GRANT SELECT (user_id, username, display_name) ON accounts TO taskfold_query;
GRANT SELECT ON signing_keys TO taskfold_command;
GRANT SELECT (kid, public_pem, created_at) ON signing_keys TO taskfold_query;
