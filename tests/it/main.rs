//! All integration tests, one binary: it links once and its tests share what they start.

mod contract;
mod support;
