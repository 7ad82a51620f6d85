//! The SCIM door, `/scim/v2`: who calls is asked first, on every path and method, before a byte of the body is read;
//! then one table of paths and methods. A path that leads nowhere is 404 and a method not taken 405, always in a SCIM
//! error body. Trailing slashes and unknown query parameters are tolerated.

mod answer;
mod auth;
mod bulk;
mod discovery;
pub mod dry_run;
mod groups;
mod log;
mod roles;
mod search;
mod users;

pub use auth::ScimCaller;

use super::Doors;
use super::middleware::{
    BodyLimit, ErrorDress, HeaderProfile, PanicGuard, RateLimitHeaders, RequestTimeout, SecurityHeaders,
};
use super::payload::framework::{method_not_allowed, not_found};
use super::payload::{Dialect, Problem};
use crate::protocol::percent::decoded;
use crate::protocol::scim::ScimError;
use answer::dress;
use auth::Authenticate;
use log::Record;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, EndpointExt, PathPattern, Request, Response, Result};

/// Where the door stands.
const ROOT: &str = "/scim/v2";

/// Sends everything below the root to the door and the rest to the other routes. A route of poem would do that too, but
/// takes a path whose escapes are not UTF-8 for none of its own, and whoever sends such an id would meet another door.
pub struct Fork<D, R> {
    door: D,
    rest: R,
}

impl<D, R> Fork<D, R> {
    pub const fn new(door: D, rest: R) -> Self {
        Self { door, rest }
    }
}

impl<D, R> Endpoint for Fork<D, R>
where
    D: Endpoint<Output = Response>,
    R: Endpoint<Output = Response>,
{
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if below_root(request.uri().path()).is_some() {
            self.door.call(request).await
        } else {
            self.rest.call(request).await
        }
    }
}

/// What follows the root, if the path begins with it.
fn below_root(path: &str) -> Option<&str> {
    path.strip_prefix(ROOT).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The door with its layers.
pub fn door(doors: &Doors) -> impl Endpoint<Output = Response> + 'static {
    let dialect = Dialect::Scim;
    Table
        .with(BodyLimit {
            max_bytes: doors.scim_body_limit,
            arrive_within: super::BODY_WITHIN,
            dialect: dialect.clone(),
        })
        .with(Authenticate)
        .with(RequestTimeout { limit: doors.request_timeout, dialect: dialect.clone() })
        .with(PanicGuard(dialect.clone()))
        .with(ErrorDress::new(dialect))
        .with(Record)
        .with(RateLimitHeaders)
        .with(SecurityHeaders::new(HeaderProfile::Api, doors.state.https))
        .with(doors.metrics.surface("scim"))
}

/// The paths below `/scim/v2`.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Users,
    User(String),
    UsersSearch,
    Groups,
    Group(String),
    GroupsSearch,
    Roles,
    Role(String),
    RolesSearch,
    Search,
    Bulk,
    Config,
    ResourceTypes(Option<String>),
    Schemas(Option<String>),
    /// Named by the RFCs, not offered here.
    NotOffered,
    Nowhere,
}

impl Place {
    /// Reads a path. Segments are percent-decoded; what is not UTF-8 leads nowhere, or is an id that nobody has.
    fn of(path: &str) -> Self {
        let segments: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["Users"] => Self::Users,
            ["Users", ".search"] => Self::UsersSearch,
            ["Users", id] => Self::User((*id).to_owned()),
            ["Groups"] => Self::Groups,
            ["Groups", ".search"] => Self::GroupsSearch,
            ["Groups", id] => Self::Group((*id).to_owned()),
            ["Roles"] => Self::Roles,
            ["Roles", ".search"] => Self::RolesSearch,
            ["Roles", id] => Self::Role((*id).to_owned()),
            [".search"] => Self::Search,
            ["ServiceProviderConfig"] => Self::Config,
            ["ResourceTypes"] => Self::ResourceTypes(None),
            ["ResourceTypes", id] => Self::ResourceTypes(Some((*id).to_owned())),
            ["Schemas"] => Self::Schemas(None),
            ["Schemas", urn] => Self::Schemas(Some((*urn).to_owned())),
            ["Bulk"] => Self::Bulk,
            ["Me", ..] => Self::NotOffered,
            _ => Self::Nowhere,
        }
    }

    /// The pattern for the log, without anybody's id in it.
    const fn pattern(&self) -> &'static str {
        match self {
            Self::Users => "/scim/v2/Users",
            Self::User(_) => "/scim/v2/Users/:id",
            Self::UsersSearch => "/scim/v2/Users/.search",
            Self::Groups => "/scim/v2/Groups",
            Self::Group(_) => "/scim/v2/Groups/:id",
            Self::GroupsSearch => "/scim/v2/Groups/.search",
            Self::Roles => "/scim/v2/Roles",
            Self::Role(_) => "/scim/v2/Roles/:id",
            Self::RolesSearch => "/scim/v2/Roles/.search",
            Self::Search => "/scim/v2/.search",
            Self::Bulk => "/scim/v2/Bulk",
            Self::Config => "/scim/v2/ServiceProviderConfig",
            Self::ResourceTypes(_) => "/scim/v2/ResourceTypes",
            Self::Schemas(_) => "/scim/v2/Schemas",
            Self::NotOffered | Self::Nowhere => "/scim/v2/*",
        }
    }
}

