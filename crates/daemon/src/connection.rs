//! One connection: bytes in, requests carried out in order, replies and events out.
//!
//! Invariants: requests take effect in the order sent; all replies of one read go out in one write; a request that
//! waits never holds up those behind it; a buffer grows with the bytes that arrive, never with a length announced; an
//! idle connection keeps no buffers; a client that always has more to say leaves the others their turns. The whole
//! connection is one task that is polled by hand, so reading, writing and the outbox never cancel each other. What a
//! request means is in `dispatch`.

mod input;
mod output;
mod unstored;

pub(crate) use unstored::lost_error;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use callboard_broker::Now;
use callboard_protocol::methods::Empty;
use callboard_protocol::{Decoder, Framing};
use tokio::io::AsyncWrite;
use tokio::time::Sleep;

use self::unstored::UnstoredReply;
use crate::busy_poll;
use crate::host::Host;
use crate::listener::{
    MAY_CLOSE_FIRST, PeerIdentity, Stream, hung_up, is_hung_up, poll_look, poll_read, say_and_close, take,
};
use crate::outbox::{ConnectionId, encode_response};
use crate::seats::Seat;
use crate::store::Position;

/// What is read at once, in bytes; shared by all connections of a thread. It is also what a connection may read before
/// others have their turn: a quarter of a millisecond of small requests.
const READ_BYTES: usize = 32 << 10;
/// How long input is read and dropped after a fatal error, so that the error arrives.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client gets to read what comes before a fatal error, and the error.
const FAIL_TIME: Duration = Duration::from_secs(5);
/// How long a stopping daemon lets a connection write what waits.
const FLUSH: Duration = Duration::from_millis(500);
/// How many requests of one read share a reading of the clocks: less than a tenth of a millisecond of work.
const REQUESTS_PER_MOMENT: usize = 64;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests come in.
    Open,
    /// No more input; what was read is answered, then it closes.
    HalfClosed,
    /// The session was closed: what is there is written, then it closes.
    Closing,
    /// After a fatal error: it is being written, input is dropped.
    Failing,
    /// The last words are written: input is dropped for a while, so that they arrive; after a fatal error, and wherever a
    /// close takes away what the peer has not read yet.
    Lingering,
    /// Over.
    Closed,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) host: Arc<Host>,
    pub(crate) peer: PeerIdentity,
    pub(crate) id: ConnectionId,
    stream: Stream,
    decoder: Decoder,
    input: BytesMut,
    output: Vec<u8>,
    /// How much of `output` is written.
    written: usize,
    /// How many bytes were put out before `output`.
    base: u64,
    /// What must be stored before `output` is written.
    needed: Position,
    /// Whether the outbox had something when it was last looked at; whoever adds to it later wakes this.
    has_frames: bool,
    /// The replies in `output` that tell of changes which are not known to be stored.
    unstored: Vec<UnstoredReply>,
    phase: Phase,
    /// The session, once there is one.
    pub(crate) seat: Option<Arc<Seat>>,
    /// A request that takes its time off this thread; those behind it wait.
    busy: Option<Pending<Vec<u8>>>,
    hang_up: Option<Pending<io::Result<()>>>,
    /// Ends `Failing` and `Lingering`, or a stop's patience.
    deadline: Option<Pin<Box<Sleep>>>,
    closing: Pending<()>,
    /// Whether `closing` knows whom to wake.
    is_awaited: bool,
    is_stopping: bool,
    /// The moment of the requests at hand, and for how many more it will do.
    moment: (Now, usize),
    /// How much of the input at hand is still in the socket, in bytes.
    seen_left: usize,
    /// How much it has read since it was polled, in bytes.
    turn_bytes: usize,
}

impl Connection {
    /// A connection of a client that was let in.
    pub(crate) fn new(host: Arc<Host>, id: ConnectionId, stream: Stream, peer: PeerIdentity) -> Self {
        let frame_bytes = host.config.limits.frame_bytes;
        let closing = host.closing.clone();
        Self {
            peer,
            id,
            stream,
            decoder: Decoder::new(frame_bytes),
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            base: 0,
            needed: Position::default(),
            has_frames: false,
            unstored: Vec::new(),
            phase: Phase::Open,
            seat: None,
            busy: None,
            hang_up: None,
            deadline: None,
            closing: Box::pin(async move { closing.cancelled().await }),
            is_awaited: false,
            is_stopping: false,
            moment: (host.clock.now(), 0),
            seen_left: 0,
            turn_bytes: 0,
            host,
        }
    }

