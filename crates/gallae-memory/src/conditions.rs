//! Conditions on declared fields.

use gallae_core::{Field, FieldValue};
use gallae_ports::{Comparison, Condition, StoreFault};

/// Conditions whose fields were found.
pub(crate) struct Filter<'a>(Vec<(usize, &'a Condition)>);

impl<'a> Filter<'a> {
    pub(crate) fn new(conditions: &'a [Condition], fields: &[Field]) -> Result<Self, StoreFault> {
        let found = conditions.iter().map(|condition| Ok((index_of(condition.field, fields)?, condition)));
        Ok(Self(found.collect::<Result<_, StoreFault>>()?))
    }

    pub(crate) fn accepts(&self, values: &[FieldValue]) -> bool {
        self.0
            .iter()
            .all(|(index, condition)| values.get(*index).is_some_and(|value| holds(condition, value)))
    }
}

/// Where a declared field stands.
pub(crate) fn index_of(name: &str, fields: &[Field]) -> Result<usize, StoreFault> {
    fields.iter().position(|field| field.name == name).ok_or_else(|| {
        StoreFault::new("reading a projection").because(format!("it declares no field called {name}"))
    })
}

fn holds(condition: &Condition, value: &FieldValue) -> bool {
    let present = *value != FieldValue::Null;
    let mut wanted = condition.values.iter();
    match condition.comparison {
        Comparison::Equal | Comparison::In => wanted.any(|wanted| value == wanted),
        Comparison::AtLeast => present && wanted.all(|wanted| value >= wanted),
        Comparison::Below => present && wanted.all(|wanted| value < wanted),
    }
}
