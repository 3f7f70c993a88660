//! What every backend of a port promises, as tests that run on each of them.

mod credentials;
mod fanout;
mod queue;
mod screens;
mod store;
