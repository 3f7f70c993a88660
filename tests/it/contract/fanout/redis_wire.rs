//! Redis servers that the common stack does not start, and commands behind the back of the fan-out.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::scene::{DEADLINE, eventually};

/// A server with options of its own; it ends with this process, however that ends.
pub struct Server {
    pub port: u16,
    pub folder: TempDir,
    shell: Child,
}

/// Ends with the pipe to us.
const UNTIL_EOF: &str = r#"folder=$1; shift
redis-server "$@" >"$folder/output" 2>&1 </dev/null &
read -r _
kill -9 $!
rm -rf "$folder""#;

impl Server {
    pub fn start(folder: TempDir, port: u16, options: &[&str]) -> Self {
        let shell = Command::new("sh")
            .args(["-c", UNTIL_EOF, "redis"])
            .arg(folder.path())
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .args(options)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        Self { port, folder, shell }
    }

    pub async fn answers(&self) {
        let is_ready = async || TcpStream::connect(("127.0.0.1", self.port)).await.is_ok();
        eventually("the server listens", is_ready).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("tidings-test-redis-")
        .tempdir()
        .expect("the temporary folder is writable")
}

/// A free port, low enough that nobody gets it for a connection meanwhile.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there are ports");
        let port = listener.local_addr().expect("it is bound").port() / 2 + 5000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// One command on a connection of its own; its answer as it came.
pub async fn command(url: &str, words: &[&[u8]]) -> String {
    let answer = async {
        let mut stream = TcpStream::connect(url.trim_start_matches("redis://")).await?;
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"QUIT\r\n");
        stream.write_all(&request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).trim_end_matches("+OK\r\n").to_owned())
    };
    timeout(DEADLINE.min(Duration::from_secs(20)), answer).await.expect("in time").expect("Redis answers")
}
