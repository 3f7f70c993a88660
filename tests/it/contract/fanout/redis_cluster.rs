//! Three nodes of a cluster on this machine, for all tests of this process.

use tokio::sync::OnceCell;

use super::redis_wire::{Server, command, folder, free_port};
use super::scene::eventually;

static CLUSTER: OnceCell<(String, Vec<Server>)> = OnceCell::const_new();

/// The address of one of its nodes.
pub async fn shared() -> &'static str {
    &CLUSTER.get_or_init(start).await.0
}

async fn start() -> (String, Vec<Server>) {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let (port, bus) = (free_port(), free_port());
        let options = [
            ("--port", port.to_string()),
            ("--cluster-enabled", "yes".to_owned()),
            ("--cluster-port", bus.to_string()),
            ("--cluster-node-timeout", "2000".to_owned()),
        ];
        let options: Vec<&str> = options.iter().flat_map(|(name, value)| [*name, value]).collect();
        let node = Server::start(folder(), port, &options);
        node.answers().await;
        nodes.push((node, bus));
    }
    let url = |node: &Server| format!("redis://127.0.0.1:{}", node.port);
    let slots: [(&[u8], &[u8]); 3] = [(b"0", b"5000"), (b"5001", b"11000"), (b"11001", b"16383")];
    for ((node, _), (first, last)) in nodes.iter().zip(slots) {
        command(&url(node), &[b"CLUSTER", b"ADDSLOTSRANGE", first, last]).await;
    }
    for (node, bus) in &nodes[1..] {
        let (port, bus) = (node.port.to_string(), bus.to_string());
        let meet: [&[u8]; 5] = [b"CLUSTER", b"MEET", b"127.0.0.1", port.as_bytes(), bus.as_bytes()];
        command(&url(&nodes[0].0), &meet).await;
    }
    for (node, _) in &nodes {
        let is_whole = async || {
            let info = command(&url(node), &[b"CLUSTER", b"INFO"]).await;
            info.contains("cluster_state:ok") && info.contains("cluster_size:3")
        };
        eventually("the cluster is whole", is_whole).await;
    }
    (url(&nodes[0].0), nodes.into_iter().map(|(node, _)| node).collect())
}
