//! What a check found.

use gallae_server::admin::InvariantCheck;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many violations of each invariant are told one by one.
const SHOWN: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    pub waiting: BTreeMap<String, String>,
    /// Money taken by the provider less money paid back, by currency, in minor units.
    pub money: BTreeMap<String, i64>,
    /// How many violations there are.
    pub violated: u64,
    /// The first hundred of each kind.
    pub violations: Vec<Violation>,
}

/// Something that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// One by one: each invariant with how much was looked at, and its violations.
    pub fn checks(&self) -> Vec<InvariantCheck> {
        let looked_at = [
            ("money", self.orders - self.unsettled),
            ("money-in-total", self.money.len() as u64),
            ("order-and-saga", self.orders),
            ("saga", self.sagas),
            ("stock", self.stocks),
        ];
        let check = |(name, checked): (&str, u64)| {
            let found = self.violations.iter().filter(|violation| violation.invariant == name);
            let violations: Vec<_> =
                found.map(|Violation { subject, detail, .. }| format!("{subject}: {detail}")).collect();
            InvariantCheck { name: name.to_owned(), ok: violations.is_empty(), checked, violations }
        };
        looked_at.into_iter().map(check).collect()
    }

    pub(super) fn violate(&mut self, invariant: &'static str, subject: impl ToString, detail: String) {
        self.violated += 1;
        let told = self.violations.iter().filter(|violation| violation.invariant == invariant).count();
        if told < SHOWN {
            self.violations.push(Violation { invariant, subject: subject.to_string(), detail });
        }
    }
}
