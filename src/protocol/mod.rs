//! The words on the wire: frames of the client, frames of the server, error codes, close codes.
//!
//! Their names and meanings are fixed: clients that we do not know speak them.

mod client;
mod close;
mod code;
mod encoding;
mod message;
mod server;
mod shown;

pub use client::{
    Ack, Auth, BadFrame, ClientFrame, Delete, Edit, Hello, HistoryRequest, PresenceRequest, React, Read, Ref,
    Send, StateChange, SyncRequest, TypingNotice, parse,
};
pub use close::CloseCode;
pub use code::ErrorCode;
pub use encoding::{Encoding, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL};
pub use message::{Message, Messages};
pub use server::{
    Accepted, ConversationFrame, ErrorFrame, HistoryFrame, MAX_SERVER_FRAME, Pong, PresenceFrame, Receipt,
    Reconnect, Resync, ServerFrame, SyncFrame, SyncItem, Typing, Welcome, encode, encode_part,
};
pub use shown::Shown;
