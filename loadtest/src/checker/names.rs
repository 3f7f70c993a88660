//! Handles that the checker gives out; each is good only for the checker that gave it.

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            pub(super) fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("fewer than four thousand million of anything"))
            }

            /// Its number in the order in which the checker gave them out.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

key!(
    /// A user, by the order of [`Checker::user`](super::Checker::user).
    UserKey
);
key!(
    /// A conversation, by the order of [`Checker::conversation`](super::Checker::conversation).
    ConversationKey
);
key!(
    /// One member's view of one conversation.
    ReaderKey
);
