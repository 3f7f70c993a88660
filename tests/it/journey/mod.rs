//! What people do with Tidings, on one process and on two gateways and two workers.

mod backends;
mod big;
mod conversations;
mod fake_phones;
mod fake_push;
mod keys;
mod logins;
mod messages;
mod phones;
mod positions;
mod probe;
mod retention;
mod tls;