/// Finds the handler of a request.
struct Table;

impl Endpoint for Table {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let place = Place::of(below_root(request.uri().path()).unwrap_or_default());
        let pattern = place.pattern();
        // In a box of its own: each layer around would carry the largest of all handlers along, on the stack too.
        let mut response = Box::pin(handle(place, request)).await.unwrap_or_else(dress);
        response.set_data(PathPattern(pattern.into()));
        Ok(response)
    }
}

async fn handle(place: Place, request: Request) -> answer::Answer {
    let method = request.method().clone();
    let read = method == Method::GET || method == Method::HEAD;
    let caller = ScimCaller::of(&request)?;
    let (request, mut body) = request.split();
    match place {
        Place::Users if read => users::list(&caller, &request).await,
        Place::Users if method == Method::POST => users::create(&caller, &request, &mut body).await,
        Place::UsersSearch if method == Method::POST => users::search(&caller, &request, &mut body).await,
        Place::Groups if read => groups::list(&caller, &request).await,
        Place::Groups if method == Method::POST => groups::create(&caller, &request, &mut body).await,
        Place::Users | Place::Groups => Err(taken("GET, HEAD, POST")),
        Place::GroupsSearch if method == Method::POST => groups::search(&caller, &request, &mut body).await,
        Place::Search if method == Method::POST => search::everything(&caller, &request, &mut body).await,
        Place::RolesSearch if method == Method::POST => roles::search(&caller, &request, &mut body).await,
        Place::Bulk if method == Method::POST => bulk::run(&caller, &request, &mut body).await,
        Place::UsersSearch | Place::GroupsSearch | Place::RolesSearch | Place::Search | Place::Bulk => {
            Err(taken("POST"))
        }
        Place::User(id) if read => users::get(&caller, &request, &id).await,
        Place::User(id) if method == Method::PUT => users::replace(&caller, &request, &mut body, &id).await,
        Place::User(id) if method == Method::PATCH => users::patch(&caller, &request, &mut body, &id).await,
        Place::User(id) if method == Method::DELETE => users::delete(&caller, &request, &id).await,
        Place::Group(id) if read => groups::get(&caller, &request, &id).await,
        Place::Group(id) if method == Method::PUT => groups::replace(&caller, &request, &mut body, &id).await,
        Place::Group(id) if method == Method::PATCH => groups::patch(&caller, &request, &mut body, &id).await,
        Place::Group(id) if method == Method::DELETE => groups::delete(&caller, &request, &id).await,
        Place::User(_) | Place::Group(_) => Err(taken("GET, HEAD, PUT, PATCH, DELETE")),
        Place::Roles if read => roles::list(&caller, &request).await,
        Place::Role(id) if read => roles::get(&caller, &request, &id).await,
        Place::Roles | Place::Role(_) => Err(taken("GET, HEAD")),
        Place::Config | Place::ResourceTypes(_) | Place::Schemas(_) if !read => Err(taken("GET, HEAD")),
        Place::Config => discovery::config(&caller, &request),
        Place::ResourceTypes(id) => discovery::resource_types(&caller, &request, id.as_deref()).await,
        Place::Schemas(urn) => discovery::schemas(&caller, &request, urn.as_deref()).await,
        Place::NotOffered => Err(ScimError::new(
            501,
            "This part of SCIM is not offered here; /ServiceProviderConfig and /ResourceTypes list what is.",
        )
        .into()),
        Place::Nowhere => Err(not_found().into()),
    }
}

fn taken(methods: &'static str) -> answer::Refused {
    let problem: Problem = method_not_allowed(Some(&HeaderValue::from_static(methods)));
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_clients_write_them() {
        assert_eq!(Place::of("/Users"), Place::Users);
        assert_eq!(Place::of("/Users/"), Place::Users);
        assert_eq!(Place::of("/Users/%2e%2E"), Place::User("..".into()));
        assert_eq!(Place::of("/Users/a%2Fb"), Place::User("a/b".into()));
        assert_eq!(Place::of("/Users/%zz%"), Place::User("%zz%".into()));
        assert_eq!(Place::of("/Users/%é"), Place::User("%é".into()));
        assert_eq!(Place::of("/Users/%FF"), Place::User("\u{fffd}".into()));
        assert_eq!(Place::of("/Schemas/urn%3Aa:b"), Place::Schemas(Some("urn:a:b".into())));
        assert_eq!(Place::of("/users"), Place::Nowhere);
        assert_eq!(Place::of("/Users/a/b"), Place::Nowhere);
        assert_eq!(Place::of(""), Place::Nowhere);
    }
}
