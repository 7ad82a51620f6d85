//! What handlers share: the use cases, the limits, and what they need to know of the public URL.

use super::extract::client_ip::ClientIp;
use super::limits::{LimitClock, LimitPolicy, Limiter};
use super::middleware::RequestId;
use super::same_origin::PublicOrigin;
use crate::model::actor::Actor;
use crate::service::{Ctx, Services};
use poem::Request;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How much is granted at each door (rule 18).
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    pub api_key_per_second: NonZeroU32,
    pub api_key_burst: NonZeroU32,
    pub scim_per_second: NonZeroU32,
    pub scim_burst: NonZeroU32,
    pub sign_in_per_minute: NonZeroU32,
}

/// Access tokens that one OAuth client is given in a minute: one an hour is what it needs.
const TOKENS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Encrypted assertions of one connection that may fail to decrypt in a minute. Whoever changes ciphertexts to learn from
/// the answers needs thousands; an administrator who set a wrong certificate needs none.
const DECRYPTION_FAILURES: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// The limits, one bucket for each key.
pub struct Limits {
    /// By API key or session.
    pub credentials: Limiter<Uuid>,
    /// By SCIM token.
    pub scim: Limiter<Uuid>,
    /// By OAuth client of a directory, at the token endpoint.
    pub oauth_clients: Limiter<Uuid>,
    /// By connection: failures to decrypt an assertion.
    pub decryption_failures: Limiter<Uuid>,
    /// By client address, on sign-in routes and for refused credentials.
    pub addresses: Limiter<IpAddr>,
}

impl Limits {
    /// With these grants; `burst` requests at once, then so many a second.
    pub fn new(settings: LimitSettings, clock: &LimitClock) -> Self {
        let bucket = |name, per_second: NonZeroU32, burst: NonZeroU32| {
            let window = Duration::from_secs_f64(f64::from(burst.get()) / f64::from(per_second.get()));
            LimitPolicy::new(name, burst, window)
        };
        Self {
            credentials: Limiter::new(
                bucket("credential", settings.api_key_per_second, settings.api_key_burst),
                clock.clone(),
            ),
            scim: Limiter::new(
                bucket("scim-token", settings.scim_per_second, settings.scim_burst),
                clock.clone(),
            ),
            oauth_clients: Limiter::new(
                LimitPolicy::new("oauth-client", TOKENS_PER_MINUTE, Duration::from_mins(1)),
                clock.clone(),
            ),
            decryption_failures: Limiter::new(
                LimitPolicy::new("decryption", DECRYPTION_FAILURES, Duration::from_mins(1)),
                clock.clone(),
            ),
            addresses: Limiter::new(
                LimitPolicy::new("address", settings.sign_in_per_minute, Duration::from_mins(1)),
                clock.clone(),
            ),
        }
    }
}

/// What handlers share.
pub struct State {
    pub services: Arc<Services>,
    pub limits: Limits,
    pub origin: PublicOrigin,
    /// Whether the public URL is https: decides the cookies' names and flags.
    pub https: bool,
}

impl State {
    /// The name of the session cookie.
    pub const fn session_cookie(&self) -> &'static str {
        if self.https { "__Host-postern_session" } else { "postern_session" }
    }

    /// A context for this request, for somebody who has shown no credential yet.
    pub fn anonymous(&self, request: &Request) -> Ctx {
        Ctx {
            actor: Actor::Anonymous,
            now: self.services.clock.now(),
            request_id: Arc::from(RequestId::of(request).as_str()),
            ip: ClientIp::of(request).0,
        }
    }

    /// The shared state of a request; every route is under it.
    ///
    /// # Errors
    /// Only if a route was assembled without it, which is a fault of ours.
    pub fn of(request: &Request) -> poem::Result<&Arc<Self>> {
        request.data::<Arc<Self>>().ok_or_else(|| super::payload::Problem::internal().into())
    }
}
