//! One running Postern: opened from a configuration, served on sockets, stopped in order.
//!
//! [`App::open`] takes the data directory for itself, finds the installation key, brings or checks the schema and
//! proves that the key is the one that sealed this database; [`App::serve`] binds the listeners and starts the
//! background work. `serve`, `demo` and the tests all go this way; clock, randomness, DNS and the limits' clock
//! can be put in from outside by [`Overrides`].

pub mod database;
mod error;
pub mod files;
mod running;
mod work;

pub use error::AppError;
pub use files::DataLock;
pub use running::{Running, Sockets};

use crate::config::Config;
use crate::config::database::Engine;
use crate::http::Doors;
use crate::http::extract::client_ip::TrustedProxies;
use crate::http::health::{Check, Readiness};
use crate::http::limits::LimitClock;
use crate::http::middleware::Metrics;
use crate::http::same_origin::PublicOrigin;
use crate::http::state::{LimitSettings, Limits, State};
use crate::model::random::{Random, SystemRandom};
use crate::model::time::{Clock, SystemClock};
use crate::outbound::dns::{AddressLookup, DnsSettings, Resolver, TxtLookup};
use crate::outbound::verifier::VerifierProcesses;
use crate::outbound::web::{WebClient, WebSettings};
use crate::protocol::dns_challenge::ChallengeLabel;
use crate::protocol::saml::metadata::LARGEST_METADATA;
use crate::service::cache::Caches;
use crate::service::provisioning::{LookUps, Newcomers};
use crate::service::scim_requests::{self, RequestLog};
use crate::service::seal::Sealer;
use crate::service::sign_in_log::{self, SignInLog};
use crate::service::turns::Turns;
use crate::service::{Services, Settings, access_tokens, dry_run, journal};
use std::sync::Arc;
use std::time::Duration;

/// How long the database may take to give a sign of life before it counts as away.
const PING_WITHIN: Duration = Duration::from_secs(2);

/// How long fetching an IdP's metadata may take.
const FETCH_WITHIN: Duration = Duration::from_secs(10);

/// What stands in for the machine's own: nothing by default.
#[derive(Default)]
pub struct Overrides {
    /// Tells the time to the use cases.
    pub clock: Option<Arc<dyn Clock>>,
    /// Gives ids and secrets their bytes.
    pub random: Option<Arc<dyn Random>>,
    /// Where TXT records are asked for.
    pub txt: Option<Arc<dyn TxtLookup>>,
    /// Where the addresses of names are asked for.
    pub addresses: Option<Arc<dyn AddressLookup>>,
    /// How long fetching an IdP's metadata may take.
    pub fetch_within: Option<Duration>,
    /// The clock of the rate limits.
    pub limit_clock: Option<LimitClock>,
    /// Who verifies XML signatures; by default processes of this binary, which a test's binary cannot be.
    pub verifier: Option<VerifierProcesses>,
    /// Whether to leave out the work in the background (numbering events, pruning).
    pub no_background: bool,
    /// How many entries of the SCIM request log wait to be written at most.
    pub scim_log_waiting: Option<usize>,
    /// The same of the sign-in log.
    pub sign_in_log_waiting: Option<usize>,
}

/// Everything of one installation on one node, ready to be served.
pub struct App {
    config: Config,
    services: Arc<Services>,
    limit_clock: LimitClock,
    background: bool,
    /// Held for as long as the app lives; `None` on PostgreSQL.
    lock: Option<DataLock>,
}

impl App {
    /// Opens the installation for serving. On SQLite the data directory is made if need be and is this process's
    /// alone from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`AppError`]: each reason not to start, before anything is served.
    pub async fn open(config: &Config, overrides: Overrides) -> Result<Self, AppError> {
        let lock = match config.database.engine {
            Engine::Sqlite => {
                files::make_data_dir(&config.data_dir)?;
                Some(DataLock::take(&config.data_dir)?)
            }
            Engine::PostgreSql => None,
        };
        let limit_clock = overrides.limit_clock.clone().unwrap_or_default();
        let background = !overrides.no_background;
        let services = Arc::new(Box::pin(open_services(config, overrides)).await?);
        // The first key is made now rather than in the first sign-in.
        access_tokens::load_keys(&services).await.map_err(|error| AppError::Fault(error.to_string()))?;
        Ok(Self { config: config.clone(), services, limit_clock, background, lock })
    }

    /// The use cases.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// What the handlers share, and the doors through which they are reached.
    fn doors(&self, metrics: &Metrics) -> Doors {
        let (config, http) = (&self.config, &self.config.http);
        let grants = LimitSettings {
            api_key_per_second: config.limits.api_key_per_second,
            api_key_burst: config.limits.api_key_burst,
            scim_per_second: config.scim.rate_per_second,
            scim_burst: config.scim.burst,
            sign_in_per_minute: config.limits.sign_in_per_minute,
        };
        let state = State {
            services: Arc::clone(&self.services),
            limits: Limits::new(grants, &self.limit_clock),
            origin: PublicOrigin::of(config.public_url.url()),
            https: config.public_url.is_https(),
        };
        Doors {
            state: Arc::new(state),
            metrics: metrics.clone(),
            readiness: readiness(&self.services),
            trusted_proxies: TrustedProxies::new(http.trusted_proxies.iter().copied()),
            request_timeout: http.request_timeout,
            body_limit: http.body_limit,
            scim_body_limit: http.scim_body_limit,
            saml_body_limit: http.saml_body_limit,
        }
    }

