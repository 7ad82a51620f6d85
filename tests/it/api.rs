//! The REST API through HTTP, one file a noun, each test on both databases.

mod organizations;
