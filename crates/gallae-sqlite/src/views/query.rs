//! Pages of views.

use super::{
    documents::{field_value, owned, stored_view},
    filter::{Drive, Filter},
    shape::Tables,
    trouble::Trouble,
};
use gallae_core::FieldValue;
use gallae_ports::{Order, PageCursor, Paging, ViewPage, ViewQuery};
use rusqlite::{Connection, params_from_iter, types::Value};

pub(super) fn page(connection: &Connection, tables: &Tables, query: &ViewQuery) -> Result<ViewPage, Trouble> {
    let filter = Filter::of(tables, &query.conditions)?;
    let order = query.order.map(|order| tables.column(order.field)).transpose()?;
    let drive = filter.drive(connection, &tables.documents, order)?;
    let (limit, offset, after) = part(&query.paging, query.order)?;
    let (sql, values) = select(tables, &filter, drive, query.order, after.as_ref())?;

    let mut select = connection.prepare_cached(&sql)?;
    // One row more than asked for shows whether there is a next page.
    let bounds = [Value::Integer(limit.saturating_add(1)), Value::Integer(offset)];
    let mut found = select.query(params_from_iter(values.into_iter().chain(bounds)))?;
    let mut page = ViewPage::default();
    let mut last = FieldValue::Null;
    while let Some(row) = found.next()? {
        if page.rows.len() as i64 == limit {
            let key = page.rows.last().map(|row| row.key.as_str());
            page.next = key.map(|key| PageCursor::new(query.order, last, key).encode());
            break;
        }
        last = field_value(row.get_ref(3)?)?;
        page.rows.push(stored_view(row)?);
    }
    if query.count {
        page.total = Some(filter.count(connection, &tables.documents, drive)?);
    }
    Ok(page)
}

/// Limit, offset, and the row that an earlier page ended with.
fn part(paging: &Paging, order: Option<Order>) -> Result<(i64, i64, Option<PageCursor>), Trouble> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(match paging {
        Paging::Page { offset, limit } => (whole(*limit as u64), whole(*offset), None),
        Paging::After { cursor, limit } => {
            (whole(*limit as u64), 0, Some(PageCursor::decode(cursor, order)?))
        }
    })
}

/// The statement for a page, without the values of its limit and offset, which come last.
///
/// The rows of the page are found first and fetched then: documents that are skipped or sorted out are never read.
pub(super) fn select(
    tables: &Tables,
    filter: &Filter,
    drive: Drive,
    order: Option<Order>,
    after: Option<&PageCursor>,
) -> Result<(String, Vec<Value>), Trouble> {
    let documents = &tables.documents;
    let column = order.map(|order| tables.column(order.field)).transpose()?;
    let descending = order.is_some_and(|order| order.descending);
    // Rows that are found by a filter are sorted; a plus keeps the index of the order out of it.
    let plus = if drive == Drive::Order { "" } else { "+" };
    let mut values: Vec<Value> = filter.values().cloned().collect();
    let mut tests = filter.sql(drive, column);
    if let Some(after) = after {
        let (value, key) = (owned(&after.value), Value::Text(after.key.clone()));
        match column {
            Some(column) if descending => {
                tests += &format!(" AND {plus}{column} <= ? AND (+{column} < ? OR +key > ?)");
                values.extend([value.clone(), value, key]);
            }
            Some(column) => {
                tests += &format!(" AND ({plus}{column}, key) > (?, ?)");
                values.extend([value, key]);
            }
            None => {
                tests += " AND key > ?";
                values.push(key);
            }
        }
    }
    let direction = if descending { "DESC" } else { "" };
    let (value, inner, outer) = match column {
        Some(column) => {
            (column, format!("{plus}{column} {direction}, key"), format!("page.value {direction}, page.key"))
        }
        None => ("NULL", "key".to_owned(), "page.key".to_owned()),
    };
    let sql = format!(
        "SELECT page.key, document, changed_at, page.value
         FROM (SELECT id, key, {value} AS value FROM {documents} WHERE true{tests} ORDER BY {inner} LIMIT ? OFFSET ?) AS page
         CROSS JOIN {documents} AS whole ON whole.id = page.id ORDER BY {outer}"
    );
    Ok((sql, values))
}
