//! The integration tests, in one binary: everything here goes through real sockets or real storage.

#[cfg(test)]
mod dns;
