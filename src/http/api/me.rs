//! `/api/v1/me`: the credential's own view of itself.

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::Time;
use crate::http::pages::cookies;
use crate::http::payload::JsonBody;
use crate::model::actor::Actor;
use crate::model::scope::Scope;
use crate::model::state::{Role, SignInMethod};
use crate::model::time::Timestamp;
use crate::service::sign_in::ReturnTo;
use crate::service::{Error, me, organizations, step_up};
use poem::Request;
use poem::http::header;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

/// What a credential is.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "CallerKind", rename_all = "snake_case")]
pub enum CallerKind {
    /// A signed-in person.
    User,
    /// A key of an organization.
    ApiKey,
    /// A key of the operator.
    Operator,
}

/// An organization by its names.
#[derive(Object)]
#[oai(rename = "OrganizationName")]
pub struct OrganizationName {
    pub id: String,
    pub name: String,
    pub slug: String,
}

/// How a person signed in.
#[derive(Object)]
#[oai(rename = "SignedIn", skip_serializing_if_is_none)]
pub struct SignedInView {
    pub method: SignInMethod,
    /// The SAML connection.
    pub connection_id: Option<String>,
    /// When the identity provider saw the person.
    pub at: Time,
    /// How the identity provider says it knew the person.
    pub authn_context: Option<String>,
    /// When the session ends at the latest.
    pub expires_at: Time,
    /// When the person last stepped up; it counts for ten minutes.
    pub stepped_up_at: Option<Time>,
}

/// Where to go afterwards.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct StepUpRequest {
    /// A path here, or an address that people may be sent back to; `/signed-in` if absent.
    pub return_to: Option<String>,
}

/// How to step up.
#[derive(Object)]
#[oai(rename = "StepUp")]
pub struct StepUpView {
    /// To be opened in the browser that the person is signed in in.
    pub login_url: String,
}

/// A step-up to be made in the browser.
#[derive(ApiResponse)]
pub enum StepUpBegun {
    /// Where the browser goes.
    #[oai(status = 200)]
    Ok(Json<StepUpView>, #[oai(header = "Set-Cookie")] Option<String>),
}

/// Who calls.
#[derive(Object)]
#[oai(rename = "Me", skip_serializing_if_is_none)]
pub struct MeView {
    pub kind: CallerKind,
    /// The key; absent for a person.
    pub id: Option<String>,
    /// The person; absent for a key, as all below but `organization` and `scopes`.
    pub user_id: Option<String>,
    pub email: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub display_name: Option<String>,
    pub role: Option<Role>,
    /// The organization of the session or key; absent for the operator.
    pub organization: Option<OrganizationName>,
    /// What the key may do.
    pub scopes: Option<Vec<Scope>>,
    pub signed_in: Option<SignedInView>,
}

impl MeView {
    const fn new(kind: CallerKind) -> Self {
        Self {
            kind,
            id: None,
            user_id: None,
            email: None,
            given_name: None,
            family_name: None,
            display_name: None,
            role: None,
            organization: None,
            scopes: None,
            signed_in: None,
        }
    }
}

/// Signed out.
#[derive(ApiResponse)]
pub enum SignedOut {
    /// The session has ended; the cookie is taken back.
    #[oai(status = 204)]
    NoContent(#[oai(header = "Set-Cookie")] String),
}

pub struct MeApi;

#[OpenApi(prefix_path = "/me", tag = "Tag::Me")]
impl MeApi {
    /// Read who is calling
    #[oai(path = "/", method = "get", operation_id = "get_me")]
    async fn get(&self, caller: Caller) -> Answer<Listed<MeView>> {
        let mut view = match &caller.ctx.actor {
            Actor::Person { user, role, .. } => {
                let member = me::member(caller.services(), &caller.ctx).await?;
                MeView {
                    user_id: Some(user.to_string()),
                    email: member.email.map(|email| email.to_string()),
                    given_name: member.given_name,
                    family_name: member.family_name,
                    display_name: member.display_name,
                    role: Some(*role),
                    signed_in: caller.session.as_ref().map(|session| SignedInView {
                        method: session.method,
                        connection_id: session.connection_id.map(|id| id.to_string()),
                        at: session.authn_at.to_datetime(),
                        authn_context: session.authn_context.clone(),
                        expires_at: session.expires_at.to_datetime(),
                        stepped_up_at: session.stepped_up_at.map(Timestamp::to_datetime),
                    }),
                    ..MeView::new(CallerKind::User)
                }
            }
            Actor::Key { key, scopes, .. } => MeView {
                id: Some(key.to_string()),
                scopes: Some(scopes.iter().collect()),
                ..MeView::new(CallerKind::ApiKey)
            },
            actor => MeView { id: actor.id(), ..MeView::new(CallerKind::Operator) },
        };
        if let Some(organization) = &caller.credential.organization {
            view.organization = Some(OrganizationName {
                id: organization.id.to_string(),
                name: organization.name.clone(),
                slug: organization.slug.clone(),
            });
        } else if caller.ctx.actor.organization().is_some() {
            let organization = organizations::find_own(caller.services(), &caller.ctx).await?;
            view.organization = Some(OrganizationName {
                id: organization.id.to_string(),
                name: organization.name,
                slug: organization.slug,
            });
        }
        Ok(Listed::Ok(Json(view)))
    }

