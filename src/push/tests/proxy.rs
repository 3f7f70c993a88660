use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::support::*;
use crate::push::apns::Apns;
use crate::push::fake::Service;
use crate::push::fcm::Fcm;
use crate::push::provider::{Platform, Provider as _};

/// An egress proxy that can stop to forward without closing anything, as a dead path does.
#[derive(Clone)]
struct Proxy {
    url: String,
    tunnels: Arc<AtomicUsize>,
    frozen: Arc<AtomicBool>,
    /// A client gave up a frozen tunnel.
    given_up: Arc<Notify>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let proxy = Self { url, tunnels: Arc::default(), frozen: Arc::default(), given_up: Arc::default() };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serving.clone().tunnel(client));
            }
        });
        proxy
    }

    async fn tunnel(self, mut client: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        assert!(head.starts_with("CONNECT "), "{head}");
        let server = TcpStream::connect(target).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        self.tunnels.fetch_add(1, Ordering::SeqCst);
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let frozen = Arc::clone(&self.frozen);
        tokio::spawn(async move {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                if !frozen.load(Ordering::SeqCst) && to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
            // Keeps the half open: nothing tells the client that the path is dead.
            std::future::pending::<()>().await;
        });
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if !self.frozen.load(Ordering::SeqCst) {
                to_server.write_all(&buffer[..read]).await?;
            }
        }
        self.given_up.notify_one();
        Ok(())
    }
}

#[tokio::test]
async fn pushes_go_through_the_configured_proxy_with_tls_to_the_provider() {
    let bench = Bench::start().await;
    let proxy = Proxy::start().await;
    let mut settings = bench.apns_settings();
    settings.http.proxy = Some(proxy.url.clone());
    let apns = Apns::new(settings).expect("APNs");
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);
    assert_eq!(proxy.tunnels.load(Ordering::SeqCst), 1);

    let mut settings = bench.fcm_settings();
    settings.http.proxy = Some(proxy.url.clone());
    let fcm = Fcm::new(settings).expect("FCM");
    let push = bench.notification(Platform::Fcm, "phone-1", 9, "lunch?");
    assert_delivered(&fcm.deliver(&push).await);
    assert_eq!(proxy.tunnels.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_found_by_its_ping_before_a_push_is_lost_on_it() {
    let bench = Bench::start().await;
    let proxy = Proxy::start().await;
    let mut settings = bench.apns_settings();
    settings.http.proxy = Some(proxy.url.clone());
    settings.http.ping_interval = Duration::from_millis(100);
    settings.http.ping_timeout = Duration::from_millis(200);
    let apns = Apns::new(settings).expect("APNs");
    let push = bench.notification(Platform::Apns, &apns_token(1), 9, "lunch?");
    assert_delivered(&apns.deliver(&push).await);

    proxy.frozen.store(true, Ordering::SeqCst);
    timeout(Duration::from_secs(10), proxy.given_up.notified()).await.expect("a PING failed");
    proxy.frozen.store(false, Ordering::SeqCst);
    assert_delivered(&apns.deliver(&push).await);
    assert_eq!(bench.fake.connections(Service::Apns), 2);
}
