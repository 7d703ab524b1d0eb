//! The page: how connections are accepted, and how one is served. Everything else is behind one of these names.

use std::{pin::pin, sync::Arc};

use quintet_conn::Conn;
use quintet_listener::{Listener, Stream};
use quintet_mux::Handler;
use quintet_request::{Requests, Reuse};

use crate::{
    call::call,
    end::{close, hijack, refuse},
    exchange::Exchange,
    fair::{REQUESTS, Turn, give_way},
    reply::{Replied, Written, finish, write},
    select::{Either, select},
    server::{ServeError, Server, Shared},
};

impl<H: Handler> Server<H> {
    /// Accepts connections until the server is shut down. Go: `(*Server).Serve`.
    ///
    /// Any number of listeners may be served at once. Accept errors that pass by themselves are waited for.
    ///
    /// # Errors
    /// [`ServeError::Accept`] if nothing can be accepted any more; the connections of this listener are drained first, for
    /// up to five seconds. [`ServeError::Closed`] if the server was shut down before.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; connections go on.
    pub async fn serve<L: Listener>(&self, listener: L) -> Result<(), ServeError> {
        let (mut listener, mut door) = self.shared.open(listener)?; //     Go: trackListener; its tempDelay is in Retry
        let conns = Arc::clone(&door.conns);
        let relief = self.shared.relieve(door.pressure.clone(), Arc::clone(&conns));
        let (mut stopping, mut relief) = (pin!(conns.stopping()), pin!(relief));
        loop {
            let accepted = select(listener.accept(), relief.as_mut());
            let (stream, peer) = match select(stopping.as_mut(), accepted).await {
                Either::First(()) => break, //                           Go: ErrServerClosed
                Either::Second(Either::First(Ok(accepted))) => accepted,
                Either::Second(Either::First(Err(error))) => {
                    door.give_up(listener).await;
                    return Err(ServeError::Accept(error));
                }
                Either::Second(Either::Second(never)) => match never {},
            };
            let conn = conns.admit(stream, peer); //                     Go: newConn, setState(StateNew)
            tokio::spawn(serve_conn(Arc::clone(&self.shared), conn)); // Go: go c.serve(connCtx)
        }
        while let Some(conn) = door.admit_late(&mut listener).await {
            tokio::spawn(serve_conn(Arc::clone(&self.shared), conn)); // who was connected already; Go resets them
        }
        Ok(())
    }
}

/// Serves one connection until it closes. Go: `(*conn).serve`.
async fn serve_conn<H: Handler, S: Stream>(server: Arc<Shared<H>>, conn: Conn<S>) {
    let (link, wire) = conn.split(); //                                  dropping `link` is Go's deferred block
    let _freed = server.tell_freed();
    let mut requests = Requests::new(wire, Arc::clone(&server.limits));
    let (mut served, mut turn) = (0, Turn::of(REQUESTS));
    loop {
        let request = match requests.next().await {
            Ok(Some(request)) => request, //                             Go: readRequest
            Ok(None) => return, //                                       closed, idle for too long, or stopping
            Err(error) => return Box::pin(refuse(&server, &link, requests, error)).await,
        };
        if requests.take_waited() {
            turn.begin();
        } else if turn.is_over() && Box::pin(give_way(&mut requests, &mut turn)).await.is_err() {
            return; //                                                   the client is gone
        }
        served += 1;
        let mut exchange = Exchange::begin(&request);
        let Some(response) = call(&server, &link, request, &mut requests).await else { return }; // Go: ServeHTTP
        if server.is_last(&link, served, requests.is_ahead()) {
            exchange.close();
        }
        let replied = match write(&server, &link, &mut requests, exchange, response) {
            Written::Whole(replied) => Ok(replied), //                   small: it goes with the next flush
            Written::Begun(begun) => Box::pin(finish(&server, &link, &mut requests, *begun)).await,
        };
        match replied {
            Ok(Replied::Done(Reuse::Yes)) => link.reset_deadlines(), //  Go: finishRequest
            Ok(Replied::Done(_)) => return close(&server, &mut requests).await,
            Ok(Replied::Upgrade(upgrade)) => return Box::pin(hijack(&server, &link, requests, upgrade)).await,
            Err(_) => return, //                                         the client is gone, or was told by a reset
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_listener::SocketStream;
    use quintet_mux::ServeMux;
    use quintet_request::Request;

    fn size<H, S, F>(_: impl Fn(Arc<Shared<H>>, Conn<S>) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle connections are ten thousand of these, and little else.
    #[test]
    fn a_connection_is_less_than_a_kibibyte() {
        async fn hello(_: Request) -> &'static str {
            "hello\n"
        }
        fn single<H: Handler>(_: H) -> usize {
            size(serve_conn::<H, SocketStream>)
        }
        let sizes = (single(hello), size(serve_conn::<ServeMux, SocketStream>));
        assert!(sizes.0 < 1024 && sizes.1 < 1024, "{sizes:?} bytes");
    }
}
