//! Faithful stand-ins for Apple, Google and a browser vendor's push service.
//!
//! Real TLS servers on loopback: they check tokens, topics, headers and sizes as the real ones
//! do, refuse what those refuse in their words, really decrypt Web Push, and remember what every
//! phone would show now. [`run`] also writes the credentials that they accept into a directory,
//! so that the real backends are configured against them like against the real services.
//!
//! A plain HTTP port controls them; `docs/push.md` lists what it takes.

mod answer;
mod apns;
mod apns_request;
mod control;
mod credentials;
mod error;
mod faults;
mod fcm;
mod fcm_message;
mod lookout;
mod phones;
mod server;
mod webpush;
mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use rcgen::KeyPair;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use credentials::{FCM_KEY_ID, Files, SUBJECT, environment};
pub use error::FakeError;
pub use faults::{Fault, Rule, Service};
pub use lookout::Lookout;
pub use phones::{Arrival, Phone, Shown};
pub use webpush::NewSubscription;
pub use world::World;

use crate::push::provider::{Clock, system_clock};
use credentials::Credentials;

/// What to start.
#[derive(Clone)]
pub struct Options {
    /// Keep this on loopback: whoever reaches it is told every push.
    pub listen: IpAddr,
    /// 0 for any free port.
    pub apns_port: u16,
    pub fcm_port: u16,
    pub webpush_port: u16,
    pub control_port: u16,
    /// Gets the certificate authority and the credentials; created when missing.
    pub dir: PathBuf,
    /// Topics that the APNs key may push to; empty for any.
    pub topics: Vec<String>,
    /// The Firebase project.
    pub project_id: String,
    /// Life of the access tokens that the FCM fake gives out, in seconds.
    pub access_token_life: u64,
    /// HTTP/2 streams at a time on one connection.
    pub max_streams: u32,
    pub clock: Clock,
}

impl Options {
    /// Loopback, free ports, any topic.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            apns_port: 0,
            fcm_port: 0,
            webpush_port: 0,
            control_port: 0,
            dir: dir.into(),
            topics: Vec::new(),
            project_id: "tidings-dev".to_owned(),
            access_token_life: 3600,
            max_streams: 1000,
            clock: system_clock(),
        }
    }
}

