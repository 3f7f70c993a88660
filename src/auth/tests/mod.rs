//! Tokens as an attacker would make them. They are signed by `jsonwebtoken` or by hand, never by
//! the code under test, so that the two sides can disagree.

mod basics;
mod passwords;
mod support;
