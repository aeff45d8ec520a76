//! Tasks against a list that is looked through: whoever claims, fails, waits or goes in whatever order.

use callboard_broker::SessionId;
use callboard_protocol::limits::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::task_model::{Model, Status, Task, Waiter, agent_of};

const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];
const TAGS: [&[&str]; 4] = [&[], &["x"], &["y"], &["x", "y"]];
const AGENTS: [&str; 2] = ["ann", "bob"];

/// A new task; what it depends on are earlier tasks, and those at other places of the same call.
#[derive(Debug, Clone)]
struct New {
    priority: usize,
    tags: usize,
    has_role: bool,
    depends_on: Vec<prop::sample::Index>,
    after: Vec<usize>,
    runs_anyway: bool,
    review: bool,
    max_attempts: u32,
    backoff_ms: u64,
    delay_ms: u64,
}

#[derive(Debug, Clone)]
enum Step {
    Create(Vec<New>),
    Claim { session: usize, tags: usize, lease_ms: u64, wait_ms: u64 },
    Complete { session: usize, grant: prop::sample::Index },
    Fail { session: usize, grant: prop::sample::Index, retryable: bool },
    Release { session: usize, grant: prop::sample::Index },
    Review { session: usize, task: prop::sample::Index, approve: bool },
    Cancel { task: prop::sample::Index },
    Retry { task: prop::sample::Index },
    Close { session: usize },
    Tick(u64),
}

