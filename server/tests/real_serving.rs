//! The ways to serve: `run`, `listen_and_serve`, the free functions, and each of them after a shutdown.

#![cfg(unix)]

mod support;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use quintet_server::{
    Config, Handler, Request, Response, ServeError, ServeMux, Server, ShutdownReport, handle, handle_func,
    listen_and_serve,
};
use support::{Client, bounded, eventually, in_memory};
use tokio::net::UnixStream;

const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// A path for a Unix socket, in a folder of its own that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("quintet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    fn addr(&self) -> String {
        format!("unix:{}", self.socket().display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn dial(socket: &Path) -> Client<UnixStream> {
    eventually("it listens", || std::os::unix::net::UnixStream::connect(socket).is_ok()).await;
    Client::new(UnixStream::connect(socket).await.expect("it listens"))
}

#[tokio::test]
async fn run_serves_an_address_until_a_shutdown() {
    bounded(async {
        let folder = Folder::new("run");
        let server = Server::new(async |_| "hello\n");
        let (own, addr) = (server.clone(), folder.addr());
        let running = tokio::spawn(async move { own.run(&addr, GRACE_PERIOD).await });
        let mut client = dial(&folder.socket()).await;
        assert_eq!(client.fetch("/").await.text(), "hello\n");
        eventually("the others left", || server.counts().total() == 1).await;
        assert_eq!(server.shutdown(GRACE_PERIOD).await, ShutdownReport { drained: 1, aborted: 0 });
        // The caller of `shutdown` gets the report.
        assert_eq!(running.await.expect("no panic").expect("served"), ShutdownReport::default());
        assert!(client.ends().await);
    })
    .await;
}

#[tokio::test]
async fn a_listen_error_names_its_address() {
    bounded(async {
        let server = Server::new(async |_| "");
        let ends = [
            server.run("unix:/no/such/folder/socket", GRACE_PERIOD).await.map(drop),
            server.listen_and_serve("unix:/no/such/folder/socket").await,
            listen_and_serve("unix:/no/such/folder/socket", None).await,
        ];
        for end in ends {
            let Err(ServeError::Listen { addr, .. }) = end else { panic!("{end:?}") };
            assert_eq!(addr, "unix:/no/such/folder/socket");
        }
        let end = server.serve_per_core("no address", NonZeroUsize::MIN);
        assert!(matches!(&end, Err(ServeError::Listen { addr, .. }) if addr == "no address"), "{end:?}");
    })
    .await;
}

#[tokio::test]
async fn a_server_opens_no_listener_after_a_shutdown() {
    bounded(async {
        let folder = Folder::new("closed");
        let before = std::os::unix::net::UnixListener::bind(folder.socket()).expect("a socket");
        drop(before); // its file stays, and a second listener would replace it
        let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(folder.socket()).expect("the file"));
        let stale = inode();
        // `Closed` comes first, also for an address that cannot be listened on.
        for addr in [folder.addr().as_str(), "unix:/no/such/folder/socket", "no address"] {
            let server = Server::new(async |_| "");
            assert_eq!(server.close().await, ShutdownReport::default());
            let end = server.listen_and_serve(addr).await;
            assert!(matches!(end, Err(ServeError::Closed)), "{addr}: {end:?}");
            let end = server.run(addr, GRACE_PERIOD).await;
            assert!(matches!(end, Err(ServeError::Closed)), "{addr}: {end:?}");
            let end = server.serve_per_core(addr, NonZeroUsize::MIN);
            assert!(matches!(end, Err(ServeError::Closed)), "{addr}: {end:?}");
        }
        assert_eq!(inode(), stale, "the file was replaced");
    })
    .await;
}

#[tokio::test]
async fn a_port_is_not_opened_after_a_shutdown() {
    bounded(async {
        // The port of another listener: binding it would be a `Listen` error.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = taken.local_addr().expect("its address").to_string();
        let server = Server::new(async |_| "");
        server.close().await;
        assert!(matches!(server.listen_and_serve(&addr).await, Err(ServeError::Closed)));
        assert!(matches!(server.run(&addr, GRACE_PERIOD).await, Err(ServeError::Closed)));
        assert!(matches!(server.serve_per_core(&addr, NonZeroUsize::MIN), Err(ServeError::Closed)));
    })
    .await;
}

#[tokio::test]
async fn the_free_functions_serve_the_default_mux_or_a_given_one() {
    bounded(async {
        let (default, given) = (Folder::new("default"), Folder::new("given"));
        handle_func("GET /func/{name}", async |request: Request| {
            format!("func {}\n", request.path_value("name").expect("a wildcard"))
        });
        handle("/handle", async |_: Request| "handle\n");
        let mux = ServeMux::new();
        mux.handle("/", async |_| "given\n");
        let addrs = (default.addr(), given.addr());
        tokio::spawn(async move { listen_and_serve(&addrs.0, None).await });
        tokio::spawn(async move { listen_and_serve(&addrs.1, Some(mux)).await });
        let mut client = dial(&default.socket()).await;
        assert_eq!(client.fetch("/func/gopher").await.text(), "func gopher\n");
        assert_eq!(client.fetch("/handle").await.text(), "handle\n");
        assert_eq!(client.fetch("/other").await.status, 404);
        let mut client = dial(&given.socket()).await;
        assert_eq!(client.fetch("/handle").await.text(), "given\n");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn options_star_is_answered_by_the_server_unless_passed_on() {
    bounded(async {
        for (pass_options_star, text) in [(false, ""), (true, "OPTIONS *")] {
            let handler = async |request: Request| format!("{} {}", request.method(), request.path());
            let server = Server::with_config(handler, Config { pass_options_star, ..Config::default() });
            let (dial, _) = in_memory(&server);
            let mut client = dial.connect();
            client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.text()), (200, text));
            // The handler gets any other OPTIONS in either case.
            client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(client.reply().await.text(), "OPTIONS /x");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_extension_of_an_outer_handler_reaches_the_inner_one() {
    #[derive(Clone, Debug, PartialEq)]
    struct User(&'static str);

    struct Outer<H>(H);

    impl<H: Handler> Handler for Outer<H> {
        async fn call(&self, mut request: Request) -> Response {
            request.set_extension(User("gopher"));
            request.set_path_value("tenant", "acme");
            self.0.call(request).await.with_header("x-outer", "1")
        }
    }

    bounded(async {
        let mux = ServeMux::new();
        mux.handle("GET /items/{id}", async |request: Request| {
            assert!(request.peer_addr().is_some() && request.connection().is_some());
            format!(
                "{:?} {:?} {:?} {} {}\n",
                request.extension::<User>(),
                request.path_value("tenant"),
                request.path_value("id"),
                request.pattern(),
                request.decoded_path(),
            )
        });
        let server = Server::new(Outer(mux));
        let (dial, _) = in_memory(&server);
        let reply = dial.connect().fetch("/items/a%20b").await;
        let all = "Some(User(\"gopher\")) Some(\"acme\") Some(\"a b\") GET /items/{id} /items/a b\n";
        assert_eq!((reply.text(), reply.field("x-outer")), (all, Some("1")));
    })
    .await;
}
