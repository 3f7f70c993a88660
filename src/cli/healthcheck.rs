use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::http::Uri;
use clap::Args;

use super::Failure;
use crate::config::{Sources, load};

/// The head and the list of checks are far smaller.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Ask the process of this configuration whether it is ready
///
/// For the health check of a container, which has no shell and no curl: exit code 0 when it is
/// ready, 1 when it is not or does not answer.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: tidings healthcheck --url http://127.0.0.1:9090/healthz/live")]
pub struct HealthcheckArgs {
    /// Ask this address instead of /healthz/ready at server.ops_listen
    #[arg(long, value_name = "URL")]
    pub url: Option<Uri>,
    /// Time for the whole question
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

impl HealthcheckArgs {
    pub(super) fn run(self, sources: &Sources) -> Result<(), Failure> {
        let (authority, path) = match &self.url {
            Some(url) => parts(url)?,
            None => {
                let address = reachable(load(sources)?.config.server.ops_listen);
                (address.to_string(), "/healthz/ready".to_owned())
            }
        };
        let answer = ask(&authority, &path, self.timeout)
            .with_context(|| format!("no answer from http://{authority}{path}"))?;
        match answer.status {
            200 => Ok(()),
            status => Err(anyhow::anyhow!("not ready ({status}): {}", answer.body.trim()).into()),
        }
    }
}

fn parts(url: &Uri) -> anyhow::Result<(String, String)> {
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!("--url must begin with http://, the operators' port has no TLS");
    };
    let port = authority.port_u16().unwrap_or(80);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    Ok((format!("{}:{port}", authority.host()), path.to_owned()))
}

/// Who listens on every address is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
}

/// HTTP/1.0, so that the answer ends with the connection and is never in chunks.
fn ask(authority: &str, path: &str, timeout: Duration) -> anyhow::Result<Answer> {
    let deadline = Instant::now() + timeout;
    let left = || -> anyhow::Result<Duration> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { bail!("it took longer than {timeout:?}") } else { Ok(left) }
    };
    let address = authority.to_socket_addrs()?.next().context("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {authority}\r\n\r\n")?;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part)? {
            0 => break,
            read => bytes.extend_from_slice(&part[..read]),
        }
        if bytes.len() as u64 > LONGEST_ANSWER {
            bail!("the answer is too long");
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.context("the answer is not HTTP")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::telemetry::{Gate, Health, Metrics, metrics::Role, ops};

    fn args(url: &str) -> HealthcheckArgs {
        HealthcheckArgs { url: Some(url.parse().unwrap()), timeout: Duration::from_secs(5) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_fails_until_the_process_is_ready() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new(Role::Gateway));
        let health = Health::new(metrics.clone());
        let check = health.check("listener", Gate::Always);
        let stop = CancellationToken::new();
        let server = tokio::spawn(ops::serve(listener, metrics, health, stop.clone()));
        // By the configuration, and on loopback although it listens everywhere.
        let environment =
            vec![("TIDINGS__SERVER__OPS_LISTEN".to_owned(), format!("0.0.0.0:{}", address.port()))];
        let sources = Sources { environment, ..Sources::default() };
        let ask = move || {
            let args = HealthcheckArgs { url: None, timeout: Duration::from_secs(5) };
            args.run(&sources)
        };
        let first = ask.clone();
        let failure = tokio::task::spawn_blocking(first).await.unwrap().unwrap_err();
        assert!(failure.to_string().contains("not ready (503)"), "{failure}");
        assert_eq!(failure.exit_code(), 1);
        check.up();
        tokio::task::spawn_blocking(ask).await.unwrap().unwrap();
        stop.cancel();
        server.await.unwrap().unwrap();
    }

    #[test]
    fn nobody_there_is_a_failure() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let failure = args(&format!("http://{address}/")).run(&Sources::default()).unwrap_err();
        assert!(failure.to_string().contains("no answer"), "{failure}");
    }

    #[test]
    fn silence_is_a_failure_after_the_time_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let args = HealthcheckArgs { timeout: Duration::from_millis(50), ..args(&url) };
        assert!(args.run(&Sources::default()).is_err());
    }

    #[test]
    fn only_http_is_asked() {
        for url in ["https://127.0.0.1/", "/healthz/ready", "ftp://x/"] {
            assert_eq!(args(url).run(&Sources::default()).unwrap_err().exit_code(), 1, "{url}");
        }
    }
}
