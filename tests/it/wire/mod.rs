//! Every error and close code, and what a handshake may look like; each test is named after its code.

mod abuse;
mod closes;
mod closes_of_tokens;
mod compression;
mod errors;
mod handshake;
mod limits;
mod logs;