fn new() -> impl Strategy<Value = New> {
    let index = any::<prop::sample::Index>();
    let links = (prop::collection::vec(index, 0..3), prop::collection::vec(0..4usize, 0..2));
    let kind = (0..4usize, 0..4usize, prop::bool::weighted(0.2));
    let rules = (prop::bool::weighted(0.3), prop::bool::weighted(0.2), 1..4u32);
    let times = (prop_oneof![Just(0), Just(10)], prop_oneof![3 => Just(0), 1 => 1..40u64]);
    (kind, links, rules, times).prop_map(|(kind, links, rules, times)| New {
        priority: kind.0,
        tags: kind.1,
        has_role: kind.2,
        depends_on: links.0,
        after: links.1,
        runs_anyway: rules.0,
        review: rules.1,
        max_attempts: rules.2,
        backoff_ms: times.0,
        delay_ms: times.1,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let wait_ms = prop_oneof![2 => Just(0), 1 => 1..60u64];
    prop_oneof![
        4 => prop::collection::vec(new(), 1..4).prop_map(Step::Create),
        6 => (0..3usize, 0..4usize, 1..50u64, wait_ms).prop_map(|(session, tags, lease_ms, wait_ms)| {
            Step::Claim { session, tags, lease_ms, wait_ms }
        }),
        3 => (0..3usize, index()).prop_map(|(session, grant)| Step::Complete { session, grant }),
        2 => (0..3usize, index(), any::<bool>())
            .prop_map(|(session, grant, retryable)| Step::Fail { session, grant, retryable }),
        2 => (0..3usize, index()).prop_map(|(session, grant)| Step::Release { session, grant }),
        2 => (0..3usize, index(), any::<bool>())
            .prop_map(|(session, task, approve)| Step::Review { session, task, approve }),
        1 => index().prop_map(|task| Step::Cancel { task }),
        2 => index().prop_map(|task| Step::Retry { task }),
        1 => (0..3usize).prop_map(|session| Step::Close { session }),
        3 => (1..40u64).prop_map(Step::Tick),
    ]
}

struct Scene {
    bench: Bench,
    model: Model,
    sessions: [SessionId; 3],
    requests: i64,
}

impl Scene {
    fn new() -> Self {
        let mut bench = Bench::new(Limits::default());
        let sessions = [0, 1, 2].map(|session| bench.open(Some(AGENTS[agent_of(session)])));
        bench.call(sessions[0], "agent.register", &json!({"role": "r"})).unwrap();
        Self { bench, model: Model::default(), sessions, requests: 1 }
    }

    fn call(&mut self, session: usize, method: &str, params: &Value) -> Result<Value, String> {
        self.bench.call(self.sessions[session], method, params)
    }

    fn create(&mut self, drafts: &[New]) {
        let there: Vec<u64> = self.model.tasks.keys().copied().collect();
        let depends_on = |new: &New| -> Vec<u64> {
            if there.is_empty() {
                Vec::new()
            } else {
                new.depends_on.iter().map(|at| *at.get(&there)).collect()
            }
        };
        // Only what comes later in the call: so there is no cycle.
        let after = |place: usize, new: &New| -> Vec<usize> {
            new.after.iter().copied().filter(|other| *other > place && *other < drafts.len()).collect()
        };
        let wire = |(place, new): (usize, &New)| {
            let ids = depends_on(new).into_iter().map(Value::from);
            let refs = after(place, new).into_iter().map(|other| json!(format!("t{other}")));
            json!({
                "ref": format!("t{place}"), "title": "t", "priority": PRIORITIES[new.priority],
                "tags": TAGS[new.tags], "role": new.has_role.then_some("r"),
                "depends_on": ids.chain(refs).collect::<Vec<_>>(), "review": new.review,
                "on_dependency_failure": if new.runs_anyway { "run" } else { "fail" },
                "max_attempts": new.max_attempts, "backoff_ms": new.backoff_ms, "delay_ms": new.delay_ms,
            })
        };
        let tasks: Vec<Value> = drafts.iter().enumerate().map(wire).collect();
        let created = self.call(0, "task.create_many", &json!({"tasks": tasks})).unwrap();
        let ids: Vec<u64> =
            created["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()).collect();
        let now = self.model.now;
        let model = |(place, new): (usize, &New)| {
            let refs = after(place, new).into_iter().map(|other| ids[other]);
            let task = Task {
                priority: new.priority,
                tags: TAGS[new.tags].to_vec(),
                has_role: new.has_role,
                depends_on: depends_on(new).into_iter().chain(refs).collect(),
                runs_anyway: new.runs_anyway,
                review: new.review,
                max_attempts: new.max_attempts,
                backoff_ms: new.backoff_ms,
                not_before: (new.delay_ms > 0).then_some(now + new.delay_ms),
                status: Status::Blocked,
                by_dependency: false,
                attempts: 0,
                releases: 0,
                assignee: None,
                turn: 0,
            };
            (ids[place], task)
        };
        self.model.create(drafts.iter().enumerate().map(model).collect());
    }

    fn claim(&mut self, session: usize, tags: usize, lease_ms: u64, wait_ms: u64) {
        self.requests += 1;
        let params = json!({"tags": TAGS[tags], "lease_ms": lease_ms, "wait_ms": wait_ms});
        let answer = self.bench.start(self.sessions[session], self.requests, "task.claim", &params);
        let granted = self.model.claim(session, TAGS[tags], lease_ms);
        match (answer, granted) {
            (Some(answer), granted) => self.check_claimed(&answer.unwrap(), granted),
            (None, None) if wait_ms > 0 => {
                let due = self.model.now + wait_ms;
                let tags = TAGS[tags].to_vec();
                self.model.waiters.push(Waiter { request: self.requests, session, tags, lease_ms, due });
            }
            (None, granted) => panic!("it waits, but should have got {granted:?}"),
        }
    }

    fn check_claimed(&mut self, answer: &Value, grant: Option<usize>) {
        let Some(grant) = grant else {
            assert_eq!(*answer, json!({"task": null}));
            return;
        };
        assert_eq!(answer["task"]["id"], json!(self.model.grants[grant].task));
        self.model.grants[grant].token = answer["token"].as_u64().unwrap();
    }

    /// Uses a grant; whether it counted.
    fn with_grant(
        &mut self,
        session: usize,
        grant: prop::sample::Index,
        method: &str,
        mut params: Value,
    ) -> Option<u64> {
        if self.model.grants.is_empty() {
            return None;
        }
        let grant = grant.index(self.model.grants.len());
        params["token"] = json!(self.model.grants[grant].token);
        let answer = self.call(session, method, &params);
        let held = self.model.held(grant);
        let is_own = agent_of(self.model.grants[grant].session) == agent_of(session);
        match (held, is_own) {
            (None, _) => assert_eq!(answer, Err("stale_token".to_owned())),
            (Some(_), false) => assert_eq!(answer, Err("not_owner".to_owned())),
            (Some(_), true) => assert!(answer.is_ok(), "{answer:?}"),
        }
        held.filter(|_| is_own)
    }

    fn review(&mut self, session: usize, id: u64, approve: bool) {
        let answer = self.call(session, "task.review", &json!({"id": id, "approve": approve}));
        let task = &self.model.tasks[&id];
        if task.status != Status::PendingReview {
            assert_eq!(answer, Err("not_ready".to_owned()));
        } else if task.assignee == Some(agent_of(session)) {
            assert_eq!(answer, Err("permission_denied".to_owned()));
        } else {
            assert!(answer.is_ok(), "{answer:?}");
            self.model.review(id, approve);
        }
    }

    fn cancel(&mut self, id: u64) {
        let answer = self.call(0, "task.cancel", &json!({"id": id}));
        match self.model.tasks[&id].status {
            Status::Completed | Status::Failed => assert_eq!(answer, Err("not_ready".to_owned())),
            Status::Cancelled => assert!(answer.is_ok()),
            _ => {
                assert!(answer.is_ok());
                self.model.cancel(id);
            }
        }
    }

    fn task(&self, index: prop::sample::Index) -> Option<u64> {
        let ids: Vec<u64> = self.model.tasks.keys().copied().collect();
        (!ids.is_empty()).then(|| *index.get(&ids))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Create(drafts) => self.create(drafts),
            Step::Claim { session, tags, lease_ms, wait_ms } => {
                self.claim(*session, *tags, *lease_ms, *wait_ms);
            }
            Step::Complete { session, grant } => {
                if let Some(id) = self.with_grant(*session, *grant, "task.complete", json!({})) {
                    self.model.complete(id);
                }
            }
            Step::Fail { session, grant, retryable } => {
                let params = json!({"error": "e", "retryable": retryable});
                if let Some(id) = self.with_grant(*session, *grant, "task.fail", params) {
                    self.model.fail_attempt(id, !retryable);
                }
            }
            Step::Release { session, grant } => {
                if let Some(id) = self.with_grant(*session, *grant, "task.release", json!({})) {
                    self.model.release(id);
                }
            }
            Step::Review { session, task, approve } => {
                if let Some(id) = self.task(*task) {
                    self.review(*session, id, *approve);
                }
            }
            Step::Cancel { task } => {
                if let Some(id) = self.task(*task) {
                    self.cancel(id);
                }
            }
            Step::Retry { task } => {
                if let Some(id) = self.task(*task) {
                    let answer = self.call(0, "task.retry", &json!({"id": id}));
                    assert_eq!(answer.err().as_deref(), self.model.retry(id));
                }
            }
            Step::Close { session } => {
                let id = self.sessions[*session];
                self.bench.tell(|board, now| board.close_session(now, id, false));
                self.model.close(*session);
                self.sessions[*session] = self.bench.open(Some(AGENTS[agent_of(*session)]));
            }
            Step::Tick(ms) => {
                self.bench.tick(*ms);
                self.model.tick(*ms);
            }
        }
    }

    /// Waiting claims were answered as they should be, and every task stands where it should.
    fn check(&mut self) {
        let mut answers = std::mem::take(&mut self.model.answers);
        for (request, answer) in std::mem::take(&mut self.bench.replies) {
            let grant =
                answers.remove(&request).unwrap_or_else(|| panic!("{request} should wait: {answer:?}"));
            self.check_claimed(&answer.unwrap(), grant);
        }
        assert!(answers.is_empty(), "these should have been answered: {answers:?}");
        let listed = self.call(1, "task.list", &json!({"limit": 1000})).unwrap();
        let listed = listed["tasks"].as_array().unwrap();
        assert_eq!(listed.len(), self.model.tasks.len());
        for (row, (id, task)) in listed.iter().zip(&self.model.tasks) {
            let assignee = task.assignee.map(|agent| AGENTS[agent]);
            let expected = json!([id, status_name(task.status), task.attempts, assignee]);
            assert_eq!(json!([row["id"], row["status"], row["attempts"], row["assignee"]]), expected);
            assert_eq!(row["why"] == "dependency", task.by_dependency, "{row}");
        }
        for (agent, name) in AGENTS.iter().enumerate() {
            let held = |task: &&Task| {
                matches!(task.status, Status::InProgress { .. }) && task.assignee == Some(agent)
            };
            let claimed = self.model.tasks.values().filter(held).count();
            let row = self.call(1, "agent.get", &json!({"name": name})).unwrap();
            assert_eq!(row["agent"]["claimed"], json!(claimed), "{name}");
        }
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Blocked => "blocked",
        Status::Delayed { .. } => "delayed",
        Status::Pending => "pending",
        Status::InProgress { .. } => "in_progress",
        Status::PendingReview => "pending_review",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn tasks_go_where_a_list_would_send_them(steps in prop::collection::vec(step(), 1..60)) {
        let mut scene = Scene::new();
        for step in &steps {
            scene.step(step);
            scene.check();
        }
    }

    #[test]
    fn records_and_images_bring_back_every_task_and_the_order_of_claims(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut scene = Scene::new();
        for step in &steps {
            scene.step(step);
            scene.check();
        }
        let mut boards = [scene.bench.restored(scene.bench.records.clone()), scene.bench.restored(scene.bench.image())];
        let expected = rest(&mut scene.bench, scene.sessions[1]);
        for bench in &mut boards {
            prop_assert_eq!(&rest(bench, scene.sessions[1]), &expected);
        }
    }
}

/// All that is there, and who would get what: but for the ends of leases, which a restart moves.
fn rest(bench: &mut Bench, session: SessionId) -> Vec<Value> {
    let mut listed = bench.call(session, "task.list", &json!({"limit": 1000})).unwrap();
    for row in listed["tasks"].as_array_mut().unwrap() {
        row["expires_at"] = Value::Null;
    }
    let mut all = vec![
        listed,
        bench.call(session, "agent.get", &json!({"name": "ann"})).unwrap()["agent"]["claimed"].take(),
    ];
    loop {
        let claimed = bench.call(session, "task.claim", &json!({})).unwrap();
        if claimed["task"].is_null() {
            return all;
        }
        all.push(claimed["task"]["id"].clone());
    }
}
