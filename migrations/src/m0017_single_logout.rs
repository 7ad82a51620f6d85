//! What a connection lets its IdP begin and end: sign-ins, sessions. A session keeps how the IdP names the person, to be
//! sent back when it ends, and a digest of the name by which it is found when the IdP ends it. Requests to the IdP are
//! kept by their hash until they are answered, and not longer than an answer may take.

crate::step!(
    "m0017_single_logout",
    up: &[
        "ALTER TABLE saml_connections ADD COLUMN idp_initiated BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE sessions ADD COLUMN name_id_attributes TEXT",
        "ALTER TABLE sessions ADD COLUMN name_id_key {bytes}",
        "CREATE INDEX sessions_name_id_key_idx ON sessions (name_id_key) WHERE name_id_key IS NOT NULL",
        "CREATE TABLE logout_requests (
            session_id {uuid} NOT NULL CONSTRAINT logout_requests_pkey PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            request_hash {bytes} NOT NULL CONSTRAINT logout_requests_request_hash_key UNIQUE,
            browser_hash {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            answered_at BIGINT
        )",
        "CREATE INDEX logout_requests_expires_at_idx ON logout_requests (expires_at)",
    ],
    down: &[
        "DROP TABLE logout_requests",
        "DROP INDEX sessions_name_id_key_idx",
        "ALTER TABLE sessions DROP COLUMN name_id_key",
        "ALTER TABLE sessions DROP COLUMN name_id_attributes",
        "ALTER TABLE saml_connections DROP COLUMN idp_initiated",
    ],
);
