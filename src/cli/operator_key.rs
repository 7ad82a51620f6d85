//! `postern operator-key`: the keys that reach every organization. Works beside a running server, which sees each
//! change at once. The secret of a new key is all that goes to standard output.

use comfy_table::{Table, presets};

use super::args::OperatorKeyCommand;
use super::{CliError, Exit, out};
use crate::app::{self, Overrides};
use crate::config::Config;
use crate::model::id::{ApiKeyId, IdError};
use crate::model::time::Timestamp;
use crate::service::operator_keys::{self, OperatorKey};
use crate::service::{Ctx, Error, Services};

/// Runs one of the commands.
pub async fn run(command: &OperatorKeyCommand, config: &Config) -> Result<(), CliError> {
    let services = app::open_services(config, Overrides::default()).await?;
    let done = act(command, &services).await;
    let closed = services.db.clone().close().await;
    done?;
    closed.map_err(|error| Error::from(error).into())
}

async fn act(command: &OperatorKeyCommand, services: &Services) -> Result<(), CliError> {
    let ctx = Ctx::system(services.clock.now());
    match command {
        OperatorKeyCommand::Create { name } => {
            let (_, token) = operator_keys::create(services, &ctx, name).await?;
            out::line(token.reveal())
        }
        OperatorKeyCommand::List => out::line(table(&operator_keys::list(services, &ctx).await?)),
        OperatorKeyCommand::Revoke { id } => {
            let unknown = |why: String| {
                let remedy = "Take the id from the first column of `postern operator-key list`.";
                CliError::new(Exit::NotFound, format!("{id:?} is no operator's key: {why}"), remedy)
            };
            let id: ApiKeyId = id.parse().map_err(|error: IdError| unknown(error.to_string()))?;
            let revoked = match operator_keys::revoke(services, &ctx, id).await {
                Err(Error::NotFound { .. }) => return Err(unknown("there never was one".to_owned())),
                revoked => revoked?,
            };
            out::line(if revoked {
                format!("{id} is worthless now.")
            } else {
                format!("{id} was revoked before.")
            })
        }
    }
}

fn table(keys: &[OperatorKey]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ID", "NAME", "ENDS IN", "CREATED", "LAST USED", "REVOKED"]);
    for key in keys {
        let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), seconds);
        table.add_row([
            key.id.to_string(),
            key.name.clone(),
            key.last_four.clone(),
            seconds(key.created_at),
            time(key.last_used_at),
            time(key.revoked_at),
        ]);
    }
    table
}

/// Without fractions, which nobody reads.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_micros(time.unix_seconds() * 1_000_000).to_string()
}
