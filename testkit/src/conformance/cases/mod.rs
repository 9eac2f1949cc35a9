//! The cases, each a function that panics where the runtime falls short; what it must do stands
//! in the documentation of the function.

pub mod content;
pub mod contract;
pub mod ending;
pub mod errors;
pub mod events;
pub mod exchanges;
pub mod files;
pub mod leaving;
pub mod limits;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod listening;
pub mod peers;
pub mod platform;
pub mod responder;
pub mod site;
pub mod starving;
pub mod tasks;
pub mod time;
pub mod timers;
pub mod upgrades;
mod waking;
