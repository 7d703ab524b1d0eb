//! The accept loop and the connection loop, with the names of Go's `Serve` and `serve` at the right.

use std::{pin::pin, sync::Arc};

use quintet_conn::{ConnGuard, Wire};
use quintet_listener::{Listener, Stream};
use quintet_mux::Handler;
use quintet_request::{CloseReason, Exchange, Next, Requests};

use crate::{
    close::{close, close_idle, hijack, refuse},
    dispatch::dispatch,
    ended::Ended,
    fair::{REQUESTS, Turn, give_way},
    respond::{finish_reply, write},
    sampling::Sampling,
    select::{Either, select},
    serve_error::ServeError,
    served::{Notes, Observed, begin, finish},
    server::Server,
    shared::Shared,
};
#[cfg(feature = "http2")]
use crate::{protocols::Protocol, streams::serve_streams};

impl<H: Handler> Server<H> {
    /// Accepts connections until the server is shut down. Go: `(*Server).Serve`.
    ///
    /// One server may serve any number of listeners at once. A transient accept error is retried with a back-off.
    ///
    /// # Errors
    /// [`ServeError::Accept`] if accepting failed for good. The connections of this listener are drained first, for up to
    /// five seconds. [`ServeError::Closed`] if the server was shut down before.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener. Its connections are still served.
    #[doc(alias = "accept loop")]
    pub async fn serve<L: Listener>(&self, listener: L) -> Result<(), ServeError> {
        // Go: trackListener; its tempDelay is in Retry
        let (mut listener, mut accept_loop) = self.shared.open(listener)?; // accept_loop_guard.rs
        let connections = Arc::clone(&accept_loop.connections);
        let relief = self.shared.relieve(accept_loop.pressure.clone(), Arc::clone(&connections)); // relief.rs
        let (mut stopping, mut relief) = (pin!(connections.stopping()), pin!(relief));
        loop {
            // `accept` is dropped only at a shutdown, and is cancel safe: a connection that it has not returned stays in
            // the listener or its backlog, and `admit_late` takes it.
            let accepted = select(listener.accept(), relief.as_mut());
            let (stream, peer) = match select(stopping.as_mut(), accepted).await {
                Either::First(()) => break, //                           Go: ErrServerClosed
                Either::Second(Either::First(Ok(accepted))) => accepted,
                Either::Second(Either::First(Err(error))) => {
                    accept_loop.give_up(listener).await;
                    return Err(ServeError::Accept(error));
                }
                Either::Second(Either::Second(never)) => match never {},
            };
            let (guard, wire) = connections.admit(stream, peer); //      Go: newConn, setState(StateNew)
            spawn(&self.shared, guard, wire); //                         Go: go c.serve(connCtx)
        }
        // The clients of the backlog connected before the shutdown. Go resets them.
        while let Some((guard, wire)) = accept_loop.admit_late(&mut listener).await {
            spawn(&self.shared, guard, wire);
        }
        Ok(())
    }
}

/// Serves one connection in a task of its own.
fn spawn<H: Handler, S: Stream>(server: &Arc<Shared<H>>, guard: ConnGuard, wire: Wire<S>) {
    if server.observer.observes() {
        let notes = Notes::new(Arc::clone(&server.observer), Arc::clone(&guard));
        let wire = wire.map_stream(|stream| Observed::new(stream, notes));
        tokio::spawn(serve_connection(Arc::clone(server), guard, wire));
    } else {
        tokio::spawn(serve_connection(Arc::clone(server), guard, wire));
    }
}

