//! OAuth clients of directories, the access tokens given to them, and the assertions that they used. Secrets are
//! hashes; of a client that signs only public keys are kept.

crate::step!(
    "m0008_oauth",
    up: &[
        "CREATE TABLE scim_clients (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            directory_id {uuid} NOT NULL,
            name TEXT NOT NULL,
            method TEXT NOT NULL,
            secret_hash {bytes},
            last_four TEXT,
            jwks {json} NOT NULL,
            signing_algorithms {json} NOT NULL,
            created_by TEXT,
            created_at BIGINT NOT NULL,
            last_used_at BIGINT,
            revoked_at BIGINT,
            CONSTRAINT scim_clients_directory_id_fkey FOREIGN KEY (organization_id, directory_id)
                REFERENCES directories (organization_id, id)
        )",
        "CREATE INDEX scim_clients_organization_id_idx ON scim_clients (organization_id, created_at, id)",
        "CREATE TABLE scim_access_tokens (
            id {uuid} PRIMARY KEY,
            organization_id {uuid} NOT NULL,
            directory_id {uuid} NOT NULL,
            client_id {uuid} NOT NULL
                CONSTRAINT scim_access_tokens_client_id_fkey REFERENCES scim_clients (id),
            hash {bytes} NOT NULL CONSTRAINT scim_access_tokens_hash_key UNIQUE,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL
        )",
        "CREATE INDEX scim_access_tokens_expires_at_idx ON scim_access_tokens (expires_at)",
        "CREATE TABLE used_client_assertions (
            client_id {uuid} NOT NULL,
            jti TEXT NOT NULL,
            expires_at BIGINT NOT NULL,
            CONSTRAINT used_client_assertions_pkey PRIMARY KEY (client_id, jti)
        )",
        "CREATE INDEX used_client_assertions_expires_at_idx ON used_client_assertions (expires_at)",
    ],
    down: &["DROP TABLE used_client_assertions", "DROP TABLE scim_access_tokens", "DROP TABLE scim_clients"],
);
