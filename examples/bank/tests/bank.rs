//! The bank's rules, by the testkit.

use bank::{
    Account, AccountEvent, AccountRejection, Balance, Balances, Deposit, MoveMoney, OpenAccount,
    RequestTransfer, Transfer, Withdraw,
};
use gallae::{core::saga::SagaStatus, prelude::*};
use gallae_testkit::{
    History, assert_interleaving_does_not_matter, given, projection,
    saga::{Ended, Scenario, every_step_fails, scenario},
};

fn mina() -> Id<Account> {
    Id::derived("mina")
}
fn juno() -> Id<Account> {
    Id::derived("juno")
}
fn opened(owner: &str) -> AccountEvent {
    AccountEvent::Opened { owner: owner.to_owned() }
}
fn with(amount: i64) -> [AccountEvent; 2] {
    [opened("Mina"), AccountEvent::Deposited { amount }]
}

#[test]
fn an_account_is_opened_once_and_never_overdrawn() {
    given::<Account>([]).when(OpenAccount(mina(), "Mina".to_owned())).then([opened("Mina")]);
    given::<Account>([opened("Mina")])
        .when(OpenAccount(mina(), "Mina".to_owned()))
        .then_rejected(AccountRejection::AlreadyOpen);
    given::<Account>([]).when(Deposit(mina(), 1)).then_rejected_with_code("ACCOUNT_NOT_OPEN");
    given::<Account>(with(10)).when(Deposit(mina(), 0)).then_rejected(AccountRejection::NoAmount);
    given::<Account>(with(10))
        .when(Withdraw(mina(), 10))
        .then([AccountEvent::Withdrawn { amount: 10 }])
        .and()
        .when(Withdraw(mina(), 1))
        .then_rejected(AccountRejection::Overdrawn { balance: 0 });
}

fn transfer(amount: i64, to: Id<Account>) -> Scenario<MoveMoney> {
    let history = History::new().events(mina(), with(100)).events(juno(), [opened("Juno")]);
    let id = Id::derived("rent");
    scenario().aggregate::<Account>().aggregate::<Transfer>().given(history).when(RequestTransfer {
        id,
        from: mina(),
        to,
        amount,
    })
}

fn no_money_is_made_or_lost(ended: &Ended) {
    assert_eq!(ended.state(mina()).balance + ended.state(juno()).balance, 100);
    assert!(ended.state(Id::<Transfer>::derived("rent")).ended.is_some());
}

#[test]
fn a_transfer_arrives() {
    let ended = transfer(70, juno()).run();
    ended.assert_status(SagaStatus::Completed);
    assert_eq!((ended.state(mina()).balance, ended.state(juno()).balance), (30, 70));
}

#[test]
fn money_for_nobody_comes_back() {
    let ended = transfer(70, Id::derived("nobody")).run();
    ended.assert_status(SagaStatus::Compensated);
    no_money_is_made_or_lost(&ended);
}

#[test]
fn an_overdraft_is_refused_before_anything_moves() {
    let ended = transfer(101, juno()).run();
    ended.assert_status(SagaStatus::Rejected);
    no_money_is_made_or_lost(&ended);
}

#[test]
fn no_failing_step_makes_or_loses_money() {
    every_step_fails(|| transfer(70, juno()), no_money_is_made_or_lost);
}

#[test]
fn balances_show_what_the_accounts_hold() {
    let history = History::new()
        .events(mina(), with(100))
        .events(juno(), [opened("Juno"), AccountEvent::Deposited { amount: 5 }])
        .events(mina(), [AccountEvent::Withdrawn { amount: 30 }]);
    let balances = projection::<Balances>().feed(&history);
    let expected = Balance { owner: "Mina".to_owned(), balance: 70 };
    assert_eq!(balances.view(mina().to_string()), Some(&expected));
    assert_interleaving_does_not_matter::<Balances>(&history);
}
