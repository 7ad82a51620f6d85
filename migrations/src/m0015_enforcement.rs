//! Enforcement: from when on a domain's people, or all members of an organization, come in through SAML alone, and how
//! long sessions of before stay; guests, whom an owner lets in all the same until a day; and since when a connection has
//! been switched on, because sign-ins of before prove nothing.

crate::step!(
    "m0015_enforcement",
    up: &[
        "ALTER TABLE domains ADD COLUMN sso_enforcement TEXT NOT NULL DEFAULT 'none'",
        "ALTER TABLE domains ADD COLUMN sso_enforcement_starts_at BIGINT",
        "ALTER TABLE domains ADD COLUMN sso_enforcement_grace_days INTEGER NOT NULL DEFAULT 7",
        "ALTER TABLE organizations ADD COLUMN sso_required BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE organizations ADD COLUMN sso_required_starts_at BIGINT",
        "ALTER TABLE organizations ADD COLUMN sso_required_grace_days INTEGER NOT NULL DEFAULT 7",
        "ALTER TABLE saml_connections ADD COLUMN activated_at BIGINT",
        "CREATE TABLE guests (
            id {uuid} NOT NULL CONSTRAINT guests_pkey PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            email TEXT NOT NULL,
            note TEXT,
            approved_by TEXT,
            created_at BIGINT NOT NULL,
            ends_at BIGINT NOT NULL,
            ended_at BIGINT,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX guests_created_at_idx ON guests (organization_id, created_at, id)",
        "CREATE INDEX guests_ends_at_idx ON guests (ends_at) WHERE ended_at IS NULL",
        "CREATE UNIQUE INDEX guests_email_key ON guests (organization_id, email) WHERE ended_at IS NULL",
    ],
    down: &[
        "DROP TABLE guests",
        "ALTER TABLE saml_connections DROP COLUMN activated_at",
        "ALTER TABLE organizations DROP COLUMN sso_required_grace_days",
        "ALTER TABLE organizations DROP COLUMN sso_required_starts_at",
        "ALTER TABLE organizations DROP COLUMN sso_required",
        "ALTER TABLE domains DROP COLUMN sso_enforcement_grace_days",
        "ALTER TABLE domains DROP COLUMN sso_enforcement_starts_at",
        "ALTER TABLE domains DROP COLUMN sso_enforcement",
    ],
);
