/// Carries a value that isn't Sendable to another thread, for good.
///
/// Unchecked, and right where the giver makes the value, passes it on and doesn't touch it again: then it belongs to
/// one thread at a time. `take` gives it once.
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
