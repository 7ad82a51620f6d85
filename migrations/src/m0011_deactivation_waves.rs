//! Waves of deactivations that owners were told of, one row for each organization that ever had one, and the index by
//! which they are noticed. Only whoever watches writes the rows; ending somebody's access does not.

crate::step!(
    "m0011_deactivation_waves",
    up: &[
        "CREATE TABLE deactivation_waves (
            organization_id {uuid} PRIMARY KEY
                CONSTRAINT deactivation_waves_organization_id_fkey REFERENCES organizations (id),
            began_at BIGINT NOT NULL,
            last_at BIGINT NOT NULL
        )",
        "CREATE INDEX members_deactivated_at_idx ON members (deactivated_at) WHERE deactivated_by = 'scim'",
    ],
    down: &["DROP INDEX members_deactivated_at_idx", "DROP TABLE deactivation_waves"],
);
