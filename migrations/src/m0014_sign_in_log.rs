//! The sign-in log, and test sign-ins. Entries of the log come in batches, are read by organization with the newest
//! first, and are deleted by age; their ids count upwards with time, so that the key of an organization is the order of
//! its log as well, as with the SCIM request log.
//!
//! A test is a link for its administrator until it was opened, then an attempt at the IdP, and at last what came of it.

crate::step!(
    "m0014_sign_in_log",
    up: &[
        "CREATE TABLE sign_ins (
            organization_id {uuid} NOT NULL,
            id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            attempt_id {uuid},
            created_at BIGINT NOT NULL,
            reference TEXT NOT NULL,
            outcome TEXT NOT NULL,
            code TEXT,
            detail TEXT,
            next_step TEXT,
            started_at BIGINT,
            finished_at BIGINT,
            address TEXT,
            user_id {uuid},
            session_id {uuid},
            created BOOLEAN NOT NULL,
            linked BOOLEAN NOT NULL,
            verified BOOLEAN NOT NULL,
            encrypted BOOLEAN NOT NULL,
            certificate TEXT,
            algorithm TEXT,
            clock_difference_ms BIGINT,
            issuer TEXT,
            name_id_format TEXT,
            authn_context TEXT,
            attributes TEXT,
            unmasked BOOLEAN NOT NULL,
            ip TEXT,
            user_agent TEXT,
            request_id TEXT NOT NULL,
            left_out BIGINT NOT NULL,
            CONSTRAINT sign_ins_pkey PRIMARY KEY (organization_id, id)
        )",
        "CREATE INDEX sign_ins_created_at_idx ON sign_ins (created_at)",
        "CREATE INDEX sign_ins_refused_idx ON sign_ins (organization_id, id) WHERE outcome = 'refused'",
        "CREATE INDEX sign_ins_reference_idx ON sign_ins (reference, organization_id)",
        "CREATE TABLE connection_tests (
            id {uuid} NOT NULL CONSTRAINT connection_tests_pkey PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            link_hash {bytes} NOT NULL,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            opened_at BIGINT,
            finished_at BIGINT,
            passed BOOLEAN NOT NULL,
            trust TEXT,
            report {json}
        )",
        "CREATE INDEX connection_tests_connection_id_idx ON connection_tests (connection_id, id)",
        "CREATE UNIQUE INDEX connection_tests_link_hash_key ON connection_tests (link_hash)",
        "ALTER TABLE sign_in_attempts ADD COLUMN test_id {uuid}",
        "ALTER TABLE saml_connections ADD COLUMN unmask_sign_in_attributes BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE saml_connections ADD COLUMN activated_without_test BOOLEAN NOT NULL DEFAULT FALSE",
    ],
    down: &[
        "ALTER TABLE saml_connections DROP COLUMN activated_without_test",
        "ALTER TABLE saml_connections DROP COLUMN unmask_sign_in_attributes",
        "ALTER TABLE sign_in_attempts DROP COLUMN test_id",
        "DROP TABLE connection_tests",
        "DROP TABLE sign_ins",
    ],
);
