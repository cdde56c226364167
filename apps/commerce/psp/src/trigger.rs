//! Faults on demand, by the ids of the products that are paid for.

use crate::Metadata;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Fail,
    Timeout,
    Unknown,
    Flaky,
}

/// How often a flaky operation fails before it works.
pub(crate) const FLAKY_FAILURES: u8 = 2;

/// In order of precedence.
const TRIGGERS: [(&str, Trigger); 4] = [
    ("PAYMENT_FAIL", Trigger::Fail),
    ("PAYMENT_TIMEOUT", Trigger::Timeout),
    ("PAYMENT_UNKNOWN", Trigger::Unknown),
    ("PAYMENT_FLAKY", Trigger::Flaky),
];

pub(crate) fn of(metadata: &Metadata) -> Option<Trigger> {
    let asked = |prefix| metadata.product_ids.iter().any(|id| id.starts_with(prefix));
    TRIGGERS.iter().find(|(prefix, _)| asked(*prefix)).map(|(_, trigger)| *trigger)
}
