//! The provider: one request at a time, decided, written down, answered.

use crate::accounts::{Accounts, Totals};
use crate::answer::{Answer, Decline, DeclineCode, Operation, Outcome};
use crate::ledger::{Entries, Entry, Ledger, LedgerError, TornLine};
use crate::money::{Currency, MAX_AMOUNT, Money};
use crate::request::{Authorize, Capture, Key, PaymentRef, Refund, Request, Void};
use crate::trigger::{self, FLAKY_FAILURES, Trigger};
use commerce_import::payment;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How a provider behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderOptions {
    /// How long an answer is kept under its key. Keys closed by a void stay closed for ever. Default: 24 hours.
    pub key_retention: Duration,
    /// How late `PAYMENT_TIMEOUT` answers; more than any caller waits. Default: 30 seconds.
    pub late_answer_after: Duration,
    /// Whether product ids may ask for faults; off, they are product ids like any other. Default: on.
    pub honour_triggers: bool,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self {
            key_retention: Duration::from_hours(24),
            late_answer_after: Duration::from_secs(30),
            honour_triggers: true,
        }
    }
}

/// The provider could not take the request. In every case nothing was executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The key was used for another request. Nothing was executed now; this is a bug of the caller.
    #[error("the key `{key}` was used for another request")]
    KeyReused {
        /// The key.
        key: Key,
    },
    /// The request makes no sense, and nothing was recorded under its key.
    #[error("invalid request: {reason}")]
    InvalidRequest {
        /// What is wrong.
        reason: &'static str,
    },
    /// The ledger could not be written or read. Nothing was executed: send the same request again.
    #[error("the ledger could not be used, nothing was executed")]
    Ledger(#[source] io::Error),
    /// A thread died in the middle of an operation: memory may lag the ledger. Open the provider again.
    #[error("the provider stopped in the middle of an operation and must be opened again")]
    Stopped,
}

/// A payment provider on a ledger of its own. Share it by reference or in an `Arc`.
pub struct Provider {
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    options: ProviderOptions,
    desk: Mutex<Desk>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Provider {
    /// Opens the ledger at `path`, or creates it, and replays it. `clock` gives microseconds UTC.
    pub fn open(
        path: impl AsRef<Path>,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
        options: ProviderOptions,
    ) -> Result<Self, LedgerError> {
        let mut accounts = Accounts::default();
        let ledger = Ledger::open(path.as_ref(), |entry, place| accounts.apply(entry, place))?;
        let desk = Desk { ledger, accounts, failures: HashMap::new() };
        Ok(Self { clock: Box::new(clock), options, desk: Mutex::new(desk) })
    }

    /// Reserves money. Waits only where the request asks for a late answer; dropped while it waits, nothing happens.
    pub async fn authorize(&self, request: Authorize) -> Result<Answer, ProviderError> {
        if self.trigger(&Request::Authorize(&request)) == Some(Trigger::Timeout)
            && self.query(&request.key)?.is_none()
        {
            tokio::time::sleep(self.options.late_answer_after).await;
        }
        self.execute(Request::Authorize(&request))
    }

    /// Takes reserved money.
    pub fn capture(&self, request: &Capture) -> Result<Answer, ProviderError> {
        self.execute(Request::Capture(request))
    }

    /// Releases reserved money. Where there is nothing to release it succeeds too: the authorisation was declined, or was
    /// never seen, which closes its key.
    pub fn void(&self, request: &Void) -> Result<Answer, ProviderError> {
        self.execute(Request::Void(request))
    }

    /// Gives captured money back.
    pub fn refund(&self, request: &Refund) -> Result<Answer, ProviderError> {
        self.execute(Request::Refund(request))
    }

    /// What is recorded under a key. `None`: it was not executed so far, or its retention is over.
    pub fn query(&self, key: &Key) -> Result<Option<Outcome>, ProviderError> {
        let now = (self.clock)();
        Ok(match self.desk()?.record(key, now, self.options.key_retention)? {
            Record::None => None,
            Record::Own(entry) => Some(entry.outcome()),
            Record::Closed => Some(Outcome::Declined(DeclineCode::KeyVoided.into())),
        })
    }

    /// Sums over the whole ledger.
    pub fn ledger_totals(&self) -> Result<BTreeMap<Currency, Totals>, ProviderError> {
        Ok(self.desk()?.accounts.totals().clone())
    }

    /// Sums over the payments of one order; empty if it has none.
    pub fn per_order(&self, order: &str) -> Result<BTreeMap<Currency, Totals>, ProviderError> {
        Ok(self.desk()?.accounts.totals_of(order))
    }

    /// Everything in the ledger so far, oldest first, read from the file.
    pub fn entries(&self) -> Result<Entries, LedgerError> {
        self.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner).ledger.entries()
    }