/// Serves one connection until it closes. Go: `(*conn).serve`, whose deferred block is the drop of `connection`.
async fn serve_connection<H: Handler, S: Stream>(server: Arc<Shared<H>>, connection: ConnGuard, wire: Wire<S>) {
    let connection = Ended(connection);
    // Declared before the wire's new owner, so dropped after it: a listener that waits for a descriptor finds it free.
    let _fd_released = server.fd_released_on_drop();
    let mut requests = Requests::new(wire, Arc::clone(&server.limits));
    // Go: tlsConn.HandshakeContext
    if let Err(error) = requests.reclaim().open().await {
        return connection.set_close_reason(CloseReason::from(&error));
    }
    server.observer.conn_context(&connection); //                        Go: ConnContext
    #[cfg(feature = "http2")]
    match server.config.protocols.choose(&connection, requests.reclaim()).await {
        Protocol::Http1 => {}
        // Go: TLSNextProto
        Protocol::Http2 => return Box::pin(serve_streams(Arc::clone(&server), connection, requests.into_wire())).await,
        Protocol::Unspoken => return connection.set_close_reason(CloseReason::ProtocolError),
    }
    let (mut served, mut turn) = (0, Turn::of(REQUESTS));
    let (next, reason) = loop {
        let mut request = match requests.next().await {
            Ok(Some(request)) => request, //                             Go: readRequest
            Ok(None) => break close_idle(&connection, &mut requests).await, // closed, idle for too long, or stopping
            // Boxed, as are all rare paths below: a future takes the memory of its largest path, also while it is idle.
            Err(error) => break Box::pin(refuse(&server, &connection, &mut requests, error)).await,
        };
        if requests.take_waited() {
            turn.begin();
        } else if turn.is_over() {
            if let Err(error) = Box::pin(give_way(&mut requests, &mut turn)).await {
                break (Next::End, Some(CloseReason::from(&error))); //   the client is gone
            }
        }
        served += 1;
        begin(&mut requests, &mut request);
        let mut sampling = Sampling::begin(&server, &mut request);
        let mut exchange = Exchange::new(request.head());
        // Go: ServeHTTP
        let Some(response) = dispatch(&server, &connection, request, &mut requests).await else {
            break (Next::End, Some(CloseReason::Aborted));
        };
        sampling.handled(&response);
        if let Some(reason) = server.last_reason(&connection, served, requests.is_ahead()) {
            exchange.close(reason);
        }
        let upgrade = match write(&server, &connection, &mut requests, &mut exchange, response) {
            None => None, //                                             small: `Requests::next` sends it before it waits
            Some(rest) => Box::pin(finish_reply(&server, &connection, &mut requests, &mut exchange, rest)).await,
        };
        if let Some(upgrade) = upgrade {
            sampling.finish(Next::TakeOver, None);
            return Box::pin(hijack(&server, &connection, requests, upgrade)).await;
        }
        match exchange.finish() {
            Next::Continue => {
                sampling.finish(Next::Continue, None);
                let is_full = finish(&connection, &mut requests, Next::Continue, None);
                connection.end_request(); //                             Go: finishRequest
                if is_full {
                    if let Err(error) = Box::pin(requests.reclaim().flush()).await {
                        break (Next::End, Some(CloseReason::from(&error)));
                    }
                }
            }
            next => {
                sampling.finish(next, connection.close_reason().or(exchange.close_reason()));
                break (next, exchange.close_reason());
            }
        }
    };
    close(&server, &connection, &mut requests, next, reason).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_listener::AnyStream;
    use quintet_mux::ServeMux;
    use quintet_request::Request;

    fn size<H, S, F>(_: impl Fn(Arc<Shared<H>>, ConnGuard, Wire<S>) -> F) -> usize {
        size_of::<F>()
    }

    /// An idle connection is one of these futures, and little else.
    #[test]
    fn a_connection_task_is_less_than_a_kibibyte() {
        async fn hello(_: Request) -> &'static str {
            "hello\n"
        }
        fn single<H: Handler>(_: H) -> usize {
            size(serve_connection::<H, AnyStream>)
        }
        let sizes = (single(hello), size(serve_connection::<ServeMux, AnyStream>));
        assert!(sizes.0 < 1024 && sizes.1 < 1024, "{sizes:?} bytes");
    }
}
