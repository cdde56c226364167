//! What can be asked of the stock of a book.

mod adjust_stock;
mod receive_stock;
mod release_stock;
mod reserve_stock;
mod return_stock;
mod sell_stock;
mod set_stock;

pub use adjust_stock::AdjustStock;
pub use receive_stock::ReceiveStock;
pub use release_stock::ReleaseStock;
pub use reserve_stock::ReserveStock;
pub use return_stock::ReturnStock;
pub use sell_stock::SellStock;
pub use set_stock::SetStock;
