//! A tool: scenarios for a class that watches the live figure of a server, from good clients to a shutdown under load.
//!
//! You learn: what a server does with slow, greedy and hostile clients, and where in its five layers it does that.
//!
//! Run:      `cargo run --release --example scenario` lists the scenarios;
//!           `cargo run --release --example scenario -- slowloris smuggling` plays two, `-- --all` plays all in turn
//! Then:     open <http://localhost:9090/live/> in the five seconds before the first one begins.
//! You see:  in this terminal two sentences about each scenario, and what its clients have seen; in the browser its
//!           connections, requests, refusals and accept errors as they happen.
//! Try:      `--pause 0` does not wait; `descriptors` lowers the limit of descriptors of this process (Unix)
//! End:      by itself after the last scenario, or Ctrl-C.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use quintet_examples::{
    arguments, outln,
    scenarios::{Scenario, TcpStage, server},
};
use quintet_server::{Listener, ServeMux, Server, listen, listener::Addr};
use tokio::{signal::ctrl_c, time::sleep};

/// The command line.
#[derive(clap::Parser)]
struct Arguments {
    /// Which scenarios to play, in this order
    scenarios: Vec<Scenario>,
    /// Play all of them
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:9090")]
    addr: SocketAddr,
    /// How many seconds to wait before each scenario, and after the last
    #[arg(long, default_value_t = 5)]
    pause: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { scenarios, all, addr, pause } = arguments(include_str!("scenario.rs"));
    let scenarios = if all { Scenario::ALL.to_vec() } else { scenarios };
    if scenarios.is_empty() {
        for scenario in Scenario::ALL {
            outln!("{:12} {}", scenario.name(), scenario.caption());
        }
        return Ok(());
    }
    let listener = listen(&addr.to_string()).with_context(|| format!("cannot listen on {addr}"))?;
    let Addr::Tcp(local) = listener.local_addr()? else { anyhow::bail!("a TCP listener has a TCP address") };
    let (server, stage, pause) = (server(), TcpStage::new(local), Duration::from_secs(pause));
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    outln!("open http://localhost:{}/live/ ({} s)", local.port(), pause.as_secs());
    tokio::select! {
        played = play(&scenarios, &stage, &server, pause) => played?,
        _ = ctrl_c() => {}
    }
    server.close().await;
    match serving.await? {
        Ok(()) | Err(quintet_server::ServeError::Closed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn play(
    scenarios: &[Scenario],
    stage: &TcpStage,
    server: &Server<ServeMux>,
    pause: Duration,
) -> anyhow::Result<()> {
    for scenario in scenarios {
        sleep(pause).await;
        outln!("\n{}: {}", scenario.name(), scenario.caption());
        let seen = scenario.play(stage, server).await.with_context(|| format!("scenario {}", scenario.name()))?;
        outln!("  {seen}.");
    }
    sleep(pause).await;
    Ok(())
}
