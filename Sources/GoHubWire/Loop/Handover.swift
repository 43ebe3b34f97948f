/// Hands something that isn't Sendable to another thread, for good.
///
/// Right where the giver makes it, passes it on and never touches it again: then it belongs to one thread at a time.
struct Handover<Value>: @unchecked Sendable {
    let value: Value
}
