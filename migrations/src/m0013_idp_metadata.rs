//! Where the facts of a connection's IdP come from: the metadata's address, how fetching it went, when it is fetched
//! next; what was offered and waits to be confirmed. One row for each connection that ever had metadata. Also the
//! IdP's log-out addresses, and when somebody is to be told next that a certificate ends.

crate::step!(
    "m0013_idp_metadata",
    up: &[
        "ALTER TABLE saml_connections ADD COLUMN slo_url TEXT",
        "ALTER TABLE saml_connections ADD COLUMN slo_response_url TEXT",
        "ALTER TABLE saml_connections ADD COLUMN slo_binding TEXT",
        "ALTER TABLE saml_connections ADD COLUMN certificates_warn_at BIGINT",
        "CREATE INDEX saml_connections_certificates_warn_at_idx ON saml_connections (certificates_warn_at)
            WHERE certificates_warn_at IS NOT NULL",
        "CREATE TABLE idp_metadata (
            connection_id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            url TEXT,
            next_fetch_at BIGINT,
            fetched_at BIGINT,
            succeeded_at BIGINT,
            failures INTEGER NOT NULL,
            error_code TEXT,
            error TEXT,
            signature TEXT,
            valid_until BIGINT,
            lapse_told BOOLEAN NOT NULL,
            name_id_formats {json} NOT NULL,
            wants_signed_requests BOOLEAN NOT NULL,
            pending_addresses {json},
            CONSTRAINT idp_metadata_connection_id_fkey FOREIGN KEY (organization_id, connection_id)
                REFERENCES saml_connections (organization_id, id)
        )",
        "CREATE INDEX idp_metadata_valid_until_idx ON idp_metadata (valid_until)
            WHERE valid_until IS NOT NULL AND NOT lapse_told",
        "CREATE INDEX idp_metadata_next_fetch_at_idx ON idp_metadata (next_fetch_at) WHERE next_fetch_at IS NOT NULL",
    ],
    down: &[
        "DROP TABLE idp_metadata",
        "DROP INDEX saml_connections_certificates_warn_at_idx",
        "ALTER TABLE saml_connections DROP COLUMN certificates_warn_at",
        "ALTER TABLE saml_connections DROP COLUMN slo_binding",
        "ALTER TABLE saml_connections DROP COLUMN slo_response_url",
        "ALTER TABLE saml_connections DROP COLUMN slo_url",
    ],
);
