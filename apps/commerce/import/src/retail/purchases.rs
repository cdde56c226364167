//! What each customer bought, paid and may still give back.

use super::Reason;
use std::collections::HashMap;

/// A part of a refund: so many units of one line of one earlier sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPart {
    /// The sale that is refunded.
    pub invoice: String,
    /// Which of its lines, by number in the file.
    pub line: u64,
    /// Units that come back.
    pub quantity: u32,
    /// What was paid for a unit, in pence; this is returned, whatever the cancellation says.
    pub unit_price: i64,
}

#[derive(Debug, Default)]
pub(super) struct Purchases<'a> {
    by_customer_and_code: HashMap<(u32, &'a str), Vec<Purchase<'a>>>,
}

#[derive(Debug)]
pub(super) struct Purchase<'a> {
    pub(super) invoice: &'a str,
    pub(super) line: u64,
    pub(super) left: u32,
    pub(super) unit_price: i64,
    pub(super) paid: bool,
}

impl<'a> Purchases<'a> {
    /// Purchases are recorded, and matched, in the order of time.
    pub(super) fn record(&mut self, customer: u32, code: &'a str, purchase: Purchase<'a>) {
        self.by_customer_and_code.entry((customer, code)).or_default().push(purchase);
    }

    /// Takes `wanted` units out of earlier purchases: those at the price of the cancellation first, then the oldest.
    /// All of it or nothing: a line is refunded or rejected, never half.
    pub(super) fn take(
        &mut self,
        customer: u32,
        code: &'a str,
        wanted: u32,
        price: i64,
    ) -> Result<Vec<RefundPart>, Reason> {
        let purchases = self.by_customer_and_code.get_mut(&(customer, code)).ok_or(Reason::NeverBought)?;
        if purchases.iter().all(|purchase| !purchase.paid) {
            return Err(Reason::PurchaseDeclined);
        }
        let left: u64 = purchases.iter().filter(|p| p.paid).map(|p| u64::from(p.left)).sum();
        if left < u64::from(wanted) {
            return Err(Reason::NotEnoughLeft { wanted: wanted.into(), left });
        }
        let mut candidates: Vec<&mut Purchase<'_>> =
            purchases.iter_mut().filter(|p| p.paid && p.left > 0).collect();
        candidates.sort_by_key(|purchase| purchase.unit_price != price);
        let mut missing = wanted;
        let mut parts = Vec::new();
        for purchase in candidates {
            if missing == 0 {
                break;
            }
            let quantity = missing.min(purchase.left);
            purchase.left -= quantity;
            missing -= quantity;
            parts.push(RefundPart {
                invoice: purchase.invoice.to_owned(),
                line: purchase.line,
                quantity,
                unit_price: purchase.unit_price,
            });
        }
        Ok(parts)
    }
}
