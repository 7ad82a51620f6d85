//! OAuth clients of a directory: an IdP that asks for an access token of an hour instead of holding a token for years.
//!
//! A client proves itself by a JWT that it signs, with public keys registered here, or by a secret shown once. It is
//! bound to its directory, as every token that it is given. To register one is a change of trust (rule 10a); to revoke
//! one ends its tokens at once.
//!
//! That a client was given a token shows in `last_used_at`, and is no event: a token is given at least every hour, by every
//! node of the client, and says nothing that its calls in the request log do not say. A refusal goes to the log of the
//! process with its reason, for whoever asked has not proven whose client it is.

pub use crate::store::scim_clients::ScimClient;

use super::permissions::{Action, may};
use super::{Ctx, Error, FieldError, Services, access};
use crate::model::event::EventKind;
use crate::model::id::{OrganizationId, ScimClientId};
use crate::model::secret::{Token, TokenKind};
use crate::model::state::{ClientAuthentication, Role, SigningAlgorithm};
use crate::protocol::client_assertion::{DEFAULT_ALGORITHMS, KeySet};
use crate::store;
use serde_json::{Value, json};

/// Names are at most this long.
const MAX_NAME: usize = 100;
/// How many clients of a directory are live at once at most.
const MOST_CLIENTS: usize = 20;

/// A new client.
#[derive(Debug, Clone)]
pub struct CreateScimClient {
    pub name: String,
    pub method: ClientAuthentication,
    /// The JWK set of a client that signs.
    pub jwks: Option<Value>,
    /// What it may sign with; unless it is said, all but RS256.
    pub signing_algorithms: Option<Vec<SigningAlgorithm>>,
}

/// What was read of the keys of a new client.
struct Keys {
    jwks: Value,
    algorithms: Vec<SigningAlgorithm>,
}

fn check(new: &CreateScimClient) -> Result<(String, Keys), Error> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, code, message: String| {
        errors.push(FieldError { field: field.to_owned(), code, message });
    };
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let message = format!("A name has 1 to {MAX_NAME} characters and no control characters.");
        wrong("name", "name_invalid", message);
    }
    let mut keys = Keys { jwks: json!({ "keys": [] }), algorithms: Vec::new() };
    match new.method {
        ClientAuthentication::SecretBasic => {
            let given =
                [("jwks", new.jwks.is_some()), ("signing_algorithms", new.signing_algorithms.is_some())];
            for (field, _) in given.into_iter().filter(|(_, given)| *given) {
                let message = format!("{field} is for clients with private_key_jwt; this one has a secret.");
                wrong(field, "not_applicable", message);
            }
        }
        ClientAuthentication::PrivateKeyJwt => {
            let mut algorithms = new.signing_algorithms.clone().unwrap_or(DEFAULT_ALGORITHMS.to_vec());
            algorithms.sort_unstable();
            algorithms.dedup();
            if algorithms.is_empty() {
                wrong("signing_algorithms", "required", "At least one algorithm is needed.".to_owned());
            }
            match new.jwks.as_ref().map(|set| KeySet::parse(set, &algorithms)) {
                Some(Ok(set)) => keys = Keys { jwks: set.to_json(), algorithms },
                Some(Err(error)) => {
                    wrong("jwks", "jwks_invalid", format!("This JWK set is not taken: {error}."));
                }
                None => {
                    let message = "A client with private_key_jwt needs its public keys, as a JWK set.";
                    wrong("jwks", "required", message.to_owned());
                }
            }
        }
    }
    if errors.is_empty() { Ok((name, keys)) } else { Err(Error::Invalid(errors)) }
}

/// Registers a client: a change of trust. The secret, if it has one, is given out here and never again.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`]; 409 `too_many_clients`.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    new: CreateScimClient,
) -> Result<(ScimClient, Option<Token>), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let (name, keys) = check(&new)?;
    let tx = services.begin().await?;
    access::maker(&tx, ctx, scope, Role::Owner).await?;
    let directory = store::directories::lock(&tx, scope).await?;
    let directory = directory.ok_or_else(|| Error::not_found("organization"))?;
    let clients = store::scim_clients::list(&tx, scope).await?;
    if clients.iter().filter(|client| client.revoked_at.is_none()).count() >= MOST_CLIENTS {
        return Err(Error::conflict(
            "too_many_clients",
            format!(
                "This directory has {MOST_CLIENTS} live clients, the most there can be. Revoke one first."
            ),
        ));
    }
    let secret = (new.method == ClientAuthentication::SecretBasic)
        .then(|| Token::generate(TokenKind::ScimClientSecret, &*services.random));
    let client = ScimClient {
        id: ScimClientId::new(ctx.now, &*services.random),
        organization_id: organization,
        directory_id: directory.id,
        name,
        method: new.method,
        secret_hash: secret.as_ref().map(Token::hash),
        last_four: secret.as_ref().map(Token::last_four),
        jwks: keys.jwks,
        signing_algorithms: json!(keys.algorithms),
        created_by: ctx.actor.id(),
        created_at: ctx.now,
        last_used_at: None,
        revoked_at: None,
    };
    store::scim_clients::insert(&tx, client.clone()).await?;
    let data = json!({ "name": client.name, "method": client.method });
    services.record(&tx, ctx, organization, EventKind::ScimClientCreated, client.id, data).await?;
    tx.commit().await?;
    Ok((client, secret))
}

/// All clients of the directory, revoked ones too, oldest first.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
) -> Result<Vec<ScimClient>, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    Ok(store::scim_clients::list(&services.db, scope).await?)
}

/// One client of the directory, revoked or not.
pub async fn find(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimClientId,
) -> Result<ScimClient, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    store::scim_clients::find(&services.db, scope, id).await?.ok_or_else(|| Error::not_found("OAuth client"))
}

/// Revokes a client: it is given no token any more, and those that it has open nothing from now on.
///
/// # Errors
/// [`Error::NotFound`] also for a client that was revoked before.
pub async fn revoke(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    id: ScimClientId,
) -> Result<(), Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let tx = services.begin().await?;
    // Whoever sets oauth_only holds the row while it looks for a client that is live.
    store::directories::lock(&tx, scope).await?.ok_or_else(|| Error::not_found("organization"))?;
    if !store::scim_clients::revoke(&tx, scope, id, ctx.now).await? {
        return Err(Error::not_found("live OAuth client"));
    }
    services.record(&tx, ctx, organization, EventKind::ScimClientRevoked, id, json!({})).await?;
    tx.commit().await?;
    services.caches.scim_tokens.clear();
    Ok(())
}
