//! Scenarios: what clients do to a server, for a class that watches its live figure.
//!
//! Each is a function of a [`Stage`], on which the server listens and clients connect: the loopback interface when a person
//! watches, and memory with paused time in the tests.

mod client;
mod site;
mod stage;

use std::time::Duration;

use anyhow::ensure;
use quintet_server::{ServeMux, Server};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use client::Client;
pub use {
    site::{MAX_UPLOAD_BYTES, READ_HEADER_TIMEOUT, server},
    stage::{Stage, TcpStage},
};

/// The names that are greeted.
const NAMES: [&str; 8] = ["ada", "alan", "barbara", "edsger", "grace", "john", "ken", "niklaus"];
/// How long the requests in progress have at the shutdown.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// What clients do to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Clients that behave.
    Good,
    /// Clients that send their heads byte by byte.
    Slowloris,
    /// No descriptor is free, and then some are.
    Descriptors,
    /// A client that sends many requests before it reads a reply.
    Pipelining,
    /// Requests that two readers would take for different ones.
    Smuggling,
    /// A body that is too large.
    Upload,
    /// The server leaves while it has work.
    Shutdown,
}

impl Scenario {
    /// All of them, in the order of a lesson. The last one ends the server.
    pub const ALL: [Self; 7] = [
        Self::Good,
        Self::Slowloris,
        Self::Descriptors,
        Self::Pipelining,
        Self::Smuggling,
        Self::Upload,
        Self::Shutdown,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slowloris => "slowloris",
            Self::Descriptors => "descriptors",
            Self::Pipelining => "pipelining",
            Self::Smuggling => "smuggling",
            Self::Upload => "upload",
            Self::Shutdown => "shutdown",
        }
    }

    /// What the class looks at, in two sentences.
    #[must_use]
    pub const fn caption(self) -> &'static str {
        match self {
            Self::Good => {
                "Eight clients ask for a page again and again, each on a connection that it keeps. \
                 A connection is active while its request is served, and idle until the next one."
            }
            Self::Slowloris => {
                "Four clients send a head byte by byte and never end it, while another one is served. \
                 The time for a head runs from its first byte and no byte prolongs it: the ring shrinks to nothing, and 408 is sent."
            }
            Self::Descriptors => {
                "The process has no descriptor left, so accept fails with EMFILE, and the loop waits 5 ms, 10 ms, 20 ms and on. \
                 Then there are descriptors again: the next accept takes the clients that wait in the kernel's queue."
            }
            Self::Pipelining => {
                "One client sends sixteen requests at once and reads no reply before. \
                 They are served one after the other on its one connection, and answered in their order."
            }
            Self::Smuggling => {
                "A client sends requests that a proxy and a server could end at different bytes, with a second request hidden behind. \
                 What can be read in two ways is refused and the connection closed, so that the hidden request is never served."
            }
            Self::Upload => {
                "A client announces a body larger than the handler takes. \
                 It is answered 413 before it has sent that body, and the connection lingers until the client has read the reply."
            }
            Self::Shutdown => {
                "The server is told to shut down while eight clients wait for slow replies. \
                 It accepts no more, answers every request that it has, says that each reply is the last of its connection, and drains to zero."
            }
        }
    }

    /// Plays the scenario; returns what its clients have seen, as a sentence.
    ///
    /// # Errors
    /// A client saw something else than it should.
    pub async fn play<S: Stage>(self, stage: &S, server: &Server<ServeMux>) -> anyhow::Result<String> {
        match self {
            Self::Good => good(stage).await,
            Self::Slowloris => slowloris(stage).await,
            Self::Descriptors => descriptors(stage).await,
            Self::Pipelining => pipelining(stage).await,
            Self::Smuggling => smuggling(stage).await,
            Self::Upload => upload(stage).await,
            Self::Shutdown => shutdown(stage, server).await,
        }
    }
}

async fn connect<S: Stage>(stage: &S) -> anyhow::Result<Client<S::Stream>> {
    Ok(Client::new(stage.connect(stage.socket()?).await?))
}

/// What each task returned; the first error of one ends them all.
async fn all<T: 'static>(mut tasks: JoinSet<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let mut results = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        results.push(ended??);
    }
    Ok(results)
}

async fn good<S: Stage>(stage: &S) -> anyhow::Result<String> {
    let mut clients = JoinSet::new();
    for (n, name) in (0..).zip(NAMES) {
        let mut client = connect(stage).await?;
        clients.spawn(async move {
            for _ in 0..20 {
                client.get(&format!("/hello/{name}")).await?;
                let reply = client.reply().await?;
                ensure!(reply.status == 200 && reply.body == format!("Hello, {name}!\n"), "{reply:?}");
                sleep(Duration::from_millis(200 + 30 * n)).await;
            }
            Ok(20)
        });
    }
    let replies: i32 = all(clients).await?.iter().sum();
    Ok(format!("8 clients have read {replies} replies of 200"))
}

