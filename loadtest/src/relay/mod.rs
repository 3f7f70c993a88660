//! The bare relay: the least that a server could do. It greets, numbers a message, and writes it
//! to both of a pair with an `accepted`; it stores nothing, checks nothing, and forgets at once.
//! What it costs is the floor that everything else is compared with.

mod connection;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::LocalSet;

use connection::Peer;

/// What all connections share; one thread.
#[derive(Default)]
pub struct Relay {
    /// The newest connection of each user.
    peers: RefCell<HashMap<String, Rc<Peer>>>,
    /// Conversations by their id.
    pairs: RefCell<HashMap<uuid::Uuid, Rc<Pair>>>,
}

/// A direct conversation.
pub struct Pair {
    id: uuid::Uuid,
    users: [String; 2],
    last_seq: Cell<u32>,
    /// Connections of the two, found once.
    peers: RefCell<[Option<Rc<Peer>>; 2]>,
}

/// Serves until the future is dropped or the process killed.
pub async fn serve(listener: TcpListener) -> anyhow::Result<()> {
    LocalSet::new().run_until(accept(listener, Rc::new(Relay::default()))).await
}

async fn accept(listener: TcpListener, relay: Rc<Relay>) -> anyhow::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(connection::run(Rc::clone(&relay), stream));
            }
            // Out of files: those who wait in the backlog come later.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

impl Relay {
    /// The pair of two users, made when new.
    fn pair(&self, one: &str, other: &str) -> Rc<Pair> {
        let mut users = [one.to_owned(), other.to_owned()];
        users.sort();
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, users.join("\n").as_bytes());
        let mut pairs = self.pairs.borrow_mut();
        let pair = pairs.entry(id).or_insert_with(|| {
            Rc::new(Pair { id, users, last_seq: Cell::new(0), peers: RefCell::default() })
        });
        Rc::clone(pair)
    }
}
