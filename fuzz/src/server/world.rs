//! A whole server in memory, which keeps a ledger of what it was asked and of how its connections moved.

use std::{
    cell::Cell,
    collections::HashMap,
    panic::{resume_unwind, set_hook, take_hook},
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::StatusCode;
use quintet_listener::testing::{Dialer, MemoryListener, MemoryStream, ResetHandle};
use quintet_server::{
    Body, BodyError, Config, Handler, IntoResponse, Request, Response, ServeError, Server, Timeouts, conn::State,
    mux::Upgraded, request::Version,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// A request as a handler was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) line: String,
    /// What `X-Conn` said: whose request it is, where there is more than one connection.
    pub(super) conn: String,
    /// Whether the client wants no further reply: said by `Connection`, or not unsaid in HTTP/1.0.
    pub(super) closes: bool,
}

/// What happened.
#[derive(Default)]
struct Ledger {
    calls: Mutex<Vec<Call>>,
    /// Handlers and bodies at work.
    working: AtomicUsize,
    /// The state of each slot.
    slots: Mutex<HashMap<usize, State>>,
    kept: Mutex<Vec<Body>>,
    /// The handlers at work of each slot.
    handlers: Mutex<HashMap<usize, usize>>,
}

/// The most handlers at work on a connection of HTTP/2.
const PLACES: usize = 3;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts something at work while it lives.
struct Work(Arc<Ledger>);

impl Work {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.working.fetch_add(1, SeqCst);
        Work(Arc::clone(ledger))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, SeqCst);
    }
}

/// Counts a handler of a connection while it lives.
struct AtWork(Arc<Ledger>, usize);

impl AtWork {
    fn new(ledger: &Arc<Ledger>, slot: usize) -> Self {
        let now = {
            let mut handlers = lock(&ledger.handlers);
            let now = handlers.entry(slot).or_default();
            *now += 1;
            *now
        };
        assert!(now <= PLACES, "{now} handlers of one connection are at work");
        Self(Arc::clone(ledger), slot)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(now) = lock(&self.0.handlers).get_mut(&self.1) {
            *now -= 1;
        }
    }
}

/// A server in memory.
pub(super) struct World {
    pub(super) server: Server<Book>,
    ledger: Arc<Ledger>,
    dialer: Dialer,
    serving: JoinHandle<Result<(), ServeError>>,
    /// Whether it speaks HTTP/2.
    streams: bool,
    /// How often this thread had panicked before.
    panics: usize,
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// A panic in a task is caught by the runtime: it is counted before. (Those that handlers are asked for do not count.)
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
}

impl World {
    pub(super) fn new() -> Self {
        World::with(Timeouts::default())
    }

    pub(super) fn with(timeouts: Timeouts) -> Self {
        Self::of(Config { timeouts, ..Config::default() })
    }

    /// A server that speaks HTTP/2 in cleartext, with few places for handlers.
    pub(super) fn of_streams(timeouts: Timeouts) -> Self {
        let mut config = Config { timeouts, ..Config::default() };
        config.protocols.unencrypted_http2 = true;
        config.http2.max_concurrent_streams = u32::try_from(PLACES).unwrap_or(u32::MAX);
        Self::of(config)
    }

    fn of(mut config: Config) -> Self {
        count_panics();
        let ledger = Arc::<Ledger>::default();
        config.pass_options_star = true;
        let slots = Arc::clone(&ledger);
        config.hooks.state = Some(Arc::new(move |connection, from, to| {
            let mut slots = lock(&slots.slots);
            if (from, to) == (State::New, State::New) {
                let before = slots.insert(connection.slot(), to);
                // A connection that was taken over leaves without a call of the hook.
                assert!(matches!(before, None | Some(State::Hijacked)), "a slot is taken twice");
                return;
            }
            assert_eq!(slots.get(&connection.slot()), Some(&from), "a connection was elsewhere");
            from.go(to).expect("a legal move");
            match to {
                State::Closed => slots.remove(&connection.slot()),
                _ => slots.insert(connection.slot(), to),
            };
        }));
        // A panic here is one that was asked for; any other is a finding.
        config.hooks.panicked =
            Some(Arc::new(|panicked| assert_eq!(panicked.message, AS_ASKED, "a panic that no request asked for")));
        let streams = config.protocols.unencrypted_http2;
        let server = Server::with_config(Book(Arc::clone(&ledger)), config);
        let (listener, dialer) = MemoryListener::new();
        let own = server.clone();
        let serving = tokio::spawn(async move { own.serve(listener).await });
        World { server, ledger, dialer, serving, streams, panics: PANICS.get() }
    }

    /// A connection whose directions hold this many bytes each, without vectored writes, and what resets it when the
    /// client is dropped.
    pub(super) fn connect(&self, size: usize) -> (DuplexStream, ResetHandle) {
        let (stream, client, reset) = MemoryStream::pair(size);
        // After a shutdown the listener is closed, and with it this stream: then the client finds that out.
        self.dialer.send(stream.plain());
        (client, reset)
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        lock(&self.ledger.calls).clone()
    }

