//! Load for Tidings, and the proof that nothing was lost under it.
//!
//! In the order in which a run meets them:

pub mod scenario;
pub mod plan;
pub mod clock;
pub mod client_id;
pub mod token;
pub mod ws;
pub mod scan;
pub mod generator;
pub mod checker;
pub mod stats;
pub mod run;
pub mod report;
pub mod relay;