async fn slowloris<S: Stage>(stage: &S) -> anyhow::Result<String> {
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let mut client = connect(stage).await?;
        clients.spawn(async move {
            client.send(b"GET /hello/slow HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await?;
            let began = Instant::now();
            loop {
                // A byte each 300 ms, until there is a reply.
                if let Ok(reply) = timeout(Duration::from_millis(300), client.reply()).await {
                    let reply = reply?;
                    ensure!(reply.status == 408, "{reply:?}");
                    return Ok(began.elapsed());
                }
                ensure!(began.elapsed() < 2 * READ_HEADER_TIMEOUT, "the server waits for ever");
                client.send(b"z").await?;
            }
        });
    }
    let mut other = connect(stage).await?;
    other.get("/hello/ada").await?;
    ensure!(other.reply().await?.status == 200, "the others keep this one waiting");
    let after = all(clients).await?.into_iter().max().unwrap_or_default();
    Ok(format!("4 slow clients have read 408 after {:.1} s, and another one 200 at once", after.as_secs_f32()))
}

async fn descriptors<S: Stage>(stage: &S) -> anyhow::Result<String> {
    // Before: a client of this process needs descriptors, too.
    let sockets = [stage.socket()?, stage.socket()?, stage.socket()?];
    stage.exhaust()?;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    let waiting = async {
        for socket in sockets {
            let mut client = Client::new(stage.connect(socket).await?);
            client.get("/hello/late").await?;
            clients.spawn(async move {
                let reply = client.reply().await?;
                ensure!(reply.status == 200, "{reply:?}");
                Ok(began.elapsed())
            });
        }
        sleep(Duration::from_secs(3)).await;
        anyhow::Ok(())
    };
    let waited = waiting.await;
    stage.release()?;
    waited?;
    let after = all(clients).await?.into_iter().max().unwrap_or_default();
    Ok(format!("3 clients waited in the queue, and have read 200 after {:.1} s", after.as_secs_f32()))
}

async fn pipelining<S: Stage>(stage: &S) -> anyhow::Result<String> {
    let mut client = connect(stage).await?;
    for _ in 0..4 {
        let path = |n: usize| format!("/hello/{n}");
        let requests: String =
            (0..16).map(|n| format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path(n))).collect();
        client.send(requests.as_bytes()).await?;
        for n in 0..16 {
            let reply = client.reply().await?;
            ensure!(reply.status == 200 && reply.body == format!("Hello, {n}!\n"), "{reply:?}");
        }
        sleep(Duration::from_secs(1)).await;
    }
    Ok("1 client has read 4 times 16 replies of 200, in the order of its requests".to_owned())
}

/// Requests with one hidden behind that two readers could end at different bytes.
const SMUGGLED: [&str; 4] = [
    // By its length the hidden request is a body; by its coding that body has ended.
    "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 43\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 38\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\nContent-Length: 38\r\n\r\n",
    "GET /hello/ada HTTP/1.1\nHost: localhost\r\n\r\n",
];

async fn smuggling<S: Stage>(stage: &S) -> anyhow::Result<String> {
    for attempt in SMUGGLED {
        let mut client = connect(stage).await?;
        client.send(attempt.as_bytes()).await?;
        client.send(b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let reply = client.reply().await?;
        ensure!(reply.status == 400 && reply.is_last, "{reply:?}");
        ensure!(client.is_at_end().await?, "the hidden request was answered");
        sleep(Duration::from_secs(1)).await;
    }
    Ok(format!("{} attempts have read 400 and the end of the connection", SMUGGLED.len()))
}

async fn upload<S: Stage>(stage: &S) -> anyhow::Result<String> {
    // So much that the server does not read the rest to keep the connection.
    let size = 256 * MAX_UPLOAD_BYTES;
    for _ in 0..3 {
        let mut client = connect(stage).await?;
        let head = format!("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n");
        client.send(head.as_bytes()).await?;
        client.send(&[b'x'; 1000]).await?;
        let reply = client.reply().await?;
        ensure!(reply.status == 413 && reply.is_last, "{reply:?}");
        sleep(Duration::from_secs(1)).await;
    }
    let mut client = connect(stage).await?;
    client.send(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello").await?;
    let reply = client.reply().await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(format!("3 clients with {size} bytes have read 413, and one with 5 bytes 200"))
}

async fn shutdown<S: Stage>(stage: &S, server: &Server<ServeMux>) -> anyhow::Result<String> {
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let mut client = connect(stage).await?;
        clients.spawn(async move {
            for replies in 1.. {
                client.get("/slow").await?;
                let reply = client.reply().await?;
                ensure!(reply.status == 200, "{reply:?}");
                if reply.is_last {
                    return Ok(replies);
                }
            }
            Ok(0)
        });
        sleep(Duration::from_millis(150)).await;
    }
    sleep(Duration::from_secs(2)).await;
    let report = server.shutdown(GRACE_PERIOD).await;
    let replies: i32 = all(clients).await?.iter().sum();
    ensure!(report.aborted == 0, "{report:?}");
    let is_refused = match stage.socket() {
        Ok(socket) => stage.connect(socket).await.is_err(),
        Err(_) => true,
    };
    ensure!(is_refused, "the server still accepts");
    Ok(format!("8 clients have read {replies} replies of 200 and lost none, and a new one is refused"))
}
