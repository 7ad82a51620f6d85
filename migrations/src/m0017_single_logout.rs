//! What a connection lets its IdP begin: sign-ins.

crate::step!(
    "m0017_single_logout",
    up: &["ALTER TABLE saml_connections ADD COLUMN idp_initiated BOOLEAN NOT NULL DEFAULT FALSE"],
    down: &["ALTER TABLE saml_connections DROP COLUMN idp_initiated"],
);
