//! The cases: functions that panic if the runtime does not meet a requirement. The documentation of
//! each function states the requirement.

pub mod content;
pub mod contract;
pub mod disconnect;
pub mod errors;
pub mod events;
pub mod exchanges;
pub mod files;
pub mod limits;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod listening;
pub mod peers;
pub mod platform;
pub mod responder;
pub mod shutdown;
pub mod site;
pub mod starvation;
pub mod tasks;
pub mod time;
pub mod timers;
pub mod upgrades;
mod waking;
