//! What became of every line, counted.

use super::{
    super::{Count, RejectedLine},
    customers::Known,
    refunds::{Asked, Request},
    sales::Placed,
    settled::Refusal,
};
use commerce_import::{
    Rejected, Tally,
    retail::{CURRENCY, Cancellation, Customer, Reason, Sale},
};
use gallae_core::saga::SagaStatus;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What an import of orders did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrdersReport {
    /// Lines of the file, without the header.
    pub lines_in: u64,
    /// Lines that became items of orders.
    pub ordered: u64,
    /// Lines that were paid back.
    pub refunded: u64,
    /// Lines that changed stock.
    pub adjusted: u64,
    /// Whether every line went to exactly one place.
    pub adds_up: bool,
    /// Users.
    pub customers: Count,
    /// Items of the catalogue.
    pub products: Count,
    /// Orders.
    pub orders: Count,
    /// Refunds; a cancellation may take back from several orders.
    pub refunds: Count,
    /// Corrections of stock.
    pub adjustments: Count,
    /// Checkouts by how they stand.
    pub checkouts: BTreeMap<String, u64>,
    /// Refund sagas that ended well.
    pub refund_sagas: BTreeMap<String, u64>,
    /// Money, in pence.
    pub amounts: Amounts,
    /// Lines that were not used, by line.
    pub rejected: Vec<RejectedLine>,
}

/// Money, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// Of what.
    pub currency: String,
    /// What all orders cost.
    pub ordered: i64,
    /// What orders cost whose checkout turned back.
    pub cancelled: i64,
    /// What was paid back.
    pub refunded: i64,
}

/// Takes down what became of each line.
pub(super) struct Ledger {
    report: OrdersReport,
}

impl Ledger {
    pub(super) fn new(lines_in: u64, rejected: Vec<Rejected<Reason>>) -> Self {
        let rejected = rejected.into_iter().map(|one| RejectedLine {
            line: one.line,
            code: one.reason.code().to_owned(),
            reason: one.reason.to_string(),
        });
        let report = OrdersReport {
            lines_in,
            ordered: 0,
            refunded: 0,
            adjusted: 0,
            adds_up: false,
            customers: Count::default(),
            products: Count::default(),
            orders: Count::default(),
            refunds: Count::default(),
            adjustments: Count::default(),
            checkouts: BTreeMap::new(),
            refund_sagas: BTreeMap::new(),
            amounts: Amounts { currency: CURRENCY.to_owned(), ..Amounts::default() },
            rejected: rejected.collect(),
        };
        Self { report }
    }

    pub(super) fn customers(
        &mut self,
        brought: impl Iterator<Item = (Customer, Known)>,
    ) -> HashMap<Customer, Known> {
        let count = &mut self.report.customers;
        brought.inspect(|(_, known)| count.add(known.new)).collect()
    }

    pub(super) fn products(&mut self, new: Vec<bool>) {
        new.into_iter().for_each(|new| self.report.products.add(new));
    }

    pub(super) fn sales<'a>(&mut self, placed: impl Iterator<Item = (&'a Sale, Result<Placed, Refusal>)>) {
        for (sale, outcome) in placed {
            match outcome {
                Ok(Placed { new, checkout }) => {
                    self.report.orders.add(new);
                    self.report.ordered += sale.lines.len() as u64;
                    self.report.amounts.ordered += sale.total();
                    if matches!(checkout, SagaStatus::Rejected | SagaStatus::Compensated) {
                        self.report.amounts.cancelled += sale.total();
                    }
                    *self.report.checkouts.entry(checkout.to_string()).or_default() += 1;
                }
                Err(refusal) => sale.lines.iter().for_each(|line| self.reject(line.line, &refusal)),
            }
        }
    }

    /// A line is refunded when every request that it needs was paid; otherwise the first refusal is its reason.
    pub(super) fn refunds<'a>(
        &mut self,
        cancellations: &[&Cancellation],
        asked: impl Iterator<Item = (&'a Request, Result<Asked, Refusal>)>,
    ) {
        let mut refusals: HashMap<u64, Refusal> = HashMap::new();
        for (request, outcome) in asked {
            match outcome {
                Ok(Asked { new, saga }) => {
                    self.report.refunds.add(new);
                    self.report.amounts.refunded += request.amount;
                    *self.report.refund_sagas.entry(saga.to_string()).or_default() += 1;
                }
                Err(refusal) => {
                    for line in &request.lines {
                        refusals.entry(*line).or_insert_with(|| refusal.clone());
                    }
                }
            }
        }
        for line in cancellations.iter().flat_map(|cancellation| &cancellation.lines) {
            match refusals.get(&line.line) {
                None => self.report.refunded += 1,
                Some(refusal) => self.reject(line.line, refusal),
            }
        }
    }

    pub(super) fn adjustments(&mut self, adjusted: impl Iterator<Item = (u64, Result<bool, Refusal>)>) {
        for (line, outcome) in adjusted {
            match outcome {
                Ok(new) => {
                    self.report.adjustments.add(new);
                    self.report.adjusted += 1;
                }
                Err(refusal) => self.reject(line, &refusal),
            }
        }
    }

    pub(super) fn close(self) -> OrdersReport {
        let mut report = self.report;
        report.rejected.sort_by_key(|rejected| rejected.line);
        let tally = Tally {
            lines_in: report.lines_in,
            ordered: report.ordered,
            refunded: report.refunded,
            adjusted: report.adjusted,
            rejected: report.rejected.len() as u64,
        };
        OrdersReport { adds_up: tally.adds_up(), ..report }
    }

    fn reject(&mut self, line: u64, Refusal { code, reason }: &Refusal) {
        self.report.rejected.push(RejectedLine { line, code: code.clone(), reason: reason.clone() });
    }
}
