//! Doc tests: a handler, a hook or a takeover cannot reach the registry of the connections or the guard of one. Each
//! pair of programs differs in one line, and the second program does not compile.

macro_rules! observer {
    ($($name:ident: $code:literal, $looks:literal, not $changes:literal;)+) => {$(
        #[doc = concat!(
            "```no_run\n",
            "# use quintet_conn::{ConnGuard, Connection, Connections, State};\n",
            "# use quintet_server::{Hooks, Panicked, Refused, Request, mux::Upgraded};\n",
            "# use std::sync::Arc;\n",
            "# fn door(request: &Request, upgraded: Upgraded, refused: &Refused<'_>, panicked: &Panicked<'_>, ",
            "hooks: &mut Hooks) {\n",
            $looks,
            "\n# }\n```\n\n```compile_fail,", $code, "\n",
            "# use quintet_conn::{ConnGuard, Connection, Connections, State};\n",
            "# use quintet_server::{Hooks, Panicked, Refused, Request, mux::Upgraded};\n",
            "# use std::sync::Arc;\n",
            "# fn door(request: &Request, upgraded: Upgraded, refused: &Refused<'_>, panicked: &Panicked<'_>, ",
            "hooks: &mut Hooks) {\n",
            $changes,
            "\n# }\n```",
        )]
        mod $name {}
    )+};
}

observer! {
    request_state: "E0624",
        "request.connection().unwrap().state();",
        not "request.connection().unwrap().set_state(State::Idle);";
    request_retire: "E0624",
        "request.connection().unwrap().is_retiring();",
        not "request.connection().unwrap().retire();";
    request_registry: "E0599",
        "request.connection().unwrap().is_stopping();",
        not "request.connection().unwrap().connections();";
    request_guard: "E0308",
        "let _: &Arc<Connection> = request.connection().unwrap();",
        not "let _: &ConnGuard = request.connection().unwrap();";
    state_hook: "E0624",
        "hooks.state = Some(Arc::new(|connection, _, _| drop(connection.state())));",
        not "hooks.state = Some(Arc::new(|connection, _, _| drop(connection.set_state(State::Idle))));";
    state_hook_registry: "E0599",
        "hooks.state = Some(Arc::new(|connection, _, _| drop(connection.is_stopping())));",
        not "hooks.state = Some(Arc::new(|connection, _, _| drop(connection.connections().stop())));";
    field_error_hook: "E0624",
        "hooks.field_error = Some(Arc::new(|connection, _| drop(connection.is_retiring())));",
        not "hooks.field_error = Some(Arc::new(|connection, _| drop(connection.set_disconnected())));";
    handler_error_hook: "E0624",
        "hooks.handler_error = Some(Arc::new(|error| drop(error.connection.is_retiring())));",
        not "hooks.handler_error = Some(Arc::new(|error| drop(error.connection.set_disconnected())));";
    refused_hook: "E0624",
        "refused.connection.is_retiring();",
        not "refused.connection.set_disconnected();";
    panicked_hook: "E0624",
        "panicked.connection.is_retiring();",
        not "panicked.connection.close_if_idle();";
    takeover: "E0609",
        "let _ = upgraded.io;",
        not "let _ = upgraded.connection;";
    takeover_wire: "E0599",
        "let _ = upgraded.io.local_addr();",
        not "let _ = upgraded.io.set_state(State::Idle);";
}
