//! A captured call at the SCIM door, carried out on the stage of a dry run: through the table of paths and the handlers
//! of every real call, from the point where its sender is known.
//!
//! What the caller of the dry run sent along as headers is read where a real call's would be and never given back; an
//! `Authorization` header is not even read.

use super::auth::{self, ScimCaller};
use super::{Place, ROOT, Table, below_root};
use crate::http::middleware::{ErrorDress, PanicGuard};
use crate::http::payload::{Dialect, scim_json};
use crate::model::id::OrganizationId;
use crate::protocol::scim::remarks::{self, Remark, on_patch, on_resource};
use crate::protocol::scim::{Conformance, GroupResource, ResourceType};
use crate::protocol::scim_log::story::{Call, foretell};
use crate::protocol::scim_log::{Target, mask};
use crate::service::dry_run::{self, As, Assumed, DryRun, Traces};
use crate::service::scim_requests::Facts;
use crate::service::{Ctx, Error, FieldError, Services, schemas};
use poem::http::{HeaderName, HeaderValue, Method, Uri, header};
use poem::{Endpoint as _, EndpointExt as _, Request, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write as _;
use tokio::time::timeout;

/// The longest path that is read, with its query.
const LONGEST_PATH: usize = 16 * 1024;
/// The headers of a captured call that its answer depends on.
const READ: [HeaderName; 4] = [header::CONTENT_TYPE, header::ACCEPT, header::IF_MATCH, header::IF_NONE_MATCH];

/// A call as somebody captured it.
#[derive(Debug)]
pub struct Captured {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    remarks: Vec<Remark>,
}

/// What would become of it.
#[derive(Debug)]
pub struct Foretold {
    pub summary: String,
    pub status: u16,
    /// The `scimType` of a refusal.
    pub error_code: Option<String>,
    /// Why it would be refused.
    pub error: Option<String>,
    pub location: Option<String>,
    /// The body, masked as the request log masks it.
    pub body: Option<mask::Masked>,
    /// Its length.
    pub bytes: usize,
    pub traces: Traces,
    pub remarks: Vec<Remark>,
    pub assumed: Assumed,
}

fn remark(code: &'static str, at: &str, message: impl Into<String>) -> Remark {
    Remark { code, at: at.to_owned(), message: message.into() }
}

fn wrong(field: &str, code: &'static str, message: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), code, message: message.into() }
}

impl Captured {
    /// Reads a captured call: `path` as it stands in the IdP's log, with or without the host, with its query.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming what cannot be sent over HTTP at all.
    pub fn read(
        services: &Services,
        (method, path): (&str, &str),
        headers: &HashMap<String, String>,
        body: Vec<u8>,
    ) -> Result<Self, Error> {
        let mut errors = Vec::new();
        let mut remarks = Vec::new();
        let method = Method::from_bytes(method.trim().to_ascii_uppercase().as_bytes()).unwrap_or_else(|_| {
            errors.push(wrong("method", "method_invalid", "An HTTP method was expected, such as PATCH."));
            Method::GET
        });
        let path = match read_path(services, path, &mut remarks) {
            Ok(path) => path,
            Err(error) => {
                errors.push(error);
                String::new()
            }
        };
        let mut read = Vec::new();
        for (name, value) in headers {
            let Ok(name) = HeaderName::from_bytes(name.trim().as_bytes()) else {
                errors.push(wrong("headers", "header_invalid", "The name of a header is none."));
                continue;
            };
            if name == header::AUTHORIZATION {
                let message = "The Authorization header is not read: the call is taken for one of this directory. If its \
                               token was copied along, revoke it.";
                remarks.push(remark("authorization_ignored", "headers", message));
            } else if READ.contains(&name) {
                if let Ok(value) = HeaderValue::from_str(value.trim()) {
                    read.push((name, value));
                } else {
                    let message = format!("The value of {name} cannot be that of a header.");
                    errors.push(wrong("headers", "header_invalid", message));
                }
            }
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(Self { method, path, headers: read, body, remarks })
    }

    fn request(&self) -> Option<Request> {
        let uri: Uri = self.path.parse().ok()?;
        let mut request = Request::builder().method(self.method.clone()).uri(uri).body(self.body.clone());
        request.headers_mut().extend(self.headers.iter().cloned());
        Some(request)
    }

    /// Whether the call is one that changes something when it goes well.
    fn is_change(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD) && !self.path.contains("/.search")
    }
}

/// The path below our root as a request line carries it.
fn read_path(services: &Services, text: &str, remarks: &mut Vec<Remark>) -> Result<String, FieldError> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_PATH {
        let message =
            format!("A path of 1 to {LONGEST_PATH} bytes was expected, such as /scim/v2/Users?count=1.");
        return Err(wrong("path", "path_invalid", message));
    }
    let mut path = text;
    if let Some((_, rest)) = text.split_once("://") {
        let public = services.settings.public_url.as_str();
        path = rest.find('/').map_or("/", |start| &rest[start..]);
        if !text.get(..public.len()).is_some_and(|start| start.eq_ignore_ascii_case(public)) {
            let message =
                format!("The URL is another server's; this one is {public}. Only its path is looked at.");
            remarks.push(remark("other_host", "path", message));
        }
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut path = format!("{slash}{path}");
    let plain = path.split('?').next().unwrap_or_default().to_owned();
    if below_root(&plain).is_none() {
        let first = plain.split('/').nth(1).unwrap_or_default();
        let base = services.settings.url(ROOT);
        if Place::of(&plain) == Place::Nowhere || first.is_empty() {
            let message = format!("The path is not below the SCIM base URL: the IdP has to be given {base}.");
            remarks.push(remark("not_below_base", "path", message));
        } else {
            path.insert_str(0, ROOT);
            let message = format!("The path is taken for one below the SCIM base URL, {base}.");
            remarks.push(remark("path_completed", "path", message));
        }
    }
    let escaped = escaped(&path);
    if escaped != path {
        let message =
            "The path has characters that a URL cannot hold: they are read as if they were percent-encoded.";
        remarks.push(remark("path_encoded", "path", message));
    }
    if escaped.parse::<Uri>().is_err() {
        return Err(wrong("path", "path_invalid", "This cannot be the path of an HTTP request."));
    }
    Ok(escaped)
}

/// With everything percent-encoded that cannot stand in a request line. What looks like an escape stays one.
fn escaped(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Carries a captured call out, as far as it goes without changing anything.
///
/// # Errors
/// Those of [`dry_run::begin`]; [`Error::Unavailable`] if it took too long, or somebody else is changing the same.
pub async fn rehearse(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    wanted: As,
    captured: Captured,
) -> Result<Foretold, Error> {
    let run = dry_run::begin(services, ctx, organization, wanted).await?;
    let assumed = run.assumed.clone();
    let conformance = assumed.conformance();
    let mut remarks = captured.remarks.clone();
    remarks.extend(dry_run::remarks(&assumed));
    let (mut response, traces) = carry_out(run, &captured, conformance).await?;
    let status = response.status().as_u16();
    let went_well = status < 400;
    let is_bulk = Target::of(&captured.path) == Target::Bulk;
    let facts = response.extensions_mut().remove::<Facts>().unwrap_or_default();
    let location = response.header(header::LOCATION).map(str::to_owned);
    let bytes = response.into_body().into_bytes().await.unwrap_or_default();
    if went_well {
        remarks.extend(on_body(services, ctx, &assumed, &captured).await);
        // A strict reader refuses operations of a bulk request one by one, and takes the request as a whole.
        if captured.is_change() && !is_bulk && conformance == Conformance::Tolerant {
            let strict = dry_run::begin(services, ctx, organization, wanted).await?;
            let (answer, _) = carry_out(strict, &captured, Conformance::Profile).await?;
            remarks.extend(refused_in_profile(answer).await);
        }
    }
    let body = mask::body(&bytes, true);
    let value = body.as_ref().and_then(mask::Masked::value);
    let said = |name: &str| {
        let value = value.as_ref().filter(|_| !went_well)?.get(name)?.as_str()?;
        Some(value.to_owned())
    };
    let error = assumed.refusal.map(str::to_owned).filter(|_| status == 401).or_else(|| said("detail"));
    let request = mask::body(&captured.body, true);
    let request_value = request.as_ref().and_then(mask::Masked::value);
    let path = mask::path(&captured.path);
    let changes = !traces.events.is_empty() || is_bulk;
    let summary = foretell(
        &Call {
            method: captured.method.as_str(),
            path: &path,
            status: Some(status),
            name: facts.name.as_deref(),
            listed: facts.listed,
            request: request_value.as_ref(),
            cut: request.as_ref().is_some_and(|body| body.cut),
            response: value.as_ref(),
            error: error.as_deref(),
        },
        changes,
    );
    if went_well && captured.is_change() && !changes {
        remarks.push(remark("nothing_changes", "", "Everything is so already: nothing would change."));
    }
    if is_bulk && value.as_ref().is_some_and(has_given_up) {
        let message =
            "A dry run has 5 seconds, and not all operations were begun in time. A real call has more.";
        remarks.push(remark("time_is_up", "", message));
    }
    let error_code = said("scimType");
    Ok(Foretold {
        summary,
        status,
        error_code,
        error,
        location,
        body,
        bytes: bytes.len(),
        traces,
        remarks,
        assumed,
    })
}

/// Whether operations of a bulk request were left out for lack of time.
fn has_given_up(answer: &Value) -> bool {
    let operations = answer.get("Operations").and_then(Value::as_array);
    operations
        .into_iter()
        .flatten()
        .any(|operation| operation.get("status").is_some_and(|status| status == "503"))
}

/// Carries the call out and takes it back.
async fn carry_out(
    run: DryRun,
    captured: &Captured,
    conformance: Conformance,
) -> Result<(Response, Traces), Error> {
    if run.assumed.refusal.is_some() {
        let refused = Dialect::Scim.render(&auth::invalid(&run.services), "");
        return Ok((refused, run.finish().await?));
    }
    let Some(mut request) = captured.request() else {
        return Err(Error::field("path", "path_invalid", "This cannot be the path of an HTTP request."));
    };
    let caller = ScimCaller::assumed(run.services.clone(), run.ctx.clone(), conformance);
    request.extensions_mut().insert(caller);
    let door = Stage.with(PanicGuard(Dialect::Scim)).with(ErrorDress::new(Dialect::Scim));
    let response = timeout(dry_run::WITHIN, Box::pin(door.get_response(request))).await;
    let busy = |message: &str| Error::Unavailable { code: "dry_run_hindered", message: message.to_owned() };
    let Ok(response) = response else {
        drop(run);
        return Err(busy(
            "The call takes longer than a dry run may (5 seconds). Nothing was changed. Try a smaller one.",
        ));
    };
    let traces = run.finish().await;
    if response.status().as_u16() == 503 {
        return Err(busy(
            "Somebody else is changing the same people or groups at this moment, or the database is busy. Nothing was \
             changed; try again.",
        ));
    }
    Ok((response, traces?))
}

/// The door behind the layers that ask who calls.
struct Stage;

impl poem::Endpoint for Stage {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if below_root(request.uri().path()).is_none() {
            return Err(crate::http::payload::framework::not_found().into());
        }
        Table.call(request).await
    }
}

/// What is remarkable about the body of a call that is taken.
async fn on_body(services: &Services, ctx: &Ctx, assumed: &Assumed, captured: &Captured) -> Vec<Remark> {
    let path = captured.path.split('?').next().unwrap_or_default();
    let Ok(body) = scim_json::decode::<Value>(&captured.body) else { return Vec::new() };
    let Ok(users) = schemas::user_type(services, &ctx.acting(assumed.actor())).await else {
        return Vec::new();
    };
    let groups = GroupResource::resource_type();
    let on = |method: &str, path: &str, body: &Value| -> Vec<Remark> {
        let resource_type: &ResourceType = match Place::of(path) {
            Place::Users | Place::User(_) => &users,
            Place::Groups | Place::Group(_) => groups,
            _ => return Vec::new(),
        };
        match method {
            "POST" | "PUT" => on_resource(resource_type, body),
            "PATCH" => on_patch(resource_type, body),
            _ => Vec::new(),
        }
    };
    let below = below_root(path).unwrap_or_default();
    if Place::of(below) != Place::Bulk {
        return on(captured.method.as_str(), below, &body);
    }
    let mut all = Vec::new();
    let operations = body.get("Operations").and_then(Value::as_array);
    for (index, operation) in operations.into_iter().flatten().enumerate() {
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(data) = operation.get("data") else { continue };
        for mut remark in on(&text("method").to_ascii_uppercase(), text("path"), data) {
            remark.at = format!("Operations[{index}].data.{}", remark.at);
            all.push(remark);
        }
        if all.len() >= remarks::MOST {
            all.truncate(remarks::MOST);
            break;
        }
    }
    all
}

/// Where a tolerant directory takes what a strict one would refuse.
async fn refused_in_profile(answer: Response) -> Option<Remark> {
    if answer.status().as_u16() < 400 {
        return None;
    }
    let bytes = answer.into_body().into_bytes().await.ok()?;
    let body: Value = serde_json::from_slice(&bytes).ok()?;
    let detail = body.get("detail")?.as_str()?.to_owned();
    let message = format!("A directory whose conformance is profile would refuse the call: {detail}");
    Some(remark("refused_in_profile", "", message))
}
