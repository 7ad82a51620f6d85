//! Carrying out what a request does to the members of a group: one statement for who goes, one for who comes.

use super::super::Refusal;
use crate::model::id::{DirectoryGroupId, DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::model::time::Timestamp;
use crate::protocol::scim::ScimError;
use crate::protocol::scim::membership::{Ids, Membership, Staying};
use crate::store::{self, Tx};
use std::collections::BTreeSet;

/// Who really came and went.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub added: Vec<DirectoryUserId>,
    pub removed: Vec<DirectoryUserId>,
}

impl Changed {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// By how much the group grew.
    pub fn growth(&self) -> i64 {
        let count = |list: &Vec<_>| i64::try_from(list.len()).unwrap_or(i64::MAX);
        count(&self.added) - count(&self.removed)
    }
}

/// The group whose members change; its row is locked.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub scope: TenantScope,
    pub directory: DirectoryId,
    pub group: DirectoryGroupId,
}

/// How many of those who are named are looked for before anything is done, where more are named.
const PROBE: usize = 1_000;

/// The same sentence for an id that is nobody's, for another directory's user and for what is no id at all.
fn unknown(id: &str) -> Refusal {
    let id: String = id.chars().filter(|c| !c.is_control() && *c != '"').take(80).collect();
    ScimError::invalid_value(format!(
        "There is no user with the id \"{id}\" in this directory, so that it cannot be a member. Members are named by \
         the id of a User; create the user first. Nothing was changed."
    ))
    .into()
}

/// The ids that may be somebody's.
fn parsed(ids: &Ids) -> BTreeSet<DirectoryUserId> {
    ids.iter().filter_map(|id| DirectoryUserId::from_bare(id)).collect()
}

/// The same, where each must be.
fn all_parsed(ids: &Ids) -> Result<BTreeSet<DirectoryUserId>, Refusal> {
    ids.iter().map(|id| DirectoryUserId::from_bare(id).ok_or_else(|| unknown(id))).collect()
}

/// Changes who is in the group.
///
/// # Errors
/// 400 `invalidValue` if somebody who would be added is no user of this directory.
pub(super) async fn carry_out(
    tx: &Tx,
    place: Place,
    membership: &Membership,
    now: Timestamp,
) -> Result<Changed, Refusal> {
    let Place { scope, directory, group } = place;
    let named = all_parsed(membership.named())?;
    if named.len() > PROBE {
        // Whoever names thousands that are nobody is told by the first of them, not after all were looked for.
        refuse_nobody(tx, place, named.iter().take(PROBE).copied().collect()).await?;
    }
    let adding = parsed(membership.added());
    let removed = match membership.staying() {
        Staying::AllBut(gone) if gone.is_empty() => Vec::new(),
        Staying::AllBut(gone) => {
            store::directory_group_members::remove(tx, scope, group, &parsed(gone)).await?
        }
        Staying::Only(ids) => {
            let mut staying = parsed(ids);
            staying.extend(&adding);
            store::directory_group_members::keep_only(tx, scope, group, &staying).await?
        }
    };
    let mut added = Vec::new();
    if !adding.is_empty() {
        added = store::directory_group_members::add(tx, scope, directory, group, &adding, now).await?;
    }
    // Whoever was really added is somebody. The rest was in the group already, or is nobody.
    if added.len() < named.len() {
        let mut doubtful = named;
        for user in &added {
            doubtful.remove(user);
        }
        refuse_nobody(tx, place, doubtful).await?;
    }
    Ok(Changed { added, removed })
}

/// Refuses unless each is a user of the directory.
async fn refuse_nobody(tx: &Tx, place: Place, people: BTreeSet<DirectoryUserId>) -> Result<(), Refusal> {
    let Place { scope, directory, .. } = place;
    let known = store::directory_group_members::known(tx, scope, directory, &people).await?;
    match people.difference(&known).next() {
        Some(nobody) => Err(unknown(&nobody.uuid().to_string())),
        None => Ok(()),
    }
}
