//! SAML connections, the domains they serve, and the links between subjects at an IdP and users. A domain is held
//! verified by one organization at most, and only a connection of the same organization can serve it.

crate::step!(
    "m0002_domains",
    up: &[
        "CREATE TABLE saml_connections (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL
                CONSTRAINT saml_connections_organization_id_fkey REFERENCES organizations (id),
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            idp_entity_id TEXT NOT NULL,
            sso_url TEXT NOT NULL,
            certificates {json} NOT NULL,
            attribute_mapping {json} NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL,
            CONSTRAINT saml_connections_organization_id_id_key UNIQUE (organization_id, id)
        )",
        "CREATE TABLE domains (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL CONSTRAINT domains_organization_id_fkey REFERENCES organizations (id),
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            challenge TEXT NOT NULL,
            challenge_expires_at BIGINT NOT NULL,
            verified_at BIGINT,
            last_checked_at BIGINT,
            last_result TEXT,
            jit_provisioning_enabled BOOLEAN NOT NULL,
            scim_enabled BOOLEAN NOT NULL,
            connection_ids TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            version BIGINT NOT NULL,
            CONSTRAINT domains_organization_id_name_key UNIQUE (organization_id, name)
        )",
        "CREATE UNIQUE INDEX domains_name_verified_key ON domains (name) WHERE status = 'verified'",
        "CREATE TABLE links (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            connection_id {uuid} NOT NULL,
            user_id {uuid} NOT NULL,
            subject TEXT NOT NULL,
            immutable BOOLEAN NOT NULL,
            created_at BIGINT NOT NULL,
            last_used_at BIGINT NOT NULL,
            CONSTRAINT links_connection_id_subject_key UNIQUE (connection_id, subject),
            CONSTRAINT links_user_id_connection_id_key UNIQUE (user_id, connection_id),
            CONSTRAINT links_connection_id_fkey FOREIGN KEY (organization_id, connection_id)
                REFERENCES saml_connections (organization_id, id),
            CONSTRAINT links_members_fkey FOREIGN KEY (organization_id, user_id)
                REFERENCES members (organization_id, user_id)
        )",
    ],
    down: &["DROP TABLE links", "DROP TABLE domains", "DROP TABLE saml_connections"],
);
