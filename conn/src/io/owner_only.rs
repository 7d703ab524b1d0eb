//! Doc tests of what only the owner of a connection may do. Each pair of programs differs in one line: the program in
//! which the owner does it compiles, and the one in which an observer does it does not.

macro_rules! owner_only {
    ($($name:ident: $code:literal, $owner:literal, not $observer:literal;)+) => {$(
        #[doc = concat!(
            "```no_run\n",
            "# use quintet_conn::{ConnGuard, Connection, Connections, Phase, State, Wire};\n",
            "# use std::{sync::Arc, task::Waker, time::Duration};\n",
            "# fn program(connection: &Arc<Connection>, guard: ConnGuard, wire: &Wire<tokio::io::DuplexStream>, ",
            "connections: &Arc<Connections>) {\n",
            $owner,
            "\n# }\n```\n\n```compile_fail,", $code, "\n",
            "# use quintet_conn::{ConnGuard, Connection, Connections, Phase, State, Wire};\n",
            "# use std::{sync::Arc, task::Waker, time::Duration};\n",
            "# fn program(connection: &Arc<Connection>, guard: ConnGuard, wire: &Wire<tokio::io::DuplexStream>, ",
            "connections: &Arc<Connections>) {\n",
            $observer,
            "\n# }\n```",
        )]
        mod $name {}
    )+};
}

owner_only! {
    state: "E0624", "guard.set_state(State::Active);", not "connection.set_state(State::Active);";
    state_by_the_wire: "E0624", "wire.set_state(State::Active);", not "wire.connection().unwrap().set_state(State::Active);";
    waker: "E0624", "guard.register_waker(Waker::noop());", not "connection.register_waker(Waker::noop());";
    set_disconnected: "E0624", "guard.set_disconnected();", not "connection.set_disconnected();";
    set_disconnected_by_the_wire: "E0624", "wire.set_disconnected();", not "wire.connection().unwrap().cancel();";
    end_request: "E0599", "guard.end_request();", not "guard.active().end_request();";
    deadlines_of_a_connection: "E0599", "guard.active().set_read_deadline(Duration::ZERO);", not "connection.set_read_deadline(Duration::ZERO);";
    child: "E0599", "guard.child();", not "guard.active().child();";
    retire: "E0624", "connections.retire(connection);", not "connection.retire();";
    close_if_idle: "E0624", "connections.close_if_idle(connection);", not "connection.close_if_idle();";
    registry: "E0616", "let _: &Arc<Connections> = &connections;", not "let _: &Arc<Connections> = &connection.shared;";
    registry_by_a_method: "E0599", "connections.stop();", not "connection.connections().stop();";
    registry_of_a_guard: "E0616", "connections.abort();", not "guard.shared.set_aborted();";
    stop: "E0599", "connections.stop();", not "connection.stop();";
    abort: "E0599", "connections.abort();", not "connection.abort();";
    guard: "E0308", "let _: ConnGuard = guard;", not "let _: ConnGuard = Arc::clone(connection);";
    guard_made: "E0423", "let _: ConnGuard = guard;", not "let _ = ConnGuard(Arc::clone(connection));";
}
