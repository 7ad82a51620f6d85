//! `postern sso`: the operator's way out for an organization whose people cannot sign in any more. Works beside a running
//! server, which sees the change within a second.

use super::args::SsoCommand;
use super::{CliError, Exit, out};
use crate::app::{self, Overrides};
use crate::config::Config;
use crate::model::id::{IdError, OrganizationId};
use crate::service::enforcement::lift::{self, Lifted};
use crate::service::{Ctx, Error, Services};

/// Runs one of the commands.
pub async fn run(command: &SsoCommand, config: &Config) -> Result<(), CliError> {
    let services = app::open_services(config, Overrides::default()).await?;
    let done = act(command, &services).await;
    let closed = services.db.clone().close().await;
    done?;
    closed.map_err(|error| Error::from(error).into())
}

async fn act(command: &SsoCommand, services: &Services) -> Result<(), CliError> {
    let SsoCommand::Lift { organization, reason, by } = command;
    let unknown = |why: String| {
        let remedy = "Take the id from GET /api/v1/organizations, with an operator's key.";
        CliError::new(Exit::NotFound, format!("{organization:?} is no organization: {why}"), remedy)
    };
    let id: OrganizationId = organization.parse().map_err(|error: IdError| unknown(error.to_string()))?;
    let ctx = Ctx::system(services.clock.now());
    match lift::lift(services, &ctx, id, (by, reason)).await {
        Ok(lifted) => out::line(told(&lifted)),
        Err(Error::NotFound { .. }) => Err(unknown("there is none with this id".to_owned())),
        Err(Error::Conflict { code: "not_enforced", message }) => {
            out::line(format!("{message} Nothing was changed."))
        }
        Err(error) => Err(error.into()),
    }
}

fn told(lifted: &Lifted) -> String {
    let mut whose: Vec<String> =
        lifted.domains.iter().map(|domain| format!("the people on {domain}")).collect();
    if lifted.of_all {
        whose.insert(0, "all members".to_owned());
    }
    format!(
        "{} is not kept to SAML any more: {}. Its owners are told.",
        lifted.organization,
        whose.join(", ")
    )
}
