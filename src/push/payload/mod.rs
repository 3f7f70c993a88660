//! What a phone shows and what its app is told, before any provider's dialect.
//!
//! [`build`] applies, in this order: the template of the occasion, the server's own words, the
//! privacy mode. [`fields`] then writes the flat data that every provider carries, and [`fit`]
//! cuts the text to a provider's limit.

mod build;
mod collapse;
mod fields;
mod fit;
mod occasion;
mod server_push;
mod style;
mod template;

pub use build::{Content, build, clear};
pub use collapse::{collapse_id, web_topic};
pub use fields::fields;
pub use fit::{TooLarge, fit};
pub use occasion::{Occasion, Why};
pub use server_push::{ServerPush, ServerPushError};
pub use style::{KindStyle, Privacy, Style};
pub use template::{Template, TemplateError};
