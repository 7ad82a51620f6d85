//! The SCIM request log. Rows come in batches, are read by organization with the newest first, and are deleted by age.
//! Ids count upwards with time, so that the key of an organization is the order of its log as well.
//!
//! The key leads with the organization, and nothing else orders by id: no plan can walk the log of all organizations to
//! find the newest entries of one.

crate::step!(
    "m0009_scim_requests",
    up: &[
        "CREATE TABLE scim_requests (
            organization_id {uuid} NOT NULL,
            id {uuid} NOT NULL,
            created_at BIGINT NOT NULL,
            duration_us BIGINT NOT NULL,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            resource TEXT NOT NULL,
            status INTEGER,
            error_code TEXT,
            error TEXT,
            summary TEXT NOT NULL,
            identity_provider TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor_id TEXT NOT NULL,
            domain TEXT,
            ip TEXT,
            request_id TEXT NOT NULL,
            request_headers TEXT NOT NULL,
            request_body TEXT,
            request_bytes BIGINT NOT NULL,
            request_cut BOOLEAN NOT NULL,
            response_body TEXT,
            response_bytes BIGINT NOT NULL,
            response_cut BOOLEAN NOT NULL,
            CONSTRAINT scim_requests_pkey PRIMARY KEY (organization_id, id)
        )",
        "CREATE INDEX scim_requests_created_at_idx ON scim_requests (created_at)",
        "CREATE INDEX scim_requests_failed_idx ON scim_requests (organization_id, id) WHERE status >= 400",
    ],
    down: &["DROP TABLE scim_requests"],
);
