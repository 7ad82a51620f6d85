//! Rate limits by key, and what they tell the client (product rule 18).
//!
//! A [`Limiter`] grants `quota` requests per `window` to each key as a leaky bucket (governor's GCRA): a burst
//! up to the quota, then a steady flow. Keys that are full again are forgotten from time to time, so that
//! random keys do not pile up. The clock is injected. One request that stands for many overdraws its key's quota
//! ([`Limiter::overdraw`]): it passes, and the key waits until what it took has flowed back.
//!
//! Whoever knows the key (an authentication extractor) calls [`Limiter::check`] and notes the decision in the
//! request's [`RateLimitSlot`]; the middleware `RateLimitHeaders` writes `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers) on the answer.

use std::{
    fmt::Write,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, FakeRelativeClock, Reference},
    middleware::{NoOpMiddleware, StateInformationMiddleware},
    nanos::Nanos,
    state::{
        StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};
use poem::{Request, http::HeaderValue};

use super::payload::Problem;

/// The limiter's clock: the machine's, or one that a test moves.
#[derive(Debug, Clone)]
pub enum LimitClock {
    Machine(Instant),
    Manual(FakeRelativeClock),
}

impl Default for LimitClock {
    fn default() -> Self {
        Self::Machine(Instant::now())
    }
}

impl Clock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match self {
            Self::Machine(start) => start.elapsed().into(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// How much is granted to each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Name in the headers, such as `key`, `organization`, `address`.
    pub name: &'static str,
    pub quota: NonZeroU32,
    pub window: Duration,
}

impl LimitPolicy {
    pub const fn new(name: &'static str, quota: NonZeroU32, window: Duration) -> Self {
        Self { name, quota, window }
    }

    /// `per_second` requests as a steady flow and `burst` at once: a quota of `burst` in the time in which
    /// it flows back.
    pub fn flow(name: &'static str, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::new(name, burst, Duration::from_secs_f64(f64::from(burst.get()) / f64::from(per_second.get())))
    }
}

/// What a limiter said.
#[derive(Debug, Clone)]
pub struct Decision {
    pub policy: Arc<PolicyText>,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u64,
    /// Set on a refusal: seconds until the next request may pass, at least 1.
    pub retry_after: Option<u64>,
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        self.retry_after.is_none()
    }

    /// The 429 for a refusal.
    pub fn problem(&self) -> Option<Problem> {
        self.retry_after.map(Problem::rate_limited)
    }
}

/// A policy and its header text, formed once.
#[derive(Debug)]
pub struct PolicyText {
    pub policy: LimitPolicy,
    header: HeaderValue,
}

impl PolicyText {
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }
}

/// The buckets of governor, shared so that a bucket can be overdrawn, which governor itself has no word for.
struct Buckets<K: Hash + Eq + Clone>(Arc<DashMapStateStore<K>>);

impl<K: Hash + Eq + Clone> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        ShrinkableKeyedStateStore::len(&*self.0)
    }

    fn is_empty(&self) -> bool {
        ShrinkableKeyedStateStore::is_empty(&*self.0)
    }
}

/// Grants and refuses by key. Cheap to share behind an `Arc`.
pub struct Limiter<K: Hash + Eq + Clone> {
    inner: RateLimiter<K, Buckets<K>, LimitClock, StateInformationMiddleware>,
    /// The buckets of `inner`: for each key the moment, counted from `start`, at which its quota is whole again.
    buckets: Arc<DashMapStateStore<K>>,
    clock: LimitClock,
    start: Nanos,
    text: Arc<PolicyText>,
    /// Nanoseconds after which one request is granted again.
    period: u64,
    checks: AtomicU64,
}

