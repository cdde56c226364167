//! Accounts, transfers as a saga, balances as a view.
