//! What one backend of the store promises beyond the contract.

mod plans;
mod postgres;
mod postgres_tls;
