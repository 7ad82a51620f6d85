//! Look-ups by userName: what an IdP asks before anything else, for each person of a sync. Those of one directory that
//! come while others of it are being answered are asked together, by one statement for the people and one for the
//! groups they are in, and each answer is as if it had been asked alone.

use super::groups::{any_group, groups_by_user};
use super::{DirectoryUser, Refusal};
use crate::model::id::{DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::fold;
use crate::service::Services;
use crate::service::together::Together;
use crate::store::directory_group_members::GroupOfUser;
use crate::store::error::StoreError;
use crate::store::{self, Db};

/// How many are asked for by one statement at most; each number has a statement of its own.
const TOGETHER: usize = 8;
/// A second statement begins for so many, while one is under way.
const SECOND_FOR: usize = TOGETHER;

/// Who is asked for.
#[derive(Debug)]
pub struct Question {
    /// The userName, folded.
    key: String,
    /// Whether their groups are wanted too.
    groups: bool,
}

/// Who was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub row: DirectoryUser,
    /// Empty if not asked for.
    pub groups: Vec<GroupOfUser>,
}

type Answer = Result<Option<Found>, StoreError>;

/// Those who wait for others of their directory to be answered.
pub type LookUps = Together<(TenantScope, DirectoryId), Question, Answer>;

const fn share(waiting: usize, under_way: usize) -> usize {
    match (under_way, waiting) {
        (1, 0..SECOND_FOR) | (2.., _) => 0,
        (_, 0..=TOGETHER) => waiting,
        _ => TOGETHER,
    }
}

/// The directory user with this userName, with their groups if they are wanted.
pub(super) async fn by_user_name(
    services: &Services,
    (scope, directory): (TenantScope, DirectoryId),
    user_name: &str,
    groups: bool,
) -> Result<Option<Found>, Refusal> {
    let groups = groups && any_group(services, scope, directory).await?;
    let question = Question { key: fold(user_name), groups };
    if services.db.is_rehearsed() {
        // Whoever rehearses is alone.
        return Ok(ask(&services.db, scope, directory, std::slice::from_ref(&question))
            .await?
            .pop()
            .flatten());
    }
    let db = services.db.clone();
    let work = move |questions| {
        let db = db.clone();
        async move { answers(&db, scope, directory, questions).await }
    };
    let answer = services.look_ups.take_part((scope, directory), question, share, work).await;
    Ok(answer.ok_or_else(|| StoreError::Unavailable("the look-up of this person broke off".to_owned()))??)
}

/// Answers questions at once; if one of them cannot be answered, one by one.
async fn answers(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    questions: Vec<Question>,
) -> Vec<Answer> {
    match ask(db, scope, directory, &questions).await {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) if questions.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
            questions.iter().map(|_| Err(error.clone())).collect()
        }
        Err(_) => {
            let mut answers = Vec::with_capacity(questions.len());
            for question in &questions {
                let found = ask(db, scope, directory, std::slice::from_ref(question)).await;
                answers.push(found.map(|mut found| found.pop().flatten()));
            }
            answers
        }
    }
}

/// One answer for each question, in their order.
async fn ask(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    questions: &[Question],
) -> Result<Vec<Option<Found>>, StoreError> {
    let keys: Vec<&str> = questions.iter().map(|question| question.key.as_str()).collect();
    let mut rows = store::directory_users::find_by_names(db, scope, directory, &keys).await?;
    let wants_groups =
        |row: &DirectoryUser| questions.iter().any(|asked| asked.groups && asked.key == row.user_name_key);
    let members: Vec<DirectoryUserId> =
        rows.iter().filter(|row| wants_groups(row)).map(|row| row.id).collect();
    let groups = groups_by_user(db, scope, &members).await?;
    let answer = |(at, question): (usize, &Question)| {
        let found = rows.iter().position(|row| row.user_name_key == question.key)?;
        let is_asked_again = questions[at + 1..].iter().any(|later| later.key == question.key);
        let row = if is_asked_again { rows[found].clone() } else { rows.swap_remove(found) };
        let groups = groups.get(&row.id).filter(|_| question.groups);
        Some(Found { groups: groups.cloned().unwrap_or_default(), row })
    };
    Ok(questions.iter().enumerate().map(answer).collect())
}
