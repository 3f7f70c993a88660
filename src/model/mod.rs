//! What Tidings talks about: ids, entries, conversations, events. No I/O.

mod conversation;
mod device;
mod entry;
mod event;
mod ids;
mod time;
mod user;

pub use conversation::{
    Conversation, ConversationKind, Member, Membership, Notify, Role, ShownMembers, View,
};
pub use device::{Device, Environment, Platform};
pub use entry::{Body, Entry, EntryKind, NewEntry, Origin, PushOverride, Reaction};
pub use event::{Event, EventBody, Refusal, Stamp, Target};
pub use ids::{ClientId, ConversationId, DeviceId, GatewayId, InvalidId, MessageId, Seq, SessionId, UserId};
pub use time::Timestamp;
pub use user::{Admission, Denial, Presence, Profile, Status};
