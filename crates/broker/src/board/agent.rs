//! `agent.*`

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::event::{AgentJoined, AgentProfile, AgentUpdated, Event, LeaseKind, LeftWhy};
use callboard_protocol::limits::LABELS_MAX;
use callboard_protocol::methods::agent::{
    Agent, Get, GetResult, Heartbeat, List, ListResult, Register, Registered, Remove, Status, Update,
};
use callboard_protocol::methods::message::Subscribed as SubscribedResult;
use callboard_protocol::methods::{Empty, server::Area};
use callboard_protocol::names::{AgentName, Label};

use crate::agents::Profile;
use crate::board::{Board, Call, check_text, invalid_params, not_found};
use crate::now::Now;
use crate::page::Page;
use crate::session::Subscribed;

/// What the daemon calls an agent that names itself nothing: an adjective, a noun, a number.
const ADJECTIVES: [&str; 16] = [
    "amber", "brisk", "calm", "deft", "eager", "fair", "gentle", "keen", "lucid", "merry", "nimble", "quick",
    "quiet", "sharp", "steady", "vivid",
];
const NOUNS: [&str; 16] = [
    "actor", "bard", "cue", "dancer", "easel", "flute", "harp", "lantern", "mask", "painter", "player",
    "prompter", "ribbon", "singer", "stage", "violin",
];

impl Board {
    pub(crate) fn agent_register(&mut self, call: &Call, params: Register) -> Result<Registered, Error> {
        check_text("description", params.description.as_ref())?;
        check_labels("capabilities", params.capabilities.as_deref())?;
        self.check_memory()?;
        let name = self.registered_name(call, params.name.as_ref())?;
        self.check_agent_limit(&name)?;
        if call.agent.is_none() {
            self.sessions.set_agent(call.session, Some(name.clone()));
            self.record_session(call.session);
        }
        let was_live = self.agents.is_live(&name);
        let before = self.agents.find(&name).map(|agent| (agent.profile.clone(), agent.ttl_ms));
        let created = before.is_none();
        if created {
            self.insert_agent(call.now, &name);
        }
        let after = self.agents.change(&name, |agent| {
            let profile = &mut agent.profile;
            replace(&mut profile.role, params.role);
            replace(&mut profile.description, params.description);
            replace(&mut profile.metadata, params.metadata);
            if let Some(capabilities) = params.capabilities {
                profile.capabilities = capabilities;
            }
            if let Some(ttl_ms) = params.ttl_ms {
                agent.ttl_ms = ttl_ms.get();
            }
            (profile.clone(), agent.ttl_ms)
        });
        self.sign_in(call.now, &name);
        if was_live && before != after {
            self.agent_changed(call.now, &name);
        }
        self.role_changed(call.now, &name);
        Ok(Registered { name, created })
    }

    fn registered_name(&self, call: &Call, asked: Option<&AgentName>) -> Result<AgentName, Error> {
        match (&call.agent, asked) {
            (Some(own), Some(asked)) if own != asked => Err(Error::new(
                ErrorKind::InvalidParams,
                format!("this session acts for {own}: leave `name` out, or open another session for {asked}"),
            )
            .with("member", "name")),
            (Some(own), _) => Ok(own.clone()),
            (None, Some(asked)) => Ok(asked.clone()),
            (None, None) => self.fresh_name(),
        }
    }

