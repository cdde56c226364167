//! A payment provider to develop against: its own append-only ledger, idempotency keys, faults on demand.
