//! What can be asked of an order.

mod approve_order;
mod cancel_order;
mod confirm_order;
mod deliver_order;
mod place_order;
mod refund_order;
mod reject_refund;
mod request_refund;
mod ship_order;

pub use approve_order::ApproveOrder;
pub use cancel_order::CancelOrder;
pub use confirm_order::ConfirmOrder;
pub use deliver_order::DeliverOrder;
pub use place_order::{MAX_ITEMS, PlaceOrder, order_total, order_window};
pub use refund_order::RefundOrder;
pub use reject_refund::RejectRefund;
pub use request_refund::{RequestRefund, Returns};
pub use ship_order::ShipOrder;
