//! Writes the JSON Schema of the protocol to the standard output, as `protocol.schema.json` has it.

fn main() {
    println!("{:#}", callboard_protocol::schema::protocol_schema());
}
