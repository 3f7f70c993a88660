//! What every backend of a port promises, as tests that run on each of them.

mod queue;
mod store;
