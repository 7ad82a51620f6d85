//! `postern openapi`: prints the OpenAPI document of the REST API, as `/docs` shows it.

use super::{CliError, out};
use crate::config::Config;
use crate::http::api;

/// Prints the document, with the configured public URL as its server.
pub fn run(config: &Config) -> Result<(), CliError> {
    out::line(api::service(config.public_url.as_str()).spec().trim_end())
}
