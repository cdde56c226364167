//! What a check found.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many violations are told one by one.
const SHOWN: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything adds up.
    pub holds: bool,
    /// The log up to here.
    pub position: u64,
    /// Events looked at.
    pub events: u64,
    /// Orders looked at.
    pub orders: u64,
    /// Sagas looked at.
    pub sagas: u64,
    /// Books whose stock was looked at.
    pub stocks: u64,
    /// Orders whose saga is still under way: their money and stock are on the move and count when it ends.
    pub unsettled: u64,
    /// Sagas that wait for an operator, with the reason.
    #[schema(value_type = BTreeMap<String, String>)]
    pub waiting: BTreeMap<String, String>,
    /// Money taken by the provider less money paid back, by currency, in minor units.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub money: BTreeMap<String, i64>,
    /// How many violations there are.
    pub violated: u64,
    /// The first hundred of them.
    pub violations: Vec<Violation>,
}

/// Something that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// What should hold: `money`, `money-in-total`, `order-and-saga`, `stock`, `saga`.
    pub invariant: &'static str,
    /// Of what.
    pub subject: String,
    /// What was found.
    pub detail: String,
}

impl Report {
    pub(super) fn violate(&mut self, invariant: &'static str, subject: impl ToString, detail: String) {
        self.violated += 1;
        if self.violations.len() < SHOWN {
            self.violations.push(Violation { invariant, subject: subject.to_string(), detail });
        }
    }
}
