//! Load for Tidings, and the proof that nothing was lost under it.
//!
//! The modules in the order in which a run meets them: what to do and who does it, the words and
//! the wire, the clients, the judge, the figures; then the commands.

pub mod plan;
pub mod scenario;

pub mod client_id;
pub mod clock;
pub mod scan;
pub mod token;
pub mod ws;

pub mod generator;

pub mod checker;

pub mod report;
pub mod stats;

pub mod bench;
pub mod relay;
pub mod run;
