//! From `message.send` to the push at the recipient, beside a raw relay over two connections.

use std::time::{Duration, Instant};

use crate::peers::Peer;
use crate::report::{self, number, percentile};
use crate::rig::{DEFAULT_DURABILITY, Raw, Rig, frame, rest};

const GROUPS: usize = 200;
const PER_GROUP: usize = 50;

/// Prints one line.
pub fn run() {
    let rig = Rig::start(DEFAULT_DURABILITY);
    let peer = Peer::Relay.start(&rig);
    let (mut sender, mut recipient) = (rig.connect(), rig.connect());
    sender.call("session.open", r#"{"agent":"bench-sender"}"#);
    recipient.call("session.open", r#"{"agent":"bench-recipient"}"#);
    recipient.call("message.subscribe", r#"{"credit":10}"#);
    let (mut relay_in, mut relay_out) = (peer.connect(), peer.connect());
    let payload = "p".repeat(100);
    let params = format!(r#"{{"to":"bench-recipient","payload":"{payload}"}}"#);
    let request = sender.frame("message.send", &params);
    let probe = frame(&vec![b' '; 350]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..GROUPS {
        rest();
        for _ in 0..PER_GROUP {
            ours.push(deliver(&mut sender, &request, &mut recipient));
        }
        rest();
        for _ in 0..PER_GROUP {
            let start = Instant::now();
            relay_in.send(&probe);
            relay_out.skip(1);
            theirs.push(start.elapsed());
            relay_in.skip(1);
        }
    }
    let (p50, p99) = (percentile(&mut ours, 0.5), percentile(&mut ours, 0.99));
    let (relay_p50, relay_p99) = (percentile(&mut theirs, 0.5), percentile(&mut theirs, 0.99));
    report::heading(
        "Delivery: message.send to the push at the recipient, 100 bytes, microseconds",
        DEFAULT_DURABILITY,
        Peer::Relay.describe(),
        &["p50", "p99", "relay p50", "relay p99", "p50 ratio"],
    );
    let columns = [p50, p99, relay_p50, relay_p99].map(|time| number(time, 1));
    report::line("one sender, one recipient", &[columns.as_slice(), &[number(p50 / relay_p50, 2)]].concat());
    report::end();
}

/// One message; the ack and both answers are outside of the time.
fn deliver(sender: &mut Raw, request: &[u8], recipient: &mut Raw) -> Duration {
    let start = Instant::now();
    sender.send(request);
    let push = recipient.receive();
    let elapsed = start.elapsed();
    sender.skip(1);
    let receipt = push.split(r#""receipt":""#).nth(1).and_then(|rest| rest.split('"').next());
    let params =
        format!(r#"{{"receipts":["{}"]}}"#, receipt.unwrap_or_else(|| panic!("no receipt in {push}")));
    recipient.call("message.ack", &params);
    elapsed
}