/// Checks between two looks at the size of the table.
const LOOK_EVERY: u64 = 8192;

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub fn new(policy: LimitPolicy, clock: LimitClock) -> Self {
        let period = (policy.window / policy.quota.get()).max(Duration::from_nanos(1));
        let quota =
            Quota::with_period(period).unwrap_or(Quota::per_second(policy.quota)).allow_burst(policy.quota);
        let header = format!(
            "\"{}\";q={};w={}",
            policy.name,
            policy.quota,
            policy.window.as_secs_f64().ceil().max(1.0)
        );
        let buckets = Arc::new(DashMapStateStore::default());
        let start = clock.now();
        Self {
            inner: RateLimiter::<K, Buckets<K>, LimitClock, NoOpMiddleware<Nanos>>::new(
                quota,
                Buckets(Arc::clone(&buckets)),
                clock.clone(),
            )
            .with_middleware(),
            buckets,
            clock,
            start,
            text: Arc::new(PolicyText {
                policy,
                header: HeaderValue::try_from(header).unwrap_or(HeaderValue::from_static("")),
            }),
            period: u64::try_from(period.as_nanos()).unwrap_or(u64::MAX),
            checks: AtomicU64::new(0),
        }
    }

    /// Takes one request from the key's quota.
    pub fn check(&self, key: &K) -> Decision {
        if self.checks.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == LOOK_EVERY - 1 {
            self.forget_idle();
        }
        let quota = self.text.policy.quota.get();
        match self.inner.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity().min(quota);
                Decision {
                    policy: self.text.clone(),
                    remaining,
                    reset: seconds(u64::from(quota - remaining).saturating_mul(self.period)),
                    retry_after: None,
                }
            }
            Err(refusal) => Decision {
                policy: self.text.clone(),
                remaining: 0,
                reset: seconds(u64::from(quota).saturating_mul(self.period)),
                retry_after: Some(
                    seconds(
                        u64::try_from(refusal.wait_time_from(self.clock.now()).as_nanos())
                            .unwrap_or(u64::MAX),
                    )
                    .max(1),
                ),
            },
        }
    }

    /// Takes `count` further requests for one that has passed and stands for that many. Never too many for the quota:
    /// what it cannot give is owed, and the key's next requests wait until it has flowed back. Refused only while the
    /// key owes already, so that what is owed never grows beyond one such request.
    pub fn overdraw(&self, key: &K, count: u32) -> Decision {
        let quota = self.text.policy.quota.get();
        let whole = self.period.saturating_mul(quota.into());
        let taken = self.period.saturating_mul(count.into());
        let now = self.clock.now().duration_since(self.start).as_u64();
        let outcome = self.buckets.measure_and_replace(key, |until| {
            let ahead = until.map_or(0, |until| until.as_u64().saturating_sub(now));
            if ahead > whole {
                return Err(ahead - whole);
            }
            let ahead = ahead.saturating_add(taken);
            Ok((ahead, Nanos::from(now.saturating_add(ahead))))
        });
        let (ahead, retry_after) = match outcome {
            Ok(ahead) => (ahead, None),
            Err(owed) => (whole.saturating_add(owed), Some(seconds(owed.saturating_add(self.period)).max(1))),
        };
        let left = whole.saturating_sub(ahead) / self.period;
        Decision {
            policy: self.text.clone(),
            remaining: u32::try_from(left).unwrap_or(quota),
            reset: seconds(ahead),
            retry_after,
        }
    }

    /// Drops the keys whose quota is whole again.
    pub fn forget_idle(&self) {
        self.inner.retain_recent();
    }

    /// Keys in memory.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

/// Whole seconds, rounded up.
const fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

/// The key of a client address: an IPv6 client owns its /64, so that counts as one.
pub fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Where the decisions about one request are gathered; put into each request by `RateLimitHeaders`.
#[derive(Debug, Clone, Default)]
pub struct RateLimitSlot(Arc<Mutex<Vec<Decision>>>);

impl RateLimitSlot {
    /// Notes a decision for the headers of the answer; nothing happens without the middleware.
    pub fn note(request: &Request, decision: Decision) {
        if let Some(slot) = request.data::<Self>() {
            slot.push(decision);
        }
    }

    pub fn push(&self, decision: Decision) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(decision);
    }

    /// Notes a later decision of the same policy in the place of the earlier one.
    pub fn revise(request: &Request, decision: Decision) {
        if let Some(slot) = request.data::<Self>() {
            let name = decision.policy.policy.name;
            slot.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|earlier| earlier.policy.policy.name != name);
            slot.push(decision);
        }
    }

    /// `RateLimit-Policy` and `RateLimit`, if anything was decided.
    pub fn headers(&self) -> Option<(HeaderValue, HeaderValue)> {
        let decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = decisions.first()?;
        let mut state = String::with_capacity(40 * decisions.len());
        for decision in decisions.iter() {
            let separator = if state.is_empty() { "" } else { ", " };
            write!(
                state,
                "{separator}\"{}\";r={};t={}",
                decision.policy.policy.name, decision.remaining, decision.reset
            )
            .ok()?;
        }
        let policy = if decisions.len() == 1 {
            first.policy.header.clone()
        } else {
            let names: Vec<&str> =
                decisions.iter().filter_map(|decision| decision.policy.header.to_str().ok()).collect();
            HeaderValue::try_from(names.join(", ")).ok()?
        };
        Some((policy, HeaderValue::try_from(state).ok()?))
    }
}

