//! The exchange, against a model that keeps every event and looks through all of them.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use quintet_request::{
    CloseReason, Exchange, HeadRef, Index, Limits, Next, RequestBody,
    reply::{Head, Length, Plan},
};

/// What is reported to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Close(CloseReason),
    Body(RequestBody),
    /// A reply is begun: its length, and why it is the last, if it is by itself.
    Begin(Length, Option<CloseReason>),
    End,
    Break(CloseReason),
    Fail(CloseReason),
    Takeover,
}

const REQUESTS: [&[u8]; 6] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
];

/// A request by the first byte, then an event a byte: after each, the verdict and the reason are the model's, which looks
/// at all events anew. A connection never goes on after a broken request, a broken reply or a close-delimited one.
pub fn exchange(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let request = REQUESTS[usize::from(*first) % REQUESTS.len()];
    let mut index = Index::default();
    index.parse(request, &Limits::default()).expect("a head").expect("all of it");
    let head = HeadRef::new(request, &index);
    let mut exchange = Exchange::new(head);
    let (mut plan, mut events) = (None, Vec::new());
    for &byte in rest {
        let Some(event) = report(&mut exchange, &mut plan, byte) else { continue };
        events.push(event);
        // The verdict of a copy: to ask may itself be an event.
        let mut asked = exchange;
        let (next, reason) = (asked.finish(), asked.close_reason());
        assert_eq!((next, reason), model(head, &events), "{events:?}");
        assert_eq!(next == Next::Continue, reason.is_none(), "what ends has a reason, what goes on has none");
        if next == Next::Continue {
            let end = |event: &&Event| matches!(event, Event::Body(RequestBody::Read | RequestBody::Lost(_)));
            let read = events.iter().find(end) == Some(&Event::Body(RequestBody::Read));
            assert!(read || head.framing().is_empty(), "the body was not read to its end: {events:?}");
            let reply = events.iter().rev().find(|event| matches!(event, Event::Begin(..)));
            let delimited = matches!(reply, Some(Event::Begin(Length::UntilClose, _)));
            assert!(!delimited, "after a close-delimited reply: {events:?}");
        }
        assert_eq!((asked.finish(), asked.close_reason()), (next, reason), "asked twice");
    }
}

/// Reports the event of a byte.
fn report(exchange: &mut Exchange, plan: &mut Option<Plan>, byte: u8) -> Option<Event> {
    let reason = CloseReason::ALL[usize::from(byte >> 4) % CloseReason::ALL.len()];
    Some(match byte & 15 {
        0 => {
            exchange.close(reason);
            Event::Close(reason)
        }
        at @ 1..=4 => {
            let left = [RequestBody::Read, RequestBody::Held, RequestBody::Unread, RequestBody::Lost(reason)];
            let left = left[usize::from(at) - 1];
            exchange.set_request_body(left);
            Event::Body(left)
        }
        at @ 5..=8 => {
            let close = HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static("close"))]);
            let headers = (at % 2 == 0).then_some(&close);
            let head = Head { headers, length: (at < 7).then_some(3), ..Head::new(StatusCode::OK) };
            let begun = exchange.begin_reply(&head);
            *plan = Some(begun);
            let own = match begun.length() {
                Length::UntilClose => Some(CloseReason::CloseDelimited),
                _ => headers.map(|_| CloseReason::HandlerAsked),
            };
            Event::Begin(begun.length(), own)
        }
        9..=11 => {
            exchange.end_reply(plan.as_ref()?);
            Event::End
        }
        12 => {
            exchange.break_reply(reason);
            Event::Break(reason)
        }
        13 => {
            exchange.fail(reason);
            Event::Fail(reason)
        }
        14 => {
            exchange.begin_takeover(&Head::new(StatusCode::OK));
            Event::Takeover
        }
        _ => return None,
    })
}

/// What is next, and why, from everything that happened.
fn model(head: HeadRef<'_>, events: &[Event]) -> (Next, Option<CloseReason>) {
    let is_final = |event: &Event| matches!(event, Event::Break(_) | Event::Fail(_) | Event::Takeover);
    let over = events.iter().position(is_final);
    let failed = events.iter().find_map(|event| match event {
        Event::Fail(reason) => Some(*reason),
        Event::Break(reason) if over.is_some_and(|at| events[at] == *event) => Some(*reason),
        _ => None,
    });
    let last = last(head, events, over.unwrap_or(events.len()));
    let before = &events[..over.unwrap_or(events.len())];
    let reply = before.iter().rev().find(|event| matches!(event, Event::Begin(..) | Event::End));
    let next = match (over.map(|at| events[at]), reply) {
        _ if events.iter().any(|event| matches!(event, Event::Fail(_))) => Next::End,
        (Some(Event::Takeover), _) => Next::TakeOver,
        (Some(_), Some(Event::Begin(Length::UntilClose, _))) => Next::Reset,
        (Some(_), _) => Next::Linger,
        (None, Some(Event::End)) if last.is_none() && body(head, events) == RequestBody::Read => Next::Continue,
        (None, Some(Event::End)) => Next::Linger,
        (None, _) => Next::End,
    };
    let reason = match next {
        Next::Continue => None,
        // A reply that never came is a failure, whatever it would have announced.
        Next::End => failed.or(Some(CloseReason::Aborted)),
        _ => failed.or(last).or(Some(CloseReason::RequestBodyUnread)),
    };
    (next, reason)
}

/// The first reason for which the reply is the last on its connection. Replies count before `over`.
fn last(head: HeadRef<'_>, events: &[Event], over: usize) -> Option<CloseReason> {
    let mut last = (!head.keep_alive()).then_some(CloseReason::ClientAsked);
    let mut announced = None;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Close(reason) => last = last.or(Some(*reason)),
            Event::Body(RequestBody::Lost(reason)) if is_open(head, &events[..at]) => last = last.or(Some(*reason)),
            Event::Begin(_, own) if at < over => announced = last.or(*own),
            Event::End if at < over => last = last.or(announced),
            Event::Takeover if at == over => last = Some(CloseReason::Takeover),
            _ => {}
        }
    }
    last
}

/// Whether anything more can be learned of the request's body.
fn is_open(head: HeadRef<'_>, events: &[Event]) -> bool {
    !matches!(body(head, events), RequestBody::Read | RequestBody::Lost(_))
}

fn body(head: HeadRef<'_>, events: &[Event]) -> RequestBody {
    if head.framing().is_empty() {
        return RequestBody::Read;
    }
    let said = events.iter().filter_map(|event| if let Event::Body(left) = event { Some(*left) } else { None });
    let mut last = RequestBody::Held;
    for left in said {
        last = left;
        if matches!(left, RequestBody::Read | RequestBody::Lost(_)) {
            break;
        }
    }
    last
}