    /// Step up
    ///
    /// What changes whom the organization trusts asks its owner, in a session, for a fresh sign-in at the identity provider
    /// within the last ten minutes (403 `step_up_required`). `login_url` is that sign-in: it asks the identity provider
    /// not to take its own session for it (`ForceAuthn`), and the session counts as stepped up when the same person comes
    /// back with a fresh `AuthnInstant`. With the session cookie it leads to the identity provider at once; with an access
    /// token to our page `/step-up`, which the person opens in the browser that they are signed in in. 409
    /// `step_up_unavailable` for somebody who is connected to no active connection.
    #[oai(path = "/step-up", method = "post", operation_id = "step_up")]
    async fn step_up(
        &self,
        request: &Request,
        caller: Caller,
        body: JsonBody<StepUpRequest>,
    ) -> Answer<StepUpBegun> {
        let wanted = body.0.return_to;
        let return_to = wanted.as_deref().map(ReturnTo::parse).transpose();
        let return_to = return_to.map_err(|error| {
            Error::field(
                "return_to",
                "return_to_refused",
                format!("After this nobody is sent to another site: {error}."),
            )
        })?;
        let (services, state) = (caller.services(), caller.state());
        if request.header(header::AUTHORIZATION).is_some() {
            step_up::connection(services, &caller.ctx).await?;
            let mut login_url = services.settings.url("/step-up");
            if let Some(to) = &return_to {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                login_url = format!("{login_url}?{}", query.append_pair("return_to", to.as_str()).finish());
            }
            return Ok(StepUpBegun::Ok(Json(StepUpView { login_url }), None));
        }
        let browser = cookies::read(request, cookies::browser_cookie(state));
        let begun = step_up::begin(services, &caller.ctx, browser.as_deref(), return_to).await?;
        let cookie = cookies::browser(state, &begun.browser);
        Ok(StepUpBegun::Ok(Json(StepUpView { login_url: begun.redirect }), Some(cookie)))
    }

    /// Sign out
    ///
    /// Ends the session behind the cookie or access token, at once and everywhere.
    #[oai(path = "/session", method = "delete", operation_id = "end_my_session")]
    async fn sign_out(&self, caller: Caller) -> Answer<SignedOut> {
        me::sign_out(caller.services(), &caller.ctx).await?;
        let state = caller.state();
        let secure = if state.https { "; Secure" } else { "" };
        let name = state.session_cookie();
        Ok(SignedOut::NoContent(format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}")))
    }
}
