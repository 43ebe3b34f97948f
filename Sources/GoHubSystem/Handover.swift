/// Moves a value that isn't Sendable to another thread.
///
/// Unchecked, and correct if the giver creates the value, passes it on and never uses it again: one thread at a time
/// then owns it. `take` returns it once.
package final class Handover<Value>: @unchecked Sendable {
    private var value: Value?

    package init(_ value: Value) {
        self.value = value
    }

    package func take() -> Value? {
        defer { value = nil }
        return value
    }
}