/// Running fakes. Dropping it stops them.
pub struct Handle {
    pub apns_url: String,
    pub fcm_url: String,
    pub webpush_url: String,
    pub control_url: String,
    /// The credentials that the fakes accept.
    pub files: Files,
    /// What points Tidings at the fakes: names in the configuration and values.
    pub settings: Vec<(&'static str, String)>,
    options: Options,
    world: Arc<World>,
    apns: Arc<apns::Apns>,
    fcm: Arc<fcm::Fcm>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A key that a provider's console made beside the ones that are there.
pub struct NewKey {
    pub id: String,
    /// What one downloads: a `.p8` file, or a service account's.
    pub file: String,
}

/// Writes the credentials and starts all three services and their control port.
/// When it returns they accept connections.
pub async fn run(options: Options) -> Result<Handle, FakeError> {
    let bind = async |port: u16| {
        let address = SocketAddr::new(options.listen, port);
        let listener = TcpListener::bind(address).await;
        listener.map_err(|source| FakeError::Listen { address, source })
    };
    let apns = bind(options.apns_port).await?;
    let fcm = bind(options.fcm_port).await?;
    let webpush = bind(options.webpush_port).await?;
    let control = bind(options.control_port).await?;
    let url = |scheme: &str, listener: &TcpListener| {
        listener.local_addr().map(|address| format!("{scheme}://{address}"))
    };
    let apns_url = url("https", &apns)?;
    let fcm_url = url("https", &fcm)?;
    let webpush_url = url("https", &webpush)?;
    let control_url = url("http", &control)?;

    let (at, urls) = (options.clone(), [apns_url.clone(), fcm_url.clone(), webpush_url.clone()]);
    // Making keys takes a core for some tenths of a second, and files may be slow.
    let made = tokio::task::spawn_blocking(move || {
        let credentials = Credentials::generate(&at)?;
        let files = credentials.write(&at, &urls)?;
        let settings = files.settings(&urls);
        Ok::<_, FakeError>((credentials, files, settings))
    });
    let (credentials, files, settings) = made.await.map_err(std::io::Error::other)??;
    let world = Arc::new(World::new(options.clock.clone()));
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let streams = options.max_streams;

    let apple = Arc::new(apns::Apns::new(&credentials, &options, Arc::clone(&world))?);
    let tls = credentials.tls(&["h2"], true)?;
    tasks.spawn(server::serve(apns, tls, Arc::clone(&apple), streams, stop.clone(), tasks.clone()));
    let google = Arc::new(fcm::Fcm::new(&credentials, &options, &fcm_url, Arc::clone(&world))?);
    let tls = credentials.tls(&["h2", "http/1.1"], false)?;
    tasks.spawn(server::serve(fcm, tls, Arc::clone(&google), streams, stop.clone(), tasks.clone()));
    let service = Arc::new(webpush::WebPush::new(&webpush_url, Arc::clone(&world)));
    let tls = credentials.tls(&["h2", "http/1.1"], false)?;
    tasks.spawn(server::serve(webpush, tls, service, streams, stop.clone(), tasks.clone()));
    let routes = control::routes(Arc::clone(&world), webpush_url.clone());
    tasks.spawn(control::serve(control, routes, stop.clone()));
    tasks.close();
    Ok(Handle {
        apns_url,
        fcm_url,
        webpush_url,
        control_url,
        files,
        settings,
        options,
        world,
        apns: apple,
        fcm: google,
        stop,
        tasks,
    })
}

impl Handle {
    /// From now on some requests fail as the rule says. Rules are tried in the order they came.
    pub fn fault(&self, service: Service, rule: Rule) {
        self.world.fault(service, rule);
    }

    /// Back to answering everything properly.
    pub fn clear_faults(&self) {
        self.world.clear_faults();
    }

    /// What the phone with this token would show now; for Web Push the `phone` of the subscription.
    pub fn phone(&self, token: &str) -> Option<Phone> {
        self.world.phone(token)
    }

    /// All phones that were ever pushed to.
    pub fn phones(&self) -> Vec<Phone> {
        self.world.phones()
    }

    /// The app is gone from this phone: from now on its token is dead. `None` when there is no such phone.
    pub fn uninstall(&self, token: &str) -> Option<()> {
        self.world.uninstall(token)
    }

    /// A browser subscribes. With `application_server_key` only its holder may push to it.
    pub fn subscribe(&self, application_server_key: Option<String>) -> Result<NewSubscription, FakeError> {
        self.world.subscribe(&self.webpush_url, application_server_key)
    }

    /// Every push that arrives from now on. Who is slow to read misses some and is told how many.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.world.arrivals()
    }

    /// For looking at phones from elsewhere in the process.
    pub fn lookout(&self) -> Lookout {
        Lookout::new(Arc::clone(&self.world), self.webpush_url.clone())
    }

    /// Requests that this service got so far, refused ones included.
    pub fn requests(&self, service: Service) -> u64 {
        self.world.requests(service)
    }

    /// Connections that this service accepted so far.
    pub fn connections(&self, service: Service) -> u64 {
        self.world.connections(service)
    }

    /// Different APNs provider tokens that were accepted so far.
    pub fn provider_tokens(&self) -> u64 {
        self.world.provider_tokens()
    }

    /// Another signing key of the team. Those that it has stay good.
    pub fn new_apns_key(&self, id: &str) -> Result<NewKey, FakeError> {
        let key = KeyPair::generate()?;
        self.apns.add_key(id, DecodingKey::from_ec_pem(key.public_key_pem().as_bytes())?);
        Ok(NewKey { id: id.to_owned(), file: key.serialize_pem() })
    }

    /// Nothing that this key signed is accepted any more.
    pub fn revoke_apns_key(&self, id: &str) {
        self.apns.revoke_key(id);
    }

    /// Another key of the service account. Those that it has stay good.
    pub fn new_fcm_key(&self, id: &str) -> Result<NewKey, FakeError> {
        let key = credentials::fcm_key()?;
        self.fcm.add_key(id, DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes())?);
        let file = credentials::service_account(&self.options, &self.fcm_url, id, &key);
        Ok(NewKey { id: id.to_owned(), file })
    }

    /// The key gets no access token any more; those that it got stay good until they end.
    pub fn revoke_fcm_key(&self, id: &str) {
        self.fcm.revoke_key(id);
    }

    /// Stops accepting, drops all connections and waits until nothing runs.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
