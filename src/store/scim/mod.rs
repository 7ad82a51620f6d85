//! Lists of SCIM resources, for every table that keeps some: filters and orders as SQL, pages by keyset, counts.
//!
//! A table says by [`Stored`] where its attributes are kept. Columns are used where there are some, the JSON of the row
//! otherwise; both databases give what the filter in memory gives, or say that they cannot ([`Cond`]).

mod compile;
mod groups;
mod json;
mod order;
mod sql;
mod text;
pub mod totals;
mod users;

pub use compile::Cond;
pub use groups::Groups;
pub use order::{Key, Mark, Order};
pub use sql::Sql;
pub use users::Users;

use super::error::StoreError;
use super::{Conn, Db};
use crate::model::id::DirectoryId;
use crate::model::tenant::TenantScope;
use crate::protocol::scim::filter::{Filter, Operator, Sort};
use compile::Compiler;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, Iterable};
use uuid::Uuid;

/// Where an attribute is kept. Columns belong to the alias `r`.
#[derive(Debug, Clone)]
pub enum Field {
    /// A UUID, never NULL.
    Id(&'static str),
    /// The text as it was sent.
    Text(&'static str),
    /// The folded text; compared byte by byte, as its index is.
    Folded(&'static str),
    /// A time.
    Time(&'static str),
    /// The version that the entity tag is made of.
    Version(&'static str),
    /// The id that ends the URL of the resource.
    Location(&'static str),
    /// A boolean column that counts only where the JSON has the key.
    Flag { column: &'static str, key: &'static str },
    /// A value known beforehand.
    Fixed(&'static str),
    /// This URN, and those of the extensions that the row has something of.
    Schemas(&'static str),
    /// Rows of another table: what follows FROM, with its condition, the column that orders them, and where the
    /// sub-attributes are.
    Rows { from: &'static str, order: &'static str, each: fn(&str) -> Field },
    /// Nothing, whatever is there.
    Nothing,
    /// Nowhere that SQL could see.
    Judged,
    /// In the JSON of the row, in normal form.
    Json,
}

/// A table of SCIM resources with the columns `id`, `organization_id`, `directory_id` and `attributes`.
pub trait Stored: 'static {
    /// The table as sea-orm knows it.
    #[doc(hidden)]
    type Entity: EntityTrait<Model = Self::Row>;
    /// A row.
    type Row: FromQueryResult + Send + Sync;
    /// Its name.
    const TABLE: &'static str;

    /// Where an attribute is kept, by the URN of its extension, its name and its sub-attribute.
    fn field(extension: Option<&str>, name: &str, sub: Option<&str>) -> Field;

    /// A condition that follows from the filter and that an index serves, where the filter by itself shows none.
    fn found_by(directory: DirectoryId, filter: &Filter) -> Option<Sql>;

    /// Whether the filter finds so few that they are best fetched first and ordered then.
    fn finds_few(filter: &Filter) -> bool;

    /// The column of the address, by which a domain's people are told from others; `None` where there is none.
    const ADDRESS: Option<&'static str>;

    /// The id of a row.
    fn id(row: &Self::Row) -> Uuid;
}

/// What the compiled SQL depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    backend: DbBackend,
    /// Whether PostgreSQL can fold beyond ASCII whatever its locale is.
    icu: bool,
}

/// What filters may ask of that no row says.
#[derive(Debug, Clone, Copy)]
pub struct Served<'s> {
    /// Where the resources are read, with a slash at the end.
    pub location: &'s str,
    /// The URNs of the extensions that a resource may have.
    pub extensions: &'s [&'s str],
    /// The one domain whose people are listed.
    pub domain: Option<&'s str>,
    /// Core attributes that are not there for the caller.
    pub hidden: &'s [&'s str],
}

/// A list, compiled: what is looked for and in which order.
#[derive(Debug, Clone)]
pub struct List {
    scope: TenantScope,
    directory: DirectoryId,
    cond: Option<Cond>,
    few: bool,
    ranged: bool,
    order: Order,
}

impl List {
    /// Compiles a list.
    pub async fn compile<S: Stored>(
        db: &Db,
        scope: TenantScope,
        directory: DirectoryId,
        filter: Option<&Filter>,
        sort: Option<&Sort>,
        served: Served<'_>,
    ) -> Result<Self, StoreError> {
        let facts = Facts { backend: db.backend(), icu: sort.is_some() && db.has_icu().await? };
        let compiler = Compiler::<S>::new(facts.backend, directory, served);
        Ok(Self {
            scope,
            directory,
            cond: compiler.everything(filter),
            few: filter.is_some_and(S::finds_few),
            ranged: filter.is_some_and(has_range),
            order: sort.map_or_else(Order::of_making, |sort| Order::compile(&compiler, facts, sort)),
        })
    }

    /// Whether everything is listed.
    pub fn is_whole(&self) -> bool {
        self.cond.is_none()
    }

    /// Whether what the database finds needs no further look.
    pub fn is_exact(&self) -> bool {
        self.cond.as_ref().is_none_or(Cond::is_exact)
    }

    fn tenant(&self) -> Sql {
        Sql::of(
            "r.organization_id = ? AND r.directory_id = ?",
            [&Sql::value(self.scope.organization()), &Sql::value(self.directory)],
        )
    }

    fn matching(&self) -> Sql {
        match &self.cond {
            Some(cond) => Sql::of("? AND ?", [&self.tenant(), cond.maybe()]),
            None => self.tenant(),
        }
    }

    /// How many surely match.
    pub async fn count_sure<S: Stored>(&self, conn: &impl Conn) -> Result<u64, StoreError> {
        let mut sql = Sql::raw(format!("SELECT count(*) AS number FROM {} AS r WHERE ", S::TABLE));
        sql.push(&self.tenant());
        if let Some(cond) = &self.cond {
            sql.push(&Sql::of(" AND ?", [cond.sure()]));
        }
        number(conn, sql).await
    }

    /// Rows that may match, from the mark on (or before it, nearest first, if `backward`), after skipping some.
    pub async fn rows<S: Stored>(
        &self,
        conn: &impl Conn,
        from: Option<&Mark>,
        backward: bool,
        mut skip: u64,
        limit: u64,
    ) -> Result<Vec<(S::Row, Mark)>, StoreError> {
        let columns: Vec<String> = <S::Entity as EntityTrait>::Column::iter()
            .map(|column| format!("r.{}", column.as_str()))
            .collect();
        let mut sql = Sql::raw(format!("SELECT {}", columns.join(", ")));
        sql.push(&self.order.selected());
        sql.push_text(&format!(" FROM {} AS r WHERE ", S::TABLE));
        if self.order.is_of_ids() && !self.few {
            let first = if from.is_none() && skip > 0 && self.cond.is_none() && !backward {
                // Far into an unfiltered list: the index alone finds the first row of the page.
                let place = [Sql::value(self.directory), page(std::mem::take(&mut skip), 1)];
                let find =
                    format!("(SELECT s.id FROM {} AS s WHERE s.directory_id = ? ORDER BY s.id?)", S::TABLE);
                Some((Sql::of(&find, &place), true))
            } else {
                from.map(|mark| (Sql::value(mark.id), false))
            };
            sql.push(&self.along_the_ids(conn.inner().get_database_backend(), first, backward));
        } else {
            sql.push(&self.matching());
            // Few are fetched as their index finds them; an order by id alone would invite a walk through all.
            let few = if self.few { "MATERIALIZED " } else { "" };
            sql = Sql::of(&format!("WITH found AS {few}(?) SELECT * FROM found"), [&sql]);
            if let Some(mark) = from {
                sql.push(&Sql::of(" WHERE ?", [&self.order.beyond(mark, backward)]));
            }
            sql.push_text(&self.order.by(backward));
        }
        sql.push(&page(skip, limit));
        self.fetch::<S>(conn, sql).await
    }

    /// The condition and the order of a walk along the ids of the directory, from an id on (that one included, if it
    /// says so).
    ///
    /// PostgreSQL must not think of the primary key, which would lead through all other directories as well, and may do
    /// so by a plan that it keeps: as a range over both columns there is only the index that has both.
    fn along_the_ids(&self, backend: DbBackend, from: Option<(Sql, bool)>, backward: bool) -> Sql {
        let directory = Sql::value(self.directory);
        let ascending = !self.order.is_descending() ^ backward;
        let (beyond, until, direction) = if ascending { (">", "<=", "ASC") } else { ("<", ">=", "DESC") };
        let mut sql = Sql::of("r.organization_id = ? AND ", [&Sql::value(self.scope.organization())]);
        let both = backend == DbBackend::Postgres && !self.ranged;
        let (place, by) = match (from, both) {
            (None, true) => (
                Sql::of("r.directory_id >= ? AND r.directory_id <= ?", [&directory, &directory]),
                format!("r.directory_id {direction}, r.id {direction}"),
            ),
            (Some((id, included)), true) => {
                let equal = if included { "=" } else { "" };
                let place =
                    format!("(r.directory_id, r.id) {beyond}{equal} (?, ?) AND r.directory_id {until} ?");
                (
                    Sql::of(&place, [&directory, &id, &directory]),
                    format!("r.directory_id {direction}, r.id {direction}"),
                )
            }
            (None, false) => (Sql::of("r.directory_id = ?", [&directory]), format!("r.id {direction}")),
            (Some((id, included)), false) => {
                let equal = if included { "=" } else { "" };
                (
                    Sql::of(&format!("r.directory_id = ? AND r.id {beyond}{equal} ?"), [&directory, &id]),
                    format!("r.id {direction}"),
                )
            }
        };
        sql.push(&place);
        if let Some(cond) = &self.cond {
            sql.push(&Sql::of(" AND ?", [cond.maybe()]));
        }
        sql.push_text(&format!(" ORDER BY {by}"));
        sql
    }

    async fn fetch<S: Stored>(&self, conn: &impl Conn, sql: Sql) -> Result<Vec<(S::Row, Mark)>, StoreError> {
        let conn = conn.inner();
        let rows = conn.query_all_raw(sql.statement(conn.get_database_backend())).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let model = S::Row::from_query_result(&row, "")?;
            let mark = self.order.mark(&row, S::id(&model))?;
            found.push((model, mark));
        }
        Ok(found)
    }
}

/// Whether an index may find a range of what the filter asks for: `userName sw "j"`, by itself or in a conjunction.
fn has_range(filter: &Filter) -> bool {
    match filter {
        Filter::And(terms) => terms.iter().any(has_range),
        Filter::Compare { attribute, operator: Operator::StartsWith, .. } => {
            attribute.extension.is_none() && matches!(attribute.name.as_str(), "userName" | "displayName")
        }
        _ => false,
    }
}

fn page(skip: u64, limit: u64) -> Sql {
    let number = |number: u64| Sql::value(i64::try_from(number).unwrap_or(i64::MAX));
    if skip == 0 {
        return Sql::of(" LIMIT ?", [&number(limit)]);
    }
    Sql::of(" LIMIT ? OFFSET ?", [&number(limit), &number(skip)])
}

async fn number(conn: &impl Conn, sql: Sql) -> Result<u64, StoreError> {
    let conn = conn.inner();
    let row = conn.query_one_raw(sql.statement(conn.get_database_backend())).await?;
    let number = row.map(|row| row.try_get::<i64>("", "number")).transpose()?;
    Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
}
