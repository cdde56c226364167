//! A provider on a ledger in a temporary folder, with a clock that is set by hand.

use commerce_psp::{
    Answer, Authorize, Capture, Currency, DeclineCode, Key, LedgerError, Metadata, Money, PaymentRef,
    Provider, ProviderOptions, Receipt, Refund, Totals, Void,
};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

pub(crate) const ORDER: &str = "order-1";

pub(crate) struct Desk {
    provider: Provider,
    clock: Arc<AtomicI64>,
    folder: TempDir,
}

impl Deref for Desk {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.provider
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(ProviderOptions::default())
    }

    pub(crate) fn with(options: ProviderOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let provider = open(&folder, &clock, options).unwrap();
        Self { provider, clock, folder }
    }

    /// Closes it, lets `change` at the file, and opens it again.
    pub(crate) fn reopen(self, change: impl FnOnce(PathBuf)) -> Result<Self, LedgerError> {
        let Self { provider, clock, folder } = self;
        drop(provider);
        change(folder.path().join("ledger"));
        let provider = open(&folder, &clock, ProviderOptions::default())?;
        Ok(Self { provider, clock, folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    pub(crate) fn pass(&self, micros: i64) {
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }

    pub(crate) fn lines(&self) -> usize {
        self.entries().unwrap().map(Result::unwrap).count()
    }

    /// Authorises 1,000 won for [`ORDER`].
    pub(crate) async fn authorized(&self, name: &str) -> PaymentRef {
        payment(self.authorize(authorize(name, 1_000)).await.unwrap())
    }

    pub(crate) async fn captured(&self, name: &str) -> PaymentRef {
        let payment = self.authorized(name).await;
        executed(self.provider.capture(&capture(&format!("{name}-capture"), payment, 1_000)).unwrap());
        payment
    }
}

fn open(folder: &TempDir, clock: &Arc<AtomicI64>, options: ProviderOptions) -> Result<Provider, LedgerError> {
    let clock = Arc::clone(clock);
    Provider::open(folder.path().join("ledger"), move || clock.load(Ordering::SeqCst), options)
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn won(amount: i64) -> Money {
    Money { amount, currency: Currency::new("KRW").unwrap() }
}

pub(crate) fn authorize(name: &str, amount: i64) -> Authorize {
    Authorize { key: key(name), order: ORDER.into(), money: won(amount), metadata: Metadata::default() }
}

pub(crate) fn capture(name: &str, payment: PaymentRef, amount: i64) -> Capture {
    Capture {
        key: key(name),
        order: ORDER.into(),
        payment,
        money: won(amount),
        metadata: Metadata::default(),
    }
}

pub(crate) fn void(name: &str, authorization: &str) -> Void {
    Void {
        key: key(name),
        order: ORDER.into(),
        authorization: key(authorization),
        metadata: Metadata::default(),
    }
}

pub(crate) fn refund(name: &str, payment: PaymentRef, amount: i64) -> Refund {
    Refund { key: key(name), order: ORDER.into(), payment, money: won(amount), metadata: Metadata::default() }
}

pub(crate) fn product(id: &str) -> Metadata {
    Metadata { product_ids: vec!["book-1".into(), id.into()], invoice: None }
}

pub(crate) fn executed(answer: Answer) -> Receipt {
    match answer {
        Answer::Executed(receipt) => receipt,
        other => panic!("not executed: {other:?}"),
    }
}

pub(crate) fn payment(answer: Answer) -> PaymentRef {
    executed(answer).payment.expect("an authorisation has a reference")
}

pub(crate) fn declined(answer: Answer) -> DeclineCode {
    match answer {
        Answer::Declined(decline) => decline.code,
        other => panic!("not declined: {other:?}"),
    }
}

pub(crate) fn totals(
    payments: u64,
    authorized_open: i128,
    captured: i128,
    refunded: i128,
) -> BTreeMap<Currency, Totals> {
    let totals = Totals { payments, authorized_open, captured, refunded };
    BTreeMap::from([(Currency::new("KRW").unwrap(), totals)])
}