    /// Binds the listeners (as configured, unless sockets are handed over), serves, and works in the background.
    ///
    /// # Errors
    /// A port is taken or a certificate unusable; nothing is served then.
    pub async fn serve(self, sockets: Sockets) -> Result<Running, AppError> {
        let metrics = Metrics::new();
        let counters = |name| journal::REASONS.map(|reason| metrics.counter(name, &[("reason", reason)]));
        self.services.scim_log.journal.count_with(counters(scim_requests::DROPPED));
        self.services.sign_in_log.count_with(counters(sign_in_log::DROPPED));
        let doors = self.doors(&metrics);
        let listeners = running::bind(&self.config.http, &metrics, sockets).await?;
        Ok(running::start(listeners, &doors, self.background, self.lock))
    }
}

/// The use cases alone, for short commands: they work beside a running server, so nothing is locked.
///
/// # Errors
/// As for [`App::open`].
pub async fn open_services(config: &Config, overrides: Overrides) -> Result<Services, AppError> {
    let clock = overrides.clock.unwrap_or_else(|| Arc::new(SystemClock));
    let random = overrides.random.unwrap_or_else(|| Arc::new(SystemRandom));
    let Lookups { txt, addresses } = lookups(config, overrides.txt, overrides.addresses)?;
    let web_settings = WebSettings {
        allowed: config.saml.metadata_allowed_ranges.clone(),
        // The request that asks for it must be able to tell how it went.
        timeout: overrides.fetch_within.unwrap_or(FETCH_WITHIN).min(config.http.request_timeout * 4 / 5),
        largest: LARGEST_METADATA,
    };
    let verifier = overrides.verifier.unwrap_or_else(VerifierProcesses::of_this_binary);
    let settings = settings(config)?;
    let waiting = overrides.scim_log_waiting.unwrap_or(journal::MOST_WAITING);
    let scim_log = RequestLog::new(waiting, !settings.scim_log_kept.is_zero());
    let waiting = overrides.sign_in_log_waiting.unwrap_or(journal::MOST_WAITING);
    let sign_in_log = SignInLog::new(waiting, !settings.sign_in_log_kept.is_zero());
    if config.database.engine == Engine::Sqlite {
        files::make_data_dir(&config.data_dir)?;
    }
    let db = database::open(config).await?;
    let sealer: Sealer = database::sealer(config, &db, clock.now(), &*random).await?;
    Ok(Services {
        db,
        clock,
        random,
        txt,
        verifier,
        web: Arc::new(WebClient::new(web_settings, addresses)),
        settings,
        caches: Caches::default(),
        group_turns: Turns::default(),
        user_turns: Turns::default(),
        dry_runs: dry_run::Waiting::default(),
        sealer: Arc::new(sealer),
        look_ups: LookUps::default(),
        newcomers: Newcomers::default(),
        signing_keys: access_tokens::SigningKeys::new(),
        scim_log,
        sign_in_log,
    })
}

/// Where DNS is asked.
struct Lookups {
    txt: Arc<dyn TxtLookup>,
    addresses: Arc<dyn AddressLookup>,
}

/// Where DNS is asked: by one resolver, unless others stand in for it.
fn lookups(
    config: &Config,
    txt: Option<Arc<dyn TxtLookup>>,
    addresses: Option<Arc<dyn AddressLookup>>,
) -> Result<Lookups, AppError> {
    if let (Some(txt), Some(addresses)) = (&txt, &addresses) {
        return Ok(Lookups { txt: Arc::clone(txt), addresses: Arc::clone(addresses) });
    }
    let resolver = Arc::new(Resolver::new(&dns_settings(config)).map_err(AppError::Resolver)?);
    Ok(Lookups { txt: txt.unwrap_or_else(|| resolver.clone()), addresses: addresses.unwrap_or(resolver) })
}

/// How DNS is asked.
pub fn dns_settings(config: &Config) -> DnsSettings {
    DnsSettings { nameservers: config.dns.nameservers.clone(), timeout: config.dns.timeout }
}

fn settings(config: &Config) -> Result<Settings, AppError> {
    let challenge_label = ChallengeLabel::parse(&config.dns.challenge_label)
        .map_err(|error| AppError::Setting { key: "dns.challenge_label", message: error.to_string() })?;
    Ok(Settings {
        public_url: config.public_url.as_str().to_owned(),
        challenge_label,
        challenge_lifetime: config.dns.challenge_lifetime,
        session_lifetime: config.security.session_lifetime,
        session_idle: config.security.session_idle,
        access_token_lifetime: config.security.access_token_lifetime,
        invite_lifetime: config.security.invite_lifetime,
        clock_skew: config.saml.clock_skew,
        attempt_lifetime: config.saml.attempt_lifetime,
        scim_default_page: config.scim.default_page,
        scim_max_page: config.scim.max_page,
        unusual: crate::service::waves::Unusual {
            people: config.scim.mass_deactivation_people,
            percent: config.scim.mass_deactivation_percent,
            within: Duration::from_secs(60 * u64::from(config.scim.mass_deactivation_minutes)),
        },
        scim_bulk_operations: config.scim.bulk_max_operations,
        scim_body_limit: config.http.scim_body_limit,
        request_timeout: config.http.request_timeout,
        scim_log_kept: config.scim.log_kept,
        sign_in_log_kept: config.saml.log_kept,
    })
}

/// Ready means that the database answers.
fn readiness(services: &Arc<Services>) -> Arc<dyn Readiness> {
    let services = Arc::clone(services);
    Arc::new(move || {
        let services = Arc::clone(&services);
        async move {
            let ok = match tokio::time::timeout(PING_WITHIN, services.db.ping()).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "not ready: the database does not answer");
                    false
                }
                Err(_) => {
                    tracing::warn!("not ready: the database does not answer in time");
                    false
                }
            };
            vec![Check { name: "database", ok }]
        }
    })
}