    /// What was cut off when the ledger was opened.
    pub fn torn_line(&self) -> Result<Option<TornLine>, ProviderError> {
        Ok(self.desk()?.ledger.torn())
    }

    fn execute(&self, request: Request<'_>) -> Result<Answer, ProviderError> {
        check(request)?;
        let fingerprint = request.fingerprint().map_err(|fault| ProviderError::Ledger(fault.into()))?;
        let trigger = self.trigger(&request);
        let now = (self.clock)();
        let mut desk = self.desk()?;
        let decision = match desk.record(request.key(), now, self.options.key_retention)? {
            Record::Own(entry) if entry.request == fingerprint => return Ok(entry.outcome().into()),
            Record::Own(entry) => return Err(ProviderError::KeyReused { key: entry.key }),
            // Not written down again: a line of its own would outgrow its retention, and the key must stay closed for ever.
            Record::Closed => return Ok(Answer::Declined(DeclineCode::KeyVoided.into())),
            Record::None if trigger == Some(Trigger::Flaky) && desk.fails_again(request.key()) => {
                return Ok(Answer::Unavailable);
            }
            Record::None => desk.decide(request, trigger)?,
        };
        let (moved, decline) = match decision {
            Ok(moved) => (moved, None),
            Err(decline) => {
                (Moved { payment: request_payment(request), money: request.money() }, Some(decline))
            }
        };
        let entry = Entry {
            at: now,
            operation: request.operation(),
            key: request.key().clone(),
            order: request.order().to_owned(),
            payment: moved.payment,
            money: moved.money,
            authorization: request_authorization(request).cloned(),
            decline,
            request: fingerprint,
        };
        desk.book(&entry)?;
        Ok(if trigger == Some(Trigger::Unknown) { Answer::NoReply } else { entry.outcome().into() })
    }

    fn trigger(&self, request: &Request<'_>) -> Option<Trigger> {
        self.options.honour_triggers.then(|| trigger::of(request.metadata())).flatten()
    }

    fn desk(&self) -> Result<MutexGuard<'_, Desk>, ProviderError> {
        self.desk.lock().map_err(|_| ProviderError::Stopped)
    }
}

fn check(request: Request<'_>) -> Result<(), ProviderError> {
    let invalid = |reason| Err(ProviderError::InvalidRequest { reason });
    if !(1..=255).contains(&request.order().len()) {
        return invalid("the order is 1 to 255 bytes long");
    }
    if request_authorization(request).is_some_and(|authorization| authorization == request.key()) {
        return invalid("a void needs a key of its own");
    }
    match request.money() {
        Some(money) if !(1..=MAX_AMOUNT).contains(&money.amount) => {
            invalid("the amount is not within 1 and 10^12")
        }
        _ => Ok(()),
    }
}

fn request_payment(request: Request<'_>) -> Option<PaymentRef> {
    match request {
        Request::Capture(capture) => Some(capture.payment),
        Request::Refund(refund) => Some(refund.payment),
        Request::Authorize(_) | Request::Void(_) => None,
    }
}

fn request_authorization(request: Request<'_>) -> Option<&Key> {
    match request {
        Request::Void(void) => Some(&void.authorization),
        Request::Authorize(_) | Request::Capture(_) | Request::Refund(_) => None,
    }
}

/// What answers for a key.
enum Record {
    /// Nothing, or nothing any more.
    None,
    /// The operation that was sent under it.
    Own(Entry),
    /// A void that came before the authorisation.
    Closed,
}

/// What an executed operation moves.
struct Moved {
    payment: Option<PaymentRef>,
    money: Option<Money>,
}

