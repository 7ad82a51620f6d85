//! Everything that lets somebody in: API keys, sessions, sign-in attempts, invites; with the assertions already used
//! and the keys that sign access tokens. Secrets are hashes, private keys are sealed (rule 16).

crate::step!(
    "m0004_credentials",
    up: &[
        "CREATE TABLE api_keys (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} CONSTRAINT api_keys_organization_id_fkey REFERENCES organizations (id),
            name TEXT NOT NULL,
            hash {bytes} NOT NULL CONSTRAINT api_keys_hash_key UNIQUE,
            last_four TEXT NOT NULL,
            scopes TEXT NOT NULL,
            created_by TEXT,
            created_by_user_id {uuid},
            rotation_due_at BIGINT,
            created_at BIGINT NOT NULL,
            expires_at BIGINT,
            last_used_at BIGINT,
            revoked_at BIGINT
        )",
        "CREATE INDEX api_keys_organization_id_idx ON api_keys (organization_id, created_at, id)",
        "CREATE TABLE sessions (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL,
            hash {bytes} NOT NULL CONSTRAINT sessions_hash_key UNIQUE,
            method TEXT NOT NULL,
            connection_id {uuid},
            name_id TEXT,
            session_index TEXT,
            authn_context TEXT,
            authn_at BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            last_seen_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            ended_at BIGINT,
            CONSTRAINT sessions_members_fkey FOREIGN KEY (organization_id, user_id)
                REFERENCES members (organization_id, user_id)
        )",
        "CREATE INDEX sessions_user_id_organization_id_idx ON sessions (user_id, organization_id)",
        "CREATE INDEX sessions_expires_at_idx ON sessions (expires_at)",
        "CREATE TABLE sign_in_attempts (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            request_hash {bytes} NOT NULL CONSTRAINT sign_in_attempts_request_hash_key UNIQUE,
            browser_hash {bytes} NOT NULL,
            session_id {uuid},
            own_page BOOLEAN NOT NULL,
            return_to TEXT,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            consumed_at BIGINT,
            outcome TEXT,
            detail TEXT,
            CONSTRAINT sign_in_attempts_connection_id_fkey FOREIGN KEY (organization_id, connection_id)
                REFERENCES saml_connections (organization_id, id)
        )",
        "CREATE INDEX sign_in_attempts_expires_at_idx ON sign_in_attempts (expires_at)",
        "CREATE TABLE used_assertions (
            connection_id {uuid} NOT NULL,
            assertion_id TEXT NOT NULL,
            expires_at BIGINT NOT NULL,
            CONSTRAINT used_assertions_pkey PRIMARY KEY (connection_id, assertion_id)
        )",
        "CREATE INDEX used_assertions_expires_at_idx ON used_assertions (expires_at)",
        "CREATE TABLE invites (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL CONSTRAINT invites_organization_id_fkey REFERENCES organizations (id),
            email TEXT NOT NULL,
            role TEXT NOT NULL,
            message TEXT,
            hash {bytes} NOT NULL CONSTRAINT invites_hash_key UNIQUE,
            status TEXT NOT NULL,
            invited_by TEXT,
            invited_by_user_id {uuid},
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            answered_at BIGINT,
            accepted_by_user_id {uuid}
        )",
        "CREATE UNIQUE INDEX invites_organization_id_email_pending_key ON invites (organization_id, email)
            WHERE status = 'pending'",
        "CREATE INDEX invites_organization_id_created_at_idx ON invites (organization_id, created_at, id)",
        "CREATE TABLE signing_keys (
            id TEXT PRIMARY KEY,
            public_pem TEXT NOT NULL,
            private_sealed {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            retired_at BIGINT
        )",
    ],
    down: &[
        "DROP TABLE signing_keys",
        "DROP TABLE invites",
        "DROP TABLE used_assertions",
        "DROP TABLE sign_in_attempts",
        "DROP TABLE sessions",
        "DROP TABLE api_keys",
    ],
);
