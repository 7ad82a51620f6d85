//! Directory groups and who is in them, one row a membership: adding one costs the same in a group of ten and of ten
//! thousand. The count stands on the group's row, which every change of its members locks anyway.
//!
//! `mapped` says that the group gives its members a role (`role_mappings`); a role that came so keeps beside it what
//! the member had without (`members.unmapped_role`).
//!
//! A membership refers to its directory user, so that none can outlive the person; not to its group, whose row would
//! be locked once more for each member. Whoever deletes a group deletes its members in the same transaction.

crate::step!(
    "m0006_groups",
    up: &[
        "CREATE TABLE directory_groups (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            directory_id {uuid} NOT NULL,
            display_name TEXT NOT NULL,
            display_name_key {folded} NOT NULL,
            external_id TEXT,
            attributes {json} NOT NULL,
            member_count BIGINT NOT NULL,
            mapped BOOLEAN NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX directory_groups_directory_id_id_idx ON directory_groups (directory_id, id)",
        "CREATE INDEX directory_groups_external_id_directory_id_idx
            ON directory_groups (external_id, directory_id, id)",
        "CREATE UNIQUE INDEX directory_groups_display_name_key_directory_id_key
            ON directory_groups (display_name_key, directory_id)",
        "CREATE TABLE directory_group_members (
            organization_id {uuid} NOT NULL,
            group_id {uuid} NOT NULL,
            directory_user_id {uuid} NOT NULL
                CONSTRAINT directory_group_members_directory_user_id_fkey
                REFERENCES directory_users (id) ON DELETE CASCADE,
            added_at BIGINT NOT NULL,
            CONSTRAINT directory_group_members_pkey PRIMARY KEY (group_id, directory_user_id)
        )",
        "CREATE INDEX directory_group_members_directory_user_id_group_id_idx
            ON directory_group_members (directory_user_id, group_id)",
        "CREATE TABLE role_mappings (
            organization_id {uuid} NOT NULL,
            group_id {uuid} NOT NULL
                CONSTRAINT role_mappings_group_id_fkey REFERENCES directory_groups (id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            CONSTRAINT role_mappings_pkey PRIMARY KEY (group_id, role)
        )",
        "CREATE INDEX role_mappings_organization_id_idx ON role_mappings (organization_id, group_id, role)",
    ],
    down: &["DROP TABLE role_mappings", "DROP TABLE directory_group_members", "DROP TABLE directory_groups"],
);
