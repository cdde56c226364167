//! Who moves the money: the port, the built-in simulator, and the sagas' way to either.

mod effects;
mod gateway;
mod simulator;

pub use effects::PaymentEffects;
pub use gateway::{GatewayError, Movements, PaymentGateway, Recorded};
pub use simulator::Simulator;
