//! The end of a step-up (rule 10a): the person of a session shows to be there, by a sign-in at the IdP that was asked not to
//! take its own session for it. The session stays the one it is and remembers when that was.

use super::{Entry, Outcome, Reason, Stop, Trace};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use crate::store;
use serde_json::json;

impl Entry<'_> {
    /// When the person signed in at the IdP, if that was after we asked, as far as clocks can tell; never in the future.
    pub(super) fn fresh_at(&self) -> Option<Timestamp> {
        let at = Timestamp::from(self.verified.assertion.authn_instant());
        let asked = self.attempt.created_at.minus(self.services.settings.clock_skew);
        (at >= asked).then(|| at.min(self.now()))
    }

    /// Notes it with the session that the attempt was begun in.
    pub(super) async fn step_up(&self, trace: &mut Trace) -> Result<Outcome, Stop> {
        let now = self.now();
        let Some(at) = self.fresh_at() else {
            let found = Timestamp::from(self.verified.assertion.authn_instant());
            return Err(Reason::StepUpStale { asked: self.attempt.created_at, found }.into());
        };
        let tx = self.services.db.begin().await?;
        if !store::sign_in_attempts::consume(&tx, self.scope, self.attempt.id, now).await? {
            return Err(Reason::AttemptUsed.into());
        }
        self.use_up_assertion(&tx).await?;
        let person = self.known_person(&tx).await?;
        let session = match self.attempt.session_id {
            Some(id) => store::sessions::find(&tx, self.scope, id, now).await?,
            None => None,
        };
        let session = session.ok_or(Reason::StepUpSessionOver)?;
        let Some(member) = person.filter(|member| member.user_id == session.user_id) else {
            return Err(Reason::StepUpOtherPerson.into());
        };
        store::sessions::step_up(&tx, self.scope, session.id, at).await?;
        let data = json!({ "user": member.user_id, "connection": self.connection.id, "at": at });
        self.record(&tx, EventKind::SessionSteppedUp, session.id, data).await?;
        tx.commit().await?;
        trace.admitted = Some(super::Admitted {
            user: member.user_id,
            session: session.id,
            created: false,
            linked: false,
        });
        Ok(Outcome::SteppedUp { return_to: self.attempt.return_to.clone() })
    }
}
