//! Tokens as an attacker would make them. They are signed by `jsonwebtoken` or by hand, never by
//! the code under test, so that the two sides can disagree.

mod basics;
mod jwks;
mod jwks_server;
mod key_files;
mod key_sets;
mod pairs;
mod passwords;
mod public_keys;
mod support;
