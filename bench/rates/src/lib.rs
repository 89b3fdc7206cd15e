//! Engines and the model of the cloud in one process, without a network.

mod alone;
mod device;
mod driver;
mod exchange;
mod fleet;

pub use alone::Alone;
pub use device::{Device, Kind};
pub use driver::drive;
pub use exchange::Exchange;
pub use fleet::Fleet;
