//! The REST API through HTTP, one file a noun, each test on both databases.

mod api_keys;
mod connections;
mod domains;
mod events;
mod guides;
mod idempotency;
mod invites;
mod me;
mod members;
mod organizations;
mod scim_config;
mod scim_tokens;
