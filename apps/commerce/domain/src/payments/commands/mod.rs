//! What can be asked of a payment. Records of what the provider did are idempotent: the second is nothing to do.

mod record_authorization;
mod record_capture;
mod record_failure;
mod record_refund;
mod record_void;
mod release_refund;
mod reserve_refund;

pub use record_authorization::RecordAuthorization;
pub use record_capture::RecordCapture;
pub use record_failure::RecordFailure;
pub use record_refund::RecordRefund;
pub use record_void::RecordVoid;
pub use release_refund::ReleaseRefund;
pub use reserve_refund::ReserveRefund;
