//! The table against a model that stores nothing but requests and works everything out anew, pair by pair.

use proptest::prelude::*;

use super::*;
use crate::lock::pattern::LockName;

const AGENTS: usize = 4;
const NAMES: [&str; 9] = ["a", "b", "c", "d/x", "d/y", "d/", "*", "d/*", "?"];

#[derive(Debug, Clone)]
enum Step {
    Acquire { agent: usize, names: Vec<usize>, mode: Mode, waits: bool },
    Release(Vec<prop::sample::Index>),
    Withdraw(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(Mode::Shared), Just(Mode::Exclusive)];
    let names = prop::collection::vec(0..NAMES.len(), 1..3);
    prop_oneof![
        5 => (0..AGENTS, names, mode, prop::bool::weighted(0.8))
            .prop_map(|(agent, names, mode, waits)| Step::Acquire { agent, names, mode, waits }),
        3 => prop::collection::vec(any::<prop::sample::Index>(), 1..4).prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Withdraw),
    ]
}

fn agent(number: usize) -> AgentName {
    AgentName::new(&format!("agent{number}")).unwrap()
}

/// Ids are in the order of the queue.
#[derive(Debug, Default, Clone)]
struct Model {
    grants: BTreeMap<u64, Request>,
    waiters: BTreeMap<u64, Request>,
}

fn in_conflict(a: &Request, b: &Request) -> bool {
    let overlap = || {
        let pairs = a.names.as_slice().iter().flat_map(|a| b.names.as_slice().iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| a.overlaps(b))
    };
    a.agent != b.agent && (a.mode == Mode::Exclusive || b.mode == Mode::Exclusive) && overlap()
}

impl Model {
    /// What blocks a request that stands before the waiter `id`.
    fn blockers(&self, request: &Request, id: u64) -> Conflicts {
        let yields = |waiter: &Request| {
            self.grants.values().any(|grant| grant.agent == request.agent && in_conflict(grant, waiter))
        };
        let grants = self.grants.iter().filter(|(_, grant)| in_conflict(grant, request));
        let waiters = self.waiters.range(..id).filter(|(_, w)| in_conflict(w, request) && !yields(w));
        Conflicts {
            grants: grants.map(|(&token, _)| token).collect(),
            waiters: waiters.map(|(&id, _)| id).collect(),
        }
    }

    fn waits_for(&self, id: u64) -> BTreeSet<AgentName> {
        let blockers = self.blockers(&self.waiters[&id], id);
        let holders = blockers.grants.iter().map(|token| self.grants[token].agent.clone());
        holders.chain(blockers.waiters.iter().map(|id| self.waiters[id].agent.clone())).collect()
    }

    fn next_ready(&self) -> Option<u64> {
        self.waiters.iter().find(|(id, waiter)| self.blockers(waiter, **id).is_empty()).map(|(&id, _)| id)
    }

    /// Whether an agent waits for itself through others.
    fn has_cycle(&self) -> bool {
        let mut reach: BTreeSet<(AgentName, AgentName)> = self
            .waiters
            .iter()
            .flat_map(|(&id, waiter)| {
                self.waits_for(id).into_iter().map(|other| (waiter.agent.clone(), other))
            })
            .collect();
        for _ in 0..AGENTS {
            let further: Vec<_> = reach
                .iter()
                .flat_map(|(a, b)| {
                    reach.iter().filter(move |(c, _)| b == c).map(|(_, d)| (a.clone(), d.clone()))
                })
                .collect();
            reach.extend(further);
        }
        reach.iter().any(|(a, b)| a == b)
    }

    /// Each edge is one of a waiter, and the last leads back to the first.
    fn confirms(&self, deadlock: &Deadlock) {
        let cycle = &deadlock.cycle;
        for (edge, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
            assert_eq!(edge.waits_for, next.agent);
            assert!(self.waiters.iter().any(|(&id, waiter)| waiter.agent == edge.agent
                && waiter.names == edge.keys
                && self.waits_for(id).contains(&edge.waits_for)));
        }
    }
}

#[derive(Debug, Default)]
struct Both {
    table: LockTable,
    model: Model,
    last_id: u64,
}

impl Both {
    fn apply(&mut self, step: Step) {
        match step {
            Step::Acquire { agent: number, names, mode, waits } => {
                let names = names.into_iter().map(|name| LockName::parse(NAMES[name]).unwrap()).collect();
                self.acquire(Request { agent: agent(number), names, mode }, waits);
            }
            Step::Release(several) => several.iter().for_each(|which| self.release(which)),
            Step::Withdraw(which) if !self.model.waiters.is_empty() => {
                let id = *which.get(&self.model.waiters.keys().copied().collect::<Vec<_>>());
                assert_eq!(self.table.take(id), self.model.waiters.remove(&id));
            }
            Step::Withdraw(_) => {}
        }
        self.drain();
        self.compare();
    }

