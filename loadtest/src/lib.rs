//! Load for Tidings, and the proof that nothing was lost under it.
//!
//! In the order in which a run meets them:

pub mod checker;
pub mod client_id;
pub mod clock;
pub mod scan;
pub mod token;
pub mod ws;
