//! Our own keys of SAML connections, their private parts sealed under the installation key, and what a connection asks
//! of its IdP beyond the usual. Keys are counted beside the connection's version, which is what clients change it by.

crate::step!(
    "m0012_saml_keys",
    up: &[
        "CREATE TABLE saml_keys (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            purpose TEXT NOT NULL,
            state TEXT NOT NULL,
            certificate TEXT NOT NULL,
            private_sealed {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            activated_at BIGINT,
            CONSTRAINT saml_keys_connection_id_fkey FOREIGN KEY (organization_id, connection_id)
                REFERENCES saml_connections (organization_id, id)
        )",
        "CREATE INDEX saml_keys_connection_id_idx ON saml_keys (connection_id, created_at)",
        "ALTER TABLE saml_connections ADD COLUMN keys_version BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE saml_connections ADD COLUMN sign_requests BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE saml_connections ADD COLUMN name_id_format TEXT",
        "ALTER TABLE saml_connections ADD COLUMN force_authn BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE saml_connections ADD COLUMN requested_authn_contexts {json} NOT NULL DEFAULT '[]'",
        "ALTER TABLE saml_connections ADD COLUMN require_encryption BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE saml_connections ADD COLUMN level TEXT NOT NULL DEFAULT 'sl1'",
    ],
    down: &[
        "ALTER TABLE saml_connections DROP COLUMN level",
        "ALTER TABLE saml_connections DROP COLUMN require_encryption",
        "ALTER TABLE saml_connections DROP COLUMN requested_authn_contexts",
        "ALTER TABLE saml_connections DROP COLUMN force_authn",
        "ALTER TABLE saml_connections DROP COLUMN name_id_format",
        "ALTER TABLE saml_connections DROP COLUMN sign_requests",
        "ALTER TABLE saml_connections DROP COLUMN keys_version",
        "DROP TABLE saml_keys",
    ],
);
