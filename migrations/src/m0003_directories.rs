//! Directories, their SCIM tokens, and the directory users in them. A directory user without `user_id` is held: its
//! address is outside the directory's domains (rule 6).
//!
//! Most people's one e-mail address is their userName, so that no index holds it a second time: `email_key` is the first
//! other one, folded, and `more_emails` says that there are still others.
//!
//! What is looked up by a key has an index that leads with the key, made after the one that lists: while a table is
//! empty PostgreSQL thinks all indexes that fit alike, and a plan it then keeps for a connection must not walk a list.

crate::step!(
    "m0003_directories",
    up: &[
        "CREATE TABLE directories (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL
                CONSTRAINT directories_organization_id_fkey REFERENCES organizations (id)
                CONSTRAINT directories_organization_id_key UNIQUE,
            foreign_addresses TEXT NOT NULL,
            conformance TEXT NOT NULL,
            oauth_only BOOLEAN NOT NULL,
            roles_on_users BOOLEAN NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL,
            CONSTRAINT directories_organization_id_id_key UNIQUE (organization_id, id)
        )",
        "CREATE TABLE scim_tokens (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            directory_id {uuid} NOT NULL,
            hash {bytes} NOT NULL CONSTRAINT scim_tokens_hash_key UNIQUE,
            last_four TEXT NOT NULL,
            domain_id {uuid},
            replaces_id {uuid},
            created_by TEXT,
            created_at BIGINT NOT NULL,
            expires_at BIGINT,
            overlap_ends_at BIGINT,
            warn_at BIGINT,
            last_used_at BIGINT,
            revoked_at BIGINT,
            CONSTRAINT scim_tokens_directory_id_fkey FOREIGN KEY (organization_id, directory_id)
                REFERENCES directories (organization_id, id)
        )",
        "CREATE INDEX scim_tokens_organization_id_idx ON scim_tokens (organization_id, created_at, id)",
        "CREATE INDEX scim_tokens_warn_at_idx ON scim_tokens (warn_at) WHERE warn_at IS NOT NULL",
        "CREATE TABLE directory_users (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            directory_id {uuid} NOT NULL,
            user_name TEXT NOT NULL,
            user_name_key {folded} NOT NULL,
            external_id TEXT,
            active BOOLEAN NOT NULL,
            address TEXT,
            user_id {uuid},
            given_name TEXT,
            family_name TEXT,
            display_name TEXT,
            email_key {folded},
            more_emails BOOLEAN NOT NULL,
            asserted_role TEXT,
            attributes {json} NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL,
            CONSTRAINT directory_users_members_fkey FOREIGN KEY (organization_id, user_id)
                REFERENCES members (organization_id, user_id)
        )",
        "CREATE INDEX directory_users_directory_id_id_idx ON directory_users (directory_id, id)",
        "CREATE INDEX directory_users_held_idx ON directory_users (organization_id, address) WHERE user_id IS NULL",
        "CREATE INDEX directory_users_external_id_directory_id_idx
            ON directory_users (external_id, directory_id, id)",
        "CREATE INDEX directory_users_more_emails_idx ON directory_users (directory_id) WHERE more_emails",
        "CREATE INDEX directory_users_email_key_directory_id_idx
            ON directory_users (email_key, directory_id) WHERE email_key IS NOT NULL",
        "CREATE UNIQUE INDEX directory_users_user_id_directory_id_key ON directory_users (user_id, directory_id)",
        "CREATE UNIQUE INDEX directory_users_user_name_key_directory_id_key
            ON directory_users (user_name_key, directory_id)",
    ],
    down: &["DROP TABLE directory_users", "DROP TABLE scim_tokens", "DROP TABLE directories"],
);
