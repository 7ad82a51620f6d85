//! One file a table: its columns as types, no logic. What the rows mean stands in `model`.

pub mod api_keys;
pub mod directories;
pub mod directory_group_members;
pub mod directory_groups;
pub mod directory_users;
pub mod domains;
pub mod event_counters;
pub mod events;
pub mod idempotency_keys;
pub mod installation;
pub mod invites;
pub mod links;
pub mod members;
pub mod organizations;
pub mod role_mappings;
pub mod saml_connections;
pub mod scim_access_tokens;
pub mod scim_clients;
pub mod scim_tokens;
pub mod sessions;
pub mod sign_in_attempts;
pub mod signing_keys;
pub mod used_assertions;
pub mod used_client_assertions;
pub mod users;