    fn release(&mut self, which: &prop::sample::Index) {
        if !self.model.grants.is_empty() {
            let token = *which.get(&self.model.grants.keys().copied().collect::<Vec<_>>());
            assert_eq!(self.table.release(token), self.model.grants.remove(&token));
        }
    }

    /// Ends everything: the table is as new then.
    fn finish(mut self) {
        self.model.waiters.keys().for_each(|&id| assert!(self.table.take(id).is_some()));
        self.model.grants.keys().for_each(|&token| assert!(self.table.release(token).is_some()));
        assert_eq!((self.table.next_ready(), self.table.next_deadlock()), (None, None));
        assert_eq!(format!("{:?}", self.table), format!("{:?}", LockTable::default()));
    }

    fn acquire(&mut self, request: Request, waits: bool) {
        let same = self.model.grants.iter().find(|(_, grant)| **grant == request).map(|(&token, _)| token);
        assert_eq!(self.table.find_same(&request), same);
        if same.is_some() {
            return;
        }
        self.last_id += 1;
        let conflicts = self.table.conflicts(Some(&request.agent), &request.names, request.mode);
        assert_eq!(conflicts, self.model.blockers(&request, self.last_id));
        if conflicts.is_empty() {
            self.grant(self.last_id, request);
        } else if waits {
            let mut with_waiter = self.model.clone();
            with_waiter.waiters.insert(self.last_id, request.clone());
            match self.table.enqueue(self.last_id, request) {
                Ok(grants) => {
                    assert_eq!(grants, conflicts.grants);
                    self.model = with_waiter;
                    assert!(!self.model.has_cycle());
                }
                Err(deadlock) => {
                    assert_eq!(deadlock.cycle[0].agent, with_waiter.waiters[&self.last_id].agent);
                    with_waiter.confirms(&deadlock);
                }
            }
        }
    }

    fn grant(&mut self, token: u64, request: Request) {
        let own = self.model.grants.values().filter(|grant| grant.agent == request.agent);
        let was_blocked = |waiter: &Request| own.clone().any(|grant| in_conflict(grant, waiter));
        let newcomers = self
            .model
            .waiters
            .iter()
            .filter(|(_, waiter)| in_conflict(waiter, &request) && !was_blocked(waiter));
        let newcomers: Vec<u64> = newcomers.map(|(&id, _)| id).collect();
        assert_eq!(self.table.grant(token, request.clone()), newcomers);
        self.model.grants.insert(token, request);
    }

    fn drain(&mut self) {
        loop {
            let ready = self.table.next_ready();
            assert_eq!(ready, self.model.next_ready());
            if let Some(id) = ready {
                let request = self.table.take(id).unwrap();
                self.model.waiters.remove(&id);
                if self.table.find_same(&request).is_none() {
                    self.last_id += 1;
                    self.grant(self.last_id, request);
                }
            } else if let Some((id, deadlock)) = self.table.next_deadlock() {
                self.model.confirms(&deadlock);
                assert_eq!(self.table.take(id), self.model.waiters.remove(&id));
            } else {
                return;
            }
        }
    }

    fn compare(&self) {
        assert!(!self.model.has_cycle());
        let grants = |grants: &BTreeMap<u64, Request>| grants.clone().into_iter().collect::<Vec<_>>();
        let seen: Vec<_> = self.table.grants_from(0).map(|(token, grant)| (token, grant.clone())).collect();
        assert_eq!(seen, grants(&self.model.grants));
        let seen: Vec<_> = self.table.waiters_from(0).map(|(id, waiter)| (id, waiter.clone())).collect();
        assert_eq!(seen, grants(&self.model.waiters));
        for (&token, grant) in &self.model.grants {
            assert!(!self.model.grants.values().any(|other| in_conflict(grant, other)));
            let blocked = self.model.waiters.values().filter(|waiter| in_conflict(grant, waiter)).count();
            assert_eq!(self.table.blocked_count(token), blocked);
        }
        for (&id, waiter) in &self.model.waiters {
            assert_eq!(self.table.position(id), Some(1 + self.model.blockers(waiter, id).waiters.len()));
            assert_eq!(self.table.waits_for(id), self.model.waits_for(id).into_iter().collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let mut both = Both::default();
        for step in steps {
            both.apply(step);
        }
        both.finish();
    }
}