    /// Serves the client until it is gone.
    pub(crate) async fn serve(mut self) {
        poll_fn(|context| {
            self.take_buffer();
            let end = self.poll(context);
            self.give_buffer();
            end
        })
        .await;
        self.leave();
        self.host.stats.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// The present moment, read once for a group of requests that came together.
    pub(crate) fn now(&mut self) -> Now {
        if self.moment.1 == 0 {
            self.moment = (self.host.clock.now(), REQUESTS_PER_MOMENT);
        }
        self.moment.1 -= 1;
        self.moment.0
    }

    fn framing(&self) -> Framing {
        self.decoder.framing().unwrap_or(Framing::LineDelimited)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.turn_bytes = 0;
        self.poll_stop(context);
        let mut is_settled = false;
        loop {
            self.poll_busy(context);
            if !self.input.is_empty() {
                self.take_requests();
            }
            let read = self.poll_read(context);
            if is_settled && !read {
                return Poll::Pending;
            }
            let stored = self.poll_stored(context);
            if let Poll::Ready(stored) = stored {
                self.collect(context, stored);
            }
            self.take_seen();
            let wrote = stored.is_ready() && self.poll_write(context);
            self.poll_end(context);
            if self.phase == Phase::Closed {
                return Poll::Ready(());
            }
            if !read && !wrote {
                return Poll::Pending;
            }
            is_settled = self.phase == Phase::Open
                && stored.is_ready()
                && self.input.is_empty()
                && self.busy.is_none()
                && self.backlog() == 0
                && !self.has_frames;
            if self.turn_bytes >= READ_BYTES {
                return yield_turn(context);
            }
        }
    }

    /// A stopping daemon: no more requests, what waits is written, then it closes.
    fn poll_stop(&mut self, context: &mut Context<'_>) {
        // Whom to wake is said once; until that has happened there is nothing to hear.
        let is_of_interest = !self.is_awaited || self.host.stopping.load(Ordering::Acquire);
        self.is_awaited = true;
        if is_of_interest && !self.is_stopping && self.closing.as_mut().poll(context).is_ready() {
            self.is_stopping = true;
            if !matches!(self.phase, Phase::Failing | Phase::Lingering) {
                self.phase = Phase::Closing;
            }
            self.deadline = Some(Box::pin(tokio::time::sleep(FLUSH)));
        }
    }

    fn poll_busy(&mut self, context: &mut Context<'_>) {
        let Some(busy) = &mut self.busy else { return };
        if let Poll::Ready(reply) = busy.as_mut().poll(context) {
            self.output.extend_from_slice(&reply);
            self.busy = None;
        }
    }

    /// Reads what is there; whether there was something.
    fn poll_read(&mut self, context: &mut Context<'_>) -> bool {
        let is_wanted = match self.phase {
            Phase::Open => self.takes_requests(),
            Phase::Failing | Phase::Lingering => true,
            Phase::HalfClosed | Phase::Closing | Phase::Closed => false,
        };
        if !is_wanted {
            return false;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            // Where others wait already nobody profits, and the second call costs everybody.
            let read = if busy_poll::awaits(self.id) { poll_look } else { poll_read };
            let Poll::Ready(seen) = read(&mut self.stream, context, scratch) else {
                return false;
            };
            match seen {
                Err(_) => self.phase = Phase::Closed,
                Ok(seen) => {
                    self.host.busy_poll.note_read(self.id, seen.bytes);
                    self.seen_left = seen.left;
                    self.take_read(&mut scratch[..seen.bytes]);
                }
            }
            true
        })
    }

    /// Takes what was looked at out of the socket.
    fn take_seen(&mut self) {
        if self.seen_left > 0 && take(&self.stream, std::mem::take(&mut self.seen_left)).is_err() {
            self.phase = Phase::Closed;
        }
    }

