//! What the ledger adds up to, in memory: payments, keys and totals, a few dozen bytes for each.
//!
//! Texts stay in the file. Keys and orders are known by 128 bits of their hash, and a recorded answer is read back from
//! its line when it is asked for again, which is rare.

use crate::ledger::Place;
use crate::request::half;
use crate::{Currency, DeclineCode, Entry, Key, Money, Operation, PaymentRef};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Sums of money in one currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Payments ever authorised.
    pub payments: u64,
    /// Reserved, and neither captured nor voided yet.
    pub authorized_open: i128,
    /// Taken, refunds not subtracted.
    pub captured: i128,
    /// Given back.
    pub refunded: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Authorized,
    Captured,
    Voided,
}

/// A payment: what may still be done with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    order: Digest,
    authorized: Money,
    captured: i64,
    refunded: i64,
    standing: Standing,
    /// The payment of the same order before this one.
    previous: Option<usize>,
}

impl Payment {
    pub(crate) fn authorized(&self) -> Money {
        self.authorized
    }

    pub(crate) fn is_for(&self, order: &str) -> bool {
        self.order == Digest::of(order)
    }

    pub(crate) fn capture(&mut self, money: Money) -> Result<(), DeclineCode> {
        self.same_currency(money)?;
        match self.standing {
            Standing::Voided => return Err(DeclineCode::AlreadyVoided),
            Standing::Captured => return Err(DeclineCode::AlreadyCaptured),
            Standing::Authorized if money.amount > self.authorized.amount => {
                return Err(DeclineCode::ExceedsAuthorized);
            }
            Standing::Authorized => {}
        }
        self.captured = money.amount;
        self.standing = Standing::Captured;
        Ok(())
    }

    pub(crate) fn void(&mut self) -> Result<(), DeclineCode> {
        match self.standing {
            Standing::Voided => return Err(DeclineCode::AlreadyVoided),
            Standing::Captured => return Err(DeclineCode::AlreadyCaptured),
            Standing::Authorized => self.standing = Standing::Voided,
        }
        Ok(())
    }

    pub(crate) fn refund(&mut self, money: Money) -> Result<(), DeclineCode> {
        self.same_currency(money)?;
        if self.standing != Standing::Captured {
            return Err(DeclineCode::NotCaptured);
        }
        if money.amount > self.captured - self.refunded {
            return Err(DeclineCode::ExceedsRefundable);
        }
        self.refunded += money.amount;
        Ok(())
    }

    fn same_currency(&self, money: Money) -> Result<(), DeclineCode> {
        match money.currency == self.authorized.currency {
            true => Ok(()),
            false => Err(DeclineCode::WrongCurrency),
        }
    }

    fn open(&self) -> i64 {
        if self.standing == Standing::Authorized { self.authorized.amount } else { 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Digest([u8; 16]);

impl Digest {
    fn of(text: &str) -> Self {
        Self(half(blake3::hash(text.as_bytes())))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// The line that answers for a key: its own, or the void that closed it before it was seen.
    keys: HashMap<Digest, Place>,
    payments: Vec<Payment>,
    latest_of_order: HashMap<Digest, usize>,
    totals: BTreeMap<Currency, Totals>,
}

impl Accounts {
    pub(crate) fn line_of(&self, key: &Key) -> Option<Place> {
        self.keys.get(&Digest::of(key.as_str())).copied()
    }

    pub(crate) fn payment(&self, payment: PaymentRef) -> Option<Payment> {
        self.payments.get(payment.0.checked_sub(1)?).copied()
    }

    pub(crate) fn next_payment(&self) -> PaymentRef {
        PaymentRef(self.payments.len() + 1)
    }

    pub(crate) fn totals(&self) -> &BTreeMap<Currency, Totals> {
        &self.totals
    }

    /// Summed up from the payments of the order.
    pub(crate) fn totals_of(&self, order: &str) -> BTreeMap<Currency, Totals> {
        let mut totals: BTreeMap<Currency, Totals> = BTreeMap::new();
        let mut next = self.latest_of_order.get(&Digest::of(order)).copied();
        while let Some(payment) = next.and_then(|index| self.payments.get(index)) {
            let sums = totals.entry(payment.authorized.currency).or_default();
            sums.payments += 1;
            sums.authorized_open += i128::from(payment.open());
            sums.captured += i128::from(payment.captured);
            sums.refunded += i128::from(payment.refunded);
            next = payment.previous;
        }
        totals
    }

    /// Takes an entry in. Entries that were decided on these accounts always fit; a line of a file may not.
    pub(crate) fn apply(&mut self, entry: &Entry, place: Place) -> Result<(), String> {
        if entry.decline.is_none() {
            match (entry.operation, entry.payment, entry.money) {
                (Operation::Authorize, Some(payment), Some(money)) => self.open(entry, payment, money)?,
                (Operation::Void, None, None) => self.close_key(entry, place)?,
                (Operation::Authorize, ..) | (_, None, _) | (_, _, None) => {
                    return Err("an executed operation lacks its payment or its amount".to_owned());
                }
                (operation, Some(payment), Some(money)) => self.change(operation, payment, money)?,
            }
        }
        self.keys.insert(Digest::of(entry.key.as_str()), place);
        Ok(())
    }

    fn open(&mut self, entry: &Entry, payment: PaymentRef, money: Money) -> Result<(), String> {
        if payment != self.next_payment() {
            return Err(format!("{payment} is out of sequence"));
        }
        let order = Digest::of(&entry.order);
        let previous = self.latest_of_order.insert(order, self.payments.len());
        self.payments.push(Payment {
            order,
            authorized: money,
            captured: 0,
            refunded: 0,
            standing: Standing::Authorized,
            previous,
        });
        let totals = self.totals.entry(money.currency).or_default();
        totals.payments += 1;
        totals.authorized_open += i128::from(money.amount);
        Ok(())
    }

    fn change(&mut self, operation: Operation, payment: PaymentRef, money: Money) -> Result<(), String> {
        let found = payment.0.checked_sub(1).and_then(|index| self.payments.get_mut(index));
        let account = found.ok_or_else(|| format!("{payment} is not in the ledger"))?;
        let totals = self.totals.entry(account.authorized.currency).or_default();
        let open = account.open();
        let changed = match operation {
            Operation::Capture => account.capture(money),
            Operation::Refund => account.refund(money),
            Operation::Void | Operation::Authorize => account.void(),
        };
        changed.map_err(|code| format!("{payment}: {}", code.reason()))?;
        totals.authorized_open -= i128::from(open - account.open());
        match operation {
            Operation::Capture => totals.captured += i128::from(money.amount),
            Operation::Refund => totals.refunded += i128::from(money.amount),
            Operation::Void | Operation::Authorize => {}
        }
        Ok(())
    }

    /// A void that found nothing to release answers for the key of the authorisation from now on.
    fn close_key(&mut self, entry: &Entry, place: Place) -> Result<(), String> {
        let key = entry.authorization.as_ref().ok_or("a void lacks the key of its authorisation")?;
        self.keys.entry(Digest::of(key.as_str())).or_insert(place);
        Ok(())
    }
}
