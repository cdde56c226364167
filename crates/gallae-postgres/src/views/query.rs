//! Pages of views.

use super::{
    cells,
    documents::stored_view,
    failure::Failure,
    filter,
    params::Params,
    reading::{Found, PLACE_COLUMNS, Select},
    tables::Tables,
};
use gallae_core::FieldValue;
use gallae_ports::{Kind, Mismatch, Order, PageCursor, Paging, ViewPage, ViewQuery};
use tokio_postgres::Row;

/// The columns of a page, behind those of the place: the total, key, document, position, and the value that orders.
const TOTAL: usize = PLACE_COLUMNS;
const VIEW: usize = TOTAL + 1;
const VALUE: usize = VIEW + 3;

pub(super) fn select(
    tables: &Tables,
    mut params: Params<'static>,
    query: &ViewQuery,
) -> Result<Select, Failure> {
    let documents = &tables.documents;
    let tests = filter::tests(tables, &query.conditions, &mut params)?;
    let once = match query.count {
        true => format!("(SELECT count(*) FROM {documents} d WHERE true{tests}), "),
        false => "NULL::bigint, ".to_owned(),
    };
    let column = query.order.map(|order| tables.column(order.field)).transpose()?;
    let value = column.map_or("NULL::bigint".to_owned(), |(column, _)| format!("d.{column}"));
    let (inner, outer) = match query.order {
        None => ("d.key".to_owned(), "page.key"),
        Some(Order { descending: false, .. }) => {
            (format!("{value} NULLS FIRST, d.key"), "page.value NULLS FIRST, page.key")
        }
        Some(Order { descending: true, .. }) => {
            (format!("{value} DESC NULLS LAST, d.key"), "page.value DESC NULLS LAST, page.key")
        }
    };
    // Numbers of our own making, and so no parameters: a plan is made for this part of the rows.
    let (limit, offset, after) = part(query)?;
    let limit = limit.saturating_add(1);
    let rows = |after: &str, order: &str| {
        format!(
            "SELECT d.key, d.document, d.changed_at, {value} AS value FROM {documents} d
             WHERE true{tests}{after} ORDER BY {order} LIMIT {limit} OFFSET {offset}"
        )
    };
    let page = match after {
        None => rows("", &inner),
        Some(after) => match behind(column, query.order, &after, &mut params)? {
            Behind::One(after) => rows(&after, &inner),
            // Each half is read along the index; both together could not be.
            Behind::Two(present, absent) => format!(
                "SELECT * FROM (({}) UNION ALL ({})) AS page ORDER BY {outer} LIMIT {limit}",
                rows(&present, &inner),
                rows(&absent, "d.key")
            ),
        },
    };
    let columns = "page.key, page.document, page.changed_at, page.value".to_owned();
    Ok(Select { once, columns, page, order: format!(" ORDER BY {outer}"), params, prepare: false })
}

/// Limit, offset, and the row that an earlier page ended with.
fn part(query: &ViewQuery) -> Result<(i64, i64, Option<PageCursor>), Mismatch> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(match &query.paging {
        Paging::Page { offset, limit } => (whole(*limit as u64), whole(*offset), None),
        Paging::After { cursor, limit } => {
            (whole(*limit as u64), 0, Some(PageCursor::decode(cursor, query.order)?))
        }
    })
}

/// The tests, each after an `AND`, of what comes behind a row.
enum Behind {
    One(String),
    /// Of the rows with a value, and of those without, which come last.
    Two(String, String),
}

fn behind(
    column: Option<(&str, Kind)>,
    order: Option<Order>,
    after: &PageCursor,
    params: &mut Params<'_>,
) -> Result<Behind, Mismatch> {
    let key = params.text(cells::key(&after.key)?.into_owned());
    let Some((column, kind)) = column else { return Ok(Behind::One(format!(" AND d.key > {key}"))) };
    let value = match (kind, &after.value) {
        (_, FieldValue::Null) => None,
        (Kind::Integer, FieldValue::Integer(number)) => Some(params.integer(*number)),
        (Kind::Text, FieldValue::Text(text)) => Some(params.text(text.clone())),
        _ => {
            return Err(Mismatch(
                "the page's cursor does not fit its order: start at the first page".to_owned(),
            ));
        }
    };
    let descending = order.is_some_and(|order| order.descending);
    Ok(match value {
        None if descending => Behind::One(format!(" AND d.{column} IS NULL AND d.key > {key}")),
        None => Behind::One(format!(" AND (d.{column} IS NOT NULL OR d.key > {key})")),
        Some(value) if descending => Behind::Two(
            format!(" AND d.{column} <= {value} AND (d.{column} < {value} OR d.key > {key})"),
            format!(" AND d.{column} IS NULL"),
        ),
        Some(value) => Behind::One(format!(" AND (d.{column}, d.key) > ({value}, {key})")),
    })
}

/// The page that was selected: one row more than asked for shows whether there is a next one.
pub(super) fn page(found: &Found, query: &ViewQuery) -> Result<ViewPage, Failure> {
    let limit = match query.paging {
        Paging::Page { limit, .. } | Paging::After { limit, .. } => limit,
    };
    let kind = query.order.map(|order| found.tables.column(order.field)).transpose()?.map(|(_, kind)| kind);
    let rows: Vec<_> = found.rows.iter().filter_map(|row| Some((stored_view(row, VIEW)?, row))).collect();
    let last = rows.get(..limit).and_then(<[_]>::last).filter(|_| rows.len() > limit);
    let next = last.map(|(view, row)| {
        // As it is stored: a long text is cut.
        PageCursor::new(query.order, value(row, kind), view.key.as_str()).encode()
    });
    let total: Option<i64> = found.rows.first().and_then(|row| row.get(TOTAL));
    let rows = rows.into_iter().take(limit).map(|(view, _)| view).collect();
    Ok(ViewPage { rows, total: total.map(i64::unsigned_abs), next })
}

fn value(row: &Row, kind: Option<Kind>) -> FieldValue {
    match kind {
        None => FieldValue::Null,
        Some(Kind::Integer) => row.get::<_, Option<i64>>(VALUE).into(),
        Some(Kind::Text) => row.get::<_, Option<&str>>(VALUE).into(),
    }
}
