//! The store: users, conversations, members, the log, cursors, devices.
//!
//! The port is seven small traits, one a subject; [`Store`] is all of them. The two backends,
//! `postgres` and `sqlite`, repeat the same file names, and one suite of contract tests runs on both.
//!
//! Every method either did all that it says or nothing.

mod conversations;
mod cursors;
mod devices;
mod error;
mod log;
pub mod postgres;
mod push;
mod relations;
pub mod sqlite;
mod users;

pub use conversations::{Conversations, Created, NewGroup, PageOf, Preferences};
pub use cursors::{Advanced, Cursors, Position};
pub use devices::{Devices, Registration};
pub use error::StoreError;
pub use log::{Appended, Audience, HistoryPage, Log, Range, Span, Stored, Target};
pub use push::{
    DoNotDisturb, PushPreferences, PushTrace, Pushes, Recipient, RecipientsOf, Ringable, Unreadable, Untold,
};
pub use relations::{Relation, Relations};
pub use users::{NewAccount, ProfileChange, Session, Users};

/// Everything that is kept for ever.
#[async_trait::async_trait]
pub trait Store:
    Users + Conversations + Log + Cursors + Devices + Relations + Pushes + Send + Sync + 'static
{
    /// Whether the store answers; for readiness.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    async fn ping(&self) -> Result<(), StoreError>;
}
