//! Conditions as SQL.

use super::{cells, params::Params, tables::Tables};
use gallae_core::FieldValue;
use gallae_ports::{Comparison, Condition, Kind, Mismatch};
use tokio_postgres::types::Type;

/// The tests of rows `d`, each after an `AND`.
pub(super) fn tests(
    tables: &Tables,
    conditions: &[Condition],
    params: &mut Params<'_>,
) -> Result<String, Mismatch> {
    conditions.iter().map(|condition| Ok(format!(" AND {}", test(tables, condition, params)?))).collect()
}

fn test(tables: &Tables, condition: &Condition, params: &mut Params<'_>) -> Result<String, Mismatch> {
    let (column, kind) = tables.column(condition.field)?;
    if condition.comparison == Comparison::In {
        return Ok(one_of(column, kind, &condition.values, params));
    }
    let [value] = &*condition.values else {
        let (field, values) = (condition.field, condition.values.len());
        return Err(Mismatch(format!("the condition on {field:?} takes one value, and has {values}")));
    };
    Ok(match condition.comparison {
        Comparison::In | Comparison::Equal => one_of(column, kind, std::slice::from_ref(value), params),
        Comparison::AtLeast => match bound(kind, value, params) {
            Bound::Value(value) => format!("d.{column} >= {value}"),
            Bound::BelowAll => format!("d.{column} IS NOT NULL"),
            Bound::AboveAll => "false".to_owned(),
        },
        Comparison::Below => match bound(kind, value, params) {
            Bound::Value(value) => format!("d.{column} < {value}"),
            Bound::AboveAll => format!("d.{column} IS NOT NULL"),
            Bound::BelowAll => "false".to_owned(),
        },
    })
}

/// A value that a column is compared with, as [`FieldValue`] orders it: nothing before numbers before text.
enum Bound {
    Value(String),
    BelowAll,
    AboveAll,
}

fn bound(kind: Kind, value: &FieldValue, params: &mut Params<'_>) -> Bound {
    match (kind, value) {
        (_, FieldValue::Null) | (Kind::Text, FieldValue::Integer(_)) => Bound::BelowAll,
        (Kind::Integer, FieldValue::Text(_)) => Bound::AboveAll,
        (Kind::Integer, FieldValue::Integer(number)) => Bound::Value(params.integer(*number)),
        (Kind::Text, FieldValue::Text(text)) => Bound::Value(params.text(cells::field(text).into_owned())),
    }
}

/// A value of the other kind equals none that the column holds.
fn one_of(column: &str, kind: Kind, values: &[FieldValue], params: &mut Params<'_>) -> String {
    let (mut numbers, mut texts, mut null) = (Vec::new(), Vec::new(), false);
    for value in values {
        match value {
            FieldValue::Null => null = true,
            FieldValue::Integer(number) => numbers.push(*number),
            FieldValue::Text(text) => texts.push(cells::field(text).into_owned()),
        }
    }
    let equal = match kind {
        Kind::Integer => match &*numbers {
            [] => None,
            [number] => Some(format!("d.{column} = {}", params.integer(*number))),
            _ => Some(format!("d.{column} = ANY ({})", params.add(numbers, Type::INT8_ARRAY))),
        },
        Kind::Text if texts.len() == 1 => Some(format!("d.{column} = {}", params.text(texts.remove(0)))),
        Kind::Text if texts.is_empty() => None,
        Kind::Text => Some(format!("d.{column} = ANY ({})", params.add(texts, Type::TEXT_ARRAY))),
    };
    match (equal, null) {
        (None, false) => "false".to_owned(),
        (None, true) => format!("d.{column} IS NULL"),
        (Some(equal), false) => equal,
        (Some(equal), true) => format!("({equal} OR d.{column} IS NULL)"),
    }
}
