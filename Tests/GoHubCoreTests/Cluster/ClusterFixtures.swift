import GoHubTestSupport

@testable import GoHubCore

/// Nodes by name, and incarnations by number.
extension NodeName {
    static func named(_ value: String) -> NodeName {
        guard let name = NodeName(value) else { preconditionFailure("the test's node \(value) has no valid name") }
        return name
    }
}

extension NodeIncarnation {
    /// - Parameter number: not 0.
    static func number(_ number: UInt64) -> NodeIncarnation {
        guard let incarnation = NodeIncarnation(number) else { preconditionFailure("no incarnation has the number 0") }
        return incarnation
    }

    static let a = number(0xA)
    static let b = number(0xB)
    static let c = number(0xC)
}

extension NodeID {
    static let a = NodeID(name: .named("a"), incarnation: .a)
    static let b = NodeID(name: .named("b"), incarnation: .b)
    static let c = NodeID(name: .named("c"), incarnation: .c)
}
