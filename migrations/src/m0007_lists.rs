//! How many resources a directory has, counted now and then: whoever is made later is counted by the index from `up_to`
//! on, and whoever was counted and left since stands in `directory_departures`. So making somebody writes nothing here,
//! and no row is one that all writers wait for.

crate::step!(
    "m0007_lists",
    up: &[
        "CREATE TABLE directory_counts (
            directory_id {uuid} NOT NULL,
            kind TEXT NOT NULL,
            organization_id {uuid} NOT NULL,
            up_to {uuid} NOT NULL,
            counted BIGINT NOT NULL,
            counted_at BIGINT NOT NULL,
            CONSTRAINT directory_counts_pkey PRIMARY KEY (directory_id, kind)
        )",
        "CREATE TABLE directory_departures (
            directory_id {uuid} NOT NULL,
            kind TEXT NOT NULL,
            id {uuid} NOT NULL,
            organization_id {uuid} NOT NULL,
            CONSTRAINT directory_departures_pkey PRIMARY KEY (directory_id, kind, id)
        )",
    ],
    down: &["DROP TABLE directory_departures", "DROP TABLE directory_counts"],
);
