//! Events, written in the transaction of the change they tell of and numbered after commit, without gaps, in the
//! order of their organization (rule 14): that in which they were written, which ids of one millisecond do not tell;
//! and the answers kept for `Idempotency-Key` (rule 15).
//!
//! Few events are without a number at any time, but a sample taken in the middle of a first sync says otherwise, and
//! with it PostgreSQL would look for them through all events of the organization. So it is to keep no statistics on that.

crate::step!(
    "m0005_events",
    up: &[
        "CREATE TABLE events (
            sequence {sequence},
            id {uuid} NOT NULL,
            organization_id {uuid} NOT NULL,
            number BIGINT,
            kind TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor_id TEXT,
            subject TEXT NOT NULL,
            data {json} NOT NULL,
            created_at BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX events_organization_id_number_key ON events (organization_id, number)
            WHERE number IS NOT NULL",
        "CREATE INDEX events_unnumbered_idx ON events (organization_id, sequence) WHERE number IS NULL",
        "{postgres}ALTER TABLE events ALTER COLUMN number SET STATISTICS 0",
        "CREATE TABLE event_counters (
            organization_id {uuid} PRIMARY KEY
                CONSTRAINT event_counters_organization_id_fkey REFERENCES organizations (id),
            last_number BIGINT NOT NULL
        )",
        "CREATE TABLE idempotency_keys (
            credential TEXT NOT NULL,
            key TEXT NOT NULL,
            request_hash {bytes} NOT NULL,
            status INTEGER,
            body TEXT,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            CONSTRAINT idempotency_keys_pkey PRIMARY KEY (credential, key)
        )",
        "CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at)",
    ],
    down: &["DROP TABLE idempotency_keys", "DROP TABLE event_counters", "DROP TABLE events"],
);