    fn take_read(&mut self, bytes: &mut [u8]) {
        if matches!(self.phase, Phase::Failing | Phase::Lingering) {
            if bytes.is_empty() {
                self.phase = Phase::Closed;
            }
            return;
        }
        if bytes.is_empty() {
            self.end_input();
            return;
        }
        self.turn_bytes += bytes.len();
        self.take_input(bytes);
    }

    /// The peer sends no more: it still gets its answers, unless it has hung up.
    fn end_input(&mut self) {
        self.phase = Phase::HalfClosed;
        self.take_requests();
        if is_hung_up(&self.stream) {
            self.hung_up();
            return;
        }
        match hung_up(&self.stream) {
            Ok(hang_up) => self.hang_up = Some(Box::pin(hang_up)),
            Err(error) => {
                tracing::warn!(%error, "a hang-up will only be noticed by writing");
            }
        }
    }

    fn hung_up(&mut self) {
        if let Some(seat) = self.seat.clone() {
            let now = self.host.clock.now();
            self.host.with_board(&seat.board, |board| board.withdraw_waits(now, seat.session));
        }
        self.phase = Phase::Closed;
    }

    /// Ends what has come to its end.
    fn poll_end(&mut self, context: &mut Context<'_>) {
        if let Some(hang_up) = &mut self.hang_up
            && hang_up.as_mut().poll(context).is_ready()
        {
            self.hang_up = None;
            self.hung_up();
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            self.phase = Phase::Closed;
        }
        // In this order: an answer reaches the outbox before its request stops waiting.
        let has_waiting = self.phase == Phase::HalfClosed && self.has_waiting();
        let is_flushed = self.busy.is_none() && self.is_flushed();
        match self.phase {
            Phase::HalfClosed if is_flushed && self.input.is_empty() && !has_waiting => {
                self.phase = Phase::Closed;
            }
            Phase::Closing if is_flushed && MAY_CLOSE_FIRST => self.phase = Phase::Closed,
            Phase::Closing | Phase::Failing if is_flushed => self.start_linger(context),
            Phase::Open
            | Phase::HalfClosed
            | Phase::Closing
            | Phase::Failing
            | Phase::Lingering
            | Phase::Closed => {}
        }
    }

    /// The last words are written: says so by ending our side, then waits for the peer to have read them.
    fn start_linger(&mut self, context: &mut Context<'_>) {
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        if !matches!(ended, Poll::Ready(Ok(()))) {
            self.phase = Phase::Closed;
            return;
        }
        let mut deadline = Box::pin(tokio::time::sleep(LINGER));
        // So that the runtime knows whom to wake.
        let _ = deadline.as_mut().poll(context);
        self.deadline = Some(deadline);
        self.phase = Phase::Lingering;
        // Input is of interest again.
        context.waker().wake_by_ref();
    }

    fn has_waiting(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.board.lock().waiting(seat.session) > 0)
    }

    /// The connection is gone: what was not written goes back, the session's grace begins.
    fn leave(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let (serves, unwritten) = {
            let mut outbox = seat.outbox();
            (outbox.serves(self.id), outbox.detach(self.id))
        };
        if !serves {
            return;
        }
        let now = self.host.clock.now();
        self.host.with_board(&seat.board, |board| {
            for message in unwritten {
                board.reply_unwritten(now, message);
            }
            board.lose_connection(now, seat.session);
        });
    }
}

/// Asks to be polled again once the runtime has looked for input of others; a mere wake-up would come before that.
fn yield_turn(context: &mut Context<'_>) -> Poll<()> {
    std::pin::pin!(tokio::task::yield_now()).poll(context)
}

/// Tells a client that there are too many, in one line that any client can read, and closes.
pub(crate) fn refuse(stream: Stream, used: usize, max: usize) {
    let message = format!("connections is reached: {used} of {max}; close some, or raise the limit");
    let error = callboard_protocol::Error::new(callboard_protocol::ErrorKind::LimitExceeded, message)
        .with("limit", "connections")
        .with("used", used)
        .with("max", max);
    let mut line = Vec::new();
    encode_response::<Empty>(Framing::LineDelimited, None, Err(&error), &mut line);
    say_and_close(stream, &line);
}