/// Checks a key and notes the decision; a refusal is the 429 to return.
///
/// # Errors
/// The key's quota is used up.
pub fn enforce<K: Hash + Eq + Clone>(
    request: &Request,
    limiter: &Limiter<K>,
    key: &K,
) -> Result<(), Problem> {
    let decision = limiter.check(key);
    let refusal = decision.problem();
    RateLimitSlot::note(request, decision);
    refusal.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(quota: u32, seconds: u64) -> (Limiter<String>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let policy = LimitPolicy::new("key", NonZeroU32::new(quota).unwrap(), Duration::from_secs(seconds));
        (Limiter::new(policy, LimitClock::Manual(clock.clone())), clock)
    }

    #[test]
    fn says_what_is_left_and_when_to_come_back() {
        let (limiter, clock) = limiter(3, 60);
        let key = "a".to_owned();
        assert_eq!(limiter.check(&key).remaining, 2);
        assert_eq!(limiter.check(&key).remaining, 1);
        let last = limiter.check(&key);
        assert_eq!((last.remaining, last.reset, last.is_allowed()), (0, 60, true));
        let refused = limiter.check(&key);
        assert_eq!((refused.remaining, refused.retry_after), (0, Some(20)));
        assert!(limiter.check(&"b".to_owned()).is_allowed(), "keys do not share a quota");
        clock.advance(Duration::from_secs(20));
        assert!(limiter.check(&key).is_allowed(), "after Retry-After the next request passes");
        assert!(!limiter.check(&key).is_allowed());
    }

    #[test]
    fn one_request_that_stands_for_many_is_paid_for_afterwards() {
        let (limiter, clock) = limiter(10, 10);
        let key = "a".to_owned();
        assert!(limiter.check(&key).is_allowed());
        // Within the quota: as so many requests.
        assert_eq!(limiter.overdraw(&key, 4).remaining, 5);
        assert_eq!(limiter.check(&key).remaining, 4);
        // Beyond it: it passes, and whatever comes next waits for the rest.
        let large = limiter.overdraw(&key, 24);
        assert_eq!((large.is_allowed(), large.remaining, large.reset), (true, 0, 30));
        assert_eq!(limiter.check(&key).retry_after, Some(21));
        assert_eq!(limiter.overdraw(&key, 1).retry_after, Some(21), "not while something is owed");
        assert!(limiter.check(&"b".to_owned()).is_allowed(), "others do not pay");
        clock.advance(Duration::from_secs(21));
        assert!(limiter.check(&key).is_allowed());
        assert!(
            limiter.overdraw(&key, 100).is_allowed(),
            "however large, if the last request of the quota began it"
        );
        clock.advance(Duration::from_secs(150));
        limiter.forget_idle();
        assert!(limiter.is_empty());
    }

    #[test]
    fn forgets_keys_that_are_whole_again() {
        let (limiter, clock) = limiter(5, 10);
        limiter.check(&"a".to_owned());
        clock.advance(Duration::from_secs(30));
        limiter.forget_idle();
        assert!(limiter.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_key() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::9"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn headers_are_those_of_the_draft() {
        let (keys, _) = limiter(100, 60);
        let slot = RateLimitSlot::default();
        assert!(slot.headers().is_none());
        slot.push(keys.check(&"a".to_owned()));
        let (policy, state) = slot.headers().unwrap();
        assert_eq!(policy, "\"key\";q=100;w=60");
        assert_eq!(state, "\"key\";r=99;t=1");
        slot.push(keys.check(&"a".to_owned()));
        let (policy, state) = slot.headers().unwrap();
        assert_eq!(policy, "\"key\";q=100;w=60, \"key\";q=100;w=60");
        assert_eq!(state, "\"key\";r=99;t=1, \"key\";r=98;t=2");
    }
}