    /// When every client is gone: the server comes to rest by itself, and nothing is left.
    pub(super) async fn end(self) {
        let rest = async {
            loop {
                // Long enough for every client to be accepted.
                sleep(Duration::from_millis(100)).await;
                // A connection that was taken over stays in the ledger as that; what counts is that no task is at work.
                if self.server.counts().total() == 0 && self.ledger.working.load(SeqCst) == 0 {
                    return;
                }
            }
        };
        if timeout(Duration::from_secs(300), rest).await.is_err() {
            panic!("{:?}, {} at work", self.server.counts(), self.ledger.working.load(SeqCst));
        }
        for (slot, state) in lock(&self.ledger.slots).iter() {
            assert_eq!(*state, State::Hijacked, "slot {slot} never closed");
        }
        let kept = std::mem::take(&mut *lock(&self.ledger.kept));
        for mut body in kept {
            let outcome = timeout(Duration::from_secs(1), body.chunk()).await.expect("a stale body does not wait");
            // A client of HTTP/2 that went before the reply was sent is what the body failed of.
            let gone = self.streams && matches!(outcome, Err(BodyError::UnexpectedEof));
            assert!(gone || matches!(outcome, Ok(_) | Err(BodyError::AfterReply)), "{outcome:?}");
        }
        let report = self.server.shutdown(Duration::from_secs(1)).await;
        assert_eq!((report.drained, report.aborted), (0, 0));
        let served = self.serving.await.expect("the accept loop does not panic");
        // Closed, if it was shut down before it could begin.
        assert!(matches!(served, Ok(()) | Err(ServeError::Closed)), "{served:?}");
        assert_eq!(PANICS.get(), self.panics, "something panicked");
    }
}

const AS_ASKED: &str = "as asked";

/// Everything that a handler may do.
pub(super) struct Book(Arc<Ledger>);

impl Handler for Book {
    async fn call(&self, request: Request) -> Response {
        let ledger = &self.0;
        let line = format!("{} {}", request.method(), request.target().raw());
        let conn = request.header("x-conn").unwrap_or("").to_owned();
        let connection: Vec<String> = request
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
            .flat_map(|(_, value)| {
                String::from_utf8_lossy(value)
                    .to_lowercase()
                    .split(',')
                    .map(|t| t.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        let says = |word: &str| connection.iter().any(|said| said == word);
        let closes = says("close") || request.version() == Version::Http10 && !says("keep-alive");
        let number = {
            let mut calls = lock(&ledger.calls);
            calls.push(Call { line, conn, closes });
            calls.len()
        };
        let slot = request.connection().map_or(0, |connection| connection.slot());
        let _work = (Work::new(ledger), AtWork::new(ledger, slot));
        let mut response = answer(ledger, request).await;
        response.headers_mut().insert("x-n", number.into());
        response
    }
}

async fn answer(ledger: &Arc<Ledger>, mut request: Request) -> Response {
    let second = Duration::from_secs(1);
    match request.path() {
        "/echo" => Response::new(request.into_body()),
        "/typed" => Response::new(request.into_body()).with_content_type("text/plain"),
        "/collect" => request.to_bytes(10_000).await.map(|body| body.len().to_string()).into_response(),
        "/first" => request.body_mut().chunk().await.map(|piece| format!("{piece:?}")).into_response(),
        "/keep" => {
            lock(&ledger.kept).push(request.into_body());
            "kept".into_response()
        }
        "/spawn" => {
            let work = Work::new(ledger);
            tokio::spawn(async move {
                let _work = work;
                let _ = request.into_body().to_bytes(10_000).await;
            });
            "spawned".into_response()
        }
        "/spawned" => {
            let body = request.into_body();
            let read = tokio::spawn(body.to_bytes(10_000)).await.expect("no panic");
            read.map(Response::new).into_response()
        }
        "/impatient" => {
            let waited = timeout(second, request.body_mut().chunk()).await;
            // A client that sent much ahead and then vanished is not noticed while that is not read.
            let _ = timeout(30 * second, request.disconnected()).await;
            format!("{waited:?}").into_response()
        }
        "/slow" => {
            sleep(second).await;
            "slow".into_response()
        }
        "/wait" => {
            let _ = timeout(30 * second, request.disconnected()).await;
            "waited".into_response()
        }
        "/pieces" => pieces(ledger, second),
        "/large" => Response::new(vec![b'x'; 300_000]),
        "/nothing" => StatusCode::NO_CONTENT.into_response(),
        "/close" => Response::new("last").with_header("connection", "close"),
        "/upgrade" => {
            let work = Work::new(ledger);
            Response::upgrade(StatusCode::SWITCHING_PROTOCOLS, move |upgraded| async move {
                let _work = work;
                repeat(upgraded).await;
            })
            .with_header("upgrade", "x")
        }
        "/panic" => resume_unwind(Box::new(AS_ASKED)),
        "/panic-late" => {
            let _ = request.body_mut().chunk().await;
            resume_unwind(Box::new(AS_ASKED))
        }
        "/deadlines" => {
            request.set_read_deadline(2 * second);
            request.set_write_deadline(3 * second);
            Response::new(request.into_body())
        }
        path => path.to_owned().into_response(),
    }
}

fn pieces(ledger: &Arc<Ledger>, second: Duration) -> Response {
    let work = Work::new(ledger);
    Response::new(Body::writer(move |mut w| async move {
        let _work = work;
        for n in 0..10 {
            w.write(format!("piece {n}\n")).await?;
            w.flush().await?;
            sleep(second / 10).await;
        }
        w.write(vec![b'y'; 100_000]).await
    }))
}

/// The other protocol: what was heard is said.
async fn repeat(mut upgraded: Upgraded) {
    let mut heard = std::mem::take(&mut upgraded.leftover);
    loop {
        if upgraded.io.write_all(&heard).await.is_err() {
            return;
        }
        heard.clear();
        match upgraded.io.read_buf(&mut heard).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
    }
}
