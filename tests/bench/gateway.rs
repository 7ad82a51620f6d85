//! `make bench`: what the gateway does on this machine, beside what the machine itself can do, in one run.
//!
//! Everything is on loopback and in release build; client, server and database share the cores. Yardsticks and
//! subjects take turns for several rounds, so that a noisy minute hits both; medians are told. A bench is no
//! test: it ends well also when a target is missed, and badly only when an answer is not what it must be.

#[cfg(test)]
mod cpu;
#[cfg(test)]
mod daily;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod http;
#[cfg(test)]
mod installation;
#[cfg(test)]
mod load;
#[cfg(test)]
mod order;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod subject;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod yardsticks;

#[cfg(test)]
#[path = "../it/support/postgres.rs"]
#[expect(dead_code, reason = "written for the tests, which also want a database for each of them")]
mod postgres;
#[cfg(test)]
#[path = "../it/support/scratch.rs"]
mod scratch;

/// With `hello` as its first argument this is the yardstick's server; otherwise it measures. (cargo adds
/// `--bench` behind what it is given.)
fn main() -> anyhow::Result<()> {
    #[cfg(test)]
    {
        if std::env::args().nth(1).as_deref() == Some(yardsticks::HELLO) {
            return yardsticks::serve_hello();
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(rounds::run())
    }
    #[cfg(not(test))]
    Ok(())
}
