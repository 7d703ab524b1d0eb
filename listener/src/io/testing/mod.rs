//! The test kit: streams and listeners in memory, and those that do what a script says.
//!
//! Behind the feature `testing`, which is not documented and promises nothing: it is there for the tests and fuzz
//! targets of this workspace. Nothing here waits in real time, opens a socket or has a state outside its values.

mod counting_waker;
mod errno;
mod memory_listener;
mod memory_stream;
mod scripted_listener;
mod scripted_stream;

pub use counting_waker::{CountingWaker, poll_once};
pub use errno::{EBADF, EINTR, EIO, EMFILE, every_failure};
pub use memory_listener::{Dialer, MemoryListener};
pub use memory_stream::{MemoryStream, ResetHandle};
pub use scripted_listener::{AcceptStep, ScriptedListener};
pub use scripted_stream::{IoStep, ScriptedPeer, ScriptedStream};
