//! Organizations, users and members.

crate::step!(
    "m0001_organizations",
    up: &[
        "CREATE TABLE installation (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            key_check {bytes} NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE organizations (
            id {uuid} PRIMARY KEY,
            name TEXT NOT NULL,
            slug TEXT NOT NULL CONSTRAINT organizations_slug_key UNIQUE,
            provisioning_mode TEXT NOT NULL,
            first_link TEXT NOT NULL,
            session_lifetime_seconds BIGINT,
            session_idle_seconds BIGINT,
            ownerless_since BIGINT,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX organizations_created_at_idx ON organizations (created_at, id)",
        "CREATE TABLE users (
            id {uuid} PRIMARY KEY,
            email TEXT CONSTRAINT users_email_key UNIQUE,
            email_proven_at BIGINT,
            created_at BIGINT NOT NULL
        )",
        "CREATE TABLE members (
            organization_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL CONSTRAINT members_user_id_fkey REFERENCES users (id),
            email TEXT,
            given_name TEXT,
            family_name TEXT,
            display_name TEXT,
            role TEXT NOT NULL,
            unmapped_role TEXT,
            status TEXT NOT NULL,
            source TEXT NOT NULL,
            external_id TEXT,
            deactivated_by TEXT,
            deactivated_by_id TEXT,
            deactivated_at BIGINT,
            also_deactivated_by TEXT,
            joined_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL,
            CONSTRAINT members_pkey PRIMARY KEY (organization_id, user_id)
        )",
        "CREATE INDEX members_organization_id_joined_at_idx ON members (organization_id, joined_at, user_id)",
        "CREATE INDEX members_organization_id_email_idx ON members (organization_id, email)",
        "CREATE INDEX members_user_id_idx ON members (user_id)",
        "CREATE INDEX members_owners_idx ON members (organization_id) WHERE role = 'owner' AND status = 'active'",
    ],
    down: &["DROP TABLE members", "DROP TABLE users", "DROP TABLE organizations", "DROP TABLE installation"],
);
