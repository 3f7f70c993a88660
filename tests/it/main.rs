//! One binary for all integration tests: it links once, and its tests share what they start.

mod contract;
mod fault;
mod journey;
mod ops;
mod push;
mod reference;
mod store;
mod support;
mod wire;
