//! Which node listens where, how it is started, and what to try on it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

/// Nodes of one cluster.
pub(crate) const NODES_MAX: u16 = 9;
/// Of one edge on two neighbours.
const PORTS_APART: u16 = 100;
/// The highest first port that leaves room for all nodes.
pub(crate) const FIRST_PORT_MAX: u16 = 64_000;

/// The edges with their places after a node's first port: node 1 is where a single server is.
const EDGES: [(&str, u16); 5] = [
    ("sandbox-rest", 0),
    ("sandbox-gamelink", 1),
    ("production-rest", 10),
    ("production-gamelink", 11),
    ("ops", 2),
];

/// The extension of the examples and the channel of its owner.
pub(crate) const CLIENT_ID: &str = "crowdlink-demo";
pub(crate) const CHANNEL_ID: &str = "12345678";

/// Where the nodes keep what they share.
pub(crate) struct Shared {
    /// `postgres://…`
    pub(crate) store: String,
    /// `nats://…`
    pub(crate) bus: String,
}

/// One server of the cluster.
#[derive(Clone)]
pub(crate) struct Node {
    /// `node-1` and so on.
    pub(crate) name: String,
    first_port: u16,
}

/// The nodes, at most [`NODES_MAX`], from a first port on.
pub(crate) fn nodes(count: u16, first_port: u16) -> Vec<Node> {
    (0..count.min(NODES_MAX))
        .map(|index| Node {
            name: format!("node-{}", index + 1),
            first_port: first_port + index * PORTS_APART,
        })
        .collect()
}

impl Node {
    /// Where one of its edges listens.
    fn address(&self, after_first: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.first_port + after_first))
    }

    /// Its REST in the sandbox, the first of its edges.
    fn rest(&self) -> SocketAddr {
        self.address(0)
    }

    /// The words that start it.
    pub(crate) fn arguments(&self, shared: &Shared) -> Vec<String> {
        let mut words = vec!["serve".to_owned()];
        words.extend(["--store".to_owned(), shared.store.clone()]);
        words.extend(["--bus".to_owned(), shared.bus.clone()]);
        for (edge, after_first) in EDGES {
            words.extend([format!("--{edge}"), self.address(after_first).to_string()]);
        }
        // It ends before it would be killed.
        words.extend(["--shutdown-drain-ms-max".to_owned(), "5000".to_owned()]);
        words
    }
}

/// The words that register the extension of the examples.
pub(crate) fn registration(shared: &Shared) -> Vec<String> {
    let words = [
        "extension",
        "add",
        "--client-id",
        CLIENT_ID,
        "--owner",
        CHANNEL_ID,
        "--store",
        &shared.store,
    ];
    words.map(str::to_owned).to_vec()
}

/// What is where, and what to try.
pub(crate) fn hello(nodes: &[Node], shared: &Shared) -> String {
    let mut text = format!(
        "\nA cluster of {} nodes runs until Ctrl-C.\n\n",
        nodes.len()
    );
    // Writing to a text does not fail.
    let mut row = |name: &str, what: &str| writeln!(text, "  {name:<11} {what}").unwrap_or(());
    row("PostgreSQL", &shared.store);
    row("NATS", &shared.bus);
    for node in nodes {
        let edges = EDGES.map(|(edge, place)| format!("{edge}={}", node.address(place)));
        row(&node.name, &edges.join(" "));
    }
    if let (Some(first), Some(last)) = (nodes.first(), nodes.last()) {
        text.push_str(&steps(first.rest(), last.rest()));
    }
    text
}

fn steps(one: SocketAddr, other: SocketAddr) -> String {
    format!(
        r#"
Try it, in another terminal: what one node is told, another one knows.

  TOKEN=$(curl -s http://{one}/v1/e/authtoken -d '{{"app_id":"{CLIENT_ID}","channel_id":"{CHANNEL_ID}","role":"broadcaster"}}' | sed 's/.*:"\(.*\)".*/\1/')
  curl -s http://{one}/v1/e/channel_state -H "Authorization: {CLIENT_ID} $TOKEN" -d '{{"hello":"cluster"}}' && curl -s http://{other}/v1/e/channel_state -H "Authorization: {CLIENT_ID} $TOKEN"

"#
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn shared() -> Shared {
        Shared {
            store: "postgres://crowdlink@127.0.0.1:1/crowdlink".to_owned(),
            bus: "nats://127.0.0.1:2".to_owned(),
        }
    }

    #[test]
    fn the_first_node_is_where_a_single_server_is_and_the_next_a_hundred_ports_on() {
        let nodes = nodes(2, 5050);
        let words = nodes[1].arguments(&shared()).join(" ");
        assert_eq!(
            words,
            "serve --store postgres://crowdlink@127.0.0.1:1/crowdlink --bus nats://127.0.0.1:2 \
             --sandbox-rest 127.0.0.1:5150 --sandbox-gamelink 127.0.0.1:5151 \
             --production-rest 127.0.0.1:5160 --production-gamelink 127.0.0.1:5161 \
             --ops 127.0.0.1:5152 --shutdown-drain-ms-max 5000"
        );
        let words = nodes[0].arguments(&shared()).join(" ");
        assert!(words.contains("--sandbox-rest 127.0.0.1:5050 "), "{words}");
    }

    #[test]
    fn no_two_edges_of_the_largest_cluster_share_a_port() {
        let nodes = nodes(NODES_MAX + 1, FIRST_PORT_MAX);
        assert_eq!(nodes.len(), usize::from(NODES_MAX));
        let edges = nodes
            .iter()
            .flat_map(|node| EDGES.map(|(_, place)| node.address(place)));
        let ports: BTreeSet<_> = edges.map(|address| address.port()).collect();
        assert_eq!(ports.len(), nodes.len() * EDGES.len());
    }

    #[test]
    fn the_extension_of_the_examples_is_registered_in_the_shared_store() {
        let words = registration(&shared()).join(" ");
        assert_eq!(
            words,
            "extension add --client-id crowdlink-demo --owner 12345678 \
             --store postgres://crowdlink@127.0.0.1:1/crowdlink"
        );
    }

    #[test]
    fn what_to_try_writes_on_the_first_node_and_reads_on_the_last() {
        let hello = hello(&nodes(3, 5050), &shared());
        let tried = hello.lines().find(|line| line.contains("hello")).unwrap();
        let (write, read) = tried.split_once("&&").unwrap();
        assert!(
            write.contains("127.0.0.1:5050/v1/e/channel_state"),
            "{write}"
        );
        assert!(read.contains("127.0.0.1:5250/v1/e/channel_state"), "{read}");
        for listed in ["postgres://", "nats://", "node-3", "ops=127.0.0.1:5252"] {
            assert!(hello.contains(listed), "{listed} in {hello}");
        }
    }
}
