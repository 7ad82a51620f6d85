//! The integration tests, in one binary: everything here goes through real sockets or real storage.

#[cfg(test)]
mod api;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod authz;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod dockerfile;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod running;
#[cfg(test)]
mod saml;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod support;