/// All that changes, behind one lock: so an operation is decided, written and applied before the next one is looked at.
struct Desk {
    ledger: Ledger,
    accounts: Accounts,
    /// How often each flaky key has failed; not in the ledger, since nothing was executed.
    failures: HashMap<Key, u8>,
}

impl Desk {
    fn record(&self, key: &Key, now: i64, retention: Duration) -> Result<Record, ProviderError> {
        let Some(place) = self.accounts.line_of(key) else { return Ok(Record::None) };
        let entry = self.ledger.read(place).map_err(ProviderError::Ledger)?;
        if entry.key != *key {
            return Ok(Record::Closed);
        }
        let age = i128::from(now) - i128::from(entry.at);
        let kept = age <= i128::try_from(retention.as_micros()).unwrap_or(i128::MAX);
        Ok(if kept { Record::Own(entry) } else { Record::None })
    }

    fn fails_again(&mut self, key: &Key) -> bool {
        let failures = self.failures.entry(key.clone()).or_default();
        if *failures < FLAKY_FAILURES {
            *failures += 1;
            return true;
        }
        self.failures.remove(key);
        false
    }

    /// The line first, then memory: what is answered is always in the file.
    fn book(&mut self, entry: &Entry) -> Result<(), ProviderError> {
        let place = self.ledger.append(entry).map_err(ProviderError::Ledger)?;
        self.accounts
            .apply(entry, place)
            .expect("an entry decided on these accounts under the same lock fits into them");
        Ok(())
    }

    fn decide(
        &self,
        request: Request<'_>,
        trigger: Option<Trigger>,
    ) -> Result<Result<Moved, Decline>, ProviderError> {
        Ok(match request {
            Request::Authorize(authorize) => self.authorize(authorize, trigger).map_err(Decline::from),
            Request::Capture(r) => self.change(r.payment, &r.order, r.money, Operation::Capture),
            Request::Refund(r) => self.change(r.payment, &r.order, r.money, Operation::Refund),
            Request::Void(void) => self.void(void)?.map_err(Decline::from),
        })
    }

    fn authorize(&self, request: &Authorize, trigger: Option<Trigger>) -> Result<Moved, DeclineCode> {
        let table = request.metadata.invoice.as_deref().map(payment::outcome);
        if trigger == Some(Trigger::Fail) || table == Some(payment::Outcome::Declined) {
            return Err(DeclineCode::PaymentDeclined);
        }
        Ok(Moved { payment: Some(self.accounts.next_payment()), money: Some(request.money) })
    }

    fn change(
        &self,
        payment: PaymentRef,
        order: &str,
        money: Money,
        operation: Operation,
    ) -> Result<Moved, Decline> {
        let mut account = self.accounts.payment(payment).ok_or(DeclineCode::UnknownPayment)?;
        if !account.is_for(order) {
            return Err(DeclineCode::WrongOrder.into());
        }
        match operation {
            Operation::Refund => account.refund(money)?,
            _ => account.capture(money)?,
        }
        Ok(Moved { payment: Some(payment), money: Some(money) })
    }

    /// Looks at the authorisation's line whatever its age: what is reserved can be released after any retention.
    fn void(&self, request: &Void) -> Result<Result<Moved, DeclineCode>, ProviderError> {
        let nothing = Moved { payment: None, money: None };
        let Some(place) = self.accounts.line_of(&request.authorization) else { return Ok(Ok(nothing)) };
        let entry = self.ledger.read(place).map_err(ProviderError::Ledger)?;
        if entry.key != request.authorization {
            return Ok(Ok(nothing));
        }
        if entry.operation != Operation::Authorize {
            return Ok(Err(DeclineCode::NotAnAuthorization));
        }
        let Some(payment) = entry.payment else { return Ok(Ok(nothing)) };
        let Some(mut account) = self.accounts.payment(payment) else {
            return Ok(Err(DeclineCode::UnknownPayment));
        };
        if !account.is_for(&request.order) {
            return Ok(Err(DeclineCode::WrongOrder));
        }
        let released = account.authorized();
        Ok(account.void().map(|()| Moved { payment: Some(payment), money: Some(released) }))
    }
}
