//! The close reason of a connection, and values of a connection or of its whole accept loop.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    num::NonZeroU8,
    sync::{Arc, Mutex},
};

use common::{limits, scripted};
use quintet_conn::{CloseCode, Connections, State};

/// The reasons of a layer above, which says how they are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    ClientLeft,
    TooSlow,
}

impl From<Reason> for CloseCode {
    fn from(reason: Reason) -> Self {
        Self::from_index(reason as u8)
    }
}

impl TryFrom<CloseCode> for Reason {
    type Error = CloseCode;
    fn try_from(code: CloseCode) -> Result<Self, CloseCode> {
        [Self::ClientLeft, Self::TooSlow].into_iter().nth(code.index().into()).ok_or(code)
    }
}

mod close_reason {
    use super::*;

    #[test]
    fn the_first_close_reason_stays() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        assert_eq!(connection.close_reason::<Reason>(), None);
        connection.set_close_reason(Reason::TooSlow);
        connection.set_close_reason(Reason::ClientLeft);
        assert_eq!(connection.close_reason(), Some(Reason::TooSlow));
    }

    #[test]
    fn a_close_reason_of_another_layer_is_not_found() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        connection.set_close_reason(CloseCode::new(255).unwrap());
        assert_eq!(connection.close_reason::<Reason>(), None);
        assert_eq!(connection.close_reason::<NonZeroU8>(), NonZeroU8::new(255));
        assert_eq!(connection.close_reason::<CloseCode>().map(CloseCode::get), Some(255));
    }

    #[test]
    fn the_close_reason_is_set_before_the_hook_sees_closed() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&seen);
        let (connections, _sweeper) = Connections::new(
            limits(),
            None,
            Some(Box::new(move |connection, _, to| hook.lock().unwrap().push((to, connection.close_reason())))),
        );
        let (connection, wire, _peer) = scripted(&connections);
        connection.set_state(State::Active);
        connection.set_close_reason(Reason::ClientLeft);
        drop(wire);
        drop(connection);
        let expected = [(State::New, None), (State::Active, None), (State::Closed, Some(Reason::ClientLeft))];
        assert_eq!(*seen.lock().unwrap(), expected);
    }
}

mod value {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_type() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        assert_eq!(connection.value::<String>(), None);
        connection.set_value(Arc::new("a client".to_owned())).unwrap();
        assert_eq!(connection.value::<String>().map(String::as_str), Some("a client"));
        assert_eq!(connection.value::<u32>(), None);
    }

    #[test]
    fn the_value_of_all_connections_is_the_fallback() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        connections.set_value(Arc::new(7_u32)).unwrap();
        let (plain, _wire, _peer) = scripted(&connections);
        let (other_type, _wire, _peer) = scripted(&connections);
        let (same_type, _wire, _peer) = scripted(&connections);
        other_type.set_value(Arc::new("own")).unwrap();
        same_type.set_value(Arc::new(8_u32)).unwrap();
        assert_eq!(plain.value(), Some(&7_u32));
        assert_eq!((other_type.value::<u32>(), other_type.value::<&str>()), (Some(&7), Some(&"own")));
        assert_eq!(same_type.value(), Some(&8_u32));
    }

    #[test]
    fn the_value_of_the_server_is_the_last_fallback() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        connections.set_server_value(Arc::new(6_u32)).unwrap();
        let (connection, _wire, _peer) = scripted(&connections);
        assert_eq!(connection.value(), Some(&6_u32));
        connections.set_value(Arc::new(7_u64)).unwrap();
        assert_eq!((connection.value(), connection.value()), (Some(&6_u32), Some(&7_u64)));
        connection.set_value(Arc::new(8_u32)).unwrap();
        assert_eq!(connection.value(), Some(&8_u32));
        assert!(connections.set_server_value(Arc::new(9_u32)).is_err());
    }

    #[test]
    fn a_second_value_is_given_back() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, _wire, _peer) = scripted(&connections);
        connection.set_value(Arc::new(1_u8)).unwrap();
        connections.set_value(Arc::new(2_u16)).unwrap();
        assert_eq!(connection.set_value(Arc::new(3_u8)).unwrap_err().downcast_ref(), Some(&3_u8));
        assert_eq!(connections.set_value(Arc::new(4_u16)).unwrap_err().downcast_ref(), Some(&4_u16));
        assert_eq!((connection.value(), connection.value()), (Some(&1_u8), Some(&2_u16)));
    }

    #[test]
    fn a_value_lives_as_long_as_its_connection_handle() {
        let (connections, _sweeper) = Connections::new(limits(), None, None);
        let (connection, wire, _peer) = scripted(&connections);
        let value = Arc::new(());
        connection.set_value(Arc::<()>::clone(&value)).unwrap();
        let entry = Arc::clone(&connection);
        drop((connection, wire));
        assert!(entry.value::<()>().is_some());
        drop(entry);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
