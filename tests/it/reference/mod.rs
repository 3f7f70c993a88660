//! What the documents for people say, held against what is there.

mod conversation;
mod examples;
mod guarantees;
mod written;
