//! Running sagas.
