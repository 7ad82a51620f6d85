//! The REST API through HTTP, one file a noun, each test on both databases.

mod connections;
mod domains;
mod organizations;
mod scim_config;
