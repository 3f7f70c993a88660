//! What happens when something dies, stalls or goes away: the table of ARCHITECTURE.md, each row with the real thing.

mod away;
mod chaos;
mod deaths;
mod drain;
