//! Why a log-out message was refused, and how that is written down: an event and an entry of the sign-in log under the
//! reference that the page shows. Whoever can reach this server can cause refusals, so only some of them are kept.

use super::Arrival;
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::protocol::saml::{Console, LogoutRefusal};
use crate::service::cache::KnownConnection;
use crate::service::sign_in::codes;
use crate::service::sign_in::refusal::{Refusal, reference};
use crate::service::sign_in_log::{Ending, Noted, Said, Why};
use crate::service::{Ctx, Error, Services};
use serde_json::json;

/// What the browser calls itself is cut here.
const LONGEST_USER_AGENT: usize = 300;

/// A reason to refuse a log-out message.
#[derive(Debug)]
pub(super) enum Reason {
    /// The message itself is not good.
    Message(LogoutRefusal),
    /// It came before.
    Replayed,
    /// It answers nothing that this browser asked for.
    Unknown(&'static str),
}

impl Reason {
    const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code(),
            Self::Replayed => "logout_replayed",
            Self::Unknown(_) => "logout_unknown_request",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Message(refusal) => refusal.to_string(),
            Self::Replayed => "the log-out request was used before, and each is good for once".to_owned(),
            Self::Unknown(why) => (*why).to_owned(),
        }
    }
}

/// Writes a refusal down.
///
/// # Errors
/// Only those of the database.
pub(super) async fn refuse(
    services: &Services,
    ctx: &Ctx,
    known: &KnownConnection,
    arrival: &Arrival<'_>,
    reason: &Reason,
) -> Result<Refusal, Error> {
    let connection = &known.row;
    let said = codes::of(reason.code());
    let refusal = Refusal {
        code: said.code,
        reference: reference(&*services.random),
        detail: reason.detail(),
        next_step: said.fix_at(Console::from_type(connection.kind.as_str())),
        reason: said.plain,
        check: said.check,
        for_admin: false,
    };
    let Some(left_out) = services.sign_in_log.may_refuse(connection.id, ctx.now) else { return Ok(refusal) };
    let data = json!({
        "code": refusal.code,
        "reference": refusal.reference,
        "detail": refusal.detail,
        "next_step": refusal.next_step,
    });
    let tx = services.begin().await?;
    let stranger = ctx.acting(Actor::Anonymous);
    let kind = EventKind::SingleLogoutRefused;
    services.record(&tx, &stranger, connection.organization_id, kind, connection.id, data).await?;
    tx.commit().await?;
    if services.sign_in_log.journal.is_on() {
        let user_agent = arrival.user_agent.map(|text| {
            let kept: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect();
            kept.into_boxed_str()
        });
        services.sign_in_log.journal.note(Noted {
            organization: connection.organization_id,
            connection: connection.id,
            attempt: None,
            at: ctx.now,
            ending: Ending::Refused(Box::new(Why {
                code: refusal.code,
                reference: refusal.reference.clone(),
                detail: refusal.detail.clone(),
                next_step: refusal.next_step.clone(),
            })),
            said: Said::Nothing,
            address: None,
            certificate: None,
            unmask: false,
            ip: ctx.ip,
            user_agent,
            request_id: ctx.request_id.clone(),
            left_out,
        });
    }
    Ok(refusal)
}
