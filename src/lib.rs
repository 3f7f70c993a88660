//! Tidings: real-time messaging that keeps what it accepted.

pub mod push;
