//! Links that wait for an administrator: one for each member at each connection, the newest subject that came with the
//! member's address. It is over by itself after a while.
//!
//! `role_mapping_names` says which groups that a SAML assertion names give which roles; their names are all that is known
//! of them.
//!
//! A step-up is an attempt of its own kind; what came of it stands with the session.
//!
//! `connection_drafts` holds what an active connection is to trust, once somebody who may change trust says so.

crate::step!(
    "m0016_linking",
    up: &[
        "CREATE TABLE pending_links (
            id {uuid} NOT NULL CONSTRAINT pending_links_pkey PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL,
            subject TEXT NOT NULL,
            immutable BOOLEAN NOT NULL,
            address TEXT NOT NULL,
            because TEXT NOT NULL,
            status TEXT NOT NULL,
            reference TEXT NOT NULL,
            confirmed_up_to TEXT,
            answered_by TEXT,
            answered_at BIGINT,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL
        )",
        "CREATE INDEX pending_links_expires_at_idx ON pending_links (expires_at)",
        "CREATE INDEX pending_links_organization_id_idx ON pending_links (organization_id, created_at, id)",
        "CREATE UNIQUE INDEX pending_links_user_id_connection_id_key ON pending_links (user_id, connection_id)",
        "CREATE TABLE role_mapping_names (
            organization_id {uuid} NOT NULL,
            name_key {folded} NOT NULL,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            CONSTRAINT role_mapping_names_pkey PRIMARY KEY (organization_id, name_key, role)
        )",
        "CREATE TABLE connection_drafts (
            connection_id {uuid} NOT NULL CONSTRAINT connection_drafts_pkey PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            facts {json} NOT NULL,
            drafted_by TEXT,
            created_at BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
        "ALTER TABLE connection_tests ADD COLUMN of_draft BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE sign_in_attempts ADD COLUMN step_up BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE sessions ADD COLUMN stepped_up_at BIGINT",
    ],
    down: &[
        "ALTER TABLE sessions DROP COLUMN stepped_up_at",
        "ALTER TABLE sign_in_attempts DROP COLUMN step_up",
        "ALTER TABLE connection_tests DROP COLUMN of_draft",
        "DROP TABLE connection_drafts",
        "DROP TABLE role_mapping_names",
        "DROP TABLE pending_links",
    ],
);
