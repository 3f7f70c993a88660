//! A WebSocket small enough that the generator and the bare relay cost little: frames are read
//! from a buffer that a thread's sockets share, and nothing is allocated for a frame that arrives
//! whole. No extensions; fragments are joined.

pub mod frame;
pub mod handshake;
pub mod inbox;
pub mod stream;

pub use frame::Opcode;
pub use inbox::Inbox;
pub use stream::Stream;
