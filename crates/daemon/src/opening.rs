//! `session.open`, and the session that a connection has without it.

use std::sync::Arc;

use callboard_broker::{OpenSession, OpenedSession, SessionId};
use callboard_protocol::Namespace;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::session::{Open, Opened, Program, Server};
use callboard_protocol::version::PROTOCOL;

use crate::connection::Connection;
use crate::seats::Seat;

/// Random bytes of a resume token.
const TOKEN_BYTES: usize = 16;

impl Connection {
    /// The connection's session; one that nobody can resume is opened when there is none yet.
    ///
    /// # Errors
    /// `limit_exceeded` or `internal` when none can be opened.
    pub(crate) fn seat(&mut self) -> Result<Arc<Seat>, Error> {
        if let Some(seat) = &self.seat {
            return Ok(Arc::clone(seat));
        }
        let session = OpenSession {
            id: random_session()?,
            resume_token: None,
            agent: None,
            client: Program { pid: self.peer_pid(), ..Program::default() },
        };
        let (seat, _) = self.take_seat(&Namespace::default_board(), session)?;
        Ok(seat)
    }

    fn peer_pid(&self) -> Option<u32> {
        self.peer.pid
    }

    fn take_seat(
        &mut self,
        namespace: &Namespace,
        open: OpenSession,
    ) -> Result<(Arc<Seat>, OpenedSession), Error> {
        let handle = self.host.board(namespace)?;
        let id = open.id;
        let seat = self.host.seats.take(id, Arc::clone(&handle), &self.host.config.limits);
        seat.outbox().attach(self.id);
        let now = self.host.clock.now();
        let (opened, stamp) = self.host.with_board(&handle, |board| {
            if open.agent.is_some() {
                self.host.check_revisions(&handle, board)?;
            }
            board.open_session(now, open)
        });
        self.needs(stamp);
        match opened {
            Ok(opened) => {
                self.seat = Some(Arc::clone(&seat));
                Ok((seat, opened))
            }
            Err(error) => {
                self.host.seats.free(id);
                Err(error)
            }
        }
    }

    /// `session.open`.
    pub(crate) fn open_session(&mut self, params: Open) -> Result<Opened, Error> {
        if self.seat.is_some() {
            let message = "session.open comes before any other request and once: open another connection";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let protocol = PROTOCOL.negotiate(params.protocol.unwrap_or(PROTOCOL))?;
        if let Some(token) = &params.resume
            && let Some((seat, token, opened)) = self.resume(token, &params)?
        {
            return Ok(self.opened(protocol, &seat, token, opened, true));
        }
        let namespace = params.namespace.unwrap_or_else(Namespace::default_board);
        let id = random_session()?;
        let token = format!("{id}.{}", random_hex(TOKEN_BYTES)?);
        let mut client = params.client.unwrap_or_default();
        client.pid = client.pid.or(self.peer_pid());
        let session = OpenSession { id, resume_token: Some(token.clone()), agent: params.agent, client };
        let (seat, opened) = self.take_seat(&namespace, session)?;
        Ok(self.opened(protocol, &seat, token, opened, false))
    }

    /// Takes over the session that a token names; `None` when there is none by now.
    fn resume(
        &mut self,
        token: &str,
        params: &Open,
    ) -> Result<Option<(Arc<Seat>, String, OpenedSession)>, Error> {
        let id = token.split('.').next().and_then(|id| u64::from_str_radix(id, 16).ok()).map(SessionId);
        let Some(seat) = id.and_then(|id| self.host.seats.find(id)) else {
            return Ok(None);
        };
        let now = self.host.clock.now();
        let (opened, stamp) = self.host.with_board(&seat.board, |board| {
            if !board.is_resume_token(seat.session, token) {
                return Ok(None);
            }
            if params.namespace.as_ref().is_some_and(|namespace| *namespace != seat.board.namespace) {
                let message =
                    "the session to resume is of another namespace: leave `namespace` out, or open a new one";
                return Err(Error::new(ErrorKind::InvalidParams, message).with("member", "namespace"));
            }
            let resumed = board.resume_session(now, seat.session, token, params)?;
            if resumed.is_some() {
                let (waker, unwritten) = seat.outbox().attach(self.id);
                waker.into_iter().for_each(std::task::Waker::wake);
                unwritten.into_iter().for_each(|message| board.reply_unwritten(now, message));
            }
            Ok(resumed)
        });
        self.needs(stamp);
        Ok(opened?.map(|opened| {
            self.seat = Some(Arc::clone(&seat));
            (seat, token.to_owned(), opened)
        }))
    }

    fn opened(
        &self,
        protocol: u32,
        seat: &Seat,
        token: String,
        opened: OpenedSession,
        resumed: bool,
    ) -> Opened {
        let host = &self.host;
        Opened {
            protocol,
            server: Server { name: "callboard".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            instance_id: host.instance_id.clone(),
            session_id: seat.session.to_string(),
            resume_token: token,
            resumed,
            namespace: seat.board.namespace.clone(),
            agent: opened.agent,
            sessions: opened.sessions,
            durability: host.durability(),
            grace_ms: host.config.grace_ms,
            limits: host.config.limits.clone(),
        }
    }
}

fn random_session() -> Result<SessionId, Error> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(SessionId(u64::from_le_bytes(bytes)))
}

/// Random bytes as hex digits.
pub(crate) fn random_hex(count: usize) -> Result<String, Error> {
    let mut bytes = vec![0; count];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("failed to draw random bytes from the system: {error}"))
    })
}
