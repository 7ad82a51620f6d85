//! The schemas that an organization adds to the users of its directory: one document a directory, because they are
//! read and changed as a whole.

crate::step!(
    "m0010_schemas",
    up: &["CREATE TABLE directory_schemas (
            directory_id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            schemas {json} NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL
        )"],
    down: &["DROP TABLE directory_schemas"],
);
