//! Every error and close code, and what a handshake may look like; each test is named after its code.

mod abuse;
mod closes;
mod errors;
mod handshake;
mod limits;
