//! Users, books, stock, orders, payments and their sagas: pure decisions.
