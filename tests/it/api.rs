//! The REST API through HTTP, one file a noun, each test on both databases.

mod api_keys;
mod events;
mod idempotency;
mod invites;
mod me;
mod members;
mod organizations;
