//! An account: opened once, never overdrawn.

use gallae::prelude::*;

/// What can happen to an account. Amounts are in the currency's smallest unit.
#[derive(Clone, Debug, PartialEq, Event)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum AccountEvent {
    /// It exists from now on.
    #[event(name = "AccountOpened", version = 1)]
    Opened { owner: String },
    /// Money came in.
    #[event(name = "MoneyDeposited", version = 1)]
    Deposited { amount: i64 },
    /// Money went out.
    #[event(name = "MoneyWithdrawn", version = 1)]
    Withdrawn { amount: i64 },
}

/// How an account says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what they mean")]
pub enum AccountRejection {
    #[error("there is no such account")]
    NotOpen,
    #[error("the account is open already")]
    AlreadyOpen,
    #[error("an amount is more than nothing")]
    NoAmount,
    #[error("the account holds {balance}, which is not enough")]
    Overdrawn { balance: i64 },
}

impl Rejection for AccountRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => "ACCOUNT_NOT_OPEN",
            Self::AlreadyOpen => "ACCOUNT_ALREADY_OPEN",
            Self::NoAmount => "NO_AMOUNT",
            Self::Overdrawn { .. } => "OVERDRAWN",
        }
    }
}

/// The state that decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    open: bool,
    /// What it holds.
    pub balance: i64,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = AccountEvent;
    type Rejection = AccountRejection;

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { .. } => self.open = true,
            AccountEvent::Deposited { amount } => self.balance += amount,
            AccountEvent::Withdrawn { amount } => self.balance -= amount,
        }
    }
}

/// Opens an account.
#[derive(Clone, Debug)]
pub struct OpenAccount(pub Id<Account>, pub String);
/// Pays in.
#[derive(Clone, Debug)]
pub struct Deposit(pub Id<Account>, pub i64);
/// Takes out; an overdraft is refused.
#[derive(Clone, Debug)]
pub struct Withdraw(pub Id<Account>, pub i64);

impl Command for OpenAccount {
    const NAME: &'static str = "account.open";
    type Aggregate = Account;
    fn target(&self) -> Id<Account> {
        self.0
    }
}
impl Command for Deposit {
    const NAME: &'static str = "account.deposit";
    type Aggregate = Account;
    fn target(&self) -> Id<Account> {
        self.0
    }
}
impl Command for Withdraw {
    const NAME: &'static str = "account.withdraw";
    type Aggregate = Account;
    fn target(&self) -> Id<Account> {
        self.0
    }
}

type Decision = Result<Vec<AccountEvent>, AccountRejection>;

impl Decide<OpenAccount> for Account {
    fn decide(&self, OpenAccount(_, owner): &OpenAccount, _: &DecisionContext<'_>) -> Decision {
        match self.open {
            true => Err(AccountRejection::AlreadyOpen),
            false => Ok(vec![AccountEvent::Opened { owner: owner.clone() }]),
        }
    }
}
impl Decide<Deposit> for Account {
    fn decide(&self, Deposit(_, amount): &Deposit, _: &DecisionContext<'_>) -> Decision {
        self.accepts(*amount)?;
        Ok(vec![AccountEvent::Deposited { amount: *amount }])
    }
}
impl Decide<Withdraw> for Account {
    fn decide(&self, Withdraw(_, amount): &Withdraw, _: &DecisionContext<'_>) -> Decision {
        self.accepts(*amount)?;
        match *amount > self.balance {
            true => Err(AccountRejection::Overdrawn { balance: self.balance }),
            false => Ok(vec![AccountEvent::Withdrawn { amount: *amount }]),
        }
    }
}

impl Account {
    fn accepts(&self, amount: i64) -> Result<(), AccountRejection> {
        match (self.open, amount > 0) {
            (false, _) => Err(AccountRejection::NotOpen),
            (true, false) => Err(AccountRejection::NoAmount),
            (true, true) => Ok(()),
        }
    }
}