    /// A readable name that nobody has. The revision picks the first one tried, so that names differ.
    fn fresh_name(&self) -> Result<AgentName, Error> {
        let start = usize::try_from(self.revision.0).unwrap_or_default();
        let tries = self.agents.len() + 1;
        let free = (start..=start + tries).find_map(|number| {
            let adjective = ADJECTIVES[number % ADJECTIVES.len()];
            let noun = NOUNS[number / ADJECTIVES.len() % NOUNS.len()];
            let name = AgentName::new(&format!("{adjective}-{noun}-{number}")).ok()?;
            self.agents.find(&name).is_none().then_some(name)
        });
        free.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "found no free name: register with a name of your own")
        })
    }

    pub(crate) fn agent_heartbeat(&mut self, call: &Call, params: Heartbeat) -> Result<Empty, Error> {
        let name = call.agent()?.clone();
        self.change_profile(call.now, &name, |profile| {
            if let Some(status) = params.status {
                profile.status = status;
            }
            replace(&mut profile.task, params.task);
            replace(&mut profile.progress, params.progress);
        });
        Ok(Empty {})
    }

    pub(crate) fn agent_update(&mut self, call: &Call, params: Update) -> Result<Empty, Error> {
        let name = call.agent()?.clone();
        check_text("note", params.note.as_ref().and_then(Option::as_ref))?;
        check_labels("capabilities", params.capabilities.as_ref().and_then(|labels| labels.as_deref()))?;
        self.check_memory()?;
        self.change_profile(call.now, &name, |profile| {
            if let Some(status) = params.status {
                profile.status = status.unwrap_or(Status::Idle);
            }
            if let Some(capabilities) = params.capabilities {
                profile.capabilities = capabilities.unwrap_or_default();
            }
            clear_or_replace(&mut profile.task, params.task);
            clear_or_replace(&mut profile.note, params.note);
            clear_or_replace(&mut profile.progress, params.progress);
            clear_or_replace(&mut profile.role, params.role);
            clear_or_replace(&mut profile.metadata, params.metadata);
        });
        Ok(Empty {})
    }

    fn change_profile(&mut self, now: Now, name: &AgentName, change: impl FnOnce(&mut Profile)) {
        let changed = self.agents.change(name, |agent| {
            let before = agent.profile.clone();
            change(&mut agent.profile);
            before != agent.profile
        });
        if changed == Some(true) {
            self.agent_changed(now, name);
            self.role_changed(now, name);
        }
    }

    fn agent_changed(&mut self, now: Now, name: &AgentName) {
        self.next_revision();
        self.record_agent(now, name);
        self.tail(now, Area::Agent, "updated", name, Some(name), || None);
        if let Some(profile) = self.profile_event(name) {
            self.push_to_agent_watchers(&AgentUpdated(profile).body());
        }
    }

    pub(crate) fn announce_joined(&mut self, now: Now, name: &AgentName) {
        self.tail(now, Area::Agent, "joined", name, Some(name), || None);
        if let Some(profile) = self.profile_event(name) {
            self.push_to_agent_watchers(&AgentJoined(profile).body());
        }
    }

    fn profile_event(&self, name: &AgentName) -> Option<AgentProfile> {
        if self.agents.watchers.is_empty() {
            return None;
        }
        let agent = self.agents.find(name)?;
        let profile = agent.profile.clone();
        Some(AgentProfile {
            agent: name.clone(),
            role: profile.role,
            capabilities: profile.capabilities,
            description: profile.description,
            metadata: profile.metadata,
            status: profile.status,
            task: profile.task,
            note: profile.note,
            progress: profile.progress,
            live: agent.live,
        })
    }

    pub(crate) fn agent_list(&self, call: &Call, params: &List) -> Result<ListResult, Error> {
        let mut page = Page::new(params.limit, self.config.limits.frame_bytes);
        let wanted = self.agents.iter_after(params.cursor.as_deref()).filter(|(_, agent)| {
            let profile = &agent.profile;
            params.role.as_ref().is_none_or(|role| profile.role.as_ref() == Some(role))
                && params.status.is_none_or(|status| profile.status == status)
                && params.capability.as_ref().is_none_or(|wanted| profile.capabilities.contains(wanted))
                && params.live.is_none_or(|live| agent.is_live_at(call.now.monotonic) == live)
        });
        for (name, _) in wanted {
            let row = self.agent_row(call.now, name)?;
            let bytes = row_bytes(&row);
            if !page.push(row, bytes, name.as_str()) {
                break;
            }
        }
        let (agents, cursor) = page.finish();
        Ok(ListResult { agents, cursor })
    }

    pub(crate) fn agent_get(&self, call: &Call, params: &Get) -> Result<GetResult, Error> {
        Ok(GetResult { agent: self.agent_row(call.now, &params.name)? })
    }

    fn agent_row(&self, now: Now, name: &AgentName) -> Result<Agent, Error> {
        let agent = self.agents.find(name).ok_or_else(|| {
            not_found("agent", format!("no agent is called {name}: agent.list gives those that are known"))
        })?;
        let profile = agent.profile.clone();
        let counts = self.inboxes.counts(name);
        Ok(Agent {
            name: name.clone(),
            role: profile.role,
            capabilities: profile.capabilities,
            description: profile.description,
            metadata: profile.metadata,
            status: profile.status,
            task: profile.task,
            note: profile.note,
            progress: profile.progress,
            live: agent.is_live_at(now.monotonic),
            sessions: self.sessions.of_agent(name).count(),
            registered_at: agent.registered_at,
            last_seen_at: now.unix_of(self.last_seen(name)),
            locks: self.lease_count(now, name, LeaseKind::Lock),
            inbox: counts.queued,
            claimed: self.lease_count(now, name, LeaseKind::Task),
        })
    }

    pub(crate) fn agent_remove(&mut self, call: &Call, params: &Remove) -> Result<Empty, Error> {
        self.check_admin("agent.remove")?;
        let name = &params.name;
        if self.agents.find(name).is_none() && !self.inboxes.exists(name) {
            return Err(not_found(
                "agent",
                format!("no agent is called {name}: agent.list gives those that are known"),
            ));
        }
        let sessions: Vec<_> = self.sessions.of_agent(name).collect();
        for id in &sessions {
            self.refuse_waits(call.now, *id);
            self.agent_of_session_removed(*id);
        }
        self.leave(call.now, name, LeftWhy::Removed);
        for id in sessions {
            self.remove_agent_of_session(id);
        }
        self.kill_queued(call.now, name);
        self.drop_agent(call.now, name);
        Ok(Empty {})
    }

    pub(crate) fn agent_watch(&mut self, call: &Call) -> Result<SubscribedResult, Error> {
        let subscription = self.subscribe(call, Subscribed::Agents)?;
        self.agents.watchers.insert((call.session, subscription));
        Ok(SubscribedResult { subscription })
    }

    /// Refuses a verb for people where the configuration says `admin = false`.
    pub(crate) fn check_admin(&self, verb: &str) -> Result<(), Error> {
        if self.config.admin {
            return Ok(());
        }
        let message = format!("{verb} is for people, and the configuration says admin = false");
        Err(Error::new(ErrorKind::PermissionDenied, message))
    }
}

fn replace<T>(member: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *member = given;
    }
}

fn clear_or_replace<T>(member: &mut Option<T>, given: Option<Option<T>>) {
    if let Some(given) = given {
        *member = given;
    }
}

fn check_labels(member: &'static str, labels: Option<&[Label]>) -> Result<(), Error> {
    match labels.map(<[Label]>::len) {
        Some(used) if used > LABELS_MAX => Err(invalid_params(
            member,
            format!("`{member}` has {used} entries, at most {LABELS_MAX} are allowed"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What a row takes on the wire at most, in bytes.
fn row_bytes(row: &Agent) -> usize {
    let texts = [row.description.as_ref(), row.note.as_ref()];
    let text_bytes: usize = texts.into_iter().flatten().map(String::len).sum();
    let label_bytes: usize = row.capabilities.iter().map(|label| 2 * label.as_str().len() + 3).sum();
    let json_bytes = row.metadata.as_ref().map_or(0, |object| object.as_json().len())
        + row.task.as_ref().map_or(0, |scalar| scalar.as_json().len())
        + row.progress.as_ref().map_or(0, |scalar| scalar.as_json().len());
    512 + 6 * text_bytes + label_bytes + json_bytes
}
