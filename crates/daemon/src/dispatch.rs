//! Which part of the house answers which command: boards their own, the daemon the rest. One exhaustive match.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use callboard_broker::Outcome;
use callboard_protocol::RequestId;
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::server::{Info, Shutdown};
use callboard_protocol::methods::session::{Cancel, Cancelled};
use callboard_protocol::methods::{BoardAnswer, BoardCommand, Command, Empty, HostAnswer, HostCommand};
use callboard_protocol::version::PROTOCOL;

use crate::connection::Connection;
use crate::host::{Host, Stamp};

/// What becomes of a request.
pub(crate) enum Reply {
    /// A board's answer, and what has to be stored before it leaves.
    Board(Result<BoardAnswer, Error>, Stamp),
    /// The daemon's answer.
    Host(Result<HostAnswer, Error>),
    /// The answer comes through the outbox, or not at all.
    Later,
    /// The session is closed: `{}`, then the end.
    Closing,
    /// The answer takes a while, and those behind it wait.
    Busy(std::pin::Pin<Box<dyn Future<Output = Result<HostAnswer, Error>> + Send>>),
}

impl Connection {
    /// Carries out one command. `request` is its id; a notification has none.
    pub(crate) fn dispatch(&mut self, request: Option<&RequestId>, command: Command) -> Reply {
        if self.host.stopping.load(Ordering::Acquire) {
            let message = "the daemon stops: connect again once it is back";
            return Reply::Host(Err(Error::new(ErrorKind::ShuttingDown, message)));
        }
        match command {
            Command::HostCommand(command) => self.dispatch_host(command),
            Command::BoardCommand(command) => self.dispatch_board(request, command),
        }
    }

    fn dispatch_board(&mut self, request: Option<&RequestId>, command: BoardCommand) -> Reply {
        let seat = match self.seat() {
            Ok(seat) => seat,
            Err(error) => return Reply::Board(Err(error), Stamp::default()),
        };
        let now = self.now();
        let (outcome, stamp) = self.host.apply(now, &seat.board, seat.session, request, command);
        self.needs(stamp);
        match outcome {
            Outcome::Done(result) => Reply::Board(result, stamp),
            Outcome::Waiting | Outcome::Ignored => Reply::Later,
        }
    }

    fn dispatch_host(&mut self, command: HostCommand) -> Reply {
        if let HostCommand::SessionOpen(params) = command {
            return Reply::Host(self.open_session(params).map(HostAnswer::SessionOpen));
        }
        let seat = match self.seat() {
            Ok(seat) => seat,
            Err(error) => return Reply::Host(Err(error)),
        };
        let host = Arc::clone(&self.host);
        let now = host.clock.now();
        host.with_board(&seat.board, |board| board.note_host_call(now, seat.session));
        let answer = match command {
            HostCommand::SessionOpen(_) => return Reply::Later,
            HostCommand::SessionClose(params) => {
                let leave = params.leave.unwrap_or(false);
                let ((), stamp) =
                    host.with_board(&seat.board, |board| board.close_session(now, seat.session, leave));
                self.needs(stamp);
                return Reply::Closing;
            }
            HostCommand::SessionCancel(params) => Ok(HostAnswer::SessionCancel(self.cancel(&params))),
            HostCommand::ServerPing(_) => Ok(HostAnswer::ServerPing(Empty {})),
            HostCommand::ServerInfo(_) => Ok(HostAnswer::ServerInfo(host.info())),
            HostCommand::ServerStats(_) => Ok(HostAnswer::ServerStats(host.read_stats())),
            HostCommand::ServerSnapshot(_) => {
                return Reply::Busy(Box::pin(async move {
                    let namespace = seat.board.namespace.clone();
                    host.snapshot(Some(&namespace)).await.map(HostAnswer::ServerSnapshot)
                }));
            }
            HostCommand::ServerShutdown(params) => host.shut_down(&params).map(HostAnswer::ServerShutdown),
            HostCommand::NamespaceList(params) => {
                Ok(HostAnswer::NamespaceList(host.list_namespaces(&params)))
            }
            HostCommand::NamespaceClear(params) => {
                host.clear_namespace(&params).map(HostAnswer::NamespaceClear)
            }
        };
        Reply::Host(answer)
    }

    fn cancel(&mut self, params: &Cancel) -> Cancelled {
        let Some(seat) = self.seat.clone() else {
            return Cancelled { cancelled: false };
        };
        let now = self.host.clock.now();
        let (cancelled, _) =
            self.host.with_board(&seat.board, |board| board.cancel(now, seat.session, &params.id));
        Cancelled { cancelled }
    }
}

impl Host {
    fn info(&self) -> Info {
        Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            pid: std::process::id(),
            instance_id: self.instance_id.clone(),
            started_at: self.started_at,
            socket: self.socket.display().to_string(),
            home: self.home.display().to_string(),
            durability: self.durability(),
            limits: self.config.limits.clone(),
        }
    }

    fn shut_down(&self, params: &Shutdown) -> Result<Empty, Error> {
        self.check_admin("server.shutdown")?;
        tracing::info!("a client asked for a stop");
        self.begin_stop(params.drain_ms.unwrap_or(0));
        Ok(Empty {})
    }

    /// Refuses a method for people where the configuration says `admin = false`.
    pub(crate) fn check_admin(&self, method: &str) -> Result<(), Error> {
        if self.config.admin {
            return Ok(());
        }
        let message = format!("{method} is for people, and the configuration says admin = false");
        Err(Error::new(ErrorKind::PermissionDenied, message))
    }
}
