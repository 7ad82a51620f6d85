//! The usual sign-in, in as few round trips as it can be done: somebody who is linked and whose access stands, in a
//! browser where nobody was signed in before. On PostgreSQL only; and everything else, a doubt or a refusal among
//! it, is left to the transaction in [`super`], which knows the reasons. So is a role that the person's groups change.

use super::person::TOUCH_EVERY;
use super::{Admitted, Entry, Reason, Stop};
use crate::model::event::{EventKind, NewEvent};
use crate::model::id::SessionId;
use crate::model::secret::Token;
use crate::service::sessions;
use crate::store::entries::{self, Entering, Usual};
use crate::store::error::{StoreError, UniqueKey};

impl Entry<'_> {
    /// The session's secret and whose it is, if this is a usual sign-in; `None` if it is not, and then nothing was written.
    pub(super) async fn admit_known(
        &self,
        present: Option<SessionId>,
    ) -> Result<Option<(Token, Admitted)>, Stop> {
        if self.unsolicited || present.is_some() || self.attempt.session_id.is_some() {
            return Ok(None);
        }
        let usual = Usual {
            connection: self.connection.id,
            version: self.connection.version,
            address: &self.verified.address,
            subject: &self.verified.subject,
        };
        let Some(known) = entries::find(&self.services.db, self.scope, usual).await? else { return Ok(None) };
        if self.changes_role(&known).await? {
            return Ok(None);
        }
        let organization = self.scope.organization();
        let lifetime = known.session_lifetime_seconds;
        let (token, session) =
            sessions::fresh(self.services, (organization, lifetime), known.user, self.opening(), self.now());
        let event = NewEvent {
            organization,
            kind: EventKind::SignInSucceeded,
            actor: self.ctx.actor.clone(),
            subject: known.user.to_string(),
            data: self.told(&session),
        };
        let entering = Entering {
            known,
            attempt: self.attempt.id,
            assertion: self.verified.assertion.assertion_id(),
            assertion_until: self.verified.assertion.replay_until().into(),
            touch_before: self.now().minus(TOUCH_EVERY),
            session: &session,
            event,
        };
        let db = &self.services.db;
        match entries::enter(db, self.scope, usual, entering, &*self.services.random).await {
            Ok(entered) => {
                let admitted =
                    Admitted { user: known.user, session: session.id, created: false, linked: false };
                Ok(entered.then_some((token, admitted)))
            }
            Err(StoreError::Conflict(UniqueKey::UsedAssertion)) => Err(Reason::AssertionUsed.into()),
            Err(error) => Err(error.into()),
        }
    }
}
